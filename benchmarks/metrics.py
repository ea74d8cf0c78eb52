"""Scoring reports: the offline core in a minute, against loops over other packages, and on cores.

Core: 10,000 made-up pairs of reports of 40-80 words through all text metrics and the 14 labels of
the rule labeller, on 2 Ray tasks; the other side is the limit of 60 s.

Race: pairs a second of the same text figures (less the labels' reading, which has no counterpart)
by `metrics.text` and by what one writes without it: sacrebleu for BLEU (one call a pair and one for
the corpus, lower orders from the same counts), rouge-score with and without stemming, scikit-learn
for token and label F1. Both in this process, in turn, on the same pairs, new ones every round; the
figures that both define alike must agree to 1e-9.

Scale: pairs a second through the whole core in this process, and on 2 Ray tasks.

The last lines are JSON, medians of `--repeat`; a ratio above 1 is in our favour.

    python benchmarks/metrics.py [--pairs 10000] [--race_pairs 400] [--scale_pairs 2000]
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from chexone_ray import log, runtime
from chexone_ray.config import RayConfig
from chexone_ray.metrics import label_f1, labels, text, tokenise
from chexone_ray.metrics.summable import mean_value

logger = logging.getLogger(__name__)

LIMIT_S = 60.0
AVERAGES: tuple[Literal["macro", "micro"], ...] = ("macro", "micro")
EXTRAS = (
    "The mediastinal contours are within normal limits.",
    "The hila are unremarkable.",
    "No acute osseous abnormality is identified.",
    "The osseous structures are intact.",
    "Mild degenerative changes are noted in the thoracic spine.",
    "The pulmonary vasculature is within normal limits.",
    "There is mild pulmonary vascular congestion, without overt edema.",
    "Low lung volumes accentuate the bronchovascular markings.",
    "Bibasilar atelectasis is again noted, unchanged.",
    "Streaky left basilar opacity may reflect atelectasis or early pneumonia.",
    "The aorta is tortuous and calcified.",
    "Median sternotomy wires are intact.",
    "Surgical clips project over the right upper quadrant.",
    "There is no free air under the diaphragm.",
    "A 1.5 cm calcified granuloma is seen in the left lung.",
    "Old healed right rib fractures are again seen.",
    "The left costophrenic angle is excluded from the field of view.",
    "Lungs are hyperinflated, compatible with emphysema.",
)

Pairs = Sequence[text.Pair]
Stated = list[tuple[frozenset[str], frozenset[str]]]


def made_up(num: int) -> list[text.Pair]:
    """Reports of drawn studies with common sentences beside, 40 to 80 words, all different; the
    prediction keeps most sentences of its reference and has some of another study."""
    from chexone_ray.data.phantom import random_study
    from chexone_ray.data.phantom_report import write_report

    draw = random.Random(0)
    reports = [write_report(random_study(seed)) for seed in range(2000)]

    def sentences() -> list[str]:
        told = draw.choice(reports)
        found = f"{told.findings} {told.impression}".replace(". ", ".\n").splitlines()
        wanted = draw.randint(40, 72)
        extras = draw.sample(EXTRAS, len(EXTRAS))
        while sum(len(one.split()) for one in found) < wanted:
            found.insert(draw.randint(0, len(found)), extras.pop())
        return found

    def pair() -> text.Pair:
        while True:
            reference, others = sentences(), sentences()
            kept = [one if draw.random() < 0.7 else draw.choice(others) for one in reference]
            both = " ".join(kept), " ".join(reference)
            if all(40 <= len(one.split()) <= 80 for one in both):
                return both

    return [pair() for _ in range(num)]


# --- ours ----------------------------------------------------------------------------------------


def stated(pairs: Pairs) -> Stated:
    """The labels of both texts of every pair; present and uncertain count."""
    return [(labels.report_labels(said), labels.report_labels(meant)) for said, meant in pairs]


def label_counts(found: Stated) -> np.ndarray:
    """(N, 3 x 14 + 2): statistics of `label_f1` for the 14 labels, and the F1 of the pair."""
    return np.array(
        [
            [
                *label_f1.counts_row(said, meant, labels.F1_14),
                *label_f1.samples_row(said, meant, labels.F1_14),
            ]
            for said, meant in found
        ]
    )


def core(pairs: Pairs) -> np.ndarray:
    """Everything offline: text and labels."""
    return np.hstack([text.text_statistics(pairs), label_counts(stated(pairs))])


def label_figures(sums: np.ndarray) -> dict[str, float]:
    """F1-14 and F1-5 of summed counts."""
    cells = sums[:-2].reshape(-1, 3)
    found = {"labels, samples": float(mean_value(sums[-2:]))}
    for chosen in (labels.F1_14, labels.F1_5):
        part = cells[[labels.F1_14.index(name) for name in chosen]].ravel()
        for average in AVERAGES:
            value = label_f1.value_of(average)(part)
            found[f"labels, F1-{len(chosen)} {average}"] = float(value)
    return found


def ours(pairs: Pairs, labelled: Stated) -> dict[str, float]:
    """Every figure of the pairs, labels given."""
    found = text.figures(text.text_statistics(pairs).sum(axis=0))
    named = {name: float(value) for name, value in found.items()}
    return named | label_figures(label_counts(labelled).sum(axis=0))


# --- loops over other packages -------------------------------------------------------------------


def other(pairs: Pairs, labelled: Stated) -> dict[str, float]:
    """The same figures, by the packages that one would call."""
    found: dict[str, float] = {}
    for name, method in (("ptb", "none"), ("words", "exp"), ("rexrank", "floor")):
        found |= other_bleu(pairs, name, method)
    return found | other_rouge(pairs) | other_tokens(pairs) | other_labels(labelled)


def other_bleu(pairs: Pairs, tokens: str, method: str) -> dict[str, float]:
    """Corpus and pairs by sacrebleu; it has 13a itself and gets the other words ready cut."""
    from sacrebleu.metrics.bleu import BLEU

    said, meant = [said for said, _ in pairs], [meant for _, meant in pairs]
    if tokens != "words":
        cut = tokenise.TOKENISERS[tokens]
        said, meant = ([" ".join(cut(one)) for one in side] for side in (said, meant))
    tokenizer = "13a" if tokens == "words" else "none"
    settings: dict[str, Any] = {"tokenize": tokenizer, "smooth_method": method, "force": True}
    corpus = BLEU(**settings).corpus_score(said, [meant])
    effective = tokens == "words"
    single = BLEU(**settings, effective_order=effective)
    each = [single.sentence_score(a, [b]) for a, b in zip(said, meant, strict=True)]
    found = {}
    for n in (1, 2, 3, 4):

        def lower(score: Any, effective: bool, n: int = n) -> float:
            return BLEU.compute_bleu(
                *(list(score.counts[:n]), list(score.totals[:n]), score.sys_len, score.ref_len),
                smooth_method=method,
                effective_order=effective,
                max_ngram_order=n,
            ).score

        found[f"BLEU-{n} (corpus, {tokens})"] = lower(corpus, False) / 100
        mean = statistics.fmean(lower(score, effective) for score in each) / 100
        found[f"BLEU-{n} (mean of pairs, {tokens})"] = mean
    return found


class PtbTokenizer:
    """rouge-score's interface to our words of COCO-caption."""

    def tokenize(self, report: str) -> list[str]:
        return list(tokenise.ptb(report))


