"""Findings of a report as entities (name, side, severity, region), and how well two sets agree.

By rules, from the phrases of the labeller: finer than its 14 labels, which know neither how large a
finding is nor where in the lung it lies. Pure and deterministic.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention, Phrase

ATTRIBUTE_SHARE = 1 / 3
"""Weight of a side, a severity or a region beside that of the finding itself."""
DOUBTFUL = 0.5
"""What a finding held possible weighs beside one that is stated, and how far the two agree."""
CACHED_TEXTS = 4_096

_REGION = re.compile(
    r"\b(?:(?P<upper>upper(?!\s+(?:limit|abdom))|(?:bi-?)?apical|apex|apices|[rl]ul)"
    r"|(?P<middle>middle|mid|lingula\w*|perihilar|rml)"
    r"|(?P<lower>lower|(?:bi-?)?bas(?:al|ilar|es?)|retrocardiac|[rl]ll))\b"
)
_TO_A_SIDE = re.compile(r"[\s-]+(?:(?:sized|on|in|at) (?:the )?)?")
_IN_THE_LUNG = frozenset(
    {"lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"}
)
"""Labels that have a region; of the pleura and of devices it says nothing new."""


@dataclass(frozen=True)
class Finding:
    """Something that a report states as present or possible. Empty where it does not say."""

    name: str
    side: str = ""
    """"left" or "right"; a finding on both sides is two."""
    severity: str = ""
    """"mild", "moderate" or "severe"."""
    region: str = ""
    """"upper", "middle" or "lower"."""
    doubtful: bool = False

    @property
    def weight(self) -> float:
        """`DOUBTFUL` where the report is unsure of it, else 1."""
        return DOUBTFUL if self.doubtful else 1.0


@lru_cache(maxsize=CACHED_TEXTS)
def findings(text: str) -> frozenset[Finding]:
    """What the report states as present or possible, each once; empty for a normal report.

    Mentions of one name on one side merge, a mention without a side into those that have one, so
    saying the same thing again adds nothing. What is denied is left out, and so is what is possible
    in one place of the text and stated in another.
    """
    from chexone_ray.metrics.labeller import ABSENT, PRESENT, phrases, read_report, sentences
    from chexone_ray.metrics.labeller.terms import HEART

    lines = [line.lower() for line in sentences(text)]
    stated = read_report(text)
    found: dict[tuple[str, str], Finding] = {}
    said = phrases(text)
    for phrase in said:
        if phrase.state == ABSENT or phrase.label in (HEART, "cardiomegaly"):
            continue
        line = lines[phrase.sentence]
        region = _region(line, phrase, said)
        own = _severities(line) if len(phrase.sides) > 1 else {}
        for side in sorted(phrase.sides) or [""]:
            severity = own.get(side, phrase.severity)
            doubtful = phrase.state != PRESENT
            _add(found, Finding(phrase.name, side, severity, region, doubtful))
    covered = {phrase.label for phrase in said if phrase.state != ABSENT} - {"cardiomegaly"}
    for label, mention in stated.items():
        if mention.state != ABSENT and label not in covered and label != "no finding":
            _add(found, Finding(label, "", mention.severity, doubtful=mention.state != PRESENT))
    return frozenset(_merged(found.values()))


def finding_f1(predicted: Iterable[Finding], reference: Iterable[Finding]) -> float | None:
    """F1 in 0-1 with partial credit: findings of one name pair one to one, the best pairs first,
    and count by `likeness`, those held possible half. None where there is none on either side."""
    shared, extra, missed = finding_counts(predicted, reference)
    whole = 2 * shared + extra + missed
    return 2 * shared / whole if whole else None


def finding_counts(
    predicted: Iterable[Finding], reference: Iterable[Finding]
) -> tuple[float, float, float]:
    """(TP, FP, FN) of `finding_f1`, with parts of a finding: what the two share, what else is
    stated and what else is meant."""
    said, meant = _ordered(predicted), _ordered(reference)
    pairs = sorted(
        (-likeness(a, b) * (a.weight + b.weight) / 2, i, j)
        for (i, a), (j, b) in product(enumerate(said), enumerate(meant))
        if a.name == b.name
    )
    left, right = set[int](), set[int]()
    shared = 0.0
    for value, i, j in pairs:
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            shared -= value
    whole, held = (sum(finding.weight for finding in found) for found in (said, meant))
    return shared, whole - shared, held - shared


def likeness(a: Finding, b: Finding) -> float:
    """0 for another name or the other side. Otherwise the finding counts 1 and each attribute that
    either gives a third: in full where they agree, half where only one gives it. `DOUBTFUL` of that
    where one report is sure of it and the other is not."""
    if a.name != b.name or (a.side and b.side and a.side != b.side):
        return 0.0
    credit = whole = 1.0
    for said, meant in ((a.side, b.side), (a.severity, b.severity), (a.region, b.region)):
        if said or meant:
            whole += ATTRIBUTE_SHARE
            agree = 1.0 if said == meant else 0.0 if said and meant else 0.5
            credit += ATTRIBUTE_SHARE * agree
    return credit / whole * (DOUBTFUL if a.doubtful != b.doubtful else 1.0)


def opposite(a: Mention, b: Mention) -> bool:
    """True where both name a side and share none."""
    return bool(a.sides and b.sides and not a.sides & b.sides)


def _add(found: dict[tuple[str, str], Finding], new: Finding) -> None:
    old = found.get((new.name, new.side))
    if old is not None:
        new = replace(
            old,
            severity=old.severity or new.severity,
            region=old.region or new.region,
            doubtful=old.doubtful and new.doubtful,
        )
    found[new.name, new.side] = new


def _merged(found: Iterable[Finding]) -> list[Finding]:
    """ "The effusion is small" after "a left effusion" is no second one: it tells of the first."""
    by_name = defaultdict(list)
    for finding in found:
        by_name[finding.name].append(finding)
    result = []
    for same in by_name.values():
        sided = [finding for finding in same if finding.side]
        loose = [finding for finding in same if not finding.side]
        if sided and loose:
            sided = [
                replace(
                    finding,
                    severity=finding.severity or loose[0].severity,
                    region=finding.region or loose[0].region,
                    doubtful=finding.doubtful and loose[0].doubtful,
                )
                for finding in sided
            ]
        result += sided or loose
    return result


def _severities(line: str) -> dict[str, str]:
    """Side -> the severity that stands right before it: "a small right and a large left effusion",
    "effusions, small on the right and large on the left"."""
    from chexone_ray.metrics.labeller.modifiers import SEVERITY
    from chexone_ray.metrics.labeller.sides import SIDE

    found = {}
    grades = [(word.end(), word.lastgroup or "") for word in SEVERITY.finditer(line)]
    for side in SIDE.finditer(line):
        for end, grade in grades:
            if _TO_A_SIDE.fullmatch(line, end, side.start()):
                found[side.lastgroup or ""] = grade
    return found


def _region(line: str, phrase: Phrase, said: tuple[Phrase, ...]) -> str:
    """The region word of the sentence that stands nearest to this phrase and to no other."""
    if phrase.label not in _IN_THE_LUNG:
        return ""
    here = [
        other for other in said if other.sentence == phrase.sentence and other.label in _IN_THE_LUNG
    ]
    nearest = ""
    closest = 2 * len(line)
    for word in _REGION.finditer(line):
        gaps = [_gap(line, other, *word.span()) for other in here]
        own = _gap(line, phrase, *word.span())
        if own == min(gaps) and own < closest:
            nearest, closest = word.lastgroup or "", own
    return nearest


def _gap(line: str, phrase: Phrase, start: int, end: int) -> int:
    """Letters between a phrase and a word; more than any sentence has where a comma or an "and"
    parts the two."""
    from chexone_ray.metrics.labeller.modifiers import JOIN

    low, high = (end, phrase.start) if start < phrase.start else (phrase.end, start)
    parted = bool(JOIN.search(line, low, max(low, high)))
    return max(high - low, 0) + (len(line) if parted else 0)


def _ordered(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda f: (f.name, f.side, f.severity, f.region, f.doubtful))
