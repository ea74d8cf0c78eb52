"""What a metric of the tables is: the statistics of a row, and their value once summed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chexone_ray.evaluation.statistics import Value
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import mean_value
from chexone_ray.metrics.text import FIGURES, text_statistics
from chexone_ray.records import Sample

RowStatistics = Callable[[Sample, "str | None"], Sequence[float] | None]
"""Statistics of a row, or None where the metric does not apply to the row: by what the row is,
never by what was answered, so that it applies to the same rows of every system."""
_TEXT = {figure.name: figure for figure in FIGURES}
_CACHED_PAIRS = 4_096


@dataclass(frozen=True)
class Metric:
    """`name` carries the averaging, so a printed number says what it is."""

    name: str
    row: RowStatistics
    value: Value
    signature: str
    """All that the number depends on; see `metrics/signature.py`."""
    has_row_values: bool = True
    """False where one row by itself has no value that means something, as with a corpus score."""
    higher_is_better: bool = True
    tested: bool = False
    """True where differences are tested beside those of the headline, in its family: what the
    headline leaves out."""


def row_value(metric: Metric, statistics: Sequence[float] | None) -> float | None:
    """The metric of one row by itself, or None where it has none: a metric of pooled counts says
    nothing of a row that adds no count."""
    if not metric.has_row_values or statistics is None or not any(statistics):
        return None
    value = float(metric.value(np.asarray(statistics, dtype=float)))
    return value if math.isfinite(value) else None


def metric(
    name: str,
    row: RowStatistics,
    value: Value = mean_value,
    /,
    **settings: str | int | float | bool,
) -> Metric:
    """A metric whose signature is its name and `settings`."""
    return Metric(name, row, value, signature(name, **settings))


def over_reference(score: Callable[[str, str], float]) -> RowStatistics:
    """Rows of a score of (answer, reference text) for `mean_value`; no answer is an empty one."""

    def row(sample: Sample, answer: str | None) -> Sequence[float]:
        return (score(answer or "", reference_of(sample)), 1.0)

    return row


def reference_of(sample: Sample) -> str:
    """The text that free answers are compared with."""
    return sample.reference or sample.answer


def text_metric(name: str) -> Metric:
    """A figure of `metrics.text` by its name; that of one report is no part of a corpus score."""
    figure = _TEXT[name]

    def row(sample: Sample, answer: str | None) -> Sequence[float]:
        statistics = _text_row(answer or "", reference_of(sample))
        return [statistics[column] for column in figure.columns]

    return Metric(name, row, figure.value, figure.signature, "corpus" not in name)


@lru_cache(maxsize=_CACHED_PAIRS)
def _text_row(predicted: str, reference: str) -> tuple[float, ...]:
    """All text statistics of a pair: several metrics read them."""
    return tuple(text_statistics([(predicted, reference)])[0].tolist())
