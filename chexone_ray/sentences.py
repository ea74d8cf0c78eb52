"""Sentence -> the class of a closed question that it names: "The pneumothorax is on the left."

For answers that no list of options and no leading class word explains. A sentence is read whole or
not at all: what has a word beside the forms here (a denial, a doubt, a second class, "of the
image", whose left is the patient's right) names nothing. Subjects must be what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from chexone_ray.metrics.denied import denied_name, names, same_name
from chexone_ray.options import plain_text

LONGEST = 160
"""Characters of a sentence that is read."""
SIDES = frozenset(("left", "right", "both"))
HEARTS = frozenset(("normal", "borderline", "enlarged"))
CLASSES = {"side": SIDES, "heart_size": HEARTS}
"""Kinds without `classes` of their own (their recalls are not averaged) that sentences answer."""

_IS = r"(?:is|are|lies|lie)"
_SEEN = r"(?:seen|located|found|visible|present|identified|noted)"
_SHOWN = r"(?:(?:on|in) (?:this|the) (?:film|image|x-ray|radiograph))"
_PART = (
    r"(?:(?:(?:upper|middle|mid|lower) )?"
    r"(?:sides?|lungs?|lobes?|zones?|hemithorax|hemithoraces|chest|base|apex))"
)
_ONE = rf"(?:the )?(?P<one>left|right)(?:[- ]sided)?(?: (?:hand )?{_PART})?"
_BOTH = (
    rf"(?P<both>both(?: the)?(?: {_PART}| left and(?: the)? right(?: {_PART})?)?|bilateral(?:ly)?"
    rf"|(?:the )?(?:left and(?: on)?(?: the)? right|right and(?: on)?(?: the)? left)(?: {_PART})?)"
)
_SUBJECT = r"(?:(?:the|an?) )?(?P<subject>[a-z-]+(?: [a-z-]+){0,4}?)"
_PLACE = rf"(?:(?:on|in|at) )?(?:{_ONE}|{_BOTH})"
_SIDED = re.compile(
    rf"(?:(?:it|this|that|{_SUBJECT}) {_IS} )?(?:{_SEEN} )?{_PLACE}(?: {_SHOWN})?"
    rf"|(?:there is )?(?:an? |the )?(?P<sided>left|right|bilateral)(?:[- ]sided)? "
    r"(?P<finding>[a-z-]+(?: [a-z-]+){0,3})"
)
_HEART = r"(?:heart(?: size| shadow)?|size(?: of the heart)?|cardiac (?:size|silhouette|shadow))"
_SIZED = re.compile(
    rf"(?:(?:(?:the )?{_HEART}|it|this) (?:is|appears|looks) )?(?:an? |of )?"
    r"(?:(?:mildly|slightly|moderately|markedly|severely|clearly) )?"
    rf"(?P<size>normal|borderline|enlarged)(?: (?:in )?size| {_HEART})?(?: {_SHOWN})?"
    rf"|(?:(?:(?:the )?{_HEART}|it) (?:is|appears) )?within (?P<limits>normal) limits"
)
_FILM = r"(?:the |this )?(?:film|image|x-ray|radiograph)"
_ANY = r"(?:(?:any|an?|the) )?(?:(?:evidence|signs?) of )?(?:an? )?"
_NAME = r"(?P<name>[a-z-]+(?: [a-z-]+){0,4}?)"
_ASKED = re.compile(
    rf"(?:(?:is|are) there {_ANY}{_NAME}(?: {_SEEN})?(?: {_SHOWN})?\?"
    rf"|does {_FILM} show {_ANY}(?P<shown>[a-z -]+)\?|can {_ANY}(?P<seen>[a-z -]+) be seen\?"
    rf"|look for {_ANY}(?P<sought>[a-z -]+): is it there\?"
    rf"|would you report {_ANY}(?P<told>[a-z -]+) on this film\?)(?:\s+answer[a-z ,]*\.)?"
)
_LUNGS = r"(?:(?:on|in) (?:the )?(?:left|right|both)(?: (?:sides?|lungs?))?)"
_AFFIRMED = re.compile(
    rf"(?:there (?:is|are) (?:an? )?{_NAME}(?: {_SEEN})?"
    rf"|{_FILM} shows (?:an? )?(?P<shown>[a-z -]+?)"
    rf"|(?:the |an? )?(?P<seen>[a-z -]+?) (?:is|are) {_SEEN})(?: {_LUNGS})?(?: {_SHOWN})?"
)
_ANSWER = re.compile(r"^(?:the )?(?:final |correct )?answer(?: is|:) ")
_SIZES = frozenset(("small", "tiny", "large", "moderate", "mild", "severe", "subtle", "minimal"))
_NARROWER = _SIZES | {"left", "right", "bilateral", "left-sided", "right-sided", "upper", "lower"}
_NO_NAME = frozenset(("no", "not", "without", "or", "and", "of", "in", "on", "at", "than", "other"))


def class_in(answer: str, question: str, classes: AbstractSet[str]) -> str:
    """The one of `classes` that a sentence names as the answer to `question`, or empty."""
    if len(answer) > LONGEST or "?" in answer:
        return ""
    said = _ANSWER.sub("", _words(plain_text(answer)), count=1)
    asked = _words(question)
    if classes <= SIDES:
        found = _side(said, asked)
    elif classes <= HEARTS:
        sized = _SIZED.fullmatch(said)
        found = (sized["size"] or sized["limits"]) if sized else ""
    else:
        found = _presence(said, asked)
    return found if found in classes else ""


def _words(text: str) -> str:
    return " ".join(text.lower().replace("\u2019", "'").replace("it's", "it is").split())


def _side(said: str, asked: str) -> str:
    found = _SIDED.fullmatch(said)
    if not found:
        return ""
    subject = found["subject"] or found["finding"] or ""
    nouns = frozenset(re.findall(r"[a-z-]+", asked)) - SIDES - {"which", "where"}
    if not frozenset(subject.split()) <= _SIZES | nouns:
        return ""
    side = found["one"] or found["sided"] or "both"
    return "both" if side == "bilateral" else side


def _presence(said: str, asked: str) -> str:
    """Yes or no, of a question for one finding and a sentence that states or denies it."""
    question = _ASKED.fullmatch(asked[: LONGEST + 1])
    name = _named(question)
    if not name or _NO_NAME & frozenset(name.split()):
        return ""
    denied = denied_name(said)
    if denied is not None:
        return "no" if len(names(denied)) == 1 and same_name(denied, name) else ""
    affirmed = _named(_AFFIRMED.fullmatch(said))
    return "yes" if affirmed and _affirms(affirmed.split(), name.split()) else ""


def _named(found: re.Match[str] | None) -> str:
    return next(filter(None, found.groups()), "") if found else ""


def _affirms(said: list[str], asked: list[str]) -> bool:
    """True where the finding said is the one asked for: of the same head noun, with no word more
    but sizes and sides, and none less that narrows what is asked."""
    more, less = frozenset(said) - frozenset(asked), frozenset(asked) - frozenset(said)
    return said[-1] == asked[-1] and more <= _NARROWER and not less & _NARROWER
