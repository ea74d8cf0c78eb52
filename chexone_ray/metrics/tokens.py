"""Word overlap of an answer with its reference, each in 0-1.

Words are runs of letters and digits in lower case; punctuation plays no part.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from chexone_ray.answers import normalise
from chexone_ray.metrics.ngrams import common_length

_WORD = re.compile(r"[^\W_]+")


def token_f1(predicted: str, reference: str) -> float:
    """F1 of the two bags of words (SQuAD, without its removal of articles)."""
    shared, said, meant = _shared(predicted, reference)
    return 2 * shared / (said + meant) if shared else 0.0


def token_recall(predicted: str, reference: str) -> float:
    """Share of the reference's words that the answer holds (LLaVA-Med's score for open answers)."""
    shared, _, meant = _shared(predicted, reference)
    return shared / meant if shared else 0.0


def exact_match(predicted: str, reference: str) -> float:
    """1 for the same text up to case, space and punctuation at its edges, else 0."""
    return float(bool(predicted) and normalise(predicted) == normalise(reference))


def rouge_l(predicted: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (ROUGE-L with beta 1, without stemming)."""
    said, meant = words(predicted), words(reference)
    if not said or not meant:
        return 0.0
    return 2 * common_length(said, meant) / (len(said) + len(meant))


@lru_cache(maxsize=4_096)
def words(text: str) -> tuple[str, ...]:
    """The words of a text in order."""
    return tuple(_WORD.findall(text.lower()))


def holds(text: str, name: str) -> bool:
    """True where the words of `name` stand in the text, one after the other."""
    return bool(name) and f" {' '.join(words(name))} " in f" {' '.join(words(text))} "


def _shared(predicted: str, reference: str) -> tuple[int, int, int]:
    said, meant = Counter(words(predicted)), Counter(words(reference))
    return (said & meant).total(), said.total(), meant.total()
