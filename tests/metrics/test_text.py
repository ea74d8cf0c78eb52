"""The text core in one pass: its numbers are those of its parts, also from Ray tasks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chexone_ray import __version__
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.metric import OF_TEXTS
from chexone_ray.metrics import text, tokenise
from chexone_ray.metrics.bleu import bleu_counts, bleu_value
from chexone_ray.metrics.labels import label_statistics
from chexone_ray.metrics.signature import extended
from chexone_ray.metrics.text import FIGURES, Pair, figures, score_pairs, text_statistics
from tests.metrics.made_up import pairs

BREVITY = math.exp(-0.25)
TWO = [
    ("The heart is large.", "The heart is very large."),
    ("Clear lungs.", "Clear lungs."),
]


def test_figures_of_two_pairs_by_hand() -> None:
    found = figures(text_statistics(TWO).sum(axis=0))
    # ptb: 4 and 2 words of 5 and 2; pairs 2 of 3 and 1 of 1.
    brevity = math.exp(1 - 7 / 6)
    assert float(found["BLEU-2 (corpus, ptb)"]) == pytest.approx(
        brevity * math.sqrt(6 / 6 * 3 / 4), rel=1e-6
    )
    mean = (BREVITY * math.sqrt(2 / 3) + 1) / 2
    assert float(found["BLEU-2 (mean of pairs, ptb)"]) == pytest.approx(mean, rel=1e-6)
    # rexrank: full stops are words: 5 of 5 and pairs 3 of 4; 3 of 3 and 2 of 2.
    first = math.exp(1 - 6 / 5) * math.sqrt(3 / 4)
    assert float(found["BLEU-2 (mean of pairs, rexrank)"]) == pytest.approx((first + 1) / 2)
    assert float(found["ROUGE-L (no stemming)"]) == pytest.approx((8 / 9 + 1) / 2)
    assert float(found["ROUGE-2 (stemmed)"]) == pytest.approx((4 / 7 + 1) / 2)
    coco = 2.44 * 0.8 / 2.24
    assert float(found["ROUGE-L (beta 1.2, ptb)"]) == pytest.approx((coco + 1) / 2)
    assert float(found["token F1"]) == pytest.approx((8 / 9 + 1) / 2)
    assert float(found["token recall"]) == pytest.approx((4 / 5 + 1) / 2)
    assert float(found["exact match"]) == pytest.approx(0.5)


def test_stemming_joins_forms_of_a_word() -> None:
    found = figures(text_statistics([("effusions", "effusion")])[0])
    assert (found["ROUGE-1 (no stemming)"], found["ROUGE-1 (stemmed)"]) == (0.0, 1.0)


@pytest.mark.parametrize("pair", [("", "Clear lungs."), ("Clear lungs.", ""), ("", "")])
def test_an_empty_text_scores_nothing(pair: Pair) -> None:
    assert {float(value) for value in figures(text_statistics([pair])[0]).values()} == {0.0}


def test_without_a_pair_nothing_has_a_value() -> None:
    assert np.isnan(list(figures(text_statistics([]).sum(axis=0)).values())).all()


def test_rows_are_each_pair_by_itself_and_their_sum_is_all() -> None:
    made = pairs(41, 60)
    rows = text_statistics(made)
    assert rows.shape == (60, text.WIDTH)
    by_itself = figures(rows)
    for number in (0, 17, 59):
        alone = figures(text_statistics([made[number]])[0])
        assert {name: value[number] for name, value in by_itself.items()} == alone
    together = figures(rows.sum(axis=0))
    for name, value in by_itself.items():
        if "corpus" not in name:
            assert float(together[name]) == pytest.approx(value.mean())
    corpus = np.array(
        [bleu_counts(tokenise.ptb(a), [tokenise.ptb(b)]) for a, b in made], dtype=float
    )
    expected = float(bleu_value(corpus.sum(axis=0), 4, "epsilon"))
    assert float(together["BLEU-4 (corpus, ptb)"]) == expected
    assert abs(expected - by_itself["BLEU-4 (corpus, ptb)"].mean()) > 0.01


def test_every_figure_has_a_name_and_a_signature_of_its_own() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES) == 3 * 8 + 7 + 3
    assert len({figure.signature for figure in FIGURES}) == len(FIGURES)
    signed = {figure.name: figure.signature for figure in FIGURES}
    assert signed["BLEU-2 (mean of pairs, rexrank)"] == (
        "BLEU-2|level:mean-of-pairs|eff:no|case:lower|tok:rexrank|smooth:method1|v:" + __version__
    )
    assert sorted(column for figure in FIGURES for column in figure.columns)[-1] == text.WIDTH - 1
    for metric in METRICS["open_vqa"]:  # made without the matrix, but the same figures
        assert metric.signature == extended(signed[metric.name], OF_TEXTS)


def test_no_pairs() -> None:
    rows = score_pairs([], num_tasks=4)
    assert rows.shape == (0, text.WIDTH)
    assert math.isnan(float(figures(rows.sum(axis=0))["ROUGE-L (stemmed)"]))


def test_agrees_with_the_packages() -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU

    made = pairs(51, 100)
    found = figures(text_statistics(made).sum(axis=0))
    corpus = BLEU().corpus_score([said for said, _ in made], [[meant for _, meant in made]])
    assert float(found["BLEU-4 (corpus, words)"]) == pytest.approx(corpus.score / 100, abs=1e-9)
    single = BLEU(effective_order=True)
    mean = np.mean([single.sentence_score(said, [meant]).score for said, meant in made])
    assert float(found["BLEU-4 (mean of pairs, words)"]) == pytest.approx(mean / 100, abs=1e-9)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    rouge = np.mean([scorer.score(meant, said)["rougeL"].fmeasure for said, meant in made])
    assert float(found["ROUGE-L (stemmed)"]) == pytest.approx(rouge, abs=1e-9)


def test_a_number_of_tasks_below_one_is_refused() -> None:
    with pytest.raises(ChexoneError, match="num_tasks=0"):
        score_pairs(TWO, num_tasks=0)


@pytest.mark.slow
def test_tasks_keep_the_order(ray_local: None) -> None:
    made = pairs(61, 50)
    for statistics in (text_statistics, label_statistics):
        found = score_pairs(made, num_tasks=3, statistics=statistics, timeout_s=120)
        assert np.array_equal(found, statistics(made), equal_nan=True)
