"""Words that name a side, in full and in the short forms of telegrams ("RLL", "Rt.", "R>L").

A letter alone is a side only before a finding or a place, or after "on": on films it is a marker,
and "L1" is a vertebra. All patterns but `DOTTED` match lower-case text.
"""

from __future__ import annotations

import re

_FINDING = (
    r"(?:pleural|pl|pleff|effusions?|ptx|pneumo(?!nectom)\w*|ha?emo\w*|hydro\w*|empyema"
    r"|opacit\w+|opacif\w+|consolid\w+|atelecta\w+|infiltrat\w+|nodul\w+|mass(?:es)?|lesions?"
    r"|collapse|o?edema|haziness|airspace|(?:\d+(?:st|nd|rd|th)|anterior|posterior) ribs?"
    r"|ribs?|clavic\w+|picc|ij|sc|subclavian|jugular"
    r"|pigtail|chest (?:tube|drain)|pacemaker|ppm|icd|port|small|mod|moderate|large|tiny|trace"
    r"|sm|mild)"
)
_PLACE = (
    r"(?:side|sided|lung|lobe|base|basal|basilar|bas|apex|apical|hilum|hilar|perihilar"
    r"|retrocardiac|upper|middle|mid|lower|costophrenic|cp|hemithorax|hemidiaphragm|zone|lateral"
    r"|fissure|suprahilar|infrahilar|paratracheal)"
)
_BEFORE = rf"(?=\.?[ -](?:{_FINDING}|{_PLACE})\b)"
_AFTER = r"(?:(?<=\bon )|(?<=\bon the ))"
_LETTER = r"(?:{0}" + _BEFORE + "|" + _AFTER + r"{0}(?!['\u2019/-]| (?:spine|vert|\d)))"
_THERAPY = r"(?<!post )(?<!post-)(?<!after )rt(?! (?:chang|therap|field|fibros|pneumonitis))"
"""Right, where "RT" is no radiotherapy."""
SIDE = re.compile(
    r"\b(?:(?P<both>bilateral\w*|both|bi-?basilar|bi-?basal|bi-?apical|either side"
    r"|(?:rt?|lt?) ?(?:[<>]{1,3}|[<>]?=|&|/|:|\+) ?(?:rt?|lt?)(?!\w)|(?:r and l|l and r)"
    + _BEFORE
    + r")"
    r"|(?P<left>left|lingula\w*|l[ul]l|lt|" + _LETTER.format("l") + r")"
    r"|(?P<right>right|r[uml]l|" + _THERAPY + "|" + _LETTER.format("r") + r"))(?:-sided)?\b"
    r"(?! (?:atri|ventric|main|heart|brachio|innominate))"
)
DOTTED = re.compile(
    r"(?i:(?<!\w)(bilat|[rl]t?)\.(?=\s(?:" + _PLACE + r")\b))(?!\s[A-Z][a-z])"
    r"|(?i:(?<!\w)(?<!on )(?<!the )(bilat|[rl]t?)\.(?=\s(?:" + _FINDING + r")\b))(?!\s[A-Z][a-z])"
)
"""A short form whose full stop ends no sentence: "lt. effusion", not "on the lt. Effusion"."""


def undotted(text: str) -> str:
    """The text without the full stops of sides that are short forms."""
    return DOTTED.sub(lambda match: match[1] or match[2], text) if "." in text else text
