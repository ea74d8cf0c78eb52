"""Denials that are counted: an even number of them in one plain stretch of a sentence makes an
assertion ("in neither lung is an opacity lacking").

Turns of phrase and pairs that stand close together are resolved before (`frames.py`,
`double.py`); this counts what is left around a finding that reads as denied. Our own,
written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from chexone_ray.metrics.labeller import doubt
from chexone_ray.metrics.labeller.double import LEFT_BEHIND
from chexone_ray.metrics.labeller.modifiers import CHANGE
from chexone_ray.metrics.labeller.terms import ABSENT, HEART, PRESENT, Phrase

_NEGATION = re.compile(
    r"\b(?:not|no(?! doubt)|never|neither|nobody|nowhere|nothing|none|hardly|scarcely|barely"
    r"|cannot|lacks?"
    r"|lacking|absent|missing|wanting|den(?:y|ies|ied|ying)|spare[sd]?|escap(?:e[sd]?|ing)"
    r"|fail(?:s|ed)?"
    r"|untrue|false|wrong|incorrect|mistaken|disagree"
    rf"|(?:has|have|is|are|been) (?:\w+ly )*(?:{LEFT_BEHIND})"
    r"|(?P<near>without|(?:free|clear|devoid|bare|void) (?:of|from)|(?:absence|lack) of))\b"
)
"""`near`: counts only if the finding is what follows it."""
_STOP = re.compile(
    r"[,;:.()/?]|\b(?:and|but|or|nor|with|since|after|following|when|because|although|though"
    r"|until|while"
    r"|as|if|now|before|despite|which (?:was|were)|due to|from(?= the)|than)\b"
)
_FEW_WORDS = re.compile(r"(?: [\w'-]+){0,5} $")


def uncancelled(text: str, found: Sequence[Phrase]) -> list[Phrase]:
    """The phrases of one sentence; those that two denials speak of are present."""
    result = list(found)
    if all(phrase.state != ABSENT for phrase in found):
        return result
    negations = list(_NEGATION.finditer(text))
    if len(negations) < 2:
        return result
    stops = sorted({0, len(text), *(match.end() for match in _STOP.finditer(text))})
    starts = [match.start() for match in negations]
    places = sorted(phrase.start for phrase in found if phrase.label != HEART)
    for index, phrase in enumerate(result):
        low = stops[max(bisect_right(stops, phrase.start) - 1, 0)]
        high = stops[min(bisect_left(stops, phrase.end), len(stops) - 1)]
        here = negations[bisect_left(starts, low) : bisect_left(starts, high)]
        alone = bisect_left(places, high) - bisect_left(places, low) == 1
        if phrase.state == ABSENT and not phrase.implied and len(here) > 1 and alone:
            count = sum(_counts(text, match, phrase) for match in here)
            if count % 2 == 0 and count and not _open(text[low:high]):
                result[index] = replace(phrase, state=PRESENT)
    return result


def _counts(text: str, match: re.Match[str], phrase: Phrase) -> bool:
    if match.group("near") is None:
        return not phrase.start <= match.start() < phrase.end
    return _FEW_WORDS.match(text, match.end(), phrase.start) is not None


def _open(piece: str) -> bool:
    """Doubt or a change, which a denial may speak of instead."""
    return any(
        pattern.search(piece)
        for pattern in (doubt.UNCERTAIN_AFTER, doubt.UNCERTAIN_BEFORE, doubt.UNCERTAIN_WORD, CHANGE)
    )
