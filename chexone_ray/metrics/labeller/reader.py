"""A report read sentence by sentence.

Phrases that mention a finding, then negation, uncertainty, side, severity and change words in reach
of each phrase. Pure, deterministic, no model. The label names are CheXpert's in lower case;
`Mention.name` keeps the finer word, such as "nodule" for "lung lesion".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from chexone_ray.metrics.labeller import modifiers, words
from chexone_ray.metrics.labeller import untold as other
from chexone_ray.metrics.labeller.answers import answered, questioned
from chexone_ray.metrics.labeller.bones import of_device
from chexone_ray.metrics.labeller.elided import near_so, pointed, taken_over
from chexone_ray.metrics.labeller.elsewhere import ELSEWHERE, ELSEWHERE_STEMS
from chexone_ray.metrics.labeller.forms import forms
from chexone_ray.metrics.labeller.granted import given
from chexone_ray.metrics.labeller.heart import (
    HEART_WORD,
    SIZE_STATES,
    SIZES,
    HeartSize,
    heart_of,
    normal_signs,
)
from chexone_ray.metrics.labeller.mediastinum import LABEL as WIDTH
from chexone_ray.metrics.labeller.mediastinum import mediastinum_of
from chexone_ray.metrics.labeller.parity import uncancelled
from chexone_ray.metrics.labeller.patterns import holds
from chexone_ray.metrics.labeller.place import place
from chexone_ray.metrics.labeller.pleura import explained
from chexone_ray.metrics.labeller.scope import (
    Span,
    affirm,
    blank,
    clauses,
    judge,
    untold,
)
from chexone_ray.metrics.labeller.sides import undotted
from chexone_ray.metrics.labeller.spelling import mend
from chexone_ray.metrics.labeller.terms import (
    ABSENT,
    HEART,
    LABELS,
    ONE,
    PRESENT,
    UNCERTAIN,
    UNTOLD,
    Mention,
    Phrase,
)
from chexone_ray.metrics.labeller.traps import TRAPS

CACHED_TEXTS = 4096
"""One report is read for many questions, and one reference for many completions."""
CACHED_SENTENCES = 16384
"""Reports say many things in the same words."""
_ASKED = re.compile(r"\?$|^[^?]*\?[a-z ]{3,40}[.]?$")
"""A sentence that only asks, or ends in a question ("fever, ?pneumonia")."""
_ASKED_SIZE = re.compile(
    r"(?i)(?<!\w )\b((?:heart|cardiac|mediastin\w+)(?: (?:size|width|silhouette|shadow"
    r"|contours?))?)\s*\?"
    r"\s+(?=\w[\w -]{1,30}(?:[.;,]|$))"
)
"""A form's question for a size: "Heart size? Normal."."""
_LEAD = re.compile(r"\W*(?:none|nil|it|they|this|these|neither)\b(?! of\b)[^,;.]*?(?:[,;]| but\b)")
"""A clause that speaks of the sentence before: "None now, but"."""
_SO_TOO = re.compile(r"\b(?:so|as) (?:is|does) the (?:\w+ )?mediastinum\b|\bmediastinum likewise\b")
"""The mediastinum is like the heart."""
_RANK = {ABSENT: 0, UNCERTAIN: 1, PRESENT: 2}


@dataclass(frozen=True)
class _Reading:
    """All that one text says."""

    phrases: tuple[Phrase, ...]
    hearts: tuple[HeartSize, ...]


