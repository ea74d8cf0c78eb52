"""A pause in Ray Data's scheduling loop while training consumes its blocks."""

from __future__ import annotations

import time
from typing import Any

from ray.data._internal.execution.execution_callback import ExecutionCallback

STEP_S = 0.02


class Pace(ExecutionCallback):
    """Sleep after every turn of the scheduling loop.

    Ray Data 2.60 turns without waiting as long as a finished block is not consumed, which is most
    of the time when training is the slow part: on two cores that took as much CPU as one worker.
    """

    def on_execution_step(self, executor: Any) -> None:
        """Called by Ray Data after each turn."""
        time.sleep(STEP_S)
