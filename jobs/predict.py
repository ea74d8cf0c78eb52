"""Batch prediction, as a Ray job.

ray job submit --working-dir . -- python jobs/predict.py --config jobs/configs/predict.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import PredictConfig


def main() -> int:
    config = cli.load("predict", PredictConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.predict import predict

    print(predict(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
