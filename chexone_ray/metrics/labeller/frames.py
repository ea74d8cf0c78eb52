"""Turns of phrase that the rule labeller reads as a plainer one: double denials, doubt of a denial.

A frame becomes blanks and a plain cue ("no", "cannot exclude", or none at all) of the same length,
so that all places in the sentence stay. Our own, written from general knowledge of report
language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from functools import partial

from chexone_ray.metrics.labeller.turns_denial import DENIAL_TURNS
from chexone_ray.metrics.labeller.turns_doubt import DOUBT_TURNS

FRAMES = (*DOUBT_TURNS, *DENIAL_TURNS)
_STEMS = tuple({stem for frame in FRAMES for stem in frame.stems})
_AT = {stem: tuple(at for at, frame in enumerate(FRAMES) if stem in frame.stems) for stem in _STEMS}
"""Stem -> places of the frames that need it."""
_ASIDE = re.compile(
    r", (?:including|even|not even) [^,;.]{1,30},|, for that matter,|, (?:however|though"
    r"|therefore|moreover|then|also|fortunately|of course"
    r"|for example|in fact"
    r"|indeed"
    r"|in particular|again|too|incidentally|as yet|at present|at least|if anything|on balance"
    r"|it must be"
    r" said|it seems|i think),(?= (?:of|is|are|was|were|be|been|any|in|on|has|have)\b)"
    r"|(?<=\bis), (?:however|though|therefore|moreover|then|also|fortunately|of course|in fact"
    r"|indeed|again"
    r"|too|at present|on balance),|(?<=\bare), (?:however|though|therefore|moreover|then|also"
    r"|in fact|indeed"
    r"|again|on balance),"
)
"""A word set between commas."""
_MAYBE = re.compile(
    r",( (?:possibly|perhaps|probably|conceivably|maybe|presumably|quite likely)),(?= )"
)
"""A hedge set between commas."""


def framed(text: str) -> str:
    """The text with its frames replaced by plain cues of the same length."""
    if text.count(",") > 1:
        text = _MAYBE.sub(r" \1 ", text)
        text = _ASIDE.sub(lambda match: " " * len(match.group()), text)
    present = {stem for stem in _STEMS if stem in text}
    for at in sorted({at for stem in present for at in _AT[stem]}):
        text = FRAMES[at].pattern.sub(partial(_cue, FRAMES[at].cue), text)
    return text


def _cue(cue: str, match: re.Match[str]) -> str:
    """The kept group and the cue, at the end of as many characters as the match has."""
    kept = (match.group(match.lastgroup) or "") if match.lastgroup else ""
    if kept and cue.startswith("<"):
        return f"{cue[1:]} {kept.rstrip()}".rjust(len(match.group()))
    whole = f"{kept.rstrip()} {cue}" if kept and cue else kept.rstrip() or cue
    size = len(match.group())
    low = match.start(match.lastgroup) - match.start() if kept and match.lastgroup else 0
    if kept and low + len(whole) <= size:
        # Findings among the kept words stay where they stand.
        return " " * low + whole + " " * (size - low - len(whole))
    return whole.rjust(size) if len(whole) <= size else match.group()
