"""Reasoning traces by a teacher model, as a Ray job.

ray job submit --working-dir . -- python jobs/write_traces.py --config jobs/configs/trace.toml
"""

import sys

from chexone_ray import cli, runtime
from chexone_ray.config import TraceConfig


def main() -> int:
    config = cli.load("trace", TraceConfig, sys.argv[1:])
    if config is None:
        return 0
    runtime.join(config.ray)
    from chexone_ray.trace import trace

    print(trace(config))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
