"""ROUGE: numbers worked out by hand, and rouge-score on made-up texts."""

from __future__ import annotations

import random

import pytest

from chexone_ray.metrics import tokens
from chexone_ray.metrics.ngrams import common_length
from chexone_ray.metrics.rouge import COCO_BETA, f_score, rouge_l, rouge_n
from chexone_ray.metrics.tokenise import rouge, stemmed
from tests.metrics.made_up import pairs

SAID, MEANT = ["the", "heart", "is", "large"], ["the", "heart", "is", "very", "large"]
"""In common: 4 words of 4 and 5, 2 pairs of 3 and 4, 1 triple, a subsequence of 4."""


def test_by_hand() -> None:
    assert rouge_n(SAID, MEANT, 1) == pytest.approx(8 / 9)
    assert rouge_n(SAID, MEANT, 2) == pytest.approx(2 * 2 / 7)
    assert rouge_n(SAID, MEANT, 3) == pytest.approx(2 * 1 / 5)
    assert rouge_l(SAID, MEANT) == pytest.approx(8 / 9)
    assert rouge_l(["b", "a"], ["a", "b"]) == pytest.approx(1 / 2)


def test_beta_leans_to_recall() -> None:
    """Precision 1, recall 0.8: (1 + 1.44) x 0.8 / (0.8 + 1.44 x 1)."""
    assert rouge_l(SAID, MEANT, COCO_BETA) == pytest.approx(2.44 * 0.8 / 2.24)
    assert rouge_l(MEANT, SAID, COCO_BETA) == pytest.approx(2.44 * 0.8 / (1 + 1.44 * 0.8))
    assert f_score(1, 2, 4, beta=2.0) == pytest.approx(5 * 0.5 * 0.25 / (0.25 + 4 * 0.5))


@pytest.mark.parametrize(("said", "meant"), [("", "a b"), ("a b", ""), ("", ""), ("a", "b")])
def test_nothing_shared_scores_nothing(said: str, meant: str) -> None:
    a, b = said.split(), meant.split()
    assert [rouge_n(a, b, 1), rouge_n(a, b, 2), rouge_l(a, b)] == [0.0] * 3


def test_one_word() -> None:
    assert rouge_n(["a"], ["a"], 1) == rouge_l(["a"], ["a"]) == 1.0
    assert rouge_n(["a"], ["a"], 2) == 0.0
    assert rouge_l(["a"], ["a", "b", "c"]) == pytest.approx(2 / 4)


def test_longest_common_subsequence_is_that_of_the_table() -> None:
    draw = random.Random(4)
    for _ in range(200):
        a, b = (draw.choices("abcd", k=draw.randint(0, 80)) for _ in range(2))
        table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                either = max(table[i][j + 1], table[i + 1][j])
                table[i + 1][j + 1] = table[i][j] + 1 if x == y else either
        assert common_length(a, b) == table[-1][-1]


def test_the_rewards_overlap_is_the_same_on_plain_words() -> None:
    for said, meant in [("the heart is large", "the heart is very large"), ("a", ""), ("b a", "a")]:
        expected = rouge_l(rouge(said), rouge(meant))
        assert tokens.rouge_l(said, meant) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("stem", [False, True])
def test_agrees_with_rouge_score(stem: bool) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    oracle = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stem)
    total = 0.0
    for said, meant in pairs(31, 200):
        a, b = rouge(said), rouge(meant)
        if stem:
            a, b = stemmed(a), stemmed(b)
        found = [rouge_n(a, b, 1), rouge_n(a, b, 2), rouge_l(a, b)]
        expected = oracle.score(meant, said)
        names = ("rouge1", "rouge2", "rougeL")
        assert found == pytest.approx([expected[n].fmeasure for n in names], abs=1e-12)
        total += found[1]
    assert total > 20
