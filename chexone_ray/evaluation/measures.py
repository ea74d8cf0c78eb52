"""Rows of several systems -> figures with intervals, and tested differences between systems."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.blind import MAJORITY, RANDOM
from chexone_ray.evaluation.metric import Metric, RowsStatistics
from chexone_ray.evaluation.predictions import Judged
from chexone_ray.evaluation.significance import holm, mcnemar, randomisation_test
from chexone_ray.evaluation.statistics import (
    Array,
    Interval,
    drawn_values,
    interval,
    patient_totals,
    unseen_of_pair,
    unseen_share,
)
from chexone_ray.evaluation.text_rows import Computed
from chexone_ray.metrics.signature import extended
from chexone_ray.metrics.summable import mean_value

TESTED_BASELINES = (MAJORITY, RANDOM)
"""Those that models are tested against."""
MAX_UNJUDGED = 0.05
"""Share of a system's rows that may lack a judge's score."""


@dataclass(frozen=True)
class Draws:
    """How often chance is asked. Without `randomisations` nothing is tested."""

    bootstrap: int
    randomisations: int
    seed: int


@dataclass(frozen=True)
class Part:
    """The rows that a figure is about."""

    setting: str
    """Name of the evaluation setting, "" for a plain run."""
    kind: str
    topic: str = ""
    """Of all rows where empty."""


@dataclass(frozen=True)
class Figure:
    """One number of the table."""

    setting: str
    kind: str
    topic: str
    metric: str
    signature: str
    model: str
    value: float
    low: float
    """NaN, like `high`, where there is no interval, as of too few patients."""
    high: float
    num_rows: int
    num_patients: int
    num_unparsed: int
    num_refused: int
    num_failed: int
    baseline: bool
    headline: bool
    """True for the first metric of its kind."""
    higher_is_better: bool
    undefined_draws: float = 0.0
    """Share of the bootstrap draws in which the figure has no value; they are left out."""
    num_unjudged: int = 0
    """Rows of `num_rows` that the metric's judge gave no score; they are left out."""
    num_scored: int | None = None
    """Rows of `num_rows` that weigh in a mean over rows or findings, as silent traces do not; None
    where each does."""
    num_patients_scored: int | None = None


@dataclass(frozen=True)
class Difference:
    """metric(second) - metric(first) on the same patients."""

    setting: str
    kind: str
    metric: str
    first: str
    second: str
    value: float
    low: float
    high: float
    p_value: float | None
    """Of `test`, the primary one; None where nothing was tested or there is no difference."""
    test: str
    p_holm: float | None
    """Of a headline metric: corrected for all headline tests of the evaluation between models, or
    for all between a baseline and a model."""
    mcnemar_p: float | None
    """Of rows that are right or wrong, taken as independent; None for other metrics."""
    mcnemar_test: str
    headline: bool
    baseline: bool
    """True where `first` is a baseline."""
    undefined_draws: float = 0.0


@dataclass(frozen=True)
class Counted:
    """What a metric makes of one system's rows: only those that it applies to are in the counts."""

    rows: Array
    """Statistics of each row (N, S)."""
    patients: tuple[str, ...]
    """Sorted."""
    by_patient: Array
    """The statistics summed by patient (P, S)."""
    num_unparsed: int
    num_refused: int
    num_failed: int


@dataclass(frozen=True)
class Measured:
    """A system's figure with its bootstrap values (draws,), for patients that it shares."""

    counts: Counted
    value: float
    drawn: Array
    baseline: bool


def counted(judged: Judged, statistics: RowsStatistics, topic: str = "") -> Counted:
    """The counts of the rows of one topic, of all for none."""
    kept = [
        at
        for at, (sample, found) in enumerate(zip(judged.samples, statistics, strict=True))
        if found is not None and topic in ("", sample.topic)
    ]
    if not kept:
        return Counted(np.zeros((0, 1)), (), np.zeros((0, 1)), 0, 0, 0)
    patients = [f"{s.dataset}/{s.patient}" for s in (judged.samples[at] for at in kept)]
    order = sorted(set(patients))
    values = np.array([statistics[at] for at in kept], dtype=float)
    statuses = [judged.statuses[at] for at in kept]
    return Counted(
        values,
        tuple(order),
        patient_totals(values, patients, order),
        statuses.count("unparsed"),
        statuses.count("refused"),
        statuses.count("failed"),
    )


