"""Width of the mediastinum, for the rule labeller.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chexone_ray.metrics.labeller.elided import size_taken_over
from chexone_ray.metrics.labeller.patterns import alternatives
from chexone_ray.metrics.labeller.scope import Span, judge
from chexone_ray.metrics.labeller.terms import ABSENT, PRESENT, UNCERTAIN, Phrase

LABEL = "enlarged cardiomediastinum"
_WORD = re.compile(
    r"(?<!in the )(?<!of the )(?<!from the )(?<!through the )(?<!within the )(?<!into the )"
    r"(?<!in the anterior )(?<!in the upper )(?<!across the )(?<!behind the )"
    r"\b(?:cardio(?:vascular )?)?(?:-)?mediastin(?:um\b|al (?:and (?:hilar|cardiac) |or hilar "
    r"|silhouette|contour|structure|shadow|border|outline|width|size|dimension|diameter|measurement"
    r"|configuration|margin|appearance|calib|profile|stripe|lines? normal)\w*)"
    r"|(?<=; )its (?:width|contours?|outline)\b|\b(?:width|contours?|size|outline|silhouette"
    r"|breadth|diameter|borders?|shape) of the (?:upper "
    r"|superior )?(?:cardio)?mediastinum\b|\bmediastinal and (?:cardiac|hilar)\b"
)
_OTHER = re.compile(
    r"(?:,| and|;| but) (?:the )?(?:heart|lungs?|bones|ribs|pleura\w*|trachea|hila|diaphragm\w*)"
    r" (?!and\b|or\b|are (?:both|all)\b)"
)
_TOLD = re.compile(
    r"\b(?:is|are|appears?|remains?|looks?|normal|wide\w*|enlarged|unremarkable|has|shows?)\b"
)
_GOES_ON = re.compile(
    r":|[,;]? ?(?:but|and|though|although) (?:of|is|not|its|otherwise|normal|still|now)\b"
    r"|,? ?which (?:is|are|was)\b"
)
"""The next clause still speaks of the mediastinum."""
_NOR = re.compile(
    r"\b(?:nor|or|borderline|doubtful|questionable|abnormal|slender|slim"
    r"|narrow|call|consider|term|declare|describe|regard|deem) (?:the )?(?:\w+ )?$"
)
"""Joins the mediastinum to what a denial before it reaches."""
_UPPER = alternatives(
    r"(?:upper|high) (?:limits?|end|range) of (?:the )?normal", r"upper normal", r"top[- ]normal"
)
_DOUBTFUL = alternatives(r"borderline")
_WIDE = alternatives(
    r"widen(?:ed|ing|s)?",
    r"wide[r]?",
    r"exceeds? (?:its |the )?(?:normal|usual)(?: \w+)?",
    r"broad(?:er|ened|ening)?",
    r"enlarge(?:d|ment)",
    r"abnormal(?:ly)?(?: \w+)?",
    r"prominent",
    r"(?:has )?increased(?! (?:since|from))",
    r"expanded",
    r"bulky",
    r"increased in (?:width|size)",
    r"full(?:er)?(?! (?:width|size))",
)
_NORMAL = alternatives(
    r"normal(?:ly)?(?: \w+)?",
    r"unremarkable",
    r"wnl|nad|ok|okay|nl",
    r"n(?=\W*$|\s*[,;])",
    r"preserved|maintained|intact|regular|smooth|well[- ](?:defined|preserved|maintained)|crisp"
    r"|sharp"
    r"|in order",
    r"satisfactory|unexceptional|unimpressive|narrow\w*|slim|slender|trim|fine",
    r"(?:of |its |the )?(?:usual|ordinary|standard|expected|proper|regular) (?:\w+)",
    r"as expected",
    r"within (?:\w+ )?(?:limits|bounds|range)",
    r"(?:nothing|not anything) (?:amiss|abnormal|wrong|to report|of note|remarkable|untoward)",
    r"(?:no|without)(?: \w+)? (?:abnormalit\w+|peculiarit\w+|widening|enlargement|broadening)",
    r"(?:no|without) (?:evidence|signs?|suggestion|trace|hint) of (?:\w+ )?(?:widening|enlargement"
    r"|broadening|abnormality)",
    r"not(?: \w+)? (?:remarkable|abnormal|broad|bulky|prominent)",
    r"well within",
)


def mediastinum_of(
    text: str, spans: Sequence[Span], past: Sequence[Span], found: Sequence[Phrase]
) -> list[Phrase]:
    """What a lower-case sentence says of the mediastinal width, unless `found` tells already."""
    if "mediastin" not in text or any(p.label == LABEL and p.state in (-1, 0, 1) for p in found):
        return []
    for word in _WORD.finditer(text):
        if any(low <= word.start() < high for low, high in past):
            continue
        span = next((low, high) for low, high in spans if low <= word.start() < high)
        high = span[1]
        if _GOES_ON.match(text, high):
            high = min((end for low, end in spans if low == high), default=high)
        other = _OTHER.search(text, word.end(), high)
        if other and not _TOLD.search(text, word.end(), other.start()):
            other = None
        low = span[0] if _NOR.search(text, span[0], word.start()) else word.start()
        state = _width(text, (low, other.start() if other else high))
        if state is None:
            state = size_taken_over(text[: word.start()], text[word.end() : high])
        if state is not None:
            return [Phrase(LABEL, LABEL, 0, *word.span(), state)]
    return []


def _width(text: str, span: Span) -> int | None:
    """The state of the label in a stretch that begins at the mediastinum; None where not told."""
    if _UPPER.search(text, *span):
        return ABSENT
    if _DOUBTFUL.search(text, *span):
        return UNCERTAIN
    normal, wide = _NORMAL.search(text, *span), _WIDE.search(text, *span)
    if normal and normal.group().startswith(("no", "without")) and "normal" not in normal.group():
        return ABSENT
    if wide and text[wide.start() - 1] == "?":
        return UNCERTAIN
    if wide and not (normal and normal.end() > wide.end()):
        return _state(text, span, wide)
    if normal is None:
        return None
    # "Not displaced and of normal width": the denial ends before "and of".
    parted = text.rfind(" and of ", span[0], normal.start())
    span = (max(parted, span[0]), span[1])
    state = _state(text, span, normal)
    return {PRESENT: ABSENT, ABSENT: PRESENT}.get(state, state)


def _state(text: str, span: Span, match: re.Match[str]) -> int:
    return judge(text, span, [Phrase(LABEL, LABEL, 0, *match.span())])[0].state
