"""Reinforcement from rewards, as a Ray job.

ray job submit --working-dir . -- python jobs/grpo.py --config jobs/configs/grpo.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import GrpoConfig


def main() -> int:
    config = cli.load("grpo", GrpoConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.grpo.driver import train

    print(train(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
