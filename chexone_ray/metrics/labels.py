"""Report F1-14 and F1-5: do two reports state the same of CheXpert's 14 findings?

The labels come from the rule labeller, so the figures stand beside published CheXbert F1 values but
are not the same metric; `metrics/learned/chexbert.py` reads reports with the model itself, and
`counted_row` takes the sets of either. "No finding" is counted only where a text states normality
(`normality.py`): a text that merely names no finding is no normal film.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from chexone_ray.metrics.factuality import stated_text
from chexone_ray.metrics.findings import (
    ATTRIBUTE_SHARE,
    DOUBTFUL,
    Finding,
    finding_counts,
    findings,
)
from chexone_ray.metrics.label_f1 import (
    UNANSWERED,
    Average,
    ZeroDivision,
    counts_row,
    f1_signature,
    pooled_row,
    samples_row,
    supported_macro_value,
    unanswered_row,
    value_of,
)
from chexone_ray.metrics.labeller import LABELS, PRESENT, UNCERTAIN, Mention, read_report
from chexone_ray.metrics.normality import NORMAL, RULE, states_normal
from chexone_ray.metrics.signature import rules_of, signature
from chexone_ray.metrics.summable import Array, mean_value

_HERE = Path(__file__).parent

F1_14: tuple[str, ...] = LABELS
"""The 13 findings and "no finding"."""
F1_5 = ("cardiomegaly", "edema", "consolidation", "atelectasis", "pleural effusion")
_SOURCES = (
    *(_HERE / name for name in ("denials.py", "factuality.py", "normality.py")),
    *sorted((_HERE / "labeller").glob("*.py")),
)
RULES = rules_of(_SOURCES)
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
    "F1-14": tuple(range(42)),
    "F1-5": tuple(range(42, 57)),
    "F1-14 (samples)": (57, 58),
    "F1-5 (samples)": (59, 60),
    "positive": (61, 62, 63),
    "findings": (64, 65, 66),
}
"""Columns of `label_statistics`: (TP, FP, FN) of each label that counts; (F1 of the pair's sets,
1), NaN for a reference without; (TP, FP, FN) of the labels that are stated as present, pooled, and
of the findings with side, severity and region."""
COUNTED = 61
"""Width of `counted_row`: all columns but the last six."""
WIDTH = 67


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
    finding"; and its findings with side, severity and region."""

    counted: frozenset[str]
    positive: frozenset[str]
    findings: frozenset[Finding]


def read_labels(text: str) -> Told:
    """The labels of a text by the rule labeller."""
    said = read_report(text)
    return Told(_counting(text, said, "rrg"), _positive(said), findings(text))


def labels_row(said: Told | None, meant: Told) -> tuple[float, ...]:
    """(WIDTH,): one pair's row of `label_statistics`; None for no answer."""
    counted, positive = (said.counted, said.positive) if said else (None, None)
    pooled = pooled_row(_cells(positive, meant.positive, F1_14))
    return (*counted_row(counted, meant.counted), *pooled, *_finding_cells(said, meant))


def counted_row(said: AbstractSet[str] | None, meant: AbstractSet[str]) -> tuple[float, ...]:
    """(COUNTED,): one pair's columns of `LABEL_FIGURES`, from the sets of labels that count by any
    labeller; None for no answer."""
    cells: list[float] = []
    samples: list[float] = []
    for labels in (F1_14, F1_5):
        cells += _cells(said, meant, labels)
        # A reference that states no label ("Low lung volumes.") could be answered only by 0/0.
        held = meant & set(labels)
        samples += samples_row(said or set(), held, labels) if held else (np.nan, np.nan)
    return (*cells, *samples)


def _cells(
    said: AbstractSet[str] | None, meant: AbstractSet[str], labels: Sequence[str]
) -> tuple[float, ...]:
    return unanswered_row(meant, labels) if said is None else counts_row(said, meant, labels)


def _finding_cells(said: Told | None, meant: Told) -> tuple[float, float, float]:
    """`finding_counts`, no answer charged as `unanswered_row` does."""
    shared, extra, missed = finding_counts(said.findings if said else (), meant.findings)
    return shared, extra if said or meant.findings else 1.0, missed


def finding_signature(**settings: str) -> str:
    """Of the pooled F1 of findings with side, severity and region; it names their weights."""
    return signature(
        "finding F1",
        average="micro",
        match="one to one by name",
        attribute=f"{ATTRIBUTE_SHARE:.3g}",
        other_side=0,
        uncertain=DOUBTFUL,
        no_answer=UNANSWERED,
        zero_division=0,
        **settings,
        findings=rules_of([_HERE / "findings.py"]),
        labeller=RULES,
    )


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


@dataclass(frozen=True)
class LabelFigure:
    """An F1 of the columns of `counted_row`."""

    name: str
    labels: tuple[str, ...]
    average: Average
    columns: tuple[int, ...]
    value: Callable[[Array], Array]
    supported: bool = False

    def signature(self, labeller: str = RULES, **settings: str) -> str:
        """`label_signature` of the figure."""
        if self.average == "samples":
            settings = {**settings, "rows": "with a label"}
        average, labels, supported = self.average, self.labels, self.supported
        return label_signature(average, labels, "rrg", 0, labeller, supported=supported, **settings)


def _figures(name: str, labels: tuple[str, ...]) -> tuple[LabelFigure, ...]:
    cells, samples = COLUMNS[name], COLUMNS[f"{name} (samples)"]
    macro = f"{name} (macro, labels with support)"
    return (
        LabelFigure(macro, labels, "macro", cells, supported_macro_value, supported=True),
        LabelFigure(f"{name} (macro, all labels)", labels, "macro", cells, value_of("macro")),
        LabelFigure(f"{name} (micro)", labels, "micro", cells, value_of("micro")),
        LabelFigure(f"{name} (weighted)", labels, "weighted", cells, value_of("weighted")),
        LabelFigure(f"{name} (samples)", labels, "samples", samples, mean_value),
    )


LABEL_FIGURES = (*_figures("F1-14", F1_14), *_figures("F1-5", F1_5))
"""What is told of two reports' labels, by either labeller. Published tables have the macro F1 of
all labels, in which one that no reference states counts 0."""
