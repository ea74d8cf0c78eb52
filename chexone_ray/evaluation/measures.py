"""Rows of several systems -> figures with intervals, and tested differences between systems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

import numpy as np

from chexone_ray.evaluation.constant import MAJORITY, RANDOM
from chexone_ray.evaluation.kinds import Metric
from chexone_ray.evaluation.predictions import Judged
from chexone_ray.evaluation.significance import holm, is_zero_one, mcnemar, randomisation_test
from chexone_ray.evaluation.statistics import Array, bootstrap, paired_difference, patient_totals
from chexone_ray.metrics.summable import mean_value

TESTED_BASELINES = (MAJORITY, RANDOM)
"""Those that models are tested against."""


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


@dataclass(frozen=True)
class Counted:
    """What a metric makes of one system's rows: only those that it applies to are in the counts."""

    rows: Array
    """Statistics of each row (N, S)."""
    by_patient: Array
    """The same summed by patient (P, S), patients sorted."""
    num_unparsed: int
    num_refused: int
    num_failed: int


Totals: TypeAlias = Mapping[str, Counted]
"""By system."""


def counted(metric: Metric, judged: Judged) -> Counted:
    """The statistics of all rows that the metric applies to."""
    kept = [
        (f"{sample.dataset}/{sample.patient}", statistics, status)
        for sample, answer, status in zip(
            judged.samples, judged.answers, judged.statuses, strict=True
        )
        if (statistics := metric.row(sample, answer)) is not None
    ]
    if not kept:
        return Counted(np.zeros((0, 1)), np.zeros((0, 1)), 0, 0, 0)
    patients = [patient for patient, *_ in kept]
    values = np.array([statistics for _, statistics, _ in kept], dtype=float)
    statuses = [status for *_, status in kept]
    return Counted(
        values,
        patient_totals(values, patients, sorted(set(patients))),
        statuses.count("unparsed"),
        statuses.count("refused"),
        statuses.count("failed"),
    )


def measure(
    part: Part,
    metrics: Sequence[Metric],
    models: Mapping[str, Judged],
    baselines: Mapping[str, Judged],
    draws: Draws,
) -> tuple[list[Figure], list[Difference]]:
    """All figures of one kind, the headline first and those of its topics last, and the differences
    between every two models and of every model to the baselines in `TESTED_BASELINES`.

    Topics have figures where there are two or more of them; the differences are of all rows.
    """
    figures: list[Figure] = []
    differences: list[Difference] = []
    for number, metric in enumerate(metrics):
        plain = {name: counted(metric, rows) for name, rows in baselines.items()}
        own = {name: counted(metric, rows) for name, rows in models.items()}
        figures += _figures(part, metric, not number, plain, True, draws)
        figures += _figures(part, metric, not number, own, False, draws)
        for first, second, baseline in _pairs(own, plain):
            found = _difference(
                part, metric, (first, (plain if baseline else own)[first]), (second, own[second]),
                draws,
            )  # fmt: skip
            differences.append(replace(found, headline=not number, baseline=baseline))
    for topic in _topics(models):
        for number, metric in enumerate(metrics):
            for systems, baseline in ((baselines, True), (models, False)):
                totals = {n: counted(metric, rows.of_topic(topic)) for n, rows in systems.items()}
                place = replace(part, topic=topic)
                figures += _figures(place, metric, not number, totals, baseline, draws)
    return figures, differences


def _pairs(own: Totals, plain: Totals) -> list[tuple[str, str, bool]]:
    """(first, second, whether first is a baseline): every later model against every earlier one,
    and every model against each tested baseline."""
    names = [name for name, found in own.items() if len(found.rows)]
    blind = [name for name in TESTED_BASELINES if name in plain and len(plain[name].rows)]
    pairs = [(a, b, False) for at, a in enumerate(names) for b in names[at + 1 :]]
    return pairs + [(first, second, True) for first in blind for second in names]


def _topics(models: Mapping[str, Judged]) -> list[str]:
    """The topics of the rows, none where there is but one."""
    found = {sample.topic for judged in models.values() for sample in judged.samples} - {""}
    return sorted(found) if len(found) > 1 else []


def _figures(
    part: Part, metric: Metric, headline: bool, totals: Totals, baseline: bool, draws: Draws
) -> list[Figure]:
    return [
        Figure(
            **asdict(part),
            metric=metric.name,
            signature=metric.signature,
            model=name,
            **asdict(bootstrap(found.by_patient, metric.value, draws.bootstrap, draws.seed)),
            num_rows=len(found.rows),
            num_patients=len(found.by_patient),
            num_unparsed=found.num_unparsed,
            num_refused=found.num_refused,
            num_failed=found.num_failed,
            baseline=baseline,
            headline=headline,
            higher_is_better=metric.higher_is_better,
        )
        for name, found in totals.items()
        if len(found.rows)
    ]


def _difference(
    part: Part,
    metric: Metric,
    first: tuple[str, Counted],
    second: tuple[str, Counted],
    draws: Draws,
) -> Difference:
    """Between the two (name, counts); `p_holm` is filled in by `corrected`."""
    totals = first[1].by_patient, second[1].by_patient
    found = paired_difference(*totals, metric.value, draws.bootstrap, draws.seed)
    p_value = mcnemar_p = None
    test = mcnemar_test = ""
    if draws.randomisations:
        p = randomisation_test(*totals, metric.value, draws.randomisations, draws.seed)
        p_value = None if math.isnan(p) else p
        test = f"approximate randomisation by patient, two-sided, {draws.randomisations} draws"
        hits = _hits(metric, first[1].rows), _hits(metric, second[1].rows)
        if hits[0] is not None and hits[1] is not None:
            by_row = mcnemar(hits[0], hits[1])
            mcnemar_p, mcnemar_test = by_row.p_value, by_row.test
    return Difference(
        part.setting,
        part.kind,
        metric.name,
        first[0],
        second[0],
        **asdict(found),
        p_value=p_value,
        test=test,
        p_holm=None,
        mcnemar_p=mcnemar_p,
        mcnemar_test=mcnemar_test,
        headline=False,
        baseline=False,
    )


def _hits(metric: Metric, rows: Array) -> Array | None:
    """Right or wrong of each row (N,), or None for a metric whose rows are not of that sort."""
    if metric.value is not mean_value or not (rows[:, 1] == 1).all():
        return None
    return rows[:, 0] if is_zero_one(rows[:, 0]) else None


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
