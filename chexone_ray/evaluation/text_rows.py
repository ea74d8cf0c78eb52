"""The statistics of every row of every system, made once for tables and rows alike.

Metrics of texts read one matrix of (answer, reference) pairs a kind: each text is cut into words
once and its labels are read once, and an answer that several systems gave to a row is scored once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.metric import (
    Metric,
    RowsStatistics,
    Source,
    read_columns,
    reference_of,
)
from chexone_ray.evaluation.predictions import Judged
from chexone_ray.evaluation.statistics import Array
from chexone_ray.metrics.text import Pair, score_pairs

logger = logging.getLogger(__name__)

PAIRS_A_TASK = 500
"""Fewer are scored faster than a task is started for them."""


@dataclass(frozen=True)
class Computed:
    """What metrics make of the rows of one kind: system -> metric -> statistics of each row; a
    baseline has none of metrics of models alone."""

    metrics: tuple[Metric, ...]
    rows: Mapping[str, Mapping[str, RowsStatistics]]


def computed(
    metrics: Sequence[Metric],
    systems: Mapping[str, Judged],
    num_tasks: int | None = None,
    baselines: Collection[str] = (),
) -> Computed:
    """The statistics of all rows, in the order of each system; metrics of models alone have none of
    the systems that `baselines` names.

    `num_tasks` Ray tasks score the texts. By default as many as a Ray that this process has joined
    has free CPUs, and without one all is scored here.

    Raises:
        ChexoneError: more than one task is asked for without a Ray.
    """
    sources = list(dict.fromkeys(metric.source for metric in metrics if metric.source))
    models = {name: judged for name, judged in systems.items() if name not in baselines}
    matrices = [
        _matrices(source, models if source.of_models else systems, num_tasks) for source in sources
    ]
    rows = {
        name: {
            metric.name: (
                read_columns(matrices[sources.index(metric.source)][name], metric.columns)
                if metric.source
                else row_statistics(metric, judged)
            )
            for metric in metrics
            if name in models or not (metric.source and metric.source.of_models)
        }
        for name, judged in systems.items()
    }
    return Computed(tuple(metrics), rows)


def row_statistics(metric: Metric, judged: Judged) -> RowsStatistics:
    """The statistics of every row of one system by one metric, in order."""
    if metric.of_rows is not None:
        return metric.of_rows(judged)
    if metric.source is not None:
        return read_columns(_matrices(metric.source, {"": judged}, 1)[""], metric.columns)
    return [metric.row(*pair) for pair in zip(judged.samples, judged.answers, strict=True)]


def _matrices(
    source: Source, systems: Mapping[str, Judged], num_tasks: int | None
) -> dict[str, Array]:
    """(N, S) of each system; every different pair is scored once, those of a row together."""
    pairs = {name: _pairs(judged) for name, judged in systems.items()}
    longest = max((len(found) for found in pairs.values()), default=0)
    places: dict[Pair, int] = {}
    for at in range(longest):
        for found in pairs.values():
            if at < len(found):
                places.setdefault(found[at], len(places))
    tasks = _num_tasks(num_tasks, len(places)) if source.on_tasks else 1
    matrix = score_pairs(list(places), num_tasks=tasks, statistics=source.statistics)
    return {name: matrix[[places[pair] for pair in found]] for name, found in pairs.items()}


def _pairs(judged: Judged) -> list[Pair]:
    return [
        (answer or "", reference_of(sample))
        for sample, answer in zip(judged.samples, judged.answers, strict=True)
    ]


def _num_tasks(asked: int | None, num_pairs: int) -> int:
    """Ray is never started or imported here: whoever wants tasks has joined it."""
    if asked == 1:
        return 1
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        if asked is not None:
            raise ChexoneError(f"text_tasks={asked}: Ray is not joined: give 1, or join it first")
        return 1
    wanted = int(ray.available_resources().get("CPU", 0)) if asked is None else asked
    return max(1, min(wanted, num_pairs // PAIRS_A_TASK))
