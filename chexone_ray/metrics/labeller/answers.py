"""What a question mark, or a clause that only answers, makes of the findings before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from chexone_ray.metrics.labeller import denial, doubt
from chexone_ray.metrics.labeller import modifiers as words
from chexone_ray.metrics.labeller import untold as other
from chexone_ray.metrics.labeller.scope import ENLARGED, blank, steady
from chexone_ray.metrics.labeller.terms import ABSENT, PRESENT, UNCERTAIN, UNTOLD, Phrase

_NONE_NEW = re.compile(
    r"\b(?:none|nil|no|not|nothing)(?: \w+)? (?:acute|new|recent|fresh|displaced|further|additional"
    r"|other)\b"
)
_OLD = re.compile(
    r"^\W*(?:(?:but|and|only|just|an?|the|some|several|one|two|known) )*(?:old|chronic|healed"
    r"|healing"
    r"|known|long-?standing|previous|remote|ancient|stable|unchanged|undisplaced)\b(?!.*\b(?:gone"
    r"|resolved|cleared|film|study|history)\b)(?:[ ,]+[\w-]+){0,6}\W*$"
)
"""After "none acute": there are others."""
_CONFIRMS = re.compile(
    r"^\W*(?:which |and |as )*(?:this|today's|our|the (?:present|current)) (?:film|radiograph|study"
    r"|image|examination) (?:also |again |still |now )*(?:(?:confirms?|reproduces?|bears? out"
    r"|corroborates?|repeats?)\b|(?:shows?|demonstrates?) (?:too|again|as well|it)\b)"
)
"""What another film showed is here too."""
_COURSE = re.compile(
    r"^\W*(?:the |its )?(?:tip|end|course|side-?\s?hole|side-?\s?port|loop|position|placement)s?\b"
    r"(?!.*\b(?:not|cannot|no)\b)"
)
"""Tells of a tube or line that was asked for."""


def questioned(text: str, found: Sequence[Phrase]) -> list[Phrase]:
    """Findings that a question mark asks for ("nodule or nipple?", "?pneumonia"): uncertain."""
    marks = [match.start() for match in other.QUESTION.finditer(text)]
    if not marks or other.FULL_QUESTION.match(text):
        return list(found)
    result = []
    for phrase in found:
        after = [at for at in marks if at < phrase.start]
        ahead = after and text[max(after) - 1 : max(after)].strip(" ,(;:") == ""
        asked = ahead and not re.search(r"[,;.)]", text[max(after) : phrase.start])
        behind = any(
            at >= phrase.end
            and (text[at - 1 : at].strip() or not text[at + 1 :].strip(" .)\"'"))
            and not re.search(r"[;:.]", text[phrase.end : at])
            for at in marks
        )
        if phrase.state == PRESENT and (asked or behind):
            phrase = replace(phrase, state=UNCERTAIN)
        result.append(phrase)
    return result


def answered(clause: str, before: Phrase, said: str = "") -> Phrase:
    """The phrase as a clause that only answers or points back ("none is there") leaves it; `said`
    is the text before that clause."""
    if before.label in ENLARGED and before.state == PRESENT and doubt.PROJECTED.search(clause):
        return replace(before, state=UNCERTAIN)
    if re.search(r"\bhad\b", clause):
        return before
    plain = steady(clause)
    head = other.TOLD_HEAD.match(plain.lstrip())
    plain = plain.lstrip()[head.end() :] if head else plain
    if head:
        clause = plain
    points = bool(words.BACK.match(plain))
    if words.STATUS_OPEN.match(plain) or (points and doubt.UNCERTAIN_BEFORE.search(plain)):
        return replace(before, state=UNCERTAIN)
    plain = blank(doubt.UNCERTAIN_BEFORE, plain)
    gone = denial.NEGATED_BEFORE.search(plain) if points else words.STATUS.match(plain)
    gone = gone or denial.NOT_FOUND.search(plain)
    neither = points and re.match(r"\W*(?:(?:and|but) )?(?:neither|none)\b", plain)
    if (gone and not denial.STILL_THERE.match(plain, gone.end())) or neither:
        return replace(before, state=ABSENT)
    if before.state == ABSENT and words.SAVE_FOR.match(clause):
        return replace(before, state=PRESENT)
    if before.state == ABSENT and words.HEDGED.search(clause):
        return replace(before, state=UNCERTAIN)
    if before.state == ABSENT and words.SIDE_NOT.match(clause) and denial.PRIVATIVE.search(said):
        return replace(before, state=PRESENT)
    if before.state == ABSENT and _OLD.match(clause) and _NONE_NEW.search(said):
        return replace(before, state=PRESENT)
    if before.state == UNTOLD and _CONFIRMS.match(clause):
        return replace(before, state=PRESENT)
    if before.state == UNTOLD and before.label == "support devices" and _COURSE.match(clause):
        return replace(before, state=PRESENT)
    if words.NOT_SAME.search(clause):
        return replace(before, state=PRESENT if before.state == ABSENT else ABSENT)
    if before.state == ABSENT and (
        words.OTHER_SIDE.search(clause) or words.NOT_THERE.match(clause)
    ):
        return replace(before, state=PRESENT)
    lasting = re.search(r"\b(?:still|persists?|remains?|lingers?|left)\b", clause)
    if words.STATUS_YES.match(clause) and (lasting or before.state in (UNCERTAIN, UNTOLD)):
        return replace(before, state=PRESENT)
    return before
