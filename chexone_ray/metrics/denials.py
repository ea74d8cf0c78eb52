"""What a report denies without naming it: "No acute disease." says that there is no pneumonia.

Only ever taken as a contradiction of what labels or boxes say is there, never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from chexone_ray.metrics.labeller import CACHED_TEXTS, sentences

ACUTE = frozenset({"consolidation", "edema", "pleural effusion", "pneumonia", "pneumothorax"})
"""What "no acute disease" denies. An atelectasis or a nodule may be old."""
APART = frozenset(
    {"chest tube", "device", "line", "pacemaker", "support devices", "tube", "foreign object"}
    | {"no finding"}
)
"""What "normal" does not deny: devices, and that there is nothing."""
_LUNG = r"cardio-?pulmonary|cardio-?respiratory|cardio-?thoracic|intra-?thoracic|thoracic"
_LUNG = rf"(?:{_LUNG}|pulmonary|chest|lungs?)"
_WHOLE = rf"(?:(?:cardiac|heart) (?:or|and) )?{_LUNG}(?: (?:or|and) (?:cardiac|pleural))?"
_NO = (
    r"\b(?:no|without|negative for)"
    r"(?: (?:radiographic|radiological|definite|convincing|obvious|imaging|x-?ray))*"
    r"(?: (?:evidence|signs?|indication) (?:of|for))?(?: (?:an?|any))?"
)
_DISEASE = r"(?:disease|process(?:es)?|abnormalit(?:y|ies)|findings?|patholog(?:y|ies))"
_NO_ACUTE = re.compile(
    rf"{_NO} (?:acute|active|significant)(?: (?:or|and) (?:acute|active))?"
    rf"(?: {_WHOLE})? {_DISEASE}\b"
    r"(?! (?:of|in|at|within) (?!(?:the )?(?:chest|lungs?|thorax)\b))"
)
_FILM = (
    r"(?:the|an?|this|is|are|of|and|both|chest|frontal|lateral|pa|ap|portable|views?|two|study"
    r"|x-?rays?|radiographs?|radiograms?|films?|exam(?:ination)?|appears?|essentially|entirely|within)"
)
_NORMAL = re.compile(
    rf"(?:{_FILM} )*(?:normal|unremarkable)(?: {_FILM})*"
    r"|(?:there is |there are )?no (?:abnormal findings?|abnormalit(?:y|ies)|findings?)"
    r"(?: (?:is|are))?(?: (?:seen|detected|identified|noted|found|present))?(?: in the chest)?"
)
_BUT = re.compile(r"\b(?:except|other than|apart from|aside from|besides|otherwise|but|new)\b")


@lru_cache(maxsize=CACHED_TEXTS)
def denials(text: str) -> Callable[[str], bool]:
    """A predicate on the names of findings: does the text deny them all together?"""
    if calls_normal(text):
        return lambda name: name not in APART
    if any(_NO_ACUTE.search(sentence) for sentence in _told(text)):
        return ACUTE.__contains__
    return lambda name: False


@lru_cache(maxsize=CACHED_TEXTS)
def calls_normal(text: str) -> bool:
    """True where a sentence calls the whole film normal: "Normal chest."."""
    return any(_NORMAL.fullmatch(sentence) for sentence in _told(text))


@lru_cache(maxsize=CACHED_TEXTS)
def _told(text: str) -> tuple[str, ...]:
    """Sentences without an exception, in lower case."""
    told = (sentence.lower().rstrip(".!; ") for sentence in sentences(text))
    return tuple(sentence for sentence in told if not _BUT.search(sentence))
