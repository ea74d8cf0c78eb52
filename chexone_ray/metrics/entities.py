"""Entities with their types, as lines "words: type": how many of them are exactly right.

Word overlap is no measure here: the few words of the types are in every answer, so that one with
every entity wrong would share half of its words with the reference.
"""

from __future__ import annotations

from chexone_ray.answers import normalise

Entity = tuple[str, str]
"""Words and type, both normalised."""


def entity_f1(predicted: str, reference: str) -> float:
    """F1 over the different (words, type) pairs, in 0-1; 0 where either text has none.

    A pair is right only as a whole; order and repetition play no part, case and space neither.
    """
    said, meant = entities(predicted), entities(reference)
    shared = len(said & meant)
    return 2 * shared / (len(said) + len(meant)) if shared else 0.0


def entities(text: str) -> frozenset[Entity]:
    """The pairs of a text, one a line; the type of a line without a colon is empty."""
    pairs = set()
    for line in text.splitlines():
        words, colon, kind = line.rpartition(":")
        if line.strip():
            pairs.add((normalise(words if colon else line), normalise(kind) if colon else ""))
    return frozenset(pairs)
