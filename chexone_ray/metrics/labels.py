"""Report F1-14 and F1-5: do two reports state the same of CheXpert's 14 findings?

The labels come from the rule labeller, so the figures stand beside published CheXbert F1 values but
are not the same metric; `metrics/learned/chexbert.py` reads reports with the model itself, and
`counts_row` takes the sets of either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from chexone_ray.metrics.label_f1 import (
    Average,
    ZeroDivision,
    counts_row,
    f1_signature,
    samples_row,
)
from chexone_ray.metrics.labeller import LABELS, PRESENT, UNCERTAIN, read_report

F1_14: tuple[str, ...] = LABELS
"""The 13 findings and "no finding"."""
F1_5 = ("cardiomegaly", "edema", "consolidation", "atelectasis", "pleural effusion")
Reading = Literal["rrg", "positive"]
"""What counts as 1: "rrg" present and uncertain (the reading of report generation), "positive"
present alone. Absent and not mentioned are 0 in both."""


def stated(states: Mapping[str, int], reading: Reading = "rrg") -> frozenset[str]:
    """Labels that count as 1; `states` has 1 present, 0 absent, -1 uncertain."""
    ones = (PRESENT, UNCERTAIN) if reading == "rrg" else (PRESENT,)
    return frozenset(label for label, state in states.items() if state in ones)


def report_labels(report: str, reading: Reading = "rrg") -> frozenset[str]:
    """What a report states, by the rule labeller; empty for an empty text."""
    return stated({label: said.state for label, said in read_report(report).items()}, reading)


def label_row(
    predicted: str, reference: str, labels: Sequence[str] = F1_14, reading: Reading = "rrg"
) -> tuple[float, ...]:
    """(TP, FP, FN) of each label, flat, for the values of `label_f1`."""
    said, meant = report_labels(predicted, reading), report_labels(reference, reading)
    return counts_row(said, meant, labels)


def label_samples_row(
    predicted: str,
    reference: str,
    labels: Sequence[str] = F1_14,
    reading: Reading = "rrg",
    zero_division: ZeroDivision = 0,
) -> tuple[float, float]:
    """(F1 of the pair's two sets of labels, 1) for `mean_value`."""
    said, meant = report_labels(predicted, reading), report_labels(reference, reading)
    return samples_row(said, meant, labels, zero_division)


def label_signature(
    average: Average,
    labels: Sequence[str] = F1_14,
    reading: Reading = "rrg",
    zero_division: ZeroDivision = 0,
    labeller: str = "rules",
) -> str:
    """Such as "report F1-14|average:macro|zero_division:0|reading:rrg|labeller:rules|v:..."."""
    return f1_signature(
        f"report F1-{len(labels)}", average, zero_division, reading=reading, labeller=labeller
    )
