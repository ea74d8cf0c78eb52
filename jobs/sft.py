"""Supervised fine-tuning, as a Ray job.

ray job submit --working-dir . -- python jobs/sft.py --config jobs/configs/sft.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import SftConfig


def main() -> int:
    config = cli.load("sft", SftConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.sft import train

    print(train(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
