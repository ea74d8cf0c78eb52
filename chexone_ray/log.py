"""Logging set-up for command lines and jobs; modules themselves only call `logging.getLogger`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

RESEARCH_USE_ONLY = (
    "Research use only: not a medical device, not for diagnosis or treatment; "
    "a qualified reader must check every output."
)


def configure(level: str = "INFO") -> None:
    """Send log lines of this package to standard error, one format everywhere."""
    for name in ("botocore", "fontTools", "httpx", "httpx2", "ray.data", "ray.train", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s", datefmt="%H:%M:%S"
    )


@contextmanager
def timed(logger: logging.Logger, what: str) -> Iterator[None]:
    """Log how many seconds the block took."""
    start = time.monotonic()
    logger.info("%s ...", what)
    yield
    logger.info("%s: %.1f s", what, time.monotonic() - start)


def last_line(error: BaseException) -> str:
    """The end of what an error says, where Ray puts the cause; its type where it says nothing."""
    return ([type(error).__name__, *str(error).strip().splitlines()])[-1][:300]


class Waiting:
    """Says now and then what is waited for, so that nobody wonders whether it hangs."""

    def __init__(self, logger: logging.Logger, what: str, every_s: float = 30.0) -> None:
        self._logger, self._what, self._every_s = logger, what, every_s
        self.restart()

    def restart(self) -> None:
        """What was waited for has come: count from now."""
        self._start = self._logged = time.monotonic()

    def remind(self) -> None:
        """Call it in the loop that waits: logs a line every `every_s` seconds."""
        now = time.monotonic()
        if now - self._logged >= self._every_s:
            self._logged = now
            self._logger.info("waiting for %s since %.0f s", self._what, now - self._start)
