"""Report F1-14 and F1-5: do two reports state the same of CheXpert's 14 findings?

The labels come from the rule labeller, so the figures stand beside published CheXbert F1 values but
are not the same metric; `metrics/learned/chexbert.py` reads reports with the model itself, and
`counts_row` takes the sets of either. "No finding" is counted only where a text states normality
(`normality.py`): a text that merely names no finding is no normal film.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

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
from chexone_ray.metrics.labeller import LABELS, PRESENT, UNCERTAIN, Mention, read_report
from chexone_ray.metrics.normality import NORMAL, RULE, states_normal
from chexone_ray.metrics.summable import Array

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


def positive_labels(report: str) -> frozenset[str]:
    """Labels that a report states as present; "no finding" is left out."""
    return _positive(read_report(report))


def report_labels(report: str, reading: Reading = "rrg") -> frozenset[str]:
    """What a report states, by the rule labeller; empty for a text that states nothing.

    "no finding" is there only where nothing else is (but support devices) and the text itself
    says that something is normal or not there.
    """
    return _counting(report, read_report(report), reading)


def _positive(said: Mapping[str, Mention]) -> frozenset[str]:
    return frozenset(
        label for label, mention in said.items() if mention.state == PRESENT and label != NORMAL
    )


def _counting(report: str, said: Mapping[str, Mention], reading: Reading) -> frozenset[str]:
    states = {label: mention.state for label, mention in said.items()}
    if NORMAL in states and not states_normal(stated_text(report)):
        del states[NORMAL]
    return stated(states, reading)


COLUMNS: dict[str, tuple[int, ...]] = {
    "positive": (0, 1, 2),
    "F1-14": tuple(range(3, 45)),
    "F1-5": tuple(range(45, 60)),
    "samples": (60, 61),
}
"""Columns of `label_statistics`: (TP, FP, FN) of the labels that are stated as present, pooled;
(TP, FP, FN) of each label that counts; (F1 of the pair's sets, 1), NaN for a reference without."""
WIDTH = 62


def label_statistics(pairs: Sequence[tuple[str, str]]) -> Array:
    """(N, WIDTH) of N (answer, reference) pairs: all that F1 of reports need. Each text is read
    once; a blank answer is none."""
    told = {text: read_labels(text) for text in dict.fromkeys(chain.from_iterable(pairs))}
    rows = [
        labels_row(told[answer] if answer.strip() else None, told[reference])
        for answer, reference in pairs
    ]
    return np.array(rows, dtype=float).reshape(-1, WIDTH)


@dataclass(frozen=True)
class Told:
    """The labels of one text: those that count, and those that it states as present, less "no
    finding"."""

    counted: frozenset[str]
    positive: frozenset[str]


def read_labels(text: str) -> Told:
    """The labels of a text by the rule labeller."""
    said = read_report(text)
    return Told(_counting(text, said, "rrg"), _positive(said))


def labels_row(said: Told | None, meant: Told) -> tuple[float, ...]:
    """(WIDTH,): one pair's row of `label_statistics`; None for no answer."""
    if said is None:
        pooled = (0, int(not meant.positive), len(meant.positive))
        cells = [unanswered_row(meant.counted, labels) for labels in (F1_14, F1_5)]
    else:
        pooled = _pooled(said.positive, meant.positive)
        cells = [counts_row(said.counted, meant.counted, labels) for labels in (F1_14, F1_5)]
    counted = said.counted if said else frozenset[str]()
    # A reference that states no label ("Low lung volumes.") could be answered only by 0/0.
    sample = samples_row(counted, meant.counted, F1_14) if meant.counted else (np.nan, np.nan)
    return (*pooled, *cells[0], *cells[1], *sample)


def _pooled(said: AbstractSet[str], meant: AbstractSet[str]) -> tuple[int, int, int]:
    return len(said & meant), len(said - meant), len(meant - said)


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
