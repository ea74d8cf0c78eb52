"""Size of the heart, and what else a sentence says of normal structures, for the rule labeller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chexone_ray.metrics.labeller import doubt
from chexone_ray.metrics.labeller import modifiers as words
from chexone_ray.metrics.labeller.elided import size_taken_over
from chexone_ray.metrics.labeller.patterns import alternatives, holds
from chexone_ray.metrics.labeller.scope import Span, judge
from chexone_ray.metrics.labeller.terms import (
    ABSENT,
    HEART,
    PRESENT,
    UNCERTAIN,
    UNTOLD,
    Phrase,
)

# --- the heart -----------------------------------------------------------------------------------

HEART_WORD = re.compile(
    r"\b(?:heart|cardiac (?:size|silhouette|contours?|shadow|dimensions?|outline|diameter)"
    r"|cardiac(?=,? and (?:\w+ )?mediastin)|cardiomediastinal (?:silhouette|contours?)|cor"
    r"|cardiothoracic ratio|ctr|cardiopericardial silhouette|cardiomeg\w*|cardiac enlargement)\b"
    r"(?! (?:failure|border)\b)"
)
_BORDERLINE = re.compile(r"\bborderline\b")
_UPPER = alternatives(
    r"(?:upper|high) (?:limits?|end|range) of (?:the )?normal|upper limits?(?=\W*$)",
    r"top[- ]normal",
    r"upper normal",
    r"at the (?:upper )?limits? of normal",
    r"high[- ]normal",
)
_ENLARGED = alternatives(
    r"enlarged|enlargement|cardiomeg\w*",
    r"(?:is|are|appears?|remains?|stays?|looks|was|seems|has become|be)(?: \w+ly| a little"
    r"| slightly"
    r"| somewhat"
    r"| rather| far| too| quite| perhaps| possibly| again| still| not)* (?:large|big|wide"
    r"|widened|dilated"
    r"|increased|broad|broadened|expanded|prominent|bulky)",
    r"(?:heart|shadow|silhouette) (?:\w+ly |too |not )?(?:large|big|wide|widened|dilated"
    r"|increased|broad|broadened|bulky|expanded|oversized)",
    r"(?:large|big|dilated|bulky|massive|huge|globular|prominent|wide|widened) (?:heart|cardiac)",
    r"increased (?:in )?(?:size|ratio|cardiac)|oversized?|megacardia|bigger than|larger than",
    r"(?:hypertrophied|expanded|generous)(?=\W*$|[ ,;])|(?:exceeds?|exceeding|above"
    r"|beyond) (?:the )?"
    r"(?:upper )?(?:normal|limits? of normal)(?: size| limits?| range)?",
    r"(?:exceeds?|exceeding|more than|over"
    r"|greater than) (?:\w+ )?half (?:of )?(?:the )?(?:\w+ )?(?:chest|thorax|thoracic|width"
    r"|diameter)",
    r"\s{2,}(?:large|big|wide)",
    r"(?<=ctr )(?:up|increased|raised|high)|(?<=ratio )(?:up|increased|raised|high)"
    r"|(?<=heart )up\b",
    r"(?:of )?abnormal (?:size|width)|abnormally (?:large|big|wide)|abnormal in size",
    r"(?:though|although|while|albeit|but|still|yet)(?: still| yet| nonetheless| again| too"
    r"| \w+ly)*"
    r" (?:large|big|wide|dilated|bulky)",
    r"above normal|wider than normal|larger than normal|bigger than normal",
)
_NORMAL = alternatives(
    r"normal|unremarkable|without (?:abnormalit\w+|peculiarit\w+)|(?:is|heart|silhouette"
    r"|shadow) not(?=\W*$)|slim|slender"
    r"|(?:ordinary"
    r"|regular|usual) (?:size|width|configuration)|wnl|nl|nad|ok|n(?=\W*$|\s*[,;/])"
    r"|no cardiomegaly|satisfactory|unexceptional|as expected"
    r"|not (?:\w+ly )?(?:abnormal|remarkable)|(?:nothing|not anything) (?:amiss|abnormal|wrong"
    r"|of note|untoward)"
    r"|no abnormalit\w+|within (?:\w+ )?(?:limits|bounds|range)"
    r"|no cardiac enlargement|no enlargement"
    r"|not (?:large|big)|less than (?:\w+ )?half",
    r"(?:usual|normal) (?:size|width|dimensions)",
)
_IT = re.compile(
    r"[\W]*(?:but |and |rather |although |though )*(?:it|they|now|which|(?:(?:slight|mild|some"
    r"|any|minor|early|an?|no|gross|true|real|definite|minimal|its?) )*(?:enlargement|increase"
    r"|dilatation|dilation)|is|are|has|remains|still|not"
    r"|of|within|(?:large|enlarged|big|normal|wide|dilated)\b,?) "
)
_RATIO = re.compile(
    r"\b(?:cardiothoracic ratio|ctr|(?:heart|silhouette|shadow) (?:\w+ly |now )?(?:occupies"
    r"|takes up|spans|covers"
    r"|fills|measures))\b[^.,;]{0,30}?(?:(?P<more>above|over|exceeds?|exceeding"
    r"|greater than"
    r"|more than|>)|(?P<less>below|under|less than|<))?\s*(?:0[.,](?P<part>\d{1,2})"
    r"|(?P<cent>\d\d) ?(?:%"
    r"|per ?cent))"
)
_AND_SO_ON = re.compile(
    r",? and (?:the )?(?:\w+ )?mediastin\w+(?: \w+)? (?:are|have|look|appear"
    r"|remain)\b"
)
"""A second subject of one plural verb."""
_LARGE_RATIO = 0.5
_NOT_INCREASED = re.compile(
    r"\b(?:is|size|heart|silhouette|shadow) not (?:\w+ly )?increased\b(?!,? (?:since|from"
    r"|compared|in))"
)
_OTHER_ORGAN = re.compile(r"\bmediastinum (?:that|which|is|looks|appears)\b")
_BEYOND = re.compile(
    r"\b(?:(?:bigger|larger|wider|greater) than (?:the )?(?:upper limits? of )?(?:normal"
    r"|expected|usual|it (?:should|ought)|one (?:would )?expect|is (?:usual|normal))"
    r"|above (?:the )?(?:upper )?(?:limits? of )?normal"
    r"|(?:exceed(?:s|ing)?) (?:the )?(?:\w+ )?(?:normal|limits?)(?: of normal)?)\b"
)
_NOW_NORMAL = re.compile(
    r"\b(?:now|again|back to|returned to|reverted to) (?:\w+ )?normal\b|\bnormali[sz]ed\b"
    r"|\bno longer (?:\w+ )?(?:enlarged|large|dilated|wide)\b"
)
SIZES = ("enlarged", "borderline", "upper", "doubtful", "normal")
"""Size classes, the one that wins first: "upper" is the upper limit of normal."""
SIZE_STATES = {
    "enlarged": PRESENT,
    "borderline": UNCERTAIN,
    "doubtful": UNCERTAIN,
    "upper": ABSENT,
    "normal": ABSENT,
}


@dataclass(frozen=True)
class HeartSize:
    """What one sentence says of the heart's size; severity only with "enlarged"."""

    name: str
    severity: str = ""
    wide: bool = False
    """Said of the cardiomediastinal silhouette only, which is no cardiomegaly."""


