"""BLEU: numbers worked out by hand for every smoothing, and sacrebleu on made-up texts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chexone_ray.metrics.bleu import WIDTH, Smoothing, bleu_counts, bleu_value
from chexone_ray.metrics.tokenise import words
from tests.metrics.made_up import pairs, texts

SMOOTHINGS: tuple[Smoothing, ...] = ("none", "epsilon", "exp", "method1", "add-k")


def counts(predicted: str, *references: str) -> np.ndarray:
    found = bleu_counts(predicted.split(), [reference.split() for reference in references])
    return np.array(found, dtype=float)


SHORT = counts("the heart is large", "the heart is very large")
"""4 of 4 words, 2 of 3 pairs, 1 of 2 triples, 0 of 1; 4 words for 5: brevity exp(1 - 5/4)."""
BREVITY = math.exp(-0.25)


def test_counts() -> None:
    assert SHORT.tolist() == [4, 2, 1, 0, 4, 3, 2, 1, 4, 5]
    assert len(SHORT) == WIDTH
    assert counts("a a a", "a a b").tolist() == [2, 1, 0, 0, 3, 2, 1, 0, 3, 3]


def test_zero_four_gram_match() -> None:
    four = {smooth: float(bleu_value(SHORT, 4, smooth)) for smooth in SMOOTHINGS}
    assert four == pytest.approx(
        {
            "none": 0.0,
            "epsilon": BREVITY * (1 / 3 * 1e-15) ** 0.25,
            "exp": BREVITY * (2 / 3 * 1 / 2 * 1 / 2) ** 0.25,
            "method1": BREVITY * (2 / 3 * 1 / 2 * 0.1) ** 0.25,
            "add-k": BREVITY * (3 / 4 * 2 / 3 * 1 / 2) ** 0.25,
        },
        rel=1e-6,
    )
    assert float(bleu_value(SHORT, 1)) == pytest.approx(BREVITY)
    assert float(bleu_value(SHORT, 2)) == pytest.approx(BREVITY * math.sqrt(2 / 3))
    assert float(bleu_value(SHORT, 3)) == pytest.approx(BREVITY * (1 / 3) ** (1 / 3))


def test_exp_halves_at_every_order_without_a_match() -> None:
    """3 of 4 words, 1 of 3 pairs, then 1/2 of 2 and 1/4 of 1."""
    found = bleu_value(counts("a b x d", "a b c d"), 4, "exp")
    assert float(found) == pytest.approx((3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** 0.25)


@pytest.mark.parametrize("smooth", SMOOTHINGS)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("predicted", "reference"), [("", "a b"), ("a b", ""), ("", ""), ("a", "b")]
)
def test_nothing_shared_scores_nothing(
    smooth: Smoothing, n: int, predicted: str, reference: str
) -> None:
    for effective in (False, True):
        found = bleu_value(counts(predicted, reference), n, smooth, effective_order=effective)
        assert float(found) == 0.0


def test_one_word() -> None:
    one = counts("clear", "clear")
    assert one.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1, 1]
    assert float(bleu_value(one, 1)) == 1.0
    assert [float(bleu_value(one, 4, smooth)) for smooth in ("none", "exp")] == [0.0, 0.0]
    assert float(bleu_value(one, 4, "exp", effective_order=True)) == 1.0
    assert float(bleu_value(one, 2, "method1")) == pytest.approx(math.sqrt(0.1))
    assert float(bleu_value(one, 2, "epsilon")) == pytest.approx(math.sqrt(1e-6), rel=1e-6)
    assert float(bleu_value(one, 2, "add-k", k=3.0)) == 1.0


def test_brevity_penalty_only_for_short_predictions() -> None:
    long = counts("a b c d e", "a b c")
    assert float(bleu_value(long, 1)) == pytest.approx(3 / 5)
    assert float(bleu_value(counts("a b", "a b c d"), 2)) == pytest.approx(math.exp(1 - 4 / 2))
    near = float(bleu_value(counts("a b", "a b c d"), 2, "epsilon"))
    assert near == pytest.approx(math.exp(1 - 4 / 2), rel=1e-8)


def test_several_references() -> None:
    """Pairs from either reference count; of the lengths 2 and 4, as near to 3, the shorter."""
    found = counts("a a b", "a b", "a a c d")
    assert found.tolist() == [3, 2, 0, 0, 3, 2, 1, 0, 3, 2]
    assert counts("a a b", "a a c d e").tolist()[-1] == 5
    with pytest.raises(ValueError, match="reference"):
        bleu_counts(["a"], [])


def test_corpus_is_of_the_sums_and_no_mean() -> None:
    rows = np.stack([counts("a b c d", "a b c d"), counts("e f", "g h")])
    assert bleu_value(rows, 1).tolist() == [1.0, 0.0]
    assert float(bleu_value(rows.sum(axis=0), 1)) == pytest.approx(4 / 6)
    assert float(bleu_value(rows.sum(axis=0), 2)) == pytest.approx(math.sqrt(4 / 6 * 3 / 4))


def test_leading_axes_are_kept() -> None:
    sums = np.stack([np.stack([SHORT, 2 * SHORT, 0 * SHORT])] * 2)
    assert bleu_value(sums, 2).shape == (2, 3)
    assert bleu_value(sums, 2)[1] == pytest.approx([BREVITY * math.sqrt(2 / 3)] * 2 + [0.0])
    with pytest.raises(ValueError, match="BLEU-5 of 10 counts"):
        bleu_value(SHORT, 5)
    with pytest.raises(ValueError, match="of 9 counts"):
        bleu_value(SHORT[:-1], 4)


ORACLE_SMOOTHING: tuple[tuple[Smoothing, str], ...] = (
    ("exp", "exp"),
    ("none", "none"),
    ("add-k", "add-k"),
)


@pytest.mark.parametrize(("smooth", "method"), ORACLE_SMOOTHING)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_corpus_and_sentences_are_sacrebleus(smooth: Smoothing, method: str, n: int) -> None:
    from sacrebleu.metrics.bleu import BLEU

    made = pairs(11, 150)
    rows = np.array([bleu_counts(words(said), [words(meant)]) for said, meant in made], dtype=float)
    corpus = BLEU(smooth_method=method, max_ngram_order=n)
    expected = corpus.corpus_score([said for said, _ in made], [[meant for _, meant in made]]).score
    found = float(bleu_value(rows.sum(axis=0), n, smooth))
    assert found == pytest.approx(expected / 100, abs=1e-9)
    assert found > 0.3
    single = BLEU(smooth_method=method, max_ngram_order=n, effective_order=True)
    sentences = [single.sentence_score(said, [meant]).score / 100 for said, meant in made]
    found_sentences = bleu_value(rows, n, smooth, effective_order=True)
    assert found_sentences == pytest.approx(sentences, abs=1e-9)


def test_several_references_are_sacrebleus() -> None:
    from sacrebleu.metrics.bleu import BLEU

    made, others = pairs(21, 100), texts(22, 100)
    rows = np.array(
        [
            bleu_counts(words(said), [words(meant), words(other)])
            for (said, meant), other in zip(made, others, strict=True)
        ],
        dtype=float,
    )
    expected = BLEU().corpus_score(
        [said for said, _ in made], [[meant for _, meant in made], others]
    )
    found = float(bleu_value(rows.sum(axis=0), 4, "exp"))
    assert found == pytest.approx(expected.score / 100, abs=1e-9)
    assert rows.sum(axis=0).tolist()[:4] == list(expected.counts)
