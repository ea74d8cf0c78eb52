"""Probes of a model's reasoning and of its reliance on the film, as a Ray job.

ray job submit --working-dir . -- python jobs/probe_reasoning.py --config jobs/configs/probe.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import ProbeConfig


def main() -> int:
    config = cli.load("probe", ProbeConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.probing.run import probe

    print(probe(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
