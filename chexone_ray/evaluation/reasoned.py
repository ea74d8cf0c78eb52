"""Figures about the reasoning in predictions: is it borne out, and do several answers agree.

They are of systems alone that gave reasoning, or several answers a row; baselines give neither.
`chexone probe` says more of one checkpoint.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from chexone_ray.evaluation.metric import Metric, RowsStatistics
from chexone_ray.evaluation.predictions import Judged
from chexone_ray.evaluation.same_answer import SAME_RULE, same_answer
from chexone_ray.kinds import form
from chexone_ray.metrics.consistency import self_consistency
from chexone_ray.metrics.factuality import entity_counts
from chexone_ray.metrics.labels import RULES
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import mean_value
from chexone_ray.records import Sample

FACTUALITY = "reasoning: factuality"
STATING = "reasoning: traces that state a finding"
CONSISTENCY = "reasoning: self-consistency"
NAMES = (FACTUALITY, STATING, CONSISTENCY)
"""`figures/reasoned.py` draws what begins with "reasoning:"."""
OF_TRACES = (FACTUALITY, STATING)
"""Those that a model without reasoning has none of."""
OF_NO_FINDING = frozenset(
    {"view", "view_matching", "image_text_matching", "image_text_selection", "entities", "text_qa"}
)
"""Kinds whose references do not say what is on the film: nothing could bear a trace out."""

Reports = Mapping[tuple[str, str], Sequence[Sample]]
"""(data set, study) -> its rows with a report."""


def metrics_of(kind: str, models: Mapping[str, Judged], reports: Reports) -> tuple[Metric, ...]:
    """The metrics that at least one of the models has figures of."""
    found: list[Metric] = []
    if kind not in OF_NO_FINDING and any(map(_reasons, models.values())):
        found += [_factuality(reports), _stating()]
    drawn = sorted({num for judged in models.values() if (num := num_drawn(judged)) > 1})
    return (*found, _consistency(drawn)) if drawn else tuple(found)


def reports_of(judged: Iterable[Judged]) -> Reports:
    """The report rows of every study, each once: references that bear out what a trace states."""
    found: dict[tuple[str, str], dict[str, Sample]] = defaultdict(dict)
    for rows in judged:
        for sample in rows.samples:
            if form(sample.kind) == "report" and sample.study:
                found[sample.dataset, sample.study][sample.id] = sample
    return {study: tuple(samples.values()) for study, samples in found.items()}


def num_drawn(judged: Judged) -> int:
    """Answers to a row, the most that one has: a failed row has but one."""
    return max((len(answers) for answers in judged.completions), default=0)


def _reasons(judged: Judged) -> bool:
    return any(judged.reasonings)


def _factuality(reports: Reports) -> Metric:
    """Pooled over findings, so that it is of the same rows of every system."""

    def of_rows(judged: Judged) -> RowsStatistics:
        if not _reasons(judged):
            return [None] * len(judged.samples)
        return [
            _counts(trace, _references(sample, reports))
            for sample, trace in zip(judged.samples, judged.reasonings, strict=True)
        ]

    told = signature(
        FACTUALITY,
        entities="CheXpert 14 stated as present",
        reference="answer, reference trace, reports of the study in the setting",
        labeller=RULES,
        silent_trace="adds nothing",
        average="pooled over findings",
    )
    return Metric(FACTUALITY, _of_no_answer, mean_value, told, of_rows=of_rows)


def _references(sample: Sample, reports: Reports) -> tuple[Sample, ...]:
    """The row, the explanation that its data set gives of it, read as a report, and reports."""
    explained = replace(sample, kind="findings", answer=sample.reasoning, reference="")
    told = (sample, explained) if sample.reasoning else (sample,)
    return (*told, *reports.get((sample.dataset, sample.study), ()))


def _counts(trace: str, references: Sequence[Sample]) -> tuple[float, float]:
    right, stated = entity_counts(trace, references)
    return float(right), float(stated)


def _stating() -> Metric:
    """Beside factuality, as a model could be silent for a high one."""

    def of_rows(judged: Judged) -> RowsStatistics:
        if not _reasons(judged):
            return [None] * len(judged.samples)
        return [(float(entity_counts(t, ())[1] > 0), 1.0) for t in judged.reasonings]

    told = signature(STATING, entities="CheXpert 14 stated as present", labeller=RULES)
    return Metric(STATING, _of_no_answer, mean_value, told, of_rows=of_rows)


def _consistency(drawn: Sequence[int]) -> Metric:
    """`drawn`: how many answers to a row the systems gave."""

    def of_rows(judged: Judged) -> RowsStatistics:
        num = num_drawn(judged)
        if num < 2:
            return [None] * len(judged.samples)
        return [
            (self_consistency(_filled(answers, num), partial(same_answer, sample)), 1.0)
            for sample, answers in zip(judged.samples, judged.completions, strict=True)
        ]

    told = signature(
        CONSISTENCY,
        formula="1 - H / log k",
        k="/".join(map(str, drawn)),
        **SAME_RULE,
        unparsed="like no other",
        failed="like no other",
        average="mean of rows",
    )
    return Metric(CONSISTENCY, _of_no_answer, mean_value, told, of_rows=of_rows)


def _filled(answers: Sequence[str | None], num: int) -> list[str | None]:
    """A row that failed has one result: the answers that it lacks are like no other."""
    return [*answers, *[None] * (num - len(answers))]


def _of_no_answer(sample: Sample, answer: str | None) -> None:
    """An answer alone says nothing of the reasoning."""