def other_rouge(pairs: Pairs) -> dict[str, float]:
    """Means of rouge-score's F, and of COCO-caption's from its precision and recall."""
    from rouge_score.rouge_scorer import RougeScorer

    found = {}
    for told, stem in (("no stemming", False), ("stemmed", True)):
        scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stem)
        scores = [scorer.score(meant, said) for said, meant in pairs]
        for n in "12L":
            mean = statistics.fmean(score[f"rouge{n}"].fmeasure for score in scores)
            found[f"ROUGE-{n} ({told})"] = mean
    scorer = RougeScorer(["rougeL"], tokenizer=PtbTokenizer())
    coco = []
    for said, meant in pairs:
        score = scorer.score(meant, said)["rougeL"]
        weighed = score.recall + 1.44 * score.precision
        coco.append(2.44 * score.precision * score.recall / weighed if weighed else 0.0)
    return found | {"ROUGE-L (beta 1.2, ptb)": statistics.fmean(coco)}


def other_tokens(pairs: Pairs) -> dict[str, float]:
    """Token F1 and recall of scikit-learn's bags of words."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectors = CountVectorizer(token_pattern=r"[^\W_]+")
    vectors.fit([one for pair in pairs for one in pair])
    said, meant = (vectors.transform([pair[side] for pair in pairs]) for side in (0, 1))
    shared = said.minimum(meant).sum(axis=1)
    num_said, num_meant = said.sum(axis=1), meant.sum(axis=1)
    return {
        "token F1": float(np.mean(2 * shared / (num_said + num_meant))),
        "token recall": float(np.mean(shared / num_meant)),
        "exact match": statistics.fmean(said.lower() == meant.lower() for said, meant in pairs),
    }


def other_labels(labelled: Stated) -> dict[str, float]:
    """F1 of scikit-learn."""
    from sklearn.metrics import f1_score

    said, meant = (
        np.array([[name in pair[side] for name in labels.F1_14] for pair in labelled], dtype=int)
        for side in (0, 1)
    )
    found = {"labels, samples": f1_score(meant, said, average="samples", zero_division=0)}
    for chosen in (labels.F1_14, labels.F1_5):
        columns = [labels.F1_14.index(name) for name in chosen]
        for average in AVERAGES:
            found[f"labels, F1-{len(chosen)} {average}"] = f1_score(
                meant[:, columns], said[:, columns], average=average, zero_division=0
            )
    return {name: float(value) for name, value in found.items()}


# --- the three parts -----------------------------------------------------------------------------


def seconds(run: Callable[[], Any]) -> float:
    """Of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def whole(pairs: Pairs, repeat: int) -> dict[str, Any]:
    """The core on 2 tasks against the limit."""
    times = []
    for _ in range(repeat):
        times.append(seconds(lambda: text.score_pairs(pairs, num_tasks=2, statistics=core)))
        logger.info("%d pairs in %.1f s", len(pairs), times[-1])
    took = statistics.median(times)
    return {
        "benchmark": f"metrics: {len(pairs)} pairs of reports through the offline core",
        "ours": round(took, 1),
        "other": LIMIT_S,
        "ratio": round(LIMIT_S / took, 2),
        "unit": "s on 2 cores; the other is the limit",
    }


