"""Which words of a sentence act on which finding: clauses, denial, doubt, what is not told."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chexone_ray.metrics.labeller import denial, doubt
from chexone_ray.metrics.labeller import modifiers as words
from chexone_ray.metrics.labeller import untold as other
from chexone_ray.metrics.labeller.double import undoubled
from chexone_ray.metrics.labeller.frames import framed
from chexone_ray.metrics.labeller.granted import given
from chexone_ray.metrics.labeller.patterns import holds
from chexone_ray.metrics.labeller.terms import (
    ABSENT,
    HEART,
    PRESENT,
    UNCERTAIN,
    Phrase,
)

Span = tuple[int, int]
ENLARGED = frozenset({"cardiomegaly", "enlarged cardiomediastinum", HEART})
_LISTS = re.compile(r"\b(?:and|or|nor|all|none|each|both)\b")
_OR = re.compile(r"\bor\b")
_FAR = 300
"""So many characters back a word is looked for that denies a whole list."""
_NEAR = 4
"""So many doubtful words before a finding are tried: a text may say one a thousand times."""


def blank(pattern: re.Pattern[str], text: str) -> str:
    """The text with all matches replaced by as many spaces."""
    return pattern.sub(lambda match: " " * len(match.group()), text)


def steady(text: str) -> str:
    """The text without "no change in" and the like, which deny no finding."""
    if not holds(text, words.CHANGE_STEMS):
        return text
    for match in words.CHANGE.finditer(text):
        if match.lastgroup == "same":
            low, high = match.span()
            text = text[:low] + " " * (high - low) + text[high:]
    return text


def affirm(text: str) -> str:
    """The text without its double denials."""

    def spaces(match: re.Match[str]) -> str:
        kept = match.group(match.lastgroup) if match.lastgroup else ""
        return kept.rjust(len(match.group()))

    return undoubled(denial.AFFIRMED.sub(spaces, framed(text)))


def clauses(text: str, at: Sequence[int]) -> list[Span]:
    """Spans in which negation and uncertainty stay; `at` are the places of the findings. A list
    that goes on to "or" is not broken, nor is a finding from what is only set behind it."""
    cuts = {
        match.start("slash") if match.group("slash") else match.start()
        for match in words.STRONG_BREAK.finditer(text)
        if match.group() != ":" or not words.LEAD.search(text[: match.start()])
    }
    if opened := words.OPENED.match(text):
        cuts.add(opened.end())
    opening = words.OPENING.match(text)
    if opening and words.SUBJECT.match(text, opening.end()):
        cuts.add(opening.end() - 1)
    soft = {
        match.start()
        for match in words.SOFT_BREAK.finditer(text)
        if not words.OR.search(text, match.end())
    }
    cuts |= _coordinated(text, cuts | soft)
    edges = sorted({0, *cuts, *soft, len(text)})
    kept = [0]
    for low, high in pairwise(_together(text, edges, at)):
        if low and (low in cuts or any(low <= place < high for place in at)):
            kept.append(low)
    return [(low, high) for low, high in pairwise([*kept, len(text)]) if high > low]


def _coordinated(text: str, cuts: set[int]) -> set[int]:
    """Where "and" joins two clauses, each with a subject and a verb: "the pleura is not thick and
    both angles are sharp"."""
    found: set[int] = set()
    if " and " not in text:
        return found
    for match in words.AND_CLAUSE.finditer(text):
        low = max((cut for cut in (*cuts, *found) if cut < match.start()), default=0)
        before = text[low : match.start()]
        if words.MAIN_VERB.search(before) and not words.SUBORDINATE.search(before):
            found.add(match.start())
    return found


def _together(text: str, edges: list[int], at: Sequence[int]) -> list[int]:
    """Without the edges inside a list that one plural verb ends: "the effusion, the edema and the
    line are all gone"."""
    result = list(edges)
    for index in range(len(edges) - 2, 0, -1):
        low, cut, high = edges[index - 1], edges[index], result[result.index(edges[index]) + 1]
        first, second = text[low:cut], text[cut:high]
        if (
            words.JOINED.match(second)
            and not words.FINITE.search(words.OPENER.sub("", first))
            and any(low <= place < cut for place in at)
        ):
            result.remove(cut)
    return result


def untold(text: str, spans: Sequence[Span]) -> list[Span]:
    """Stretches about history, a question to the reader of the film, or another film."""
    found = [
        match.span()
        for match in other.HISTORY.finditer(text)
        if not re.search(r"\b(?:too|not) [\w-]+ (?:enough )?$", text[: match.start()])
    ]
    told = [match.span() for match in other.EARLIER.finditer(text)]
    told += [
        match.span()
        for match in other.PAST_TIME.finditer(text)
        if not other.PRESENT_VERB.search(
            text,
            max((low for low, _ in spans if low <= match.start()), default=0),
            min((high for _, high in spans if high >= match.end()), default=len(text)),
        )
    ]
    for first, last in told:
        if other.THAN.search(text, 0, first):
            continue
        low = max((low for low, _ in spans if low <= first), default=0)
        high = min((high for _, high in spans if high >= last), default=len(text))
        if not other.NOW_TOO.search(text, low, high):
            found.append((low, high))
    return found


