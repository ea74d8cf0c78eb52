"""Rule labeller for chest X-ray reports in English: text -> the 14 CheXpert labels.

One sentence at a time: phrases that mention a finding, then negation, uncertainty, side, severity
and change words in reach of each phrase. Pure, deterministic, no model. The label names are
CheXpert's in lower case; `Mention.name` keeps the finer word, such as "nodule" for "lung lesion".
The word lists are in `report_words.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from chexone_ray.metrics import report_words as words

LABELS = (
    "no finding",
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
)
"""CheXpert's 14 labels in file order, lower case."""

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1


@dataclass(frozen=True)
class Mention:
    """What a report says of one label: `state` 1 present, 0 absent, -1 uncertain."""

    state: int
    sides: frozenset[str] = frozenset()
    """"left", "right" or both."""
    severity: str = ""
    """"mild", "moderate", "severe" or empty."""
    name: str = ""
    """The finer finding, such as "pacemaker"; the label itself where there is none finer."""


@dataclass(frozen=True)
class Phrase:
    """One phrase of a report that mentions a label; `start` and `end` count in its sentence."""

    label: str
    name: str
    sentence: int
    start: int
    end: int
    state: int = PRESENT
    sides: frozenset[str] = frozenset()
    severity: str = ""
    change: str = ""
    """"better", "same", "worse" or empty."""


CACHED_TEXTS = 4096
"""One report is read for many questions, and one reference for many completions."""
_SIDED = frozenset(LABELS[3:12]) | {"fracture", "support devices"}


