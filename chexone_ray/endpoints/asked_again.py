"""Which rows of a part of predictions are asked about again, and the part with their new answers.

What an endpoint answers is paid for, so a part of one is written also where rows of it failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chexone_ray.answering import Row
from chexone_ray.config import PredictConfig
from chexone_ray.endpoints.chat_client import PASSING
from chexone_ray.records import Sample


@dataclass(frozen=True)
class Missing:
    """A part of which rows are to be asked about."""

    number: int
    samples: Sequence[Sample]
    known: Sequence[list[Row]]
    """The rows of each sample that are there; none of those to ask about."""

    @property
    def asked(self) -> list[Sample]:
        """The samples to ask about, in order."""
        return [one for one, rows in zip(self.samples, self.known, strict=True) if not rows]

    def filled(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of the whole part, with those of what was asked."""
        new = iter(by_sample(rows))
        return [row for known in self.known for row in (known or next(new))]


def again(config: PredictConfig, errors: Sequence[str], finished: bool) -> list[bool]:
    """Which rows are asked about again, by their errors; none of engines, whose parts are whole."""
    if config.endpoint is None:
        return [False] * len(errors)
    return [bool(PASSING.fullmatch(error) if finished else error) for error in errors]


def by_sample(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of a part, together by sample: the completions of each count from 0."""
    found: list[list[Row]] = []
    for row in rows:
        if row["completion"] == 0:
            found.append([])
        found[-1].append(row)
    return found