def measure(
    part: Part,
    statistics: Computed,
    models: Mapping[str, Judged],
    baselines: Mapping[str, Judged],
    draws: Draws,
) -> tuple[list[Figure], list[Difference]]:
    """All figures of one kind, the headline first and those of its topics last, and the differences
    between every two models and of every model to the baselines in `TESTED_BASELINES`.

    `statistics` are those of all systems. Topics have figures where there are two or more of them;
    the differences are of all rows.
    """
    figures: dict[str, list[Figure]] = {topic: [] for topic in ("", *_topics(models))}
    differences: list[Difference] = []
    systems = {**baselines, **models}
    for number, metric in enumerate(statistics.metrics):
        for topic, found in figures.items():
            counts = {
                n: counted(rows, statistics.rows[n][metric.name], topic)
                for n, rows in systems.items()
                if metric.name in statistics.rows[n]
            }
            place = replace(part, topic=topic)
            measured = _measured(place, metric, counts, baselines, draws)
            found += [
                _figure(place, metric, not number, name, systems[name].reading, one)
                for name, one in measured.items()
            ]
            if not topic:
                differences += [
                    _difference(part, metric, not number or metric.tested, pair, measured, draws)
                    for pair in _pairs(measured)
                ]
    return [figure for found in figures.values() for figure in found], differences


def _measured(
    part: Part,
    metric: Metric,
    counts: Mapping[str, Counted],
    baselines: Collection[str],
    draws: Draws,
) -> dict[str, Measured]:
    """The systems, all on the same patients, so that their draws are; none without a row.

    Raises:
        ChexoneError: the metric applies to other rows of one system than of another.
    """
    if not any(len(count.rows) for count in counts.values()):
        return {}
    # Only some systems have what such a metric is about: several answers, a trace.
    found = {n: c for n, c in counts.items() if len(c.rows) or metric.of_rows is None}
    first, *others = found
    for name in others:
        if _extent(found[name]) != _extent(found[first]):
            of = f" of setting {part.setting!r}" if part.setting else ""
            raise ChexoneError(
                f"{part.kind}{of}: {metric.name!r} applies to {len(found[first].rows)} rows of "
                f"{first!r} and {len(found[name].rows)} of {name!r}, or to other patients: predict "
                "all of them on one manifest"
            )
    totals = [count.by_patient for count in found.values()]
    drawn = drawn_values(totals, metric.value, draws.bootstrap, draws.seed)
    return {
        name: Measured(
            count, float(metric.value(count.by_patient.sum(axis=0))), values, name in baselines
        )
        for (name, count), values in zip(found.items(), drawn, strict=True)
    }


def _extent(count: Counted) -> tuple[int, tuple[str, ...]]:
    return len(count.rows), count.patients


def _pairs(measured: Mapping[str, Measured]) -> list[tuple[str, str]]:
    """Every later model against every earlier one, and every model against each tested baseline."""
    names = [name for name, found in measured.items() if not found.baseline]
    blind = [name for name in TESTED_BASELINES if name in measured and name not in names]
    pairs = [(first, second) for at, first in enumerate(names) for second in names[at + 1 :]]
    return pairs + [(first, second) for first in blind for second in names]


def _topics(models: Mapping[str, Judged]) -> list[str]:
    """The topics of the rows, none where there is but one."""
    found = {sample.topic for judged in models.values() for sample in judged.samples} - {""}
    return sorted(found) if len(found) > 1 else []


