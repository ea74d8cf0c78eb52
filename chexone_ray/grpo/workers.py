"""The driver's side of the training workers: their ledger and their Ray Train run in one handle."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Any

from chexone_ray.background import in_background
from chexone_ray.config import GrpoConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.grpo import ledger
from chexone_ray.grpo.batches import StepBatch
from chexone_ray.grpo.ledger import TrainerReport
from chexone_ray.log import Waiting
from chexone_ray.training.launch import Fit

logger = logging.getLogger(__name__)

POLL_S = 5.0
CALL_S = 60.0


class Workers:
    """A training run that takes batches and gives reports; a context manager.

    Consumes: the batches of one step, one a rank. Produces: one `TrainerReport` a step and one at
    each start. Waits for: the worker group to start (`start_timeout_s`, and again when Ray Train
    restarts it), then for a step (`step_timeout_s`). Unblocked by: rank 0's reports.
    On failure: a run that has ended with an error raises that error at the next wait; leaving the
    context early closes the ledger, so that the workers end without a restart.
    """

    def __init__(self, config: GrpoConfig, run: dict[str, Any], fit: Fit) -> None:
        self._config = config
        self._ledger = ledger.start()
        fit.go({"config": config, "run": run, "ledger": self._ledger})
        self._result = in_background("grpo-fit", lambda: fit.result(quiet=True))

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._result.done():
            self._close(repr(error) if error else "the run ended early")

    def put(self, batches: Sequence[StepBatch]) -> None:
        """Leave the batches of a step for the workers, in the order of ranks."""
        import ray

        references = [ray.put(batch) for batch in batches]
        ray.get(self._ledger.put_batches.remote(batches[0].step, references), timeout=CALL_S)

    def next_report(self) -> TrainerReport:
        """The next report of the trainer.

        Raises the error of a run that failed, and ChexoneError where none comes in time.
        """
        import ray

        limit = self._config.trainer.start_timeout_s + self._config.step_timeout_s
        start = time.monotonic()
        waiting = Waiting(logger, "the training workers")
        while True:
            report: TrainerReport | None = ray.get(
                self._ledger.take_report.remote(POLL_S), timeout=POLL_S + CALL_S
            )
            if report is not None:
                return report
            if self._result.done():
                self._result.result()
                raise RuntimeError("the training workers ended before the last step")
            if time.monotonic() - start > limit:
                raise ChexoneError(
                    f"no report from the training workers within {limit:.0f} s: see their log, "
                    "or raise trainer.start_timeout_s or step_timeout_s"
                )
            waiting.remind()

    def finish(self) -> str:
        """Wait for the final checkpoint and return its URI."""
        try:
            return self._result.result(self._config.step_timeout_s)
        except FutureTimeout:
            raise ChexoneError(
                f"the final checkpoint was not written within step_timeout_s="
                f"{self._config.step_timeout_s:g}: raise it"
            ) from None

    def _close(self, reason: str) -> None:
        """Let the workers end by themselves within a minute."""
        import ray

        try:
            ray.get(self._ledger.close.remote(reason), timeout=CALL_S)
            self._result.result(CALL_S)
        except Exception as error:  # the first error is the one to show
            logger.warning("the training workers did not end in order: %s", type(error).__name__)