def sentences(text: str) -> list[str]:
    """Sentences of a report: split at full stops (not decimals), blank lines and list numbers."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n|\n\s*(?=\d+[.)]\s)|\n\s*[-*\u2022]\s", text):
        flat = " ".join(block.split())
        flat = re.sub(r"^\d+[.)]\s+", "", flat)
        parts += re.split(r"(?<=[.!?])\s+(?=[A-Z0-9(\"'])|(?<=[a-z)][.!?])\s+", flat)
    return [part.strip() for part in parts if re.search(r"\w", part)]


@lru_cache(maxsize=CACHED_TEXTS)
def read_report(text: str) -> Mapping[str, Mention]:
    """Label -> what the report says of it; labels that are not mentioned are left out.

    Several phrases of one label merge: present wins over uncertain over absent. "no finding" is 1
    where nothing but support devices is present or uncertain, and left out otherwise. An empty
    text gives an empty dict.
    """
    found: dict[str, Mention] = {}
    rank = {ABSENT: 0, UNCERTAIN: 1, PRESENT: 2}
    for phrase in phrases(text):
        if phrase.label == words.HEART:
            continue
        mention = Mention(phrase.state, phrase.sides, phrase.severity, phrase.name)
        old = found.get(phrase.label)
        if old is None or rank[mention.state] > rank[old.state]:
            found[phrase.label] = mention
        elif mention.state == old.state:
            severity = old.severity or mention.severity
            found[phrase.label] = replace(old, sides=old.sides | mention.sides, severity=severity)
    for label, state in _heart_labels(text).items():
        if label not in found or rank[state] > rank[found[label].state]:
            found[label] = Mention(state, severity=_heart_severity(text), name=label)
    clear = all(
        mention.state == ABSENT for label, mention in found.items() if label != "support devices"
    )
    if clear and re.search(r"\w", text):
        found["no finding"] = Mention(PRESENT, name="no finding")
    return MappingProxyType({label: found[label] for label in LABELS if label in found})


@lru_cache(maxsize=CACHED_TEXTS)
def phrases(text: str) -> tuple[Phrase, ...]:
    """Every phrase of the report that mentions a label, with all that acts on it, in order."""
    result: list[Phrase] = []
    for number, sentence in enumerate(sentences(text)):
        lower = sentence.lower()
        here = _sentence_phrases(lower, number)
        if not here:
            result = _apply_back(lower, number, result)
        result += here
    return tuple(result)


def changes(text: str) -> dict[str, str]:
    """Label -> "better", "same" or "worse" against the earlier film, where the report says so.

    A worse phrase wins over a better one, and that over the same. Change of the heart counts for
    "cardiomegaly". "It has increased." acts on the sentence before; a bare "No change." on all.
    """
    rank = {"same": 0, "better": 1, "worse": 2}
    found: dict[str, str] = {}
    for phrase in phrases(text):
        label = "cardiomegaly" if phrase.label == words.HEART else phrase.label
        if phrase.change and rank[phrase.change] >= rank.get(found.get(label, ""), -1):
            found[label] = phrase.change
    return found


@lru_cache(maxsize=CACHED_TEXTS)
def heart_size(text: str) -> str | None:
    """The size class that a report gives the heart: "normal", "borderline", "enlarged" or None.

    The largest class wins where sentences differ.
    """
    classes = {_sentence_heart(sentence.lower()) for sentence in sentences(text)}
    for name in ("enlarged", "borderline", "normal"):
        if name in classes:
            return name
    return None


# --- one sentence --------------------------------------------------------------------------------


def _sentence_phrases(lower: str, number: int) -> list[Phrase]:
    masked = words.NOT_A_MENTION.sub(lambda match: " " * len(match.group()), lower)
    spans = _clauses(masked)
    found = _find_mentions(masked, number)
    result: list[Phrase] = []
    for start, end in spans:
        inside = [phrase for phrase in found if start <= phrase.start < end]
        result += _judge(masked, start, end, inside)
    result = _place(masked, spans, result)
    for labels, pattern in words.NORMAL:
        match = pattern.search(masked)
        if match and not re.search(r"\bnot\b", match.group().replace("not widened", "")):
            result += [
                Phrase(label, label, number, match.start(), match.end(), ABSENT)
                for label in labels
                if all(phrase.label != label for phrase in result)
            ]
    return sorted(result, key=lambda phrase: phrase.start)


def _find_mentions(text: str, number: int) -> list[Phrase]:
    """Phrases without overlap; the earlier row of the table wins."""
    taken: list[tuple[int, int]] = []
    found: list[Phrase] = []
    for label, name, pattern in words.MENTIONS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if all(end <= low or start >= high for low, high in taken):
                taken.append((start, end))
                found.append(Phrase(label, name or label, number, start, end))
    return sorted(found, key=lambda phrase: phrase.start)


def _clauses(text: str) -> list[tuple[int, int]]:
    """Spans in which negation and uncertainty stay. A list that goes on to "or" is not broken."""
    cuts = {match.start() for match in words.STRONG_BREAK.finditer(text)}
    for match in words.SOFT_BREAK.finditer(text):
        if not re.search(r"\b(?:or|nor)\b", text[match.end() :]):
            cuts.add(match.start())
    edges = [0, *sorted(cuts - {0}), len(text)]
    return [(low, high) for low, high in pairwise(edges) if high > low]


def _judge(text: str, start: int, end: int, inside: list[Phrase]) -> list[Phrase]:
    """The state of every phrase of one clause. Change words ("no change in") do not negate."""
    clause = text[start:end]
    plain = words.CHANGE.sub(
        lambda match: " " * len(match.group()) if match.lastgroup == "same" else match.group(),
        clause,
    )
    unsure = [match.end() for match in words.UNCERTAIN_AFTER.finditer(plain)]
    unsure_words = [match.end() for match in words.UNCERTAIN_WORD.finditer(plain)]
    unsure_back = [match.start() for match in words.UNCERTAIN_BEFORE.finditer(plain)]
    for pattern in (words.UNCERTAIN_BEFORE, words.UNCERTAIN_AFTER):
        plain = pattern.sub(lambda match: " " * len(match.group()), plain)
    negated = [match.end() for match in words.NEGATED_AFTER.finditer(plain)]
    negated_back = [match.start() for match in words.NEGATED_BEFORE.finditer(plain)]
    result = []
    for index, phrase in enumerate(inside):
        low, high = phrase.start - start, phrase.end - start
        reach = _reach(clause, inside[index:], start)
        state = PRESENT
        if any(at <= low for at in negated) or any(high <= at <= reach for at in negated_back):
            state = ABSENT
        elif (
            any(at <= low for at in unsure)
            or any(at <= low and not words.JOIN.search(clause[at:low]) for at in unsure_words)
            or any(high <= at <= reach for at in unsure_back)
        ):
            state = UNCERTAIN
        result.append(replace(phrase, state=state))
    return result


def _reach(clause: str, following: list[Phrase], start: int) -> int:
    """How far to the right a word may stand that acts back on the first of `following`: past
    further phrases only while no verb stands between ("effusion and edema are not seen")."""
    for left, right in pairwise(following):
        if words.VERB.search(clause[left.end - start : right.start - start]):
            return right.start - start
    return len(clause)


def _place(text: str, spans: list[tuple[int, int]], found: list[Phrase]) -> list[Phrase]:
    """Side, severity and change of each phrase from the words around it in the sentence."""
    segments = _segments(text, spans, found)
    placed = []
    for phrase, (low, high) in zip(found, segments, strict=True):
        sides = _sides(text[low:high]) if phrase.label in _SIDED else frozenset()
        severity = ""
        for match in words.SEVERITY.finditer(text, low, high):
            if match.start() < phrase.start or not severity:
                severity = match.lastgroup or ""
        if phrase.state == ABSENT:
            severity = ""
        placed.append(
            replace(phrase, sides=sides, severity=severity, change=_change(text, low, high, phrase))
        )
    return _inherit(text, placed)


def _segments(
    text: str, spans: list[tuple[int, int]], found: list[Phrase]
) -> list[tuple[int, int]]:
    """The stretch of the sentence that belongs to each phrase: from the last join before it to the
    last join before the next one; stretches without a phrase fall to their neighbour."""
    cuts = [0]
    clause_starts = [low for low, _ in spans]
    for left, right in pairwise(found):
        between = text[left.end : right.start]
        clause = [at for at in clause_starts if left.end <= at <= right.start]
        joins = [left.end + match.start() for match in words.JOIN.finditer(between)]
        if clause:
            cuts.append(clause[0])
        elif joins:
            cuts.append(joins[-1])
        else:
            adjectives = words.LEADING_ADJECTIVES.search(between)
            cuts.append(left.end + (adjectives.start() if adjectives else 0))
    cuts.append(len(text))
    return list(pairwise(cuts)) if found else []


def _sides(text: str) -> frozenset[str]:
    sides: set[str] = set()
    for match in words.SIDE.finditer(text):
        sides |= {"left", "right"} if match.lastgroup == "both" else {str(match.lastgroup)}
    return frozenset(sides)


def _change(text: str, low: int, high: int, phrase: Phrase) -> str:
    matches = list(words.CHANGE.finditer(text, low, high))
    if phrase.label == words.HEART:
        # A heart that "is larger" changed; a heart "of increased size" may only be large.
        matches = [match for match in matches if match.group() != "increased"] or matches
    if not matches:
        return ""
    nearest = min(
        matches,
        key=lambda match: min(abs(match.start() - phrase.end), abs(phrase.start - match.end())),
    )
    kind = nearest.lastgroup or ""
    return "" if phrase.state == ABSENT and kind == "worse" else kind


def _inherit(text: str, placed: list[Phrase]) -> list[Phrase]:
    """Sides and change that two joined phrases share: "left effusion and atelectasis",
    "effusion and atelectasis on the left", "effusion and edema have improved"."""
    result = list(placed)
    for index in range(len(result) - 2, -1, -1):
        here, after = result[index], result[index + 1]
        between = text[here.end : after.start]
        if here.state != after.state or words.VERB.search(between):
            continue
        tail = text[after.end :]
        if not here.sides and here.label in _SIDED and _sides(tail) and not _sides(between):
            result[index] = here = replace(here, sides=_sides(tail) & after.sides)
        if not here.change and words.BARE_JOIN.match(between) and words.CHANGE.search(tail):
            result[index] = replace(here, change=after.change)
    for index in range(1, len(result)):
        before, here = result[index - 1], result[index]
        if (
            before.sides
            and not here.sides
            and here.label in _SIDED
            and here.state == before.state
            and words.BARE_JOIN.match(text[before.end : here.start])
        ):
            result[index] = replace(here, sides=before.sides)
    return result


def _apply_back(lower: str, number: int, before: list[Phrase]) -> list[Phrase]:
    """A sentence without a phrase: "It has increased.", "No change since the prior film."."""
    match = words.CHANGE.search(lower)
    if match is None:
        return before
    kind = match.lastgroup or ""
    gone = bool(words.NEGATED_BEFORE.search(lower))
    result = []
    for phrase in before:
        near = phrase.sentence == number - 1 and bool(words.PRONOUN.match(lower))
        everything = bool(words.GENERIC_CHANGE.match(lower)) and not phrase.change
        if phrase.state != ABSENT and (near or everything):
            phrase = replace(phrase, change=kind, state=ABSENT if gone and near else phrase.state)
        result.append(phrase)
    return result


# --- the heart -----------------------------------------------------------------------------------


def _sentence_heart(lower: str) -> str | None:
    """The size class of one lower-case sentence."""
    classes = []
    for low, high in _clauses(lower):
        clause = lower[low:high]
        word = words.HEART_WORD.search(clause)
        if not word:
            continue
        if words.HEART_BORDERLINE.search(clause):
            classes.append("borderline")
            continue
        plain = words.CHANGE.sub(" ", clause)
        enlarged = words.HEART_ENLARGED.search(plain)
        negation = words.NEGATED_AFTER.search(plain)
        if enlarged and negation and negation.start() < enlarged.start():
            classes.append("normal")
        elif enlarged and not (
            words.UNCERTAIN_AFTER.search(plain) or words.UNCERTAIN_WORD.search(plain)
        ):
            back = words.NEGATED_BEFORE.search(plain, enlarged.end())
            classes.append("normal" if back else "enlarged")
        elif not enlarged and words.HEART_NORMAL.search(plain):
            classes.append("normal")
    return next((name for name in ("enlarged", "borderline", "normal") if name in classes), None)


def _heart_labels(text: str) -> dict[str, int]:
    size = heart_size(text)
    if size is None:
        return {}
    return {"cardiomegaly": {"enlarged": PRESENT, "borderline": UNCERTAIN, "normal": ABSENT}[size]}


def _heart_severity(text: str) -> str:
    for sentence in sentences(text):
        lower = sentence.lower()
        if _sentence_heart(lower) == "enlarged":
            word = words.HEART_ENLARGED.search(lower)
            before = list(words.SEVERITY.finditer(lower, 0, word.start() if word else 0))
            return (before[-1].lastgroup or "") if before else ""
    return ""
