"""Questions with a closed set of answers: single choice, multiple choice, progression of findings.

An answer is the set of the classes that it names (`answers.chosen_options`): empty where nothing
could be parsed, which is wrong and stays in every mean. Class F1 is made of `counts_row` and the
values in `label_f1`; micro F1 of single answers that are all classes is their accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

import numpy as np

from chexone_ray.kinds import KINDS
from chexone_ray.metrics.label_f1 import Average, ZeroDivision, f1_signature, mean_known
from chexone_ray.metrics.labeller.terms import LABELS
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array

PROGRESSION = KINDS["progression"].classes
OTHER = "other"
FINDINGS = (*(label for label in LABELS if label != "no finding"), OTHER)
"""The findings whose change is told apart; those of MS-CXR-T are among them."""
_SIDE = re.compile(r"^(?:left|right|bilateral|both)\b\s*")


def jaccard_row(said: AbstractSet[str], meant: AbstractSet[str]) -> tuple[float, float]:
    """(shared classes over all named, 1) for `mean_value`; 0 where both name none, as neither could
    be read."""
    return len(said & meant) / max(len(said | meant), 1), 1.0


def class_f1_signature(
    average: Average, num_classes: int, zero_division: ZeroDivision = "skip"
) -> str:
    """The signature of a class F1."""
    unparsed = "a miss, no false positive"
    return f1_signature("class F1", average, zero_division, classes=num_classes, unparsed=unparsed)


def asked_finding(sample_id: str) -> str:
    """The finding of a progression question by the last part of its id, which is the finding with
    its side; `OTHER` where it is none of `FINDINGS`."""
    name = _SIDE.sub("", sample_id.rpartition("/")[2].lower()).strip()
    return name if name in FINDINGS else OTHER


def progression_row(finding: str, said: AbstractSet[str], meant: str) -> tuple[float, ...]:
    """(right, asked) of each class of each finding, flat: S = 2 x findings x classes.

    Raises ValueError where the finding or the reference's class is none of those known.
    """
    if finding not in FINDINGS or meant not in PROGRESSION:
        raise ValueError(
            f"progression of {finding!r} is {meant!r}: the metric knows "
            f"{', '.join(FINDINGS)} and {', '.join(PROGRESSION)}"
        )
    row = [0.0] * (2 * len(FINDINGS) * len(PROGRESSION))
    at = 2 * (FINDINGS.index(finding) * len(PROGRESSION) + PROGRESSION.index(meant))
    row[at], row[at + 1] = float(said == {meant}), 1.0
    return tuple(row)


def progression_value(sums: Array) -> Array:
    """Sums (..., 2FC) -> macro accuracy (...): the mean recall over the classes of each finding,
    then the mean over findings, as MS-CXR-T is judged. Classes and findings that nobody asked about
    are left out; NaN where nothing was asked."""
    pairs = sums.reshape(*sums.shape[:-1], -1, len(PROGRESSION), 2)
    right, asked = pairs[..., 0], pairs[..., 1]
    recalls = np.where(asked > 0, right / np.where(asked > 0, asked, 1.0), np.nan)
    return mean_known(mean_known(recalls))


def progression_signature() -> str:
    """The signature of the progression macro accuracy."""
    return signature(
        "progression macro accuracy",
        classes=", ".join(PROGRESSION),
        mean="classes then findings",
        findings="CheXpert 13 by the row's id, others pooled",
        absent="left out",
        unparsed="wrong",
    )
