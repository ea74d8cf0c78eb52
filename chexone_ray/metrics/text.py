"""All offline text metrics of (prediction, reference) pairs, from one pass over the texts.

A pair gives one row of `WIDTH` summable numbers; every figure is a function of summed rows, so that
corpus scores, means and a bootstrap by patient come from the same matrix:

    rows = score_pairs(pairs, num_tasks=2)      # (N, WIDTH)
    figures(rows.sum(axis=0))                   # name -> value of all pairs
    figures(rows)                               # name -> (N,) of each pair by itself

METEOR is left out: it needs Java and a paraphrase table. So is CIDEr: it is no sum over pairs, and
its idf changes with the test subset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from chexone_ray.background import on_tasks
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics import bleu, tokenise
from chexone_ray.metrics.rouge import COCO_BETA, rouge_l, rouge_n
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array, mean_value
from chexone_ray.metrics.tokens import exact_match, token_f1, token_recall

Pair: TypeAlias = tuple[str, str]
"""Prediction and reference; an empty prediction counts as wrong."""
Statistics: TypeAlias = Callable[[Sequence[Pair]], Array]
"""Pairs -> (N, S) summable numbers."""


@dataclass(frozen=True)
class Figure:
    """One metric: `value` maps the `columns` of summed rows (..., len(columns)) to (...)."""

    name: str
    signature: str
    columns: tuple[int, ...]
    value: Callable[[Array], Array]

    def of(self, sums: Array) -> Array:
        """The metric of summed rows (..., WIDTH)."""
        return self.value(sums[..., list(self.columns)])


@dataclass(frozen=True)
class Convention:
    """How a line of papers computes BLEU."""

    tokens: str
    case: str
    smooth: bleu.Smoothing
    effective_order: bool
    """Of the BLEU of single pairs."""


CONVENTIONS = (
    Convention("ptb", "lower", "epsilon", effective_order=False),  # COCO-caption, R2Gen
    Convention("words", "mixed", "exp", effective_order=True),  # sacrebleu
    Convention("rexrank", "lower", "method1", effective_order=False),  # fast_bleu at its defaults
)
"""Each both as corpus BLEU and as mean over pairs; ReXrank's is the mean of its BLEU-2."""
_ORDERS = tuple(range(1, bleu.ORDER + 1))
_OVERLAPS = ("ROUGE-1", "ROUGE-2", "ROUGE-L")
_WORDS = (("token F1", token_f1), ("token recall", token_recall), ("exact match", exact_match))
_FIRST_MEAN = len(CONVENTIONS) * bleu.WIDTH
_FIRST_OVERLAP = _FIRST_MEAN + len(CONVENTIONS) * bleu.ORDER
_FIRST_WORDS = _FIRST_OVERLAP + 2 * len(_OVERLAPS) + 1
_COUNT = _FIRST_WORDS + len(_WORDS)
WIDTH = _COUNT + 1
"""Columns: counts of BLEU of each convention, BLEU of the pair by itself, overlaps, 1."""


def text_statistics(pairs: Sequence[Pair]) -> Array:
    """(N, WIDTH) of N pairs; each text is cut into words once for each tokenisation."""
    rows = np.zeros((len(pairs), WIDTH))
    for row, (prediction, reference) in zip(rows, pairs, strict=True):
        said, meant = _cut(prediction), _cut(reference)
        counts: list[int] = []
        for convention in CONVENTIONS:
            counts += bleu.bleu_counts(said[convention.tokens], (meant[convention.tokens],))
        row[:_FIRST_MEAN] = counts
        row[_FIRST_OVERLAP:_FIRST_WORDS] = _overlaps(said, meant)
        row[_FIRST_WORDS:_COUNT] = [score(prediction, reference) for _, score in _WORDS]
    for number, convention in enumerate(CONVENTIONS):
        of_pairs = rows[:, number * bleu.WIDTH : (number + 1) * bleu.WIDTH]
        for n in _ORDERS:
            rows[:, _FIRST_MEAN + number * bleu.ORDER + n - 1] = bleu.bleu_value(
                of_pairs, n, convention.smooth, effective_order=convention.effective_order
            )
    rows[:, _COUNT] = 1
    return rows


def _cut(text: str) -> dict[str, tokenise.Tokens]:
    """The words of a text by tokenisation."""
    cut = {name: tokens(text) for name, tokens in tokenise.TOKENISERS.items()}
    return cut | {"stemmed": tokenise.stemmed(cut["rouge"])}


