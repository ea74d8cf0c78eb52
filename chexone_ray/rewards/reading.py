"""What a report or a free answer says, as the report reward weighs it.

Finer than the labeller's 14 labels in three ways, each against a cheap way to a reward: a text that
merely names no finding ("x", "yes") is no normal film, a text that states and denies the same
thing says neither, and a bare list of names is no report. Pure and deterministic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from chexone_ray.metrics.factuality import IMPLIED, stated_text
from chexone_ray.metrics.findings import Finding, findings
from chexone_ray.metrics.normality import NORMAL, states_normal
from chexone_ray.metrics.tokens import words
from chexone_ray.rewards.course import Courses, courses
from chexone_ray.rewards.normal import normal_regions
from chexone_ray.rewards.wording import PLAIN

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention, Phrase

CACHED_TEXTS = 4_096
_LIMITED = re.compile(
    r"\b(?:others?|new|further|additional|else(?:where)?|otherwise|rest|remain\w*|except|apart"
    r"|aside|besides|but|contralateral|opposite|acute|large|size?able|significant|displaced|focal"
    r"|free|upper|middle|mid|lower|bas(?:es?|al|ilar)|ap(?:ex|ices|ical)"
    r"|remov\w+|withdrawn|previous\w*|prior|resolved|longer)\b"
)
"""Denials of a part, a kind or a time only: "no other nodule", "no displaced fracture"."""
_SIDE = re.compile(r"\b(?:left|right)\b")
_SEVERAL = frozenset({"tube", "line"})
"""Names of devices of many kinds: an endotracheal tube may be gone and a feeding tube there."""
_MODIFIERS = frozenset(
    words("""
    left right bilateral both tiny small minimal mild moderate large big severe upper middle mid
    lower basal apical
    """)
)
_AROUND = 30
"""Letters before and after the name that such a word stands within."""


@dataclass(frozen=True)
class Reading:
    """One text, without its questions and what it only looks for."""

    labels: Mapping[str, Mention]
    """As `read_report`, but "no finding" only where the text itself says that something is normal
    or not there."""
    findings: frozenset[Finding]
    conflicts: frozenset[str]
    """Labels that the text both states and denies, of the same side or of any."""
    names: float
    """How many different findings are named; what is denied counts half."""
    spare: frozenset[str]
    """The different words beside those names; none for fewer than two, which make no list."""
    courses: Courses
    """Changes against the earlier film."""
    all_normal: bool
    """The text denies all of it together: "Normal chest.", "No acute process."."""
    normal: frozenset[str]
    """Regions that it calls normal by name."""

    def plain_words(self, known: frozenset[str]) -> float:
        """Different words a name that are `known` or of `PLAIN`; sides, sizes and places count
        half. 1 for fewer than two names."""
        if self.names < 2:
            return 1.0
        plain = (self.spare & PLAIN) | (self.spare & known)
        return (len(plain) - len(plain & _MODIFIERS) / 2) / self.names


@lru_cache(maxsize=CACHED_TEXTS)
def read(text: str) -> Reading:
    """What the text says. A blank one says nothing."""
    from chexone_ray.metrics.denials import denials
    from chexone_ray.metrics.labeller import phrases, read_report, sentences

    told = stated_text(text)
    said = phrases(told)
    lines = [line.lower() for line in sentences(told)]
    labels = dict(read_report(told))
    regions = normal_regions(told)
    if NORMAL in labels and not (regions or states_normal(told)):
        del labels[NORMAL]
    named = [phrase for phrase in said if not phrase.implied]
    conflicts = _conflicts(told, said, lines, labels)
    return Reading(
        labels,
        findings(told),
        conflicts,
        *_around(named, lines),
        courses(said),
        denials(told)("pneumonia"),
        regions,
    )


def _around(named: Sequence[Phrase], lines: Sequence[str]) -> tuple[float, frozenset[str]]:
    """How many names there are, and the different words beside them."""
    from chexone_ray.metrics.labeller import ABSENT

    # "No effusion, pneumothorax or consolidation." is how denials are written.
    number = sum(
        0.5 if absent else 1.0 for _, absent in {(p.name, p.state == ABSENT) for p in named}
    )
    if number < 2:
        return number, frozenset()
    rest = list(lines)
    for phrase in named:
        line, blank = rest[phrase.sentence], " " * (phrase.end - phrase.start)
        rest[phrase.sentence] = line[: phrase.start] + blank + line[phrase.end :]
    return number, frozenset(words(" ".join(rest)))


def _conflicts(
    told: str, said: Sequence[Phrase], lines: Sequence[str], labels: Mapping[str, Mention]
) -> frozenset[str]:
    """Labels stated in one place and denied in another, by name, by sign or as a whole. "No acute
    process." denies none: what is stated may be old."""
    from chexone_ray.metrics.denials import APART, calls_normal
    from chexone_ray.metrics.labeller import ABSENT, PRESENT, heart_size
    from chexone_ray.metrics.labeller.terms import HEART

    there = [phrase for phrase in said if phrase.state == PRESENT and phrase.label != HEART]
    gone = [phrase for phrase in said if phrase.state == ABSENT and not _limited(phrase, lines)]
    found = {here.label for here in there for away in gone if _denies(away, here)}
    if calls_normal(told):
        found |= {label for label, mention in labels.items() if mention.state == PRESENT} - APART
    sizes = {heart_size(line) for line in lines if "heart" in line or "cardi" in line}
    if sizes >= {"normal", "enlarged"}:
        found.add("cardiomegaly")
    return frozenset(found)


def _limited(phrase: Phrase, lines: Sequence[str]) -> bool:
    line = lines[phrase.sentence]
    if phrase.implied and not phrase.sides and _SIDE.search(line):
        return True  # "the left lung is clear"
    if not phrase.implied:
        line = line[max(phrase.start - _AROUND, 0) : phrase.end + _AROUND]
    return bool(phrase.severity or _LIMITED.search(line))


def _denies(away: Phrase, here: Phrase) -> bool:
    """True where the denial leaves no room for the statement. "A pacemaker. No tube." is none, and
    neither is "A left effusion. No effusion on the right."."""
    if away.sides and not away.sides & here.sides:
        return False
    if away.implied:  # "the lungs are clear"
        return here.label in (away.label, *IMPLIED.get(away.label, ()))
    return (away.label, away.name) == (here.label, here.name) and here.name not in _SEVERAL
