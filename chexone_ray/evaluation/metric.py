"""What a metric of the tables is: the statistics of a row, and their value once summed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from chexone_ray.evaluation.statistics import Array, Value
from chexone_ray.metrics.labels import label_statistics
from chexone_ray.metrics.signature import extended, signature
from chexone_ray.metrics.summable import mean_value
from chexone_ray.metrics.text import FIGURES, Statistics, text_statistics
from chexone_ray.records import Sample

if TYPE_CHECKING:  # which imports the metrics of every kind
    from chexone_ray.evaluation.predictions import Judged

RowStatistics = Callable[[Sample, "str | None"], Sequence[float] | None]
"""Statistics of a row, or None where the metric does not apply to the row: by what the row is,
never by what was answered, so that it applies to the same rows of every system."""
RowsStatistics: TypeAlias = "Sequence[Sequence[float] | None] | Array"
"""What a metric makes of each row, None where it does not apply."""
REFERENCE = "reference text or answer"
"""`reference_of`, as signatures say it."""
OF_TEXTS = {"reference": REFERENCE, "no_answer": "an empty text"}
"""What scores of (answer, reference text) are of, as their signatures say it."""
_TEXT = {figure.name: figure for figure in FIGURES}


@dataclass(frozen=True)
class Source:
    """Numbers of (answer, reference) pairs that several metrics read, made once a system; see
    `text_rows.py`. No answer is an empty one."""

    statistics: Statistics
    """A row whose columns of a metric are all NaN is one that the metric does not apply to."""
    on_tasks: bool = False
    """True where Ray tasks may do it: pure, without a model to load."""
    of_models: bool = False
    """True where baselines are not scored: every pair costs money."""


TEXTS = Source(text_statistics, on_tasks=True)
LABELS = Source(label_statistics, on_tasks=True)
"""The 14 labels of reports, and their findings, by the rule labeller."""


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
    source: Source | None = None
    """What the rows of a system are read from, its `columns`, instead of calling `row` for each."""
    columns: tuple[int, ...] = ()
    right_rows: bool = False
    """True where it is a share of right rows by what it is, each 0 or 1."""
    leaves_out: bool = False
    """True where a row of zeros alone is one that no judge gave a score: it is in no figure."""
    of_rows: Callable[[Judged], RowsStatistics] | None = None
    """The statistics of a system's rows, of a metric that needs more of them than the answer; its
    `row` then applies to none."""


def row_value(metric: Metric, statistics: Sequence[float] | Array | None) -> float | None:
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
    told = (figure.name, figure.columns, figure.value, extended(figure.signature, OF_TEXTS))
    return source_metric(TEXTS, *told, has_row_values="corpus" not in name)


def words_metric(name: str, score: Callable[[str, str], float]) -> Metric:
    """`text_metric` of a figure that is the mean of `score`, without the rest of the source: for
    kinds that have no other score of texts."""
    return Metric(
        name, over_reference(score), mean_value, extended(_TEXT[name].signature, OF_TEXTS)
    )


def read_columns(matrix: Array, columns: Sequence[int]) -> RowsStatistics:
    """What a metric reads of a source's matrix (N, S); None for rows that are all NaN there."""
    rows = matrix[:, list(columns)]
    without = np.isnan(rows).all(axis=1)
    if not without.any():
        return rows
    return [None if lacks else row for row, lacks in zip(rows, without, strict=True)]


def source_metric(
    source: Source,
    name: str,
    columns: tuple[int, ...],
    value: Value,
    signed: str,
    *,
    has_row_values: bool = True,
    higher_is_better: bool = True,
) -> Metric:
    """A metric of `columns` of what `source` makes of the pairs, signed `signed`."""

    def row(sample: Sample, answer: str | None) -> Sequence[float] | None:
        pairs = [(answer or "", reference_of(sample))]
        found = read_columns(source.statistics(pairs), columns)[0]
        return None if found is None else [float(value) for value in found]

    return Metric(
        name,
        row,
        value,
        signed,
        has_row_values,
        higher_is_better,
        source=source,
        columns=columns,
    )