def sentences(text: str) -> list[str]:
    """Sentences of a report: split at full stops (not decimals), blank lines and list numbers."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n|\n\s*(?=\d+[.)]\s)|\n\s*[-*\u2022]\s", text):
        flat = undotted(" ".join(block.split()))
        flat = re.sub(r"^\d+[.)]\s+", "", flat)
        flat = re.sub(r"(?<=\w)[,;]? (?=\d\) )", ". ", flat)
        flat = _ASKED_SIZE.sub(r"\1: ", flat) if "?" in flat else flat
        parts += re.split(
            r"(?<=[.!?])(?<!^\?)(?<!\s\?)(?<! vs\.)\s+(?=[A-Z0-9(\"'])|(?<=[a-z)][.!?])(?<! vs\.)"
            r"(?<! cf\.)(?<! ca\.)(?<! approx\.)(?<! e\.g\.)(?<! i\.e\.)\s+",
            flat,
        )
    return [part.strip() for part in parts if re.search(r"\w", part)]


@lru_cache(maxsize=CACHED_TEXTS)
def read_report(text: str) -> Mapping[str, Mention]:
    """Label -> what the report says of it; labels that are not mentioned are left out.

    Several phrases of one label merge: present wins over uncertain over absent. "no finding" is 1
    where nothing but support devices is present or uncertain, and left out otherwise. An empty
    text gives an empty dict.
    """
    found: dict[str, Mention] = {}
    for phrase in phrases(text):
        if phrase.label == HEART:
            continue
        mention = Mention(phrase.state, phrase.sides, phrase.severity, phrase.name, phrase.implied)
        old = found.get(phrase.label)
        if old is None or _RANK[mention.state] > _RANK[old.state]:
            found[phrase.label] = mention
        elif mention.state == old.state:
            found[phrase.label] = replace(
                old,
                sides=old.sides | mention.sides,
                severity=old.severity or mention.severity,
                implied=old.implied and mention.implied,
            )
    heart = _heart(text)
    if heart:
        label, state = "cardiomegaly", SIZE_STATES[heart.name]
        better = label not in found or _RANK[state] > _RANK[found[label].state]
        if better and not (heart.wide and state != ABSENT):
            found[label] = Mention(state, frozenset(), heart.severity, label, heart.wide)
    clear = all(
        mention.state == ABSENT for label, mention in found.items() if label != "support devices"
    )
    if clear and re.search(r"\w", text):
        found["no finding"] = Mention(PRESENT, name="no finding")
    return MappingProxyType({label: found[label] for label in LABELS if label in found})


def phrases(text: str) -> tuple[Phrase, ...]:
    """Every phrase of the report that mentions a label, with all that acts on it, in order."""
    return _read(text).phrases


def changes(text: str) -> dict[str, str]:
    """Label -> "better", "same" or "worse" against the earlier film, where the report says so.

    A worse phrase wins over a better one, and that over the same. Change of the heart counts for
    "cardiomegaly". "It has increased." acts on the sentence before; a bare "No change." on all.
    """
    rank = {"same": 0, "better": 1, "worse": 2}
    found: dict[str, str] = {}
    for phrase in phrases(text):
        label = "cardiomegaly" if phrase.label == HEART else phrase.label
        if phrase.change and rank[phrase.change] >= rank.get(found.get(label, ""), -1):
            found[label] = phrase.change
    return found


def heart_size(text: str) -> str | None:
    """The size class that a report gives the heart: "normal", "borderline", "enlarged" or None.

    The largest class wins where sentences differ. The upper limit of normal is "borderline" here,
    and no cardiomegaly in `read_report`.
    """
    names = {heart.name for heart in _read(text).hearts}
    if "enlarged" in names:
        return "enlarged"
    if names & {"borderline", "upper"}:
        return "borderline"
    return "normal" if "normal" in names else None


def _heart(text: str) -> HeartSize | None:
    """The first of the largest size class."""
    hearts = _read(text).hearts
    return min(hearts, key=lambda heart: (heart.wide, SIZES.index(heart.name)), default=None)


# --- sentence by sentence ------------------------------------------------------------------------


@lru_cache(maxsize=CACHED_TEXTS)
def _read(text: str) -> _Reading:
    found: list[Phrase] = []
    hearts: list[HeartSize] = []
    split = [_plain(sentence) for sentence in sentences(text)]
    last_head = max(
        (number for number, lower in enumerate(split) if other.TOLD_HEAD.search(lower)),
        default=-1,
    )
    asking = False
    for number, lower in enumerate(split):
        told_here = other.TOLD_HEAD.search(lower)
        asked = "?" in lower and number < last_head and not told_here
        asked = asked or _requests(lower, number == len(split) - 1)
        if asked or other.HISTORY_HEAD.match(lower):
            asking = True
        elif number > last_head or told_here:
            asking = False
        told, heart = _sentence(lower, asking)
        here = [replace(phrase, sentence=number) if number else phrase for phrase in told]
        if here and near_so(lower):
            near = [old for old in found if old.sentence == number - 1 and old.label != HEART]
            here = taken_over(lower, (0, len(lower)), "", here, near)
        lead = _LEAD.match(lower)
        if not here or (lead and here[0].start >= lead.end()):
            found = _apply_back(lead.group() if lead and here else lower, number, found)
        found += _resolved(here, found)
        hearts += [heart] if heart else []
    found = _without_answered(split, found)
    kept = tuple(phrase for phrase in found if phrase.state != UNTOLD)
    return _Reading(kept, tuple(hearts))


def _requests(lower: str, last: bool) -> bool:
    """A sentence that says what the film was asked for: "cough, ?pneumonia", "query effusion"."""
    if not holds(lower, other.ASKS_STEMS):
        return False
    return bool(other.ASKS.match(lower) or (not last and other.FIRST_ASKS.match(lower)))


def _without_answered(split: list[str], found: list[Phrase]) -> list[Phrase]:
    """Without what a sentence only asks ("Plaques?") and a later one tells."""
    asks = {number for number, lower in enumerate(split) if "?" in lower and _ASKED.search(lower)}
    last = {phrase.label: phrase.sentence for phrase in found}
    return [
        phrase
        for phrase in found
        if phrase.state != UNCERTAIN
        or phrase.sentence not in asks
        or last[phrase.label] <= phrase.sentence
    ]


def _plain(sentence: str) -> str:
    """In lower case, mended; "Heart: enlarged" reads "heart enlarged"."""
    return modifiers.ORGAN_HEAD.sub(r"\1 ", mend(forms(sentence.lower())))


@lru_cache(maxsize=CACHED_SENTENCES)
def _sentence(lower: str, asking: bool) -> tuple[tuple[Phrase, ...], HeartSize | None]:
    """Phrases of one sentence, in order, and its heart size. `asking`: under a history header."""
    whole = blank(TRAPS, blank(ELSEWHERE, lower) if holds(lower, ELSEWHERE_STEMS) else lower)
    masked = affirm(whole)
    found = _find_mentions(masked)
    starts = [phrase.start for phrase in found]
    spans = clauses(masked, starts)
    past = untold(masked, spans)
    if asking:
        told = other.TOLD_HEAD.search(masked, 1)
        past.append((0, told.start() if told else len(masked)))
    judged_text = masked
    for low, high in past:
        # What stands behind the last finding of a stretch may still tell of this film.
        high = max((phrase.end for phrase in found if low <= phrase.start < high), default=high)
        judged_text = judged_text[:low] + " " * (high - low) + judged_text[high:]
    result: list[Phrase] = []
    for span in spans:
        inside = found[bisect_left(starts, span[0]) : bisect_left(starts, span[1])]
        if inside:
            judged = judge(masked if not past else judged_text, span, inside)
            if past:
                judged = [p if given(masked, p) else _untold(p, past, asking) for p in judged]
            result += taken_over(masked, span, whole[: span[0]], judged, result)
        elif result:
            result = _answer(masked, span, result, spans)
    result = explained(masked, questioned(masked, uncancelled(masked, result)))
    result = place(whole, spans, result)
    result += normal_signs(masked, lower, spans, past, result)
    result += mediastinum_of(masked, spans, past, result)
    heart = heart_of(masked, spans, past)
    heart = _as_judged(masked, heart, result)
    if heart and (match := _SO_TOO.search(masked)):
        width = Phrase(WIDTH, WIDTH, 0, *match.span(), SIZE_STATES[heart.name])
        result = [*(phrase for phrase in result if phrase.label != WIDTH), width]
    return tuple(sorted(result, key=lambda phrase: phrase.start)), heart


def _as_judged(text: str, heart: HeartSize | None, found: Sequence[Phrase]) -> HeartSize | None:
    """The size, doubtful or normal where the one word for it is: "cardiomegaly cannot be"."""
    said = [phrase for phrase in found if phrase.label == "cardiomegaly"]
    if heart is None or heart.name != "enlarged" or len(said) != 1 or said[0].state == PRESENT:
        return heart
    words_for = list(HEART_WORD.finditer(text))
    if len(words_for) != 1 or not said[0].start <= words_for[0].start() < said[0].end:
        return heart
    names = {UNCERTAIN: "doubtful", ABSENT: "normal"}
    return HeartSize(names[said[0].state]) if said[0].state in names else heart


def _untold(phrase: Phrase, past: Sequence[Span], asking: bool) -> Phrase:
    """A phrase of a history or an earlier film is left open, unless this film denies it;
    "indication: tube removal" denies none."""
    denied = phrase.state == ABSENT and not (asking and phrase.label == "support devices")
    if not denied and any(low <= phrase.start < high for low, high in past):
        return replace(phrase, state=UNTOLD)
    return phrase


def _answer(text: str, span: Span, result: list[Phrase], spans: Sequence[Span]) -> list[Phrase]:
    """A clause without a phrase acts on those of the clause before: "sought; none is there"."""
    last = max(low for low, _ in spans if low <= result[-1].start)
    at = next(n for n, phrase in enumerate(result) if phrase.start >= last)
    ours = [phrase for phrase in result[at:] if not given(text, phrase)]
    told = _answered(text[slice(*span)], ours, text[last : span[0]])
    after = dict(zip(map(id, ours), told, strict=True))
    return [after.get(id(phrase), phrase) for phrase in result]


def _answered(clause: str, said: list[Phrase], text: str = "") -> list[Phrase]:
    """The findings of a clause or sentence as the one after it leaves them."""
    ours = [phrase for phrase in said if phrase.label != HEART and not phrase.implied]
    told = pointed(clause, ours, answered) or [answered(clause, one, text) for one in ours]
    after = dict(zip(map(id, ours), told, strict=True))
    return [after.get(id(phrase), phrase) for phrase in said]


def _find_mentions(text: str) -> list[Phrase]:
    """Phrases without overlap; the earlier row of the table wins."""
    taken: list[Span] = []
    """In order, so that a place is looked up and not compared with each."""
    found: list[Phrase] = []
    padded = f" {text}"
    for row in words.MENTIONS:
        if not holds(padded, row.stems):
            continue
        for match in row.pattern.finditer(text):
            start, end = match.span(match.lastgroup or 0)
            at = bisect_left(taken, (start, end))
            if (not at or taken[at - 1][1] <= start) and (at == len(taken) or taken[at][0] >= end):
                taken.insert(at, (start, end))
                if row.label == "fracture" and of_device(text, start):
                    continue
                found.append(Phrase(row.label, row.name or row.label, 0, start, end))
    return sorted(found, key=lambda phrase: phrase.start)


def _resolved(here: list[Phrase], before: list[Phrase]) -> list[Phrase]:
    """ "The old one" takes label and name of the finding before it, or is dropped."""
    result: list[Phrase] = []
    for phrase in here:
        if phrase.label == ONE:
            meant = [old for old in (*before, *result) if old.label != HEART and not old.implied]
            if not meant:
                continue
            phrase = replace(phrase, label=meant[-1].label, name=meant[-1].name)
        result.append(phrase)
    return result


def _apply_back(lower: str, number: int, before: list[Phrase]) -> list[Phrase]:
    """A sentence without a phrase: "It has increased.", "Not seen.", "No change since then."."""
    match = modifiers.CHANGE.search(lower)
    kind = (match.lastgroup or "") if match else ""
    points, everything = modifiers.PRONOUN.match(lower), modifiers.GENERIC_CHANGE.match(lower)
    result: list[Phrase] = []
    near: list[Phrase] = []
    for phrase in before:
        last = phrase.sentence == number - 1
        acts = (last and points) or (everything and not phrase.change)
        if kind and phrase.state != ABSENT and acts:
            phrase = replace(phrase, change=kind)
        (near if last else result).append(phrase)
    return [*result, *_answered(lower, near)]
