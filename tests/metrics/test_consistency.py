"""Self-consistency and flips, by hand and against scipy's entropy."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from chexone_ray.metrics.consistency import class_sizes, flipped, self_consistency


def equal(a: str, b: str) -> bool:
    return a == b


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("aaaa", 1.0),
        ("abcd", 0.0),
        # H = log 2, log K = 2 log 2
        ("aabb", 0.5),
        # H = 3/4 log 4/3 + 1/4 log 4 = 0.5623, log 4 = 1.3863
        ("aaab", 0.5944),
        ("ab", 0.0),
        # An answer that could not be read is like no other: classes of 2, 1 and 1, H = 1.5 log 2.
        ("a??a", 0.25),
        ("????", 0.0),
    ],
)
def test_self_consistency(answers: str, expected: float) -> None:
    given = [None if letter == "?" else letter for letter in answers]
    assert self_consistency(given, equal) == pytest.approx(expected, abs=5e-5)


def test_against_scipy() -> None:
    from scipy.stats import entropy

    rng = np.random.default_rng(0)
    for _ in range(200):
        size = int(rng.integers(2, 17))
        answers = [str(x) for x in rng.integers(0, rng.integers(1, 9), size)]
        expected = 1 - entropy(list(Counter(answers).values())) / math.log(size)
        assert self_consistency(answers, equal) == pytest.approx(expected, abs=1e-12)
        assert 0 <= self_consistency(answers, equal) <= 1


def test_one_answer_has_none() -> None:
    with pytest.raises(ValueError, match="of 1 answers is not defined"):
        self_consistency(["a"], equal)


def test_an_answer_joins_the_first_class_that_it_is_the_same_as() -> None:
    # "Within 2" is not transitive: 3 is near 1 and near 5, and joins the class that was first.
    def near(a: str, b: str) -> bool:
        return abs(int(a) - int(b)) <= 2

    assert class_sizes(["1", "5", "3", None, "7"], near) == [2, 2, 1]


def test_flips() -> None:
    assert flipped("a", "b", equal) is True
    assert flipped("a", "a", equal) is False
    assert flipped("a", None, lambda *answers: True) is True, "no answer is never asked about"
    assert flipped(None, "a", equal) is None
