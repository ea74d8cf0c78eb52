"""Does a completion decline to answer?

Many models add to a good answer that they are no doctor, so one sentence proves nothing: a refusal
begins with declining, and says nothing else that answers the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chexone_ray import boxes
from chexone_ray.answers import chosen_options
from chexone_ray.kinds import KINDS
from chexone_ray.metrics.labeller import read_report

_UNABLE = (
    r"(?:\bI(?:'m| am| was) (?:sorry,? (?:but )?I(?:'m| am) )?(?:unable|not able|not qualified) to"
    r"|\bI (?:cannot|can't|can not|could not|couldn't|won't|will not|must decline to)"
    r"|^(?:sorry,? )?(?:cannot|can't|unable to|not able to)"
    r"|\band (?:cannot|can't|am (?:unable|not able) to))"
)
_TO_ANSWER = (
    r"(?:provide|give|offer|make|render|answer|assist|help|interpret|analy[sz]e|diagnose|determine"
    r"|comply|fulfil+|complete|generate|(?:view|see|access|process|open) (?:\w+ ){0,3}?"
    r"(?:images?|x-rays?|radiographs?|films?))"
)
_DECLINES = re.compile(
    rf"{_UNABLE}(?: \w+)? {_TO_ANSWER}\b"
    r"|\bunable to provide (?:an? )?(?:\w+ )?(?:diagnos[ie]s|interpretation|medical advice|report)"
    r"|\bI do not have (?:the ability|access) to\b|\bI don't have (?:the ability|access) to\b",
    re.IGNORECASE,
)
_AN_AI = re.compile(r"\bas an AI\b|\bI(?:'m| am) (?:just |only )?an AI\b", re.IGNORECASE)
_ONLY_AN_AI = re.compile(
    r"(?:please (?:note|be aware) that )?I(?:'m| am) (?:just |only )?an AI"
    r"(?: (?:language|chat|large|based|model|assistant|chatbot|system|program|tool))*"
    r"(?:,? (?:and )?not an? .*(?:radiologist|physician|doctor|professional|advice))?",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"\b(?:consult|seek|see|contact|speak (?:to|with)|ask|advise|refer|reviewed|evaluated"
    r"|interpreted)\b.*"
    r"\b(?:radiologists?|physicians?|doctors?|professionals?|providers?|specialists?|advice)\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:I(?:'m| am) (?:very |really )?sorry|sorry|I apologi[sz]e|thank you|thanks|I understand"
    r"|please (?:provide|share|upload|consult|see|describe)|(?:could|can) you"
    r"|if you (?:have|need|can|could|would|want|provide|describe|share)|let me know|feel free"
    r"|disclaimer|of course|I(?:'d| would) be happy)\b.*",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:unfortunately|sorry|I'm sorry|I am sorry|as an AI|based on|from|without|with|at this"
    r"|currently|given|please note|disclaimer)\b.*)?",
    re.IGNORECASE,
)
"""What may stand before "I cannot" and says nothing."""
_NORMAL = re.compile(r"\b(?:normal|unremarkable|clear|no acute|within normal limits)\b", re.I)
_CUT = re.compile(
    r"(?<=[.!?])[*_\"')]*\s+|\n+|;\s+|,?\s+\bbut\b,?\s+"
    r"|,?\s*\b(?:however|nevertheless|that said)\b,?\s*",
    re.IGNORECASE,
)
_EMPTY = " .,:;!?*_#-\"'"


def refused(text: str, kind: str = "", options: Sequence[str] = ()) -> bool:
    """True where a completion says that it will not or cannot answer, and does not.

    The clause that it begins with declines, courtesies aside, and in the rest there is no option,
    box, denial of a box or finding, as the kind asks for; of other kinds there is no rest but
    advice. "I cannot exclude a small effusion" is an answer. To be asked only where no final box
    was found.
    """
    clauses = list(_clauses(text))
    opening = next((clause for clause in clauses if not _is_courtesy(clause)), "")
    if not (_DECLINES.search(opening) or _is_of_ai(opening)):
        return False
    rest = [clause for clause in map(_without_declining, clauses) if clause]
    return not _answers(rest, kind, tuple(options))


def _answers(rest: Sequence[str], kind: str, options: tuple[str, ...]) -> bool:
    known, text = KINDS.get(kind), ". ".join(rest)
    if known and known.form == "boxes":
        return any(map(boxes.negative_label, rest)) or bool(boxes.decode(text))
    if known and known.form == "report":
        return bool(read_report(text).keys() - {"no finding"} or _NORMAL.search(text))
    if known and options:
        return bool(chosen_options(text, options))
    if known and known.classes:
        return any(word in known.classes for word in re.findall(r"\w+", text.lower()))
    return any(not _ADVICE.search(clause) for clause in rest)


def _clauses(text: str) -> Iterator[str]:
    """Sentences, with what follows "but" and "however" as clauses of their own."""
    told = re.sub(r"\s*\n(?=[a-z])", " ", text.replace("\u2019", "'"))
    for clause in _CUT.split(told):
        clause = " ".join(clause.split()).strip(_EMPTY)
        if clause:
            yield clause


def _without_declining(clause: str) -> str:
    """What a clause says before it declines, empty where that is nothing."""
    if _is_courtesy(clause) or _is_of_ai(clause):
        return ""
    declines = _DECLINES.search(clause)
    if declines is None:
        return clause
    before = clause[: declines.start()].strip(_EMPTY)
    return "" if _LEAD.fullmatch(before) else before


def _is_courtesy(clause: str) -> bool:
    return bool(_COURTESY.fullmatch(clause)) and not _DECLINES.search(clause)


def _is_of_ai(clause: str) -> bool:
    """True where an AI says no more than that it is one, or whom to ask instead."""
    if not _AN_AI.search(clause):
        return False
    return bool(_ONLY_AN_AI.fullmatch(clause) or _ADVICE.search(clause))