@dataclass(frozen=True)
class _Signs:
    """Where in a clause the words stand that act on findings: ends of those that act on what
    follows, starts of those that act on what precedes."""

    clause: str
    plain: str
    """The clause without change, doubt and words of cause; a denial is looked for in it."""
    denied: list[int]
    denied_back: list[tuple[int, bool]]
    """With True where the word is "healed", which denies no fracture."""
    unsure: list[int]
    unsure_word: list[int]
    unsure_back: list[int]
    not_excluded: list[int]
    passive: dict[int, int]
    """End -> start of what acts on what follows only where no finding stands before it: "is not
    seen", "cannot be excluded"."""
    not_excluding: list[int]
    """Ends of "does not exclude": a denial before it does not reach what it leaves open."""
    confirmed: list[int]
    last_or: int
    projected: int
    """Where the last word stands that puts a size down to the projection; -1 for none."""


def judge(text: str, span: Span, inside: Sequence[Phrase]) -> list[Phrase]:
    """The phrases of one clause with their states. Change words ("no change in") do not negate."""
    start, end = span
    signs = _signs(
        text[start:end],
        text[end : end + 60],
        sized=any(phrase.label in ENLARGED for phrase in inside),
    )
    first = inside[0].end - start
    spent = {
        end
        for end, at in signs.passive.items()
        if first <= at or words.NOUN_AHEAD.search(signs.clause, 0, at)
    }
    result: list[Phrase] = []
    for index, (phrase, reach) in enumerate(
        zip(inside, _reaches(signs.clause, inside, start), strict=True)
    ):
        if given(text, phrase):
            result.append(phrase)
            continue
        # "Without consolidation the opacity is": the second noun is no member of a list.
        gap = text[inside[index - 1].end : phrase.start] if index else ""
        listed = not re.match(r"\s+(?:the|this|these)\s", gap)
        # "No pneumothorax around the drain": a device is denied alone or in a list.
        if index and phrase.label == "support devices":
            listed = re.search(r",|/|\b(?:and|or|nor)\b", gap) is not None or not gap.strip()
        # Only denials from here on reach what is no member of a list.
        floor = 0 if listed or not index else inside[index - 1].end - start
        at = (phrase.start - start, phrase.end - start)
        state = _state(signs, phrase, at, reach, floor, spent)
        result.append(phrase if state == phrase.state else replace(phrase, state=state))
    if holds(signs.clause, doubt.DOUBTED_STEMS) and doubt.DOUBTED.search(signs.clause):
        result = [p if given(text, p) else replace(p, state=UNCERTAIN) for p in result]
    first_at = result[0].start if result else 0
    ahead = re.split(r"[;:]|\bbut\b", text[max(0, first_at - _FAR) : first_at])[-1]
    if re.search(r"\b(?:no|not|without|neither|nor)\b", ahead):
        return result
    return _alternatives(text, result)


def _active(match: re.Match[str]) -> bool:
    """ "Does not exclude X" says nothing of what stands before it."""
    ends = doubt.ACTIVE.search(match.group())
    return bool(ends and doubt.OBJECT.match(match.string, match.end()))