def heart_of(text: str, spans: Sequence[Span], past: Sequence[Span]) -> HeartSize | None:
    """The size that one lower-case sentence gives the heart."""
    if "heart" not in text and "cardi" not in text and not re.search(r"\bc(?:or|tr)\b", text):
        return None
    found = []
    spoken = False
    for span in spans:
        word = HEART_WORD.search(text, *span)
        spoken = bool(word) or (spoken and bool(_IT.match(text, *span)))
        at = word.start() if word else span[0]
        if word and _AND_SO_ON.match(text, word.end()):
            span = (span[0], min((high for _, high in spans if high > span[1]), default=span[1]))
        if spoken and not any(low <= at < high for low, high in past):
            taken = size_taken_over(text[:at], text[word.end() : span[1]]) if word else None
            found.append({None: _size(text, span), 1: "enlarged", 0: "normal"}[taken])
    name = next((name for name in SIZES if name in found), None)
    if name is None:
        return None
    severity = ""
    if name == "enlarged" and (word := _ENLARGED.search(text)):
        before = list(words.SEVERITY.finditer(text, 0, word.start()))
        severity = (before[-1].lastgroup or "") if before else ""
        if doubt.PROJECTED.search(text, word.end()):
            name, severity = "doubtful", ""
    wide = all("mediastinal" in word for word in HEART_WORD.findall(text))
    return HeartSize(name, severity, wide)


