"""CIDEr-D: numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from chexone_ray.metrics.cider import SIGNATURE, cider


def test_two_pairs_by_hand() -> None:
    """ "a" is in both references and weighs nothing. First pair: words and word pairs agree, there
    is nothing longer. Second: the one word that counts agrees, with one word pair less."""
    found = cider([["a", "b"], ["c"]], [[["a", "b"]], [["a", "c"]]])
    assert found == pytest.approx([10 * 2 / 4, 10 * 1 / 4 * math.exp(-1 / 72)])


def test_repeating_a_word_does_not_pay() -> None:
    """ "b b b" against "b", the other reference another word: cosine clipped at 1 of 3."""
    found = cider([["b", "b", "b"], ["c"]], [[["b"]], [["c"]]])
    assert found[0] == pytest.approx(10 / 4 * (1 / 3) * math.exp(-4 / 72))


def test_mean_over_references() -> None:
    several = [[["b"], ["d"]], [["c"]]]
    assert cider([["b"], ["c"]], several) == pytest.approx([10 / 4 / 2, 10 / 4])


def test_the_other_references_decide_the_weights() -> None:
    pair = (["a", "b"], [["a", "x"]])
    common = cider([pair[0], ["c"]], [pair[1], [["a"]]])
    rare = cider([pair[0], ["c"]], [pair[1], [["c"]]])
    assert common[0] == 0.0
    assert rare[0] == pytest.approx(10 / 4 / 2)
    assert cider([pair[0]], [pair[1]]).tolist() == [0.0]
    assert "idf:these-references" in SIGNATURE


def test_empty_texts() -> None:
    assert cider([], []).tolist() == []
    assert cider([[], ["a"]], [[["b"]], [[]]]).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="1 predictions"):
        cider([["a"]], [[]])
