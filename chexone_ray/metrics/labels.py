"""Report F1-14 and F1-5: do two reports state the same of CheXpert's 14 findings?

The labels come from the rule labeller, so the figures stand beside published CheXbert F1 values but
are not the same metric; `metrics/learned/chexbert.py` reads reports with the model itself, and
`counts_row` takes the sets of either. "No finding" is counted only where a text states normality
(`normality.py`): a text that merely names no finding is no normal film.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from chexone_ray.metrics.factuality import stated_text
from chexone_ray.metrics.label_f1 import (
    UNANSWERED,
    Average,
    ZeroDivision,
    counts_row,
    f1_signature,
    samples_row,
    unanswered_row,
)
from chexone_ray.metrics.labeller import LABELS, PRESENT, UNCERTAIN, read_report
from chexone_ray.metrics.normality import NORMAL, RULE, states_normal

_HERE = Path(__file__).parent

F1_14: tuple[str, ...] = LABELS
"""The 13 findings and "no finding"."""
F1_5 = ("cardiomegaly", "edema", "consolidation", "atelectasis", "pleural effusion")
_SOURCES = (
    *("denials.py", "factuality.py", "labeller.py", "normality.py"),
    *sorted(path.name for path in _HERE.glob("report_*.py")),
)
_DIGEST = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _SOURCES)).hexdigest()
RULES = f"rules {_DIGEST[:8]}"
"""The rule labeller as signatures name it: with a digest of its rules, as another rule makes other
numbers."""
Reading = Literal["rrg", "positive"]
"""What counts as 1: "rrg" present and uncertain (the reading of report generation), "positive"
present alone. Absent and not mentioned are 0 in both."""


def stated(states: Mapping[str, int], reading: Reading = "rrg") -> frozenset[str]:
    """Labels that count as 1; `states` has 1 present, 0 absent, -1 uncertain."""
    ones = (PRESENT, UNCERTAIN) if reading == "rrg" else (PRESENT,)
    return frozenset(label for label, state in states.items() if state in ones)


def report_labels(report: str, reading: Reading = "rrg") -> frozenset[str]:
    """What a report states, by the rule labeller; empty for a text that states nothing.

    "no finding" is there only where nothing else is (but support devices) and the text itself
    says that something is normal or not there.
    """
    states = {label: said.state for label, said in read_report(report).items()}
    if NORMAL in states and not states_normal(stated_text(report)):
        del states[NORMAL]
    return stated(states, reading)


def label_row(
    predicted: str, reference: str, labels: Sequence[str] = F1_14, reading: Reading = "rrg"
) -> tuple[float, ...]:
    """(TP, FP, FN) of each label, flat, for the values of `label_f1`; a blank text is no answer."""
    meant = report_labels(reference, reading)
    if not predicted.strip():
        return unanswered_row(meant, labels)
    return counts_row(report_labels(predicted, reading), meant, labels)


def label_samples_row(
    predicted: str,
    reference: str,
    labels: Sequence[str] = F1_14,
    reading: Reading = "rrg",
    zero_division: ZeroDivision = 0,
) -> tuple[float, float]:
    """(F1 of the pair's two sets of labels, 1) for `mean_value`; 0 for a blank text."""
    if not predicted.strip():
        return 0.0, 1.0
    said, meant = report_labels(predicted, reading), report_labels(reference, reading)
    return samples_row(said, meant, labels, zero_division)


def label_signature(
    average: Average,
    labels: Sequence[str] = F1_14,
    reading: Reading = "rrg",
    zero_division: ZeroDivision = 0,
    labeller: str = RULES,
    *,
    supported: bool = False,
    **settings: str,
) -> str:
    """Such as "report F1-14|average:macro|zero_division:0|labels:with support|reading:rrg|...|v:".

    `supported`: of `supported_macro_value`, which leaves labels without support out; `settings`
    are what else the texts depend on. Another `labeller` has a rule of its own for "no finding".
    """
    if labeller == RULES and NORMAL in labels:
        settings = {"no_finding": RULE, **settings}
    return f1_signature(
        f"report F1-{len(labels)}",
        average,
        zero_division,
        labels="with support" if supported else "all",
        reading=reading,
        uncertain="present" if reading == "rrg" else "absent",
        no_answer=0 if average == "samples" else UNANSWERED,
        **settings,
        labeller=labeller,
    )