def _size(text: str, span: Span) -> str:
    clause = text[slice(*span)]
    if _BORDERLINE.search(clause):
        return "borderline"
    other = _OTHER_ORGAN.search(clause)
    if other and _NORMAL.search(clause, 0, other.start()):
        clause = clause[: other.start()]
    if _NOT_INCREASED.search(clause):
        return "normal"
    if match := _BEYOND.search(clause):
        return "enlarged" if _state(text, span, match) == PRESENT else "normal"
    ratio = _RATIO.search(clause)
    if ratio:
        share = float("0." + (ratio.group("part") or ratio.group("cent")))
        large = not ratio.group("less") and (bool(ratio.group("more")) or share > _LARGE_RATIO)
        return "enlarged" if large else "normal"
    if _UPPER.search(clause):
        return "upper"
    plain = words.CHANGE.sub(
        lambda match: (
            match.group()
            if re.search("increased|enlarged", match.group())
            else " " * len(match.group())
        ),
        clause,
    )
    if _NOW_NORMAL.search(plain):
        return "normal"
    if match := _ENLARGED.search(plain):
        if clause[match.start() - 1 : match.start()] == "?":
            return "doubtful"
        state = _state(text, span, match)
        return {PRESENT: "enlarged", ABSENT: "normal", UNCERTAIN: "doubtful"}.get(state, "")
    if match := _NORMAL.search(plain):
        if match.group().endswith(" not") or match.group().startswith("without"):
            return "normal"
        if match.group().startswith("no") and "normal" not in match.group()[:6]:
            return "normal"
        state = _state(text, span, match)
        return {PRESENT: "normal", ABSENT: "enlarged", UNCERTAIN: "doubtful"}.get(state, "")
    return ""


def _state(text: str, span: Span, match: re.Match[str]) -> int:
    """The state of the word that a match within a clause ends in."""
    end = span[0] + match.end()
    at = end - len(match.group().split()[-1])
    return judge(text, span, [Phrase(HEART, HEART, 0, at, end)])[0].state


# --- normal structures ---------------------------------------------------------------------------

_IS = r"(?:is|are|appears?|remains?|was|were|looks?|has|have|been|seems?|still)"
_NORMAL_IS = (
    rf"(?:{_IS} |both |otherwise |now |well expanded and |grossly |essentially |bilaterally |all "
    r"|again |fully |of |in |quite |not |\w+ly )*"
)
_ANGLE = r"(?:costophrenic|cp) (?:angles?|sulc\w+|recess\w*)"
_MEDIASTINUM = (
    r"(?:cardio)?mediastin\w+(?:,? (?:and|or) (?:the )?(?:hil\w+|cardiac|heart|trachea))?"
    r"(?:,? (?:silhouettes?|contours?|structures|shadows?|borders?|outlines?|width))?"
)
_BONES = (
    r"(?:bon(?:es|y (?:thorax|cage|structures?))|osseous structures|ribs?|rib ?cage|skeleton"
    r"|clavicles?|scapula[es]?|sternum|vertebra[el]?|spine|humer[ui]s?|cort(?:ex|ices))"
)
_USUAL = r"(?:its |the |their )?(?:usual|normal|former|baseline|ordinary|proper)"


@dataclass(frozen=True)
class Normal:
    """A sign of health. Where `named`, its denial ("not sharp") states the labels."""

    labels: tuple[str, ...]
    stems: tuple[str, ...]
    pattern: re.Pattern[str]
    named: bool = False
    raw: bool = False
    """Tried on the text with the findings of other parts of the body; denies as it stands."""