def race(pairs: Pairs, repeat: int) -> dict[str, Any]:
    """Pairs a second, ours and the loops in turn, new pairs every round."""
    size = len(pairs) // (repeat + 1)
    rates: list[tuple[float, float]] = []
    for number in range(repeat + 1):
        part = pairs[number * size : (number + 1) * size]
        labelled = stated(part)
        results: list[dict[str, float]] = []

        def timed(score: Callable[[Pairs, Stated], dict[str, float]]) -> float:
            start = time.perf_counter()
            results.append(score(part, labelled))  # noqa: B023 - called in this round only
            return len(part) / (time.perf_counter() - start)  # noqa: B023

        rate = (timed(ours), timed(other))
        check(*results)
        if number:  # the first round imports the packages and fills the caches of both
            rates.append(rate)
            logger.info("ours %.0f, loops %.0f pairs/s", *rate)
    return {
        "benchmark": "metrics: text figures against sacrebleu, rouge-score and scikit-learn",
        "ours": round(statistics.median(a for a, _ in rates), 1),
        "other": round(statistics.median(b for _, b in rates), 1),
        "ratio": round(statistics.median(a / b for a, b in rates), 2),
        "unit": f"pairs/s, one process, {size} pairs a round",
    }


def check(found: dict[str, float], expected: dict[str, float]) -> None:
    """Stop where the two sides do not agree; sacrebleu has no smoothing as COCO-caption's."""
    if found.keys() != expected.keys():
        raise SystemExit(f"figures of one side only: {found.keys() ^ expected.keys()}")
    apart = {
        name: abs(value - expected[name])
        for name, value in found.items()
        if abs(value - expected[name]) > (1e-3 if "BLEU" in name and "ptb" in name else 1e-9)
    }
    if apart:
        raise SystemExit(f"figures that differ: {apart}")


def scale(pairs: Pairs, repeat: int) -> dict[str, Any]:
    """The core here and on 2 tasks, in turn, new pairs every round."""
    size = len(pairs) // repeat
    rates: list[tuple[float, float]] = []
    for number in range(repeat):
        part = pairs[number * size : (number + 1) * size]
        two = seconds(lambda: text.score_pairs(part, num_tasks=2, statistics=core))  # noqa: B023
        one = seconds(lambda: text.score_pairs(part, statistics=core))  # noqa: B023
        rates.append((size / two, size / one))
        logger.info("2 tasks %.0f, here %.0f pairs/s", *rates[-1])
    return {
        "benchmark": "metrics: the offline core on 2 Ray tasks against one process",
        "ours": round(statistics.median(a for a, _ in rates), 1),
        "other": round(statistics.median(b for _, b in rates), 1),
        "ratio": round(statistics.median(a / b for a, b in rates), 2),
        "unit": f"pairs/s, {size} pairs a round",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("whole", "race", "scale"))
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--race_pairs", type=int, default=400, help="a round")
    parser.add_argument("--scale_pairs", type=int, default=2_000, help="a round")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    log.configure()
    for name in ("absl", "sacrebleu"):  # a line for every pair would be timed as well
        logging.getLogger(name).setLevel(logging.ERROR)
    pairs = made_up(max(options.pairs, options.race_pairs * 4, options.scale_pairs * 3))
    lengths = [len(one.split()) for pair in pairs for one in pair]
    logger.info("%d to %d words, mean %.0f", min(lengths), max(lengths), statistics.fmean(lengths))
    lines = []
    if options.part in (None, "race"):
        lines.append(race(pairs[: options.race_pairs * (options.repeat + 1)], options.repeat))
    if options.part != "race":
        runtime.join(RayConfig(address="local", num_cpus=2, object_store_gb=0.5))
        # Both workers start and read the labeller's patterns before the clock runs.
        text.score_pairs(pairs[-200:], num_tasks=4, statistics=core)
        if options.part != "whole":
            lines.append(scale(pairs[: options.scale_pairs * options.repeat], options.repeat))
        if options.part != "scale":
            lines.append(whole(pairs[: options.pairs], options.repeat))
        runtime.leave()
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
