"""Questions with a closed set of answers: single choice, multiple choice, progression of findings.

An answer is the set of the classes that it names (`answers.chosen_options`): empty where nothing
could be parsed, which is wrong and stays in every mean. Class F1 is made of `counts_row` and the
values in `label_f1`; micro F1 of single answers that are all classes is their accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

import numpy as np

from chexone_ray.metrics.label_f1 import Average, ZeroDivision, counts_row, f1_signature, mean_known
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array

PROGRESSION = ("improving", "stable", "worsening")


def exact_set_row(said: AbstractSet[str], meant: AbstractSet[str]) -> tuple[float, float]:
    """(1 where both name the same classes else 0, 1) for `mean_value`; for single answers the
    accuracy."""
    return float(bool(said) and said == meant), 1.0


def jaccard_row(said: AbstractSet[str], meant: AbstractSet[str]) -> tuple[float, float]:
    """(shared classes over all named, 1) for `mean_value`; 1 where both name none."""
    named = len(said | meant)
    return (len(said & meant) / named if named else 1.0), 1.0


def class_row(
    said: AbstractSet[str], meant: AbstractSet[str], classes: Sequence[str]
) -> tuple[float, ...]:
    """(TP, FP, FN) of each class, flat, for the values of `label_f1`.

    The default policy there counts a class that neither side ever names as 0; "skip" leaves it out,
    as scikit-learn does where it finds the classes itself.
    """
    return counts_row(said, meant, classes)


def class_f1_signature(
    average: Average, num_classes: int, zero_division: ZeroDivision = "skip"
) -> str:
    """The signature of a class F1."""
    return f1_signature("class F1", average, zero_division, classes=num_classes)


def progression_row(
    finding: str,
    said: AbstractSet[str],
    meant: str,
    findings: Sequence[str],
    classes: Sequence[str] = PROGRESSION,
) -> tuple[float, ...]:
    """(right, asked) of each class of each finding, flat: S = 2 x findings x classes.

    Raises ValueError where the finding or the reference's class is none of those given.
    """
    if finding not in findings or meant not in classes:
        raise ValueError(
            f"progression of {finding!r} is {meant!r}: the metric knows "
            f"{', '.join(findings)} and {', '.join(classes)}"
        )
    row = [0.0] * (2 * len(findings) * len(classes))
    at = 2 * (findings.index(finding) * len(classes) + classes.index(meant))
    row[at], row[at + 1] = float(said == {meant}), 1.0
    return tuple(row)


def progression_value(sums: Array, num_classes: int = len(PROGRESSION)) -> Array:
    """Sums (..., 2FC) -> macro accuracy (...): the mean recall over the classes of each finding,
    then the mean over findings (MS-CXR-T). Classes and findings that nobody asked about are left
    out; NaN where nothing was asked."""
    pairs = sums.reshape(*sums.shape[:-1], -1, num_classes, 2)
    right, asked = pairs[..., 0], pairs[..., 1]
    recalls = np.where(asked > 0, right / np.where(asked > 0, asked, 1.0), np.nan)
    return mean_known(mean_known(recalls))


def progression_value_of(num_classes: int) -> Callable[[Array], Array]:
    """The value function for another number of classes."""
    return partial(progression_value, num_classes=num_classes)


def progression_signature(findings: Sequence[str], classes: Sequence[str] = PROGRESSION) -> str:
    """The signature of the progression macro accuracy."""
    return signature(
        "progression macro accuracy",
        classes=len(classes),
        findings=len(findings),
        mean="classes then findings",
    )