_LUNG = r"(?:lungs?\b|pulmon\w+|chest\b|thorax\b)"
_OTHER_SITES = (
    ("pneumothorax", r"(?:air|gas|emphysema|pneumo(?:mediast|perit)\w+)", r"pleura\w*"),
    ("pleural effusion", r"(?:fluid|(?<=pericardial )effusion)", r"(?:pleura\w*|chest|thorax)"),
    ("edema", r"o?edema", _LUNG),
    ("lung lesion", r"(?:mass|masses|nodules?|lesions?|metasta\w+|tumou?rs?|lumps?)", _LUNG),
    ("pneumonia", r"infections?", _LUNG),
)
"""A finding of another place that is denied here: "soft tissue edema, none in the lungs"."""
_SIGNS = (
    Normal(
        ("lung opacity",),
        ("lung", "field"),
        alternatives(rf"lungs? (?:fields? )?{_NORMAL_IS}clear(?! of)", r"clear lungs?"),
    ),
    Normal(
        ("pleural effusion",),
        ("phrenic", "cp ", "angle", "sinus"),
        alternatives(
            rf"(?:{_ANGLE}|angles|sinuses) (?:on (?:both sides|either side|the (?:left"
            rf"|right)) )? *{_NORMAL_IS}"
            r"(?:sharp\w*|clear|preserved|free|acute|crisp|dry|open|deep|well[- ]defined|normal"
            r"|unremarkable|intact|maintained)",
            rf"(?:sharp|clear|crisp|free|preserved|acute) (?:\w+ )?(?:{_ANGLE}|angles)",
        ),
        named=True,
    ),
    Normal(
        ("pleural effusion",),
        ("pleural",),
        alternatives(rf"pleural (?:spaces?|cavit\w+) {_NORMAL_IS}dry"),
        named=True,
    ),
    Normal(
        ("pleural effusion", "pneumothorax"),
        ("pleural",),
        alternatives(
            rf"pleural (?:spaces?|surfaces?|cavit\w+) {_NORMAL_IS}"
            r"(?:clear(?! of)|normal|unremarkable|free(?! (?:of|from)))"
        ),
    ),
    Normal(
        ("enlarged cardiomediastinum",),
        ("mediastin",),
        alternatives(
            rf"{_MEDIASTINUM}(?:,[^,]*,| (?:in|at) the midline,?)? {_NORMAL_IS}(?:normal|wnl|nl"
            rf"|ok|unremarkable"
            rf"|within normal|(?<=not )(?:widened"
            rf"|enlarged|wide)|without (?:abnormalit\w+|peculiarit\w+)|not(?=\W*$)|narrow|slim"
            rf"|slender"
            rf"|(?:back|returned|gone back|reverted) to {_USUAL}"
            r"|usual (?:width|size|contour))",
            rf"mediastinum(?:,? (?:and )?(?:\w+ )?(?:hila|heart|trachea|bones|pleura"
            rf"|lungs))*:? {_NORMAL_IS}"
            r"(?:normal|unremarkable|within normal)",
            r"no (?:\w+ )?mediastinal (?:or hilar |and hilar )?abnormalit\w+",
            r"(?:normal|unremarkable) (?:(?:heart|cardiac|cardiac silhouette|hila|hilar|lungs"
            r"|width of the"
            r"|heart size|contours? of the|upper)(?:,| and|, and)? (?:the )?)*"
            r"(?:cardio)?mediastin(?:um|al)(?! (?:shift|mass|lymph))",
        ),
        named=True,
    ),
    *(
        Normal(
            (label,),
            ("none in", "none of", "not in", "not of", "none with"),
            re.compile(
                rf"\b{word}\b[^.]*\b(?:none|not) (?:in|of|within) (?:the|either|both) "
                rf"(?:\w+ )?{site}"
            ),
            named=True,
            raw=True,
        )
        for label, word, site in _OTHER_SITES
    ),
    Normal(
        ("fracture",),
        ("intact",),
        alternatives(
            rf"(?:{_BONES}(?: \w+)?)(?:,? (?:and|&) (?:the )?{_BONES})? "
            rf"{_NORMAL_IS}(?:themselves )?intact",
            rf"intact (?:\w+ )?{_BONES}",
        ),
        named=True,
    ),
    Normal(
        ("fracture",),
        ("bon", "osseous", "ribs", "skelet"),
        alternatives(
            r"(?:bon(?:es|y \w+)|osseous structures|ribs|bony thorax|skeleton) "
            rf"{_NORMAL_IS}(?:normal|unremarkable)",
            r"no (?:acute )?(?:osseous|bony) (?:\w+ )?(?:abnormalit\w+|lesion\w*)",
        ),
    ),
)
_EXTUBATED = re.compile(r"\bextubat\w+")


def normal_signs(
    text: str, raw: str, spans: Sequence[Span], past: Sequence[Span], found: Sequence[Phrase]
) -> list[Phrase]:
    """What a sentence denies without naming it, for labels that `found` does not hold; `raw` is
    the text with nothing blanked."""
    result: list[Phrase] = []
    named = {phrase.label for phrase in found if phrase.state != UNTOLD}
    for sign in _SIGNS:
        if not holds(text, sign.stems):
            continue
        match = sign.pattern.search(raw if sign.raw else text)
        if not match or any(low <= match.start() < high for low, high in past):
            continue
        state = ABSENT if sign.raw else _sign_state(text, spans, match, sign.named)
        if state is None:
            continue
        result += [
            Phrase(label, label, 0, *match.span(), state, implied=not sign.named)
            for label in sign.labels
            if label not in named
        ]
        named |= set(sign.labels)
    if "extubat" in text and "support devices" not in named:
        match = _EXTUBATED.search(text)
        span = match.span() if match else (0, 0)
        result.append(Phrase("support devices", "tube", 0, *span, ABSENT))
    return result


def _sign_state(text: str, spans: Sequence[Span], match: re.Match[str], named: bool) -> int | None:
    """State of the labels that a sign of health denies; None where the sign is not clear."""
    end = match.end()
    if re.search(
        r"\bno (?:acute )?(?:osseous|bony)|\bno (?:\w+ )?mediastinal|\bnot (?:widened|enlarged"
        r"|wide)|\bwithout"
        r"|\bis not$",
        match.group(),
    ):
        return ABSENT
    at = end - len(match.group().split()[-1])
    span = next(((low, high) for low, high in spans if low <= at < high), (0, len(text)))
    state = judge(text, span, [Phrase("sign", "sign", 0, at, end)])[0].state
    if re.search(r" not (?:\w+ly )?$", text[:at]):
        state = ABSENT
    if state == PRESENT:
        return ABSENT
    if not named:
        return None
    return PRESENT if state == ABSENT else state
