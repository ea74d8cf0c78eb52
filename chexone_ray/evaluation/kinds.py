"""Which metrics each question kind is judged by, and the statistics that one row adds to them.

A row function takes the sample and the answer text parsed out of the completion (None where nothing
could be parsed: counted as wrong, never left out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from chexone_ray import boxes
from chexone_ray.answers import choice_of, chosen_options, normalise
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.metric import (
    LABELS,
    REFERENCE,
    Metric,
    RowsStatistics,
    RowStatistics,
    metric,
    over_reference,
    source_metric,
    text_metric,
    words_metric,
)
from chexone_ray.kinds import KINDS, Form
from chexone_ray.metrics.classes import (
    asked_finding,
    class_f1_signature,
    jaccard_row,
    progression_row,
    progression_signature,
    progression_value,
)
from chexone_ray.metrics.denied import asked_name, denies, same_name
from chexone_ray.metrics.detection import (
    THRESHOLDS,
    box_f1_signature,
    charged,
    detection_row,
    label_precision_value,
    label_rank_rows,
    labels_of,
    mean_precision_value,
    negative_row,
    precision_signature,
    rank_row,
)
from chexone_ray.metrics.entities import entity_f1
from chexone_ray.metrics.label_f1 import UNANSWERED, counts_row, value_of
from chexone_ray.metrics.labels import COLUMNS, LABEL_FIGURES, RULES, finding_signature
from chexone_ray.metrics.overlap import (
    accuracy_row,
    iou_row,
    overlap_signature,
    without_labels,
)
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import mean_recall_value, mean_value, micro_f1_value
from chexone_ray.metrics.tokens import exact_match, token_f1, token_recall
from chexone_ray.records import Box, Sample

if TYPE_CHECKING:  # which imports the metrics of every kind
    from chexone_ray.evaluation.predictions import Judged


def is_correct(sample: Sample, answer: str | None) -> bool:
    """True where exactly the right option or closed answer was given."""
    if not answer:
        return False
    right = chosen_options(sample.answer, sample.options)
    if not right:  # a reference that names no option is answered by its own words alone
        return _same_text(answer, sample.answer)
    return _chosen(sample, answer) == right


def _chosen(sample: Sample, answer: str | None) -> frozenset[str]:
    return choice_of(answer or "", sample)


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


def _decoded(answer: str | None) -> list[Box]:
    return boxes.decode(answer) if answer else []


def is_denial(sample: Sample, answer: str | None) -> bool:
    """True where an answer says that there is nothing to draw, or what the reference says."""
    return bool(answer) and (denies(answer or "") or _same_text(answer or "", sample.answer))


def _same_text(first: str, second: str) -> bool:
    return normalise(first) == normalise(second)


def _over_boxes(
    score: Callable[[Sequence[Box], Sequence[Box]], Sequence[float] | None], named: bool = True
) -> RowStatistics:
    """Rows of a score of two lists of boxes; without `named` their labels are dropped, as the
    question names what to find."""

    def row(sample: Sample, answer: str | None) -> Sequence[float] | None:
        meant = sample.boxes
        said = charged(_decoded(answer), meant, is_denial(sample, answer))
        return score(said, meant) if named else score(without_labels(said), without_labels(meant))

    return row


def _by_label(judged: Judged) -> RowsStatistics:
    pairs = list(zip(judged.samples, judged.answers, strict=True))
    labels = labels_of([sample.boxes for sample in judged.samples])
    said = [
        charged(_decoded(a), s.boxes, is_denial(s, a), _denied_labels(s.answer, labels))
        for s, a in pairs
    ]
    return label_rank_rows(said, [sample.boxes for sample in judged.samples], _LABEL_IOU)


def _denied_labels(reference: str, labels: Sequence[str]) -> Sequence[str]:
    """Those of the labels that a row without boxes denies, else all: "None." denies each."""
    name = asked_name(reference)
    return [label for label in labels if same_name(name, label)] or labels


def _of_all_rows(sample: Sample, answer: str | None) -> None:
    """The row of a metric whose statistics need all rows of a system."""


def _matched(predicted: Sequence[Box], reference: Sequence[Box]) -> Sequence[float] | None:
    return iou_row(predicted, reference, "matched", labelled=True)


def _over_half(predicted: Sequence[Box], reference: Sequence[Box]) -> Sequence[float] | None:
    return accuracy_row(predicted, reference, 0.5, "matched", labelled=True)


def _specificity(sample: Sample, answer: str | None) -> Sequence[float] | None:
    drawn = _decoded(answer)
    return negative_row(drawn if drawn or is_denial(sample, answer) else None, sample.boxes)


def _jaccard(sample: Sample, answer: str | None) -> Sequence[float]:
    return jaccard_row(_chosen(sample, answer), chosen_options(sample.answer, sample.options))


_LABEL_IOU = 0.4
"""The IoU of VinBigData's mAP. One, as every row carries statistics of every label."""
_ROWS = {"average": "mean of rows", "unparsed": "wrong"}
_CODEC = "percent with fractions"
"""The notation that boxes are read from."""
_MATCHED = {
    "match": "hungarian",
    "over": "larger number of boxes",
    "empty_reference": "left out",
    "codec": _CODEC,
}
_ACCURACY = replace(
    metric("accuracy", _accuracy, match="exact set of options", **_ROWS), right_rows=True
)
_SPECIFICITY = replace(
    metric(
        "specificity", _specificity, rows="without a box", right="a denial", codec=_CODEC, **_ROWS
    ),
    right_rows=True,
    tested=True,  # a system that draws a box everywhere loses nothing in the headline
)
_POSITIVE_F1 = source_metric(
    LABELS,
    "label F1 (micro)",
    COLUMNS["positive"],
    micro_f1_value,
    signature(
        "label F1 (micro)",
        labels="CheXpert 14 without No Finding",
        reference=REFERENCE,
        labeller=RULES,
        uncertain="absent",
        no_answer=UNANSWERED,
        average="micro",
        zero_division=0,
    ),
)
_FINDING_F1 = source_metric(
    LABELS,
    "finding F1 (side, severity, region)",
    COLUMNS["findings"],
    micro_f1_value,
    finding_signature(reference=REFERENCE),
)
_LABEL_F1 = tuple(
    source_metric(LABELS, f.name, f.columns, f.value, f.signature(reference=REFERENCE))
    for f in LABEL_FIGURES
)
_ROUGE_L = text_metric("ROUGE-L (no stemming)")
_TEXT_OVERLAP = tuple(
    text_metric(name)
    for name in (
        *("BLEU-2 (mean of pairs, rexrank)", "BLEU-1 (corpus, ptb)", "BLEU-4 (corpus, ptb)"),
        *("BLEU-4 (corpus, words)", "ROUGE-1 (stemmed)", "ROUGE-2 (stemmed)", "ROUGE-L (stemmed)"),
        "ROUGE-L (beta 1.2, ptb)",
    )
)


