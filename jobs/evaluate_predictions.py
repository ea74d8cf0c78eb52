"""The table of predictions by task, as a Ray job.

ray job submit --working-dir . -- python jobs/evaluate_predictions.py --config TOML

Not named evaluate.py: jobs/ comes first on sys.path, and a library is called that.
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import EvaluateConfig


def main() -> int:
    config = cli.load("evaluate", EvaluateConfig, sys.argv[1:])
    if config is None:
        return 0
    from chexone_ray.evaluation.run import check, evaluate

    check(config)
    runtime.join(config.ray)
    print(evaluate(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
