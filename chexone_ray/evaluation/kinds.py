"""Which metrics each question kind is judged by, and the statistics that one row adds to them.

A row function takes the sample and the answer text parsed out of the completion (None where nothing
could be parsed: counted as wrong, never left out).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chexone_ray import boxes
from chexone_ray.answers import chosen_options, normalise
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.statistics import Value
from chexone_ray.kinds import KINDS, Form
from chexone_ray.metrics.entities import entity_f1
from chexone_ray.metrics.labeller import read_report
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import mean_recall_value, mean_value, micro_f1_value
from chexone_ray.metrics.tokens import exact_match, rouge_l, token_f1, token_recall
from chexone_ray.records import Box, Sample

RowStatistics = Callable[[Sample, "str | None"], Sequence[float] | None]
"""Statistics of a row, or None where the metric does not apply to the row."""


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


def row_value(metric: Metric, statistics: Sequence[float] | None) -> float | None:
    """The metric of one row by itself, or None where it has none: a metric of pooled counts says
    nothing of a row that adds no count."""
    if not metric.has_row_values or statistics is None or not any(statistics):
        return None
    value = float(metric.value(np.asarray(statistics, dtype=float)))
    return value if math.isfinite(value) else None


def is_correct(sample: Sample, answer: str | None) -> bool:
    """True where exactly the right option or closed answer was given."""
    if not answer:
        return False
    return chosen_options(answer, sample.options) == chosen_options(sample.answer, sample.options)


def _accuracy(sample: Sample, answer: str | None) -> Sequence[float]:
    return (float(is_correct(sample, answer)), 1.0)


def _recalls(classes: Sequence[str]) -> RowStatistics:
    def row(sample: Sample, answer: str | None) -> Sequence[float]:
        statistics = [0.0] * (2 * len(classes))
        reference = normalise(sample.answer)
        if reference not in classes:
            raise ChexoneError(
                f"a {sample.kind} row has the reference answer {sample.answer!r}: "
                f"the metric knows {', '.join(classes)}"
            )
        at = 2 * classes.index(reference)
        statistics[at] = float(is_correct(sample, answer))
        statistics[at + 1] = 1.0
        return statistics

    return row


def positive_labels(report: str) -> frozenset[str]:
    """Labels that a report states as present, by the rule labeller; "No Finding" is left out."""
    return frozenset(
        label
        for label, mention in read_report(report).items()
        if mention.state == 1 and label.lower() != "no finding"
    )


def _label_counts(sample: Sample, answer: str | None) -> Sequence[float]:
    truth = positive_labels(sample.answer)
    said = positive_labels(answer or "")
    return (float(len(truth & said)), float(len(said - truth)), float(len(truth - said)))


def _decoded(answer: str | None) -> list[Box]:
    return boxes.decode(answer) if answer else []


def mean_iou(predicted: Sequence[Box], reference: Sequence[Box]) -> float:
    """Hungarian-matched IoU over max(predicted, reference) boxes, as the reward counts it.

    Only boxes of one label match; a missing box and a surplus one both cost.
    """
    matched = sum(overlap for _, _, overlap in boxes.match(predicted, reference, labelled=True))
    return matched / max(len(predicted), len(reference))


def _iou(sample: Sample, answer: str | None) -> Sequence[float] | None:
    return (mean_iou(_decoded(answer), sample.boxes), 1.0) if sample.boxes else None


def _over_half(score: RowStatistics) -> RowStatistics:
    def row(sample: Sample, answer: str | None) -> Sequence[float] | None:
        found = score(sample, answer)
        return found and (float(found[0] >= 0.5), 1.0)

    return row


def _specificity(sample: Sample, answer: str | None) -> Sequence[float] | None:
    if sample.boxes:
        return None
    return (float(answer is not None and not _decoded(answer)), 1.0)


def _jaccard(sample: Sample, answer: str | None) -> Sequence[float]:
    right = chosen_options(sample.answer, sample.options)
    said = chosen_options(answer or "", sample.options)
    return (len(right & said) / max(len(right | said), 1), 1.0)


def _over_reference(score: Callable[[str, str], float]) -> RowStatistics:
    def row(sample: Sample, answer: str | None) -> Sequence[float]:
        return (score(answer or "", sample.reference or sample.answer), 1.0)

    return row


def _phrase_iou(sample: Sample, answer: str | None) -> Sequence[float]:
    """The question names what to find, so labels play no part."""
    said = [replace(box, label="") for box in _decoded(answer)]
    return (mean_iou(said, [replace(box, label="") for box in sample.boxes]), 1.0)


def _metric(
    name: str,
    row: RowStatistics,
    value: Value = mean_value,
    /,
    **settings: str | int | float | bool,
) -> Metric:
    """A metric whose signature is its name and `settings`."""
    return Metric(name, row, value, signature(name, **settings))


_ROWS = {"average": "mean of rows", "unparsed": "wrong"}
_MATCHED = {"match": "hungarian", "over": "larger number of boxes", "empty_reference": "left out"}
_WORDS = {"tok": "letters and digits", "case": "lower", "level": "mean of rows"}
_ACCURACY = _metric("accuracy", _accuracy, match="exact set of options", **_ROWS)
_ROUGE_L = _metric(
    "ROUGE-L F1 (no stemming)", _over_reference(rouge_l), **_WORDS, stem=False, beta=1
)
_OF_FORM: dict[Form, tuple[Metric, ...]] = {
    "options": (_ACCURACY,),
    "boxes": (
        _metric("mean IoU (matched)", _iou, **_MATCHED, labels="equal", **_ROWS),
        _metric("IoU >= 0.5", _over_half(_iou), **_MATCHED, labels="equal", **_ROWS),
        _metric("specificity", _specificity, rows="without a box", **_ROWS),
    ),
    "report": (
        _metric(
            "label F1 (micro)",
            _label_counts,
            micro_f1_value,
            labels="CheXpert 14 without No Finding",
            labeller="rules",
            uncertain="absent",
            average="micro",
            zero_division=0,
        ),
        _ROUGE_L,
    ),
    "text": (
        _metric("token F1", _over_reference(token_f1), **_WORDS, articles="kept"),
        _metric("token recall", _over_reference(token_recall), **_WORDS, articles="kept"),
        _metric("exact match", _over_reference(exact_match), normalise="case, space, edges"),
    ),
}
_OF_KIND: dict[str, tuple[Metric, ...]] = {
    "multi_choice": (
        _metric("accuracy (exact set)", _accuracy, match="exact set of options", **_ROWS),
        _metric("Jaccard of the options", _jaccard, **_ROWS),
    ),
    "phrase_grounding": (
        _metric("mean IoU (matched)", _phrase_iou, **_MATCHED, labels="ignored", **_ROWS),
        _metric("IoU >= 0.5", _over_half(_phrase_iou), **_MATCHED, labels="ignored", **_ROWS),
    ),
    "grounded_caption": (_ROUGE_L,),
    "entities": (
        _metric("entity F1 (exact)", _over_reference(entity_f1), pair="words and type", **_ROWS),
    ),
}


def _recall_metric(classes: Sequence[str]) -> Metric:
    name = "balanced accuracy" if len(classes) == 2 else "macro accuracy"
    return _metric(
        name,
        _recalls(classes),
        mean_recall_value,
        classes=", ".join(classes),
        average="macro of recalls",
        absent_class="left out",
        unparsed="wrong",
    )


METRICS: dict[str, tuple[Metric, ...]] = {
    name: _OF_KIND.get(name)
    or ((_recall_metric(kind.classes),) if kind.classes else _OF_FORM[kind.form])
    for name, kind in KINDS.items()
}
"""Kind -> metrics, the headline first."""
