"""Side, severity and change of the findings of one sentence, from the words around each."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from chexone_ray.metrics.labeller import modifiers as words
from chexone_ray.metrics.labeller.patterns import holds
from chexone_ray.metrics.labeller.scope import Span
from chexone_ray.metrics.labeller.sides import SIDE
from chexone_ray.metrics.labeller.terms import ABSENT, HEART, LABELS, Phrase

_SIDED = frozenset(LABELS[3:12]) | {"fracture", "support devices"}


def place(text: str, spans: Sequence[Span], found: Sequence[Phrase]) -> list[Phrase]:
    """Side, severity and change of each phrase from the words around it in the sentence."""
    segments = _segments(text, spans, found)
    changing = holds(text, words.CHANGE_STEMS)
    placed = []
    for phrase, (low, high) in zip(found, segments, strict=True):
        sides = _sides(text[low:high]) if phrase.label in _SIDED else frozenset()
        severity = ""
        for match in words.SEVERITY.finditer(text, low, high):
            if match.start() < phrase.start or not severity:
                severity = match.lastgroup or ""
        if phrase.state == ABSENT:
            severity = ""
        change = _change(text, low, high, phrase) if changing else ""
        placed.append(replace(phrase, sides=sides, severity=severity, change=change))
    return _inherit(text, placed)


def _segments(text: str, spans: Sequence[Span], found: Sequence[Phrase]) -> list[Span]:
    """The stretch of the sentence that belongs to each phrase: from the last join before it to the
    last join before the next one; stretches without a phrase fall to their neighbour."""
    cuts = [0]
    clause_starts = sorted(low for low, _ in spans)
    for left, right in pairwise(found):
        between = text[left.end : right.start]
        clause = clause_starts[bisect_left(clause_starts, left.end) :][:1]
        joins = [left.end + match.start() for match in words.JOIN.finditer(between)]
        if clause and clause[0] <= right.start:
            cuts.append(clause[0])
        elif joins:
            cuts.append(joins[-1])
        else:
            adjectives = words.LEADING_ADJECTIVES.search(between)
            cuts.append(left.end + (adjectives.start() if adjectives else 0))
    cuts.append(len(text))
    return list(pairwise(cuts)) if found else []


def _sides(text: str) -> frozenset[str]:
    sides: set[str] = set()
    for match in SIDE.finditer(text):
        sides |= {"left", "right"} if match.lastgroup == "both" else {str(match.lastgroup)}
    return frozenset(sides)


def _change(text: str, low: int, high: int, phrase: Phrase) -> str:
    matches = [m for m in words.CHANGE.finditer(text, low, high) if not _of_sides(text, m)]
    if phrase.label == HEART:
        # A heart that "is larger" changed; a heart "of increased size" may only be large.
        matches = [match for match in matches if match.group() != "increased"] or matches
    if not matches:
        return ""
    nearest = min(
        matches,
        key=lambda match: min(abs(match.start() - phrase.end), abs(phrase.start - match.end())),
    )
    kind = nearest.lastgroup or ""
    return "" if phrase.state == ABSENT and kind == "worse" else kind


def _of_sides(text: str, match: re.Match[str]) -> bool:
    """ "Larger on the right": compares sides. "Has become larger on the right": times."""
    if not words.SIDES_COMPARED.match(match.group()):
        return False
    turned = re.search(
        r"\b(?:become|became|grown|turned|got|gotten|now)(?: \w+)? $", text[: match.start()][-40:]
    )
    behind = words.SIDE_BY_SIDE.match(
        re.sub(r"^(?: \w+ed)", "", text[match.end() : match.end() + 90])
    )
    return turned is None and behind is not None


def _inherit(text: str, placed: list[Phrase]) -> list[Phrase]:
    """Sides and change that two joined phrases share: "left effusion and atelectasis",
    "effusion and atelectasis on the left", "effusion and edema have improved"."""
    result = list(placed)
    if len(placed) < 2:
        return result
    tail, end = frozenset[str](), len(text)
    changed = max((match.start() for match in words.CHANGE.finditer(text)), default=-1)
    for index in range(len(result) - 2, -1, -1):
        here, after = result[index], result[index + 1]
        tail, end = tail | _sides(text[after.end : end]), after.end
        between = text[here.end : after.start]
        if here.state != after.state or words.VERB.search(between):
            continue
        if not here.sides and here.label in _SIDED and tail and not _sides(between):
            result[index] = here = replace(here, sides=tail & after.sides)
        if not here.change and changed >= after.end and words.BARE_JOIN.match(between):
            result[index] = replace(here, change=after.change)
    for index in range(1, len(result)):
        before, here = result[index - 1], result[index]
        if (
            before.sides
            and not here.sides
            and here.label in _SIDED
            and here.state == before.state
            and words.BARE_JOIN.match(text[before.end : here.start])
        ):
            result[index] = replace(here, sides=before.sides)
    return result
