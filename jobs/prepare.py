"""Archives to manifest, as a Ray job.

ray job submit --working-dir . -- python jobs/prepare.py --config jobs/configs/prepare.toml
"""

import sys

from chexone_ray import cli
from chexone_ray.config import PrepareConfig


def main() -> int:
    config = cli.load("prepare", PrepareConfig, sys.argv[1:])
    return 0 if config is None else cli.run("prepare", config)


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