_LABEL_PRECISION = Metric(
    f"mAP at IoU {_LABEL_IOU:g} (mean of labels)",
    _of_all_rows,
    label_precision_value,
    precision_signature(
        (_LABEL_IOU,),
        "labels of all reference rows",
        codec=_CODEC,
        charged="the labels denied, else every label",
    ),
    has_row_values=False,
    of_rows=_by_label,
)


def _detection(named: bool) -> tuple[Metric, ...]:
    """What is told of boxes besides their matched overlap."""
    f1 = (
        Metric(
            f"box F1 at IoU {threshold:g}",
            _over_boxes(partial(detection_row, threshold=threshold), named),
            micro_f1_value,
            box_f1_signature(threshold, named, codec=_CODEC),
        )
        for threshold in (0.3, 0.5, 0.75)
    )
    precision = Metric(
        "mAP at IoU 0.1-0.75 (any label)",
        _over_boxes(partial(rank_row, classes=("",)), named=False),
        mean_precision_value(1),
        precision_signature(THRESHOLDS, 1, codec=_CODEC),
        has_row_values=False,
    )
    mask = Metric(
        "mean IoU (mask)",
        _over_boxes(partial(iou_row, form="mask"), named=False),
        mean_value,
        overlap_signature("mIoU", "mask", codec=_CODEC),
    )
    return (mask, *f1, precision, _LABEL_PRECISION) if named else (mask, *f1, precision)


