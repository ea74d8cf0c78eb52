"""Archives to manifest, as a Ray job.

ray job submit --working-dir . -- python jobs/prepare.py --config jobs/configs/prepare.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import PrepareConfig


def main() -> int:
    config = cli.load("prepare", PrepareConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.data.build import prepare

    print(prepare(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