def _figure(
    part: Part,
    metric: Metric,
    headline: bool,
    name: str,
    reading: Mapping[str, str],
    measured: Measured,
) -> Figure:
    counts = measured.counts
    unjudged = _unjudged(part, metric, name, counts) if metric.leaves_out else 0
    unseen = unseen_share(counts.by_patient, metric.value)
    return Figure(
        **asdict(part),
        metric=metric.name,
        signature=extended(metric.signature, reading),
        model=name,
        **_ends(interval(measured.value, measured.drawn, unseen)),
        num_rows=len(counts.rows),
        num_patients=len(counts.patients),
        num_unparsed=counts.num_unparsed,
        num_refused=counts.num_refused,
        num_failed=counts.num_failed,
        baseline=measured.baseline,
        headline=headline,
        higher_is_better=metric.higher_is_better,
        num_unjudged=unjudged,
        num_scored=_weighing(metric, counts.rows),
        num_patients_scored=_weighing(metric, counts.by_patient),
    )


def _weighing(metric: Metric, statistics: Array) -> int | None:
    """How many of the statistics (N, S) weigh in a mean; None where all do, or of other values."""
    if metric.value is not mean_value or not len(statistics):
        return None
    found = int((statistics[:, 1] != 0).sum())
    return None if found == len(statistics) else found


def _unjudged(part: Part, metric: Metric, name: str, counts: Counted) -> int:
    """How many rows have no score. Raises ChexoneError where they are too many to be left out."""
    lost = int((~counts.rows.any(axis=1)).sum())
    if not part.topic and lost > MAX_UNJUDGED * len(counts.rows):
        raise ChexoneError(
            f"{metric.name}: the judge gave no score to {lost} of {len(counts.rows)} rows of "
            f"{name!r} ({part.kind}), more than {MAX_UNJUDGED:.0%}: see that its server is up and "
            "answers in the form asked for, or evaluate without it"
        )
    return lost


def _difference(
    part: Part,
    metric: Metric,
    headline: bool,
    pair: tuple[str, str],
    measured: Mapping[str, Measured],
    draws: Draws,
) -> Difference:
    """Between the two, `p_holm` left to `corrected`."""
    first, second = (measured[name] for name in pair)
    totals = first.counts.by_patient, second.counts.by_patient
    unseen = unseen_of_pair(*totals, metric.value)
    gain = interval(second.value - first.value, second.drawn - first.drawn, unseen, (-1.0, 1.0))
    p_value = mcnemar_p = None
    test = mcnemar_test = ""
    if draws.randomisations:
        p = randomisation_test(*totals, metric.value, draws.randomisations, draws.seed)
        p_value = None if math.isnan(p) else p
        test = f"approximate randomisation by patient, two-sided, {draws.randomisations} draws"
        if metric.right_rows:
            by_row = mcnemar(first.counts.rows[:, 0], second.counts.rows[:, 0])
            mcnemar_p, mcnemar_test = by_row.p_value, by_row.test
    return Difference(
        part.setting,
        part.kind,
        metric.name,
        *pair,
        **_ends(gain),
        p_value=p_value,
        test=test,
        p_holm=None,
        mcnemar_p=mcnemar_p,
        mcnemar_test=mcnemar_test,
        headline=headline,
        baseline=first.baseline,
    )


def _ends(found: Interval) -> dict[str, Any]:
    """An interval under the names that a figure and a difference have for it."""
    values = asdict(found)
    return values | {"undefined_draws": values.pop("undefined")}


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences with `p_holm` of the headline tests, in two families: those between models
    and those of a model to a baseline."""
    found = list(differences)
    for baseline in (False, True):
        at = [i for i, d in enumerate(found) if _is_member(d, baseline)]
        p_values = [p for i in at if (p := found[i].p_value) is not None]
        for i, p in zip(at, holm(p_values), strict=True):
            found[i] = replace(found[i], p_holm=p)
    return found


def family(differences: Sequence[Difference], baseline: bool) -> int:
    """How many tests are corrected together."""
    return sum(_is_member(d, baseline) for d in differences)


def _is_member(difference: Difference, baseline: bool) -> bool:
    tested = difference.p_value is not None
    return tested and difference.headline and difference.baseline == baseline