def _signs(clause: str, following: str, *, sized: bool) -> _Signs:
    """`sized`: one of the findings is an enlargement, which a projection may have made."""
    plain = steady(clause)
    if holds(plain, doubt.NATURE_STEMS):
        plain = blank(doubt.OF_NATURE, plain)
    if "nor" in plain or "none" in plain or "neither" in plain or "not one" in plain:
        plain = blank(denial.UNMOVED, plain)
    after, passive, active = [], {}, []
    for match in doubt.UNCERTAIN_AFTER.finditer(plain):
        after.append(match.end())
        if doubt.ACTIVE.search(match.group()):
            active.append(match.end())
        if match.group().endswith(("d", "out", "off", "proven")) and doubt.PASSIVE.search(
            match.group()
        ):
            passive[match.end()] = match.start()
    before = [m.start() for m in doubt.UNCERTAIN_BEFORE.finditer(plain) if not _active(m)]
    word = [match.end() for match in doubt.UNCERTAIN_WORD.finditer(plain)]
    not_excluded = []
    if before:
        not_excluded = [m.start() for m in doubt.NOT_EXCLUDED.finditer(plain) if not _active(m)]
        plain = blank(doubt.UNCERTAIN_BEFORE, plain)
    if after:
        plain = blank(doubt.UNCERTAIN_AFTER, plain)
    denied = []
    for match in denial.NEGATED_AFTER.finditer(plain):
        low, high = match.span()
        if match.group() in ("rather than", "instead of") and any(end <= low for end in after):
            after.append(high)
            continue
        denied.append(high)
        if match.group() == "not" and denial.PREDICATE.match(plain, low):
            passive[high] = low
    denied_back = []
    if not words.EXCEPT.match(following):
        denied_back = [
            (match.start(), "healed" in match.group())
            for match in denial.NEGATED_BEFORE.finditer(plain)
            if not denial.STILL_THERE.match(plain, match.end())
        ]
    confirmed = [match.start() for match in words.CONFIRMED.finditer(clause)]
    projected = _last(doubt.PROJECTED, clause) if sized else -1
    return _Signs(
        clause,
        plain,
        denied,
        denied_back,
        after,
        word,
        before,
        not_excluded,
        passive,
        active,
        confirmed,
        _last(_OR, clause) if word else -1,
        projected,
    )


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Where the last match begins; -1 for none."""
    return max((match.start() for match in pattern.finditer(text)), default=-1)


def _state(
    signs: _Signs, phrase: Phrase, at: Span, reach: int, floor: int, spent: Container[int]
) -> int:
    """The state of one phrase that stands at `at` in its clause; `spent` are ends of words that act
    on a finding before them alone."""
    low, high = at
    clause = signs.clause

    def behind(starts: Sequence[int]) -> bool:
        first = bisect_left(starts, high)
        return first < len(starts) and starts[first] <= reach

    def ahead(text: str, ends: Sequence[int], first: int) -> bool:
        # The nearest tells for all: what stops it stops those before it.
        at = bisect_right(ends, low) - 1
        while at >= 0 and ends[at] in spent:
            at -= 1
        return at >= 0 and ends[at] >= first and not words.FORWARD_STOP.search(text, ends[at], low)

    healing = phrase.label != "fracture"
    if behind(signs.not_excluded):
        return UNCERTAIN
    if behind([start for start, healed in signs.denied_back if healing or not healed]):
        return ABSENT
    active = bisect_right(signs.not_excluding, low)
    if ahead(signs.plain, signs.denied, max(floor, *signs.not_excluding[:active][-1:], 0)):
        return ABSENT
    if behind(signs.confirmed):
        return PRESENT
    words_before = signs.unsure_word[: bisect_right(signs.unsure_word, low)][-_NEAR:]
    unsure = (
        ahead(clause, signs.unsure, 0)
        or any(not _parted(clause[end:low], signs.last_or >= end) for end in words_before)
        or behind(signs.unsure_back)
        or (phrase.label in ENLARGED and signs.projected >= high)
    )
    return UNCERTAIN if unsure else PRESENT


def _parted(between: str, or_behind: bool) -> bool:
    """A comma or "and" parts a doubtful word from a finding, unless a list goes on to "or"."""
    between = re.sub(r"^ (?:with|also|even)(?= )", "", between)
    if words.FORWARD_STOP.search(between):
        return True
    in_list = " and " not in between and or_behind
    return bool(words.JOIN.search(between)) and not in_list


def _reaches(clause: str, inside: Sequence[Phrase], start: int) -> list[int]:
    """How far to the right a word may stand that acts back on each phrase: past further phrases
    only in a list without a verb ("effusion and edema are not seen")."""
    joined = _last(_LISTS, clause) if len(inside) > 1 and "," in clause else -1
    reaches = [len(clause)]
    for left, right in pairwise(reversed(inside)):
        gap = clause[right.end - start : left.start - start]
        listed = "," not in gap or joined >= right.end - start
        parted = words.VERB.search(gap) or not listed or words.PARTED.search(gap)
        reaches.append(left.start - start if parted else reaches[-1])
    return reaches[::-1]


def _alternatives(text: str, judged: list[Phrase]) -> list[Phrase]:
    """ "A or B" of two stated findings: each is uncertain, and so is what the list began with."""
    result = list(judged)
    later = False
    for index in range(len(result) - 1, 0, -1):
        before, here = result[index - 1], result[index]
        gap = text[before.end : here.start]
        linked = doubt.OR_LINK.match(gap)
        in_list = (
            later and here.state == UNCERTAIN and re.fullmatch(r",\s*(?:(?!either\b)\w+ )?", gap)
        )
        later = later or linked is not None
        if linked and here.state == PRESENT and before.state == UNCERTAIN:
            result[index] = replace(here, state=UNCERTAIN)
        if (linked and before.state == here.state == PRESENT) or (in_list and before.state == 1):
            result[index - 1] = replace(before, state=UNCERTAIN)
            if linked:
                result[index] = replace(here, state=UNCERTAIN)
    return result
