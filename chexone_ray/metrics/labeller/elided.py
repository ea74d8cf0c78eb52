"""Clauses that leave out what the one before them says, for the rule labeller.

"Pneumonia cannot be excluded, effusion can", "edema has resolved; the effusion has not", "nor has a
small effusion", "so is the heart": the verb alone, or a word for "likewise", takes over the
predicate of the clause before. "The former", "the latter" point at one of several findings. Our
own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from chexone_ray.metrics.labeller import denial, doubt
from chexone_ray.metrics.labeller.terms import ABSENT, PRESENT, UNCERTAIN, UNTOLD, Phrase

_VERB = r"(?:is|are|was|were|has|have|had|can|could|may|might|does|do|did|will|would)"
_BARE = re.compile(
    rf"^[^.;:,]{{0,30}}?\b(?:(?P<verb>{_VERB})(?P<no> not|not)?|(?P<bare>not))(?: be| been| so)?"
    r"(?P<too> too| also| likewise| as well| either| equally)?\W*$"
)
"""What follows the last finding of a clause without a predicate of its own."""
_TOO = re.compile(
    r"^\W*(?:(?:and|but|nor|or) )*(?:(?P<nor>nor|neither|no more)|so|as|likewise|similarly|ditto"
    rf"|equally|the same (?:applies|goes|is true|holds|is so|can be said|is the case) (?:to|for|of"
    rf"|with))(?: {_VERB})?(?= (?:the |an? |any |also |his |her )*[\w-]+)"
)
_SO_TOO = ("so ", "nor ", "neither ", "likewise", "ditto", "similarly", "the same ")
_NO_MORE = re.compile(
    r"^(?: (?:on|in|at|of|to|from|either|too|now|here|the|any|left|right|both|side|base|basis|apex"
    r"|lung|lobe|upper|lower|middle|zone|spaces?|line|size|again|today|film"
    r"|however))*(?:,? (?:that|which) [^,;]*)?\W*$"
)
"""A place at most: no predicate."""
_LIKELY = re.compile(r"(?:likely|probable|possible|suspected|plausible)\b")
_ABSENT = re.compile(r"\b(?:is|are) (?:\w+ly )?(?:absent|missing|lacking)\b")


def near_so(sentence: str) -> bool:
    """Does a sentence say that its finding is as the one before it is: "So is the drain."?"""
    return sentence.startswith(_SO_TOO) and _TOO.match(sentence) is not None


def taken_over(
    text: str, span: tuple[int, int], said: str, judged: Sequence[Phrase], before: Sequence[Phrase]
) -> list[Phrase]:
    """The phrases of one clause of `text`, with the predicate of `before` where they have none;
    `said` is the text in front with its double denials."""
    low, high = span
    result = list(judged)
    if not before or not judged:
        return result
    ahead, rest = text[low : judged[0].start], text[judged[-1].end : high]
    prior = before[-1].state
    too = _TOO.match(ahead)
    if too and _NO_MORE.match(rest) and prior != UNTOLD:
        if too.group("nor") and prior == PRESENT:
            return result
        return [replace(phrase, state=prior) for phrase in result]
    bare = _BARE.match(rest)
    if (
        bare is None
        or "   " in rest
        or re.search(
            r"\b(?:no|not|without|neither|nor"
            r"|none)\b",
            ahead,
        )
    ):
        return result
    state = _predicate(said, prior, bare)
    return result if state is None else [replace(phrase, state=state) for phrase in result]


def _predicate(before: str, prior: int, bare: re.Match[str]) -> int | None:
    """The state that "... is", "... has not" takes over; None where there is none."""
    denied = bool(bare.group("no") or bare.group("bare"))
    if bare.group("too") and prior != UNTOLD and (not denied or prior != PRESENT):
        return prior
    if doubt.EXCLUDED.search(before):
        return UNCERTAIN if denied else ABSENT
    if denial.LEFT.search(before) and not (bare.group("verb") or "").startswith("can"):
        return PRESENT if denied else ABSENT
    if prior == UNCERTAIN and denied and _LIKELY.search(before):
        return UNCERTAIN
    if _ABSENT.search(before):
        return PRESENT if denied else ABSENT
    if denied and prior != ABSENT:
        return ABSENT
    return PRESENT if not denied and prior == ABSENT else None


_SIZE = re.compile(
    r"\b(?:(?P<wide>enlarge(?:d|ment)|large|wide|widened|big|dilated|broad|widening)|normal"
    r"|unremarkable)\b"
)
_SIZE_BARE = re.compile(r"^ ?(?:is|are|does|looks|appears|was)?(?P<no> ?not)?(?: so)?\W*$")


def size_taken_over(before: str, rest: str) -> int | None:
    """Is an organ enlarged of which only "is", "is not" or "not" is said? The size words before it
    tell; None where there are none."""
    bare = _SIZE_BARE.match(rest)
    sizes = list(_SIZE.finditer(before))
    if bare is None or not bare.group().strip(" .,;") or not sizes:
        return None
    return PRESENT if bool(sizes[-1].group("wide")) != bool(bare.group("no")) else ABSENT


_ORDINAL = re.compile(
    r"\b(?P<only>only )?(?:the )?(?P<which>former|latter|first(?! (?:film|study|exam|rib))"
    r"|second(?! (?:film|study|exam|rib))|last(?! (?:film|study|exam|one|week|year)))"
    r"(?: (?:one|of (?:these|them|the two)|two))?\b"
)
_PLACES = {"former": 0, "first": 0, "second": 1, "latter": -1, "last": -1}


def pointed(
    clause: str, phrases: Sequence[Phrase], answer: Callable[[str, Phrase], Phrase]
) -> list[Phrase] | None:
    """The phrases as "the former is gone, the latter remains" leaves them; None where the clause
    does not point at one of several."""
    marks = list(_ORDINAL.finditer(clause)) if len(phrases) > 1 else []
    if not any(mark.group("only") or mark.group("which") in ("former", "latter") for mark in marks):
        return None
    result = list(phrases)
    for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(clause)], strict=True):
        at = _PLACES[mark.group("which")]
        said = "it " + clause[mark.end() : end].strip(" ,;")
        if re.match(r"^it (?:absent|gone|not|cleared|resolved|removed)\b", said):
            said = said.replace("it ", "it is ", 1)
        if re.search(r"\b(?:no|not)\W*$", clause[: mark.start()]):
            said = "it is not"
        result[at] = answer(said, result[at])
        if mark.group("only"):
            at %= len(result)
            result = [p if n == at else replace(p, state=ABSENT) for n, p in enumerate(result)]
            if result[at].state in (UNTOLD, UNCERTAIN):
                result[at] = replace(result[at], state=PRESENT)
    return result
