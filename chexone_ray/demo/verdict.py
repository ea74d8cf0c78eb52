"""Whether one answer is right, in a word or two, by the metrics that its kind is judged by."""

from __future__ import annotations

from chexone_ray.evaluation.kinds import METRICS, is_correct
from chexone_ray.kinds import form
from chexone_ray.metrics.summable import micro_f1_value
from chexone_ray.records import Sample

RIGHT_IOU = 0.5


def verdict(sample: Sample, answer: str | None) -> tuple[bool | None, str]:
    """(right or not, what to show); (None, "") for free text, which is right by degrees.

    It says "correct": "right" is an answer to questions about the side.
    """
    sort = form(sample.kind)
    if sort == "options":
        return _said(is_correct(sample, answer))
    if sort == "boxes":
        return _boxes(sample, answer)
    if sort == "report" and METRICS[sample.kind][0].value is micro_f1_value:
        return _report(sample, answer)
    return None, ""


def _said(right: bool, why: str = "") -> tuple[bool, str]:
    return right, ("correct" if right else "wrong") + why


def _boxes(sample: Sample, answer: str | None) -> tuple[bool, str]:
    rows = {metric.name: metric.row(sample, answer) for metric in METRICS[sample.kind]}
    overlap = rows.get("mean IoU (matched)")
    if overlap is not None:
        return _said(overlap[0] >= RIGHT_IOU, f", IoU {overlap[0]:.2f}")
    empty = rows.get("specificity")
    return _said(bool(empty and empty[0]))


def _report(sample: Sample, answer: str | None) -> tuple[bool, str]:
    hit, surplus, missed = METRICS[sample.kind][0].row(sample, answer) or (0.0, 0.0, 0.0)
    if answer is None or not hit + surplus + missed:
        return _said(answer is not None)
    f1 = 2 * hit / (2 * hit + surplus + missed)
    return not surplus + missed, f"label F1 {f1:.2f}"
