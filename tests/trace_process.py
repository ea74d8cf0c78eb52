"""`trace` in a process of its own that a test can kill; it saves every answer at once.

Usage: trace_process.py CONFIG.json
"""

from __future__ import annotations

import sys
from pathlib import Path

from chexone_ray import log, trace
from chexone_ray.config import TraceConfig


def main(path: str) -> None:
    """Run the stage by the given settings."""
    log.configure()
    trace.SAVE_EVERY_S = 0.0
    trace.trace(TraceConfig.model_validate_json(Path(path).read_text()))


if __name__ == "__main__":
    main(*sys.argv[1:])
