"""Scoring reports: the offline core in a minute, against loops over other packages, and on cores.

Core: 10,000 made-up pairs of reports of 40-80 words through all that `chexone evaluate` makes of
rows of report kinds (text metrics, the 14 labels of the rule labeller), on 2 Ray tasks in workers
that have seen none of them; the other side is the limit of 60 s. On a busy machine look at `cpu_s`,
the CPU seconds of all processes: half of it is what two free cores need at best.

Race: pairs a second of the same text figures (less the labels' reading, which has no counterpart)
by `metrics.text` and by what one writes without it: sacrebleu for BLEU (one call a pair and one for
the corpus, lower orders from the same counts), rouge-score with and without stemming, scikit-learn
for token and label F1. Both in this process, in turn, on the same pairs, new ones every round; the
figures that both define alike must agree to 1e-9.

Scale: pairs a second through the core, and completions a second through the rewards of rollouts, in
this process and on 2 Ray tasks at a time.

The last lines are JSON, medians of `--repeat`; a ratio above 1 is in our favour.

    python benchmarks/metrics.py [--pairs 10000] [--race_pairs 400] [--scale_pairs 2000]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import reports

from chexone_ray import log, processes, runtime
from chexone_ray.config import RayConfig, RewardConfig
from chexone_ray.evaluation import kinds
from chexone_ray.evaluation.metric import LABELS
from chexone_ray.evaluation.predictions import all_answered
from chexone_ray.evaluation.text_rows import computed
from chexone_ray.metrics import labeller, labels, text, tokenise
from chexone_ray.records import ImageRef, Sample
from chexone_ray.rewards.score import score_rollouts

logger = logging.getLogger(__name__)

LIMIT_S = 60.0
GROUP = 8
"""Completions of one prompt."""
Pairs = Sequence[text.Pair]
Stated = list[tuple[labels.Told, labels.Told]]

METRICS = kinds.METRICS["findings"]
OWN = "finding F1 (side, severity, region)"
"""No other package has it, so the race is without it."""
SAMPLE = Sample(
    *("0", "made up", "Findings Generation", "findings", "test", "p0", "s0"),
    (ImageRef("x"),),
    "Write the findings.",
    "",
)


def evaluated(pairs: Pairs, num_tasks: int) -> None:
    """All that `chexone evaluate` makes of the rows of one system."""
    samples = [replace(SAMPLE, id=str(at), answer=meant) for at, (_, meant) in enumerate(pairs)]
    judged = all_answered(samples, [said for said, _ in pairs])
    computed(METRICS, {"made up": judged}, num_tasks)


def distinct(texts: Iterable[str]) -> str:
    """How varied texts are, each text once."""
    found = [sentence for one in set(texts) for sentence in labeller.sentences(one)]
    words = statistics.fmean(len(one.split()) for one in found)
    return f"{len(set(found))} distinct of {len(found)} sentences, {words:.1f} words each"


# --- ours ----------------------------------------------------------------------------------------


def stated(pairs: Pairs) -> Stated:
    """The labels of both texts of every pair."""
    return [(labels.read_labels(said), labels.read_labels(meant)) for said, meant in pairs]


def ours(pairs: Pairs, labelled: Stated) -> dict[str, float]:
    """Every figure of the pairs, labels given."""
    found = text.figures(text.text_statistics(pairs).sum(axis=0))
    sums = np.nansum([labels.labels_row(*pair) for pair in labelled], axis=0)
    found |= {
        metric.name: metric.value(sums[list(metric.columns)])
        for metric in METRICS
        if metric.source is LABELS and metric.name != OWN
    }
    return {name: float(value) for name, value in found.items()}


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
    """F1 of scikit-learn: of labels that the reference has, and of rows with a label."""
    from sklearn.metrics import f1_score

    def table(sets: Iterable[frozenset[str]]) -> np.ndarray:
        return np.array([[name in one for name in labels.F1_14] for one in sets], dtype=int)

    said, meant = (table(pair[side].counted for pair in labelled) for side in (0, 1))
    positive = [table(pair[side].positive for pair in labelled) for side in (0, 1)]
    found = {
        "label F1 (micro)": f1_score(positive[1], positive[0], average="micro", zero_division=0),
    }
    for chosen in (labels.F1_14, labels.F1_5):
        columns = [labels.F1_14.index(name) for name in chosen]
        held = [column for column in columns if meant[:, column].any()]
        rows = meant[:, columns].any(axis=1)
        for told, average, kept in (
            ("macro, labels with support", "macro", held),
            ("macro, all labels", "macro", columns),
            ("micro", "micro", columns),
            ("weighted", "weighted", columns),
            ("samples", "samples", columns),
        ):
            right, given = meant[:, kept], said[:, kept]
            if average == "samples":
                right, given = right[rows], given[rows]
            score = f1_score(right, given, average=average, zero_division=0)
            found[f"F1-{len(chosen)} ({told})"] = score
    return {name: float(value) for name, value in found.items()}


# --- the three parts -----------------------------------------------------------------------------


@contextmanager
def small_ray() -> Iterator[None]:
    """A new Ray with two workers, which have read the labeller's patterns and no report."""
    runtime.join(RayConfig(address="local", num_cpus=2, object_store_gb=0.5))
    try:
        warm = [("No edema.", "No edema.")] * 2
        for statistics_of in (text.text_statistics, labels.label_statistics):
            text.score_pairs(warm, num_tasks=2, statistics=statistics_of)
        yield
    finally:
        runtime.leave()


