"""Agreement with scikit-learn on random labels and answers."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, jaccard_score

from chexone_ray.metrics.classes import (
    FINDINGS,
    PROGRESSION,
    jaccard_row,
    progression_row,
    progression_value,
)
from chexone_ray.metrics.label_f1 import (
    ZeroDivision,
    counts_row,
    macro_value,
    micro_value,
    samples_row,
    supported_macro_value,
    value_of,
    weighted_value,
)
from chexone_ray.metrics.summable import mean_value


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("zero_division", [0, 1, "skip"])
def test_four_averages_and_three_policies(seed: int, zero_division: ZeroDivision) -> None:
    rng = np.random.default_rng(seed)
    num_labels = int(rng.integers(2, 15))
    labels = tuple(f"l{i}" for i in range(num_labels))
    rates = rng.choice([0.0, 0.05, 0.3, 0.7], size=num_labels)
    meant = rng.random((60, num_labels)) < rates
    said = rng.random((60, num_labels)) < rng.permutation(rates)

    meant[0, 0] = True  # a mean over no label has no value
    policy = np.nan if zero_division == "skip" else float(zero_division)
    pairs = [
        ({labels[j] for j in np.flatnonzero(s)}, {labels[j] for j in np.flatnonzero(m)})
        for s, m in zip(said, meant, strict=True)
    ]
    sums = np.sum([counts_row(s, m, labels) for s, m in pairs], axis=0)
    averages: tuple[Literal["macro", "micro", "weighted"], ...] = ("macro", "micro", "weighted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average in averages:
            theirs = f1_score(meant, said, average=average, zero_division=policy)
            assert value_of(average, zero_division)(sums) == pytest.approx(theirs, abs=1e-12)
        if num_labels % 2:  # nothing meant: scikit-learn's weighted mean is then a plain one
            false = np.sum([counts_row(s, set(), labels) for s, _ in pairs], axis=0)
            theirs = f1_score(np.zeros_like(meant), said, average="weighted", zero_division=policy)
            assert weighted_value(false, zero_division) == pytest.approx(theirs, nan_ok=True)
        known = np.flatnonzero(meant.any(axis=0))
        theirs = f1_score(meant, said, labels=known, average="macro", zero_division=policy)
        assert supported_macro_value(sums) == pytest.approx(theirs, abs=1e-12)
        rows = [samples_row(s, m, labels, zero_division) for s, m in pairs]
        theirs = f1_score(meant, said, average="samples", zero_division=policy)
        assert mean_value(np.sum(rows, axis=0)) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_single_answers_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = ("pa", "ap", "lateral", "ll")
    meant = rng.choice(classes[:3], size=80).tolist()
    said = rng.choice([*classes[:3], "unparsed"], size=80).tolist()
    rows = [counts_row({s} - {"unparsed"}, {m}, classes) for s, m in zip(said, meant, strict=True)]
    sums = np.sum(rows, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average, value in (("macro", macro_value), ("micro", micro_value)):
            theirs = f1_score(meant, said, labels=classes, average=average, zero_division=0)
            assert value(sums) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(4))
def test_multiple_answers_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    meant, said = rng.random((2, 50, 5)) < 0.4
    meant[:, 0] |= ~meant.any(axis=1)  # every question has a right option
    pairs = [
        ({str(j) for j in np.flatnonzero(s)}, {str(j) for j in np.flatnonzero(m)})
        for s, m in zip(said, meant, strict=True)
    ]
    jaccard = mean_value(np.sum([jaccard_row(s, m) for s, m in pairs], axis=0))
    assert jaccard == pytest.approx(jaccard_score(meant, said, average="samples"))
    sums = np.sum([counts_row(s, m, list("01234")) for s, m in pairs], axis=0)
    assert macro_value(sums) == pytest.approx(f1_score(meant, said, average="macro"))
    assert micro_value(sums) == pytest.approx(f1_score(meant, said, average="micro"))


@pytest.mark.parametrize("seed", [2, 3])
def test_progression_agrees_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    findings = FINDINGS[3:8]
    asked = [
        (str(rng.choice(findings)), str(rng.choice(PROGRESSION)), str(rng.choice(PROGRESSION)))
        for _ in range(200)
    ]
    rows = [progression_row(f, {said}, meant) for f, said, meant in asked]
    theirs = []
    for finding in findings:
        mine = [(said, meant) for f, said, meant in asked if f == finding]
        theirs.append(balanced_accuracy_score([m for _, m in mine], [s for s, _ in mine]))
    assert progression_value(np.sum(rows, axis=0)) == pytest.approx(np.mean(theirs))
