"""Selecting the prompts on which answers differ, as a Ray job.

ray job submit --working-dir . -- python jobs/filter.py --config jobs/configs/filter.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import FilterConfig


def main() -> int:
    config = cli.load("filter", FilterConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.variance import select

    print(select(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
