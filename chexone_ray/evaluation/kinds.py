"""Which metrics each question kind is judged by, and the statistics that one row adds to them.

A row function takes the sample and the answer text parsed out of the completion (None where nothing
could be parsed: counted as wrong, never left out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chexone_ray import boxes
from chexone_ray.answers import chosen_options, normalise
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.statistics import Value
from chexone_ray.kinds import KINDS, Form
from chexone_ray.metrics.entities import entity_f1
from chexone_ray.metrics.labeller import read_report
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


_ACCURACY = Metric("accuracy", _accuracy, mean_value)
_ROUGE_L = Metric("ROUGE-L F1 (no stemming)", _over_reference(rouge_l), mean_value)
_OF_FORM: dict[Form, tuple[Metric, ...]] = {
    "options": (_ACCURACY,),
    "boxes": (
        Metric("mean IoU (matched)", _iou, mean_value),
        Metric("IoU >= 0.5", _over_half(_iou), mean_value),
        Metric("specificity", _specificity, mean_value),
    ),
    "report": (Metric("label F1 (micro)", _label_counts, micro_f1_value), _ROUGE_L),
    "text": (
        Metric("token F1", _over_reference(token_f1), mean_value),
        Metric("token recall", _over_reference(token_recall), mean_value),
        Metric("exact match", _over_reference(exact_match), mean_value),
    ),
}
_OF_KIND: dict[str, tuple[Metric, ...]] = {
    "multi_choice": (
        Metric("accuracy (exact set)", _accuracy, mean_value),
        Metric("Jaccard of the options", _jaccard, mean_value),
    ),
    "phrase_grounding": (
        Metric("mean IoU (matched)", _phrase_iou, mean_value),
        Metric("IoU >= 0.5", _over_half(_phrase_iou), mean_value),
    ),
    "grounded_caption": (_ROUGE_L,),
    "entities": (Metric("entity F1 (exact)", _over_reference(entity_f1), mean_value),),
}


def _recall_metric(classes: Sequence[str]) -> Metric:
    name = "balanced accuracy" if len(classes) == 2 else "macro accuracy"
    return Metric(name, _recalls(classes), mean_recall_value)


METRICS: dict[str, tuple[Metric, ...]] = {
    name: _OF_KIND.get(name)
    or ((_recall_metric(kind.classes),) if kind.classes else _OF_FORM[kind.form])
    for name, kind in KINDS.items()
}
"""Kind -> metrics, the headline first."""