def cpu_s() -> float:
    """CPU seconds of this process and its Ray workers so far."""
    ticks = 0
    for worker in processes.ray_workers():
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def seconds(run: Callable[[], Any]) -> float:
    """Of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def whole(num: int, repeat: int) -> dict[str, Any]:
    """The core on 2 tasks against the limit, in workers that start anew every round."""
    times = []
    for seed in range(repeat):
        pairs = reports.made_up(num, seed)
        logger.info("%d pairs: %s", num, distinct(chain.from_iterable(pairs)))
        with small_ray():
            before = cpu_s()
            wall = seconds(lambda: evaluated(pairs, 2))  # noqa: B023 - called in this round only
            times.append((wall, cpu_s() - before))
        logger.info("%d pairs in %.1f s, of CPU time %.1f s", num, *times[-1])
    took = statistics.median(wall for wall, _ in times)
    return {
        "benchmark": f"metrics: {num} pairs of reports through the offline core, cold",
        "ours": round(took, 1),
        "other": LIMIT_S,
        "ratio": round(LIMIT_S / took, 2),
        "unit": "s on 2 cores; the other is the limit",
        "cpu_s": round(statistics.median(cpu for _, cpu in times), 1),
        "distinct": distinct(chain.from_iterable(pairs)),
    }


def race(num: int, repeat: int) -> dict[str, Any]:
    """Pairs a second, ours and the loops in turn, new pairs every round."""
    rates: list[tuple[float, float]] = []
    for number in range(repeat + 1):
        part = reports.made_up(num, number)
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
        "unit": f"pairs/s, one process, {num} pairs a round",
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


def scale(num: int, repeat: int) -> Iterator[dict[str, Any]]:
    """The core on 2 tasks against this process, and so the rewards of rollouts; in turn, on new
    texts every round, with a Ray that goes on as the one of a run does."""
    weights = RewardConfig()

    def core(seed: int, tasks: int) -> float:
        pairs = reports.made_up(num, seed)
        return num / seconds(lambda: evaluated(pairs, tasks))

    def rewards(seed: int, tasks: int) -> float:
        groups = rollouts(num // GROUP, seed)
        here = {} if tasks > 1 else {"groups_per_task": len(groups)}
        return len(groups) * GROUP / seconds(lambda: score_rollouts(groups, weights, **here))

    with small_ray():
        score_rollouts(rollouts(4, 0), weights, groups_per_task=1)  # the workers' imports
        for what, unit, rate in (
            ("the offline core", "pairs/s", core),
            ("rewards.score.score_rollouts", "completions/s", rewards),
        ):
            rates = [(rate(2 * n + 1, 2), rate(2 * n + 2, 1)) for n in range(repeat)]
            logger.info("%s, 2 tasks and here: %s", what, rates)
            yield {
                "benchmark": f"metrics: {what} on 2 Ray tasks at a time against one process",
                "ours": round(statistics.median(two for two, _ in rates), 1),
                "other": round(statistics.median(one for _, one in rates), 1),
                "ratio": round(statistics.median(two / one for two, one in rates), 2),
                "unit": f"{unit}, {num} a round",
            }


def rollouts(num: int, seed: int) -> list[tuple[Sample, list[str]]]:
    """Groups of completions of a step of reinforcement learning on reports."""
    return [
        (
            replace(SAMPLE, id=str(at), answer=meant, reference=meant),
            [f"The film is read by region. \\boxed{{{one}}}" for one in said],
        )
        for at, (said, meant) in enumerate(reports.groups(num, GROUP, seed))
    ]


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
    lines = []
    if options.part in (None, "race"):
        lines.append(race(options.race_pairs, options.repeat))
    if options.part in (None, "scale"):
        lines += scale(options.scale_pairs, options.repeat)
    if options.part in (None, "whole"):
        lines.append(whole(options.pairs, options.repeat))
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