_OF_FORM: dict[Form, tuple[Metric, ...]] = {
    "options": (_ACCURACY,),
    "boxes": (
        metric("mean IoU (matched)", _over_boxes(_matched), **_MATCHED, labels="equal", **_ROWS),
        metric("IoU >= 0.5", _over_boxes(_over_half), **_MATCHED, labels="equal", **_ROWS),
        _SPECIFICITY,
        *_detection(named=True),
    ),
    "report": (
        _POSITIVE_F1,
        _ROUGE_L,
        _FINDING_F1,
        *_LABEL_F1,
        *_TEXT_OVERLAP,
    ),
    "text": (
        words_metric("token F1", token_f1),
        words_metric("token recall", token_recall),
        replace(words_metric("exact match", exact_match), right_rows=True),
    ),
}
_OF_KIND: dict[str, tuple[Metric, ...]] = {
    "multi_choice": (
        replace(
            metric("accuracy (exact set)", _accuracy, match="exact set of options", **_ROWS),
            right_rows=True,
        ),
        metric("Jaccard of the options", _jaccard, **_ROWS),
    ),
    "phrase_grounding": (
        metric(
            "mean IoU (matched)",
            _over_boxes(_matched, named=False),
            **_MATCHED,
            labels="ignored",
            **_ROWS,
        ),
        metric(
            "IoU >= 0.5",
            _over_boxes(_over_half, named=False),
            **_MATCHED,
            labels="ignored",
            **_ROWS,
        ),
        *_detection(named=False),
    ),
    "grounded_caption": (_ROUGE_L, *_TEXT_OVERLAP),
    "difference": (*_OF_FORM["text"], *_TEXT_OVERLAP),
    "entities": (
        metric(
            "entity F1 (exact)",
            over_reference(entity_f1),
            pair="words and type",
            reference=REFERENCE,
            **_ROWS,
        ),
    ),
}


def _progression(sample: Sample, answer: str | None) -> Sequence[float]:
    meant = normalise(sample.answer)
    return progression_row(asked_finding(sample.id), _chosen(sample, answer), meant)


def _of_classes(classes: Sequence[str]) -> tuple[Metric, ...]:
    """Of a closed question whose answers are few: the mean recall first, then the rest."""
    name = "balanced accuracy" if len(classes) == 2 else "macro accuracy"

    def f1_row(sample: Sample, answer: str | None) -> Sequence[float]:
        return counts_row(_chosen(sample, answer), {normalise(sample.answer)}, classes)

    recall = metric(
        name,
        _recalls(classes),
        mean_recall_value,
        classes=", ".join(classes),
        average="macro of recalls",
        absent_class="left out",
        unparsed="wrong",
    )
    signed = class_f1_signature("macro", len(classes), "skip")
    macro_f1 = Metric("macro F1", f1_row, value_of("macro", "skip"), signed, False)
    return (recall, _ACCURACY, macro_f1)


_PROGRESSION = Metric(
    "macro accuracy (mean of findings)",
    _progression,
    progression_value,
    progression_signature(),
)
_OF_KIND["progression"] = (*_of_classes(KINDS["progression"].classes), _PROGRESSION)
METRICS: dict[str, tuple[Metric, ...]] = {
    name: _OF_KIND.get(name) or (_of_classes(kind.classes) if kind.classes else _OF_FORM[kind.form])
    for name, kind in KINDS.items()
}
"""Kind -> metrics, the headline first."""