def _overlaps(
    said: Mapping[str, tokenise.Tokens], meant: Mapping[str, tokenise.Tokens]
) -> list[float]:
    values: list[float] = []
    for tokens in ("rouge", "stemmed"):
        a, b = said[tokens], meant[tokens]
        values += [rouge_n(a, b, 1), rouge_n(a, b, 2), rouge_l(a, b)]
    return [*values, rouge_l(said["ptb"], meant["ptb"], COCO_BETA)]


def _corpus_bleu(sums: Array, n: int, smooth: bleu.Smoothing) -> Array:
    """BLEU of counts and, last, the number of pairs; without a pair NaN, as a mean of none."""
    return np.where(sums[..., -1] > 0, bleu.bleu_value(sums[..., :-1], n, smooth), np.nan)


def pair_bleu(pairs: Sequence[Pair], n: int, convention: Convention) -> Array:
    """BLEU-n of each pair by itself (N,), without the rest of `text_statistics`."""
    cut = tokenise.TOKENISERS[convention.tokens]
    counts = [bleu.bleu_counts(cut(said), (cut(meant),)) for said, meant in pairs]
    rows = np.reshape(np.array(counts, dtype=float), (-1, bleu.WIDTH))
    effective = convention.effective_order
    return bleu.bleu_value(rows, n, convention.smooth, effective_order=effective)


def _figures() -> tuple[Figure, ...]:
    found = []
    for number, convention in enumerate(CONVENTIONS):
        tok, smooth, first = convention.tokens, convention.smooth, number * bleu.WIDTH
        counts = tuple(range(first, first + bleu.WIDTH))
        settings = {"case": convention.case, "tok": tok, "smooth": smooth}
        for n in _ORDERS:
            signed = signature(f"BLEU-{n}", level="corpus", eff="no", **settings)
            value = partial(_corpus_bleu, n=n, smooth=smooth)
            found.append(Figure(f"BLEU-{n} (corpus, {tok})", signed, (*counts, _COUNT), value))
        for n in _ORDERS:
            eff = "yes" if convention.effective_order else "no"
            signed = signature(f"BLEU-{n}", level="mean-of-pairs", eff=eff, **settings)
            at = _FIRST_MEAN + number * bleu.ORDER + n - 1
            name = f"BLEU-{n} (mean of pairs, {tok})"
            found.append(Figure(name, signed, (at, _COUNT), mean_value))
    means = [
        (f"{name} ({told})", signature(name, beta=1, stem=stem, tok="rouge", average="pairs"))
        for told, stem in (("no stemming", False), ("stemmed", True))
        for name in _OVERLAPS
    ]
    coco = signature("ROUGE-L", beta=COCO_BETA, stem=False, tok="ptb", average="pairs")
    means.append((f"ROUGE-L (beta {COCO_BETA}, ptb)", coco))
    exact = {"case": "lower", "edges": "stripped", "article": "dropped"}
    of_words = {"case": "lower", "tok": "letters-digits", "articles": "kept"}
    for name, score in _WORDS:
        settings = exact if score is exact_match else of_words
        means.append((name, signature(name, average="pairs", **settings)))
    found += [
        Figure(name, signed, (_FIRST_OVERLAP + at, _COUNT), mean_value)
        for at, (name, signed) in enumerate(means)
    ]
    return tuple(found)


FIGURES = _figures()
"""Every figure of the text core, with its signature."""


def figures(sums: Array) -> dict[str, Array]:
    """Name -> value of summed rows (..., WIDTH) -> (...)."""
    return {figure.name: figure.of(sums) for figure in FIGURES}


# --- on many cores -------------------------------------------------------------------------------


def score_pairs(
    pairs: Sequence[Pair],
    *,
    num_tasks: int = 1,
    statistics: Statistics = text_statistics,
    timeout_s: float = 3600.0,
) -> Array:
    """`statistics` of all pairs (N, S) in their order, on `num_tasks` Ray tasks of one CPU each.

    One task is done here, without Ray; more need a running one, and a function of which workers can
    make a copy. ChexoneError where `timeout_s` passes; what still runs is then cancelled.
    """
    if num_tasks < 1:
        raise ChexoneError(f"num_tasks={num_tasks}: give 1 (scored here) or more")
    num_tasks = min(num_tasks, max(len(pairs), 1))
    if num_tasks == 1:
        return statistics(pairs)
    edges = [len(pairs) * number // num_tasks for number in range(num_tasks + 1)]
    chunks = [pairs[low:high] for low, high in pairwise(edges)]
    return np.concatenate(on_tasks(statistics, chunks, timeout_s=timeout_s, what="scores of pairs"))
