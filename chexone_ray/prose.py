"""Which options running text settles on: "The image shows edema, so B." names B.

For answers that are more than a list of keys and texts. Options are mentioned by key, with or
without their own text; neighbouring mentions that only commas, "and" and the like part are one run.
Of the runs count, in this order: the last that is stated as the answer ("Answer: B"), one that the
text begins with and that is a sentence of its own, the last that is concluded ("so B", "I would
choose B", "the most likely finding is edema"), the one that there is, if all runs say the same, and
what the film is "consistent with".
What is denied ("not (A)", "(A) is unlikely") or left open ("A or B") names nothing, and neither
does a text that weighs several options and settles on none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

KEY = r"[A-Za-z]|[0-9]{1,2}"

_MENTION = re.compile(rf"(?<![\w.])(?:\(\s*({KEY})\s*\)|({KEY})(?!\w))")
_LEADING_KEY = re.compile(
    rf"(?:^|[,;\n]|\band\s)[ \t]*({KEY})\s*"
    r"(?:[.:)](?=\s|$|[A-Za-z(\"'](?!\.|[ \t]*(?:[,;]|$)))|\s-\s)",
    re.MULTILINE,
)
_OWN_LINE = re.compile(rf"^[ \t]*({KEY})[ \t.]*$(?!\n[ \t]*[a-z])", re.MULTILINE)
_BEFORE_OWN = re.compile(r"[ \t.:)=(\-]{0,4}(?:(?:an?|the) )?")
_MARK = re.compile(r"[.:)=(\-]")
_JOIN = re.compile(
    r"[\s,;/&+.]*(?:\b(?:and|plus|both|with|also|as well as)\b[\s,]*)*"
    r"(?:\b(?:options?|choices?)\s+)?",
    re.IGNORECASE,
)
_OR = re.compile(
    r"[\s,]*(?:\b(?:and/)?or\b|\bvs\b\.?|\bversus\b)[\s,]*(?:options?\s+)?", re.IGNORECASE
)
_ITEM_END = re.compile(r"[ \t]*(?:$|[.,;\n/&+]|and\b)")
_AFTER_BARE = re.compile(
    r"[ \t]+-\s|[ \t]*(?:$|[,;:!?)/&+]|\n(?![ \t]*[a-z])|\.(?=\s|$)"
    r"|(?:and|or|vs|but|than|over|because|since|as|is|are)\b)"
)
_ENDS = re.compile(
    r"[ \t]+-\s|[ \t]*(?:$|[;!\n]|\.(?=\s|$)"
    r"|(?:,[ \t]*)?(?:because|since|as|but|not|rather|instead)\b"
    r"|(?:is|are) (?:the )?(?:correct|right|best|most|likeliest|more likely)\b)"
)
_TEXTS_END = re.compile(rf"{_ENDS.pattern}|[ \t]*,")
_CONCLUDES = re.compile(
    r"(?:(?P<stated>\banswers?\b\s*(?:(?:is|are)\b|[:=]|-\s)"
    r"|(?<!\bnot )(?<!\bnot the )(?<!\bnot my )"
    r"\b(?:(?:final|correct|my)\s+(?:choices?|options?)|final|correct)\s?[:=])"
    r"|(?P<weak>(?<!\bnot )(?<!n't )(?<!\bless )\bconsistent\s+with\b)"
    r"|(?<!\bdifferential )\bdiagnosis\s?[:=]|\b(?:it|this|that)\s+must\s+be\b"
    r"|\bneither\b[^.;\n]{1,60}?\bnor\b[^.;\n]{1,40}?(?:[;.]|,?\s+but\b)"
    r"|\bbetween\b[^.\n]{1,40}?,(?=[^.\n]{1,40}?\b(?:is|seems|looks)\s+(?:the\s+)?mo(?:re|st)\s+likely\b)"
    r"|\b(?:answers?|options?|choices?)\s+(?:is|are|(?:would|should|must)\s+be)\b"
    r"|\b(?:choose|chose|picks?|picked|select(?:ed)?|go(?:ing)?\s+(?:with|for)|opt(?:ed)?\s+for)\b"
    r"|\b(?:so|thus|therefore|hence|conclude)\b"
    r"|\b(?:most\s+(?:likely|probable)|likeliest|best|correct|right)\b(?:\s+[\w-]+){0,3}?"
    r"\s+(?:is|are|would\s+be)\b"
    r"|\bnot\b[^.\n]{1,40}?\bbut\b)"
    r"[\s:=,]*(?:(?:that|it|this|it's|is|are|the\s+answer|answer|clearly|probably|likely|most|then"
    r"|both|options?|choices?|rather|instead)\b[\s:]*)*",
    re.IGNORECASE,
)
_OPTION_WORD = re.compile(r"\b(?:options?|choices?)\s$", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:an?|the) ")
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:(?:can)?not|nor|neither|never|than|except|excludes?|excluding|without|unlike|against"
    r"|between|rul(?:es?|ed|ing)\s+out|instead\s+of|opposed\s+to)|n't)\s+"
    r"(?:(?:be|choose|pick|select|options?|choices?|both|the|an?)\s+)*$"
)
_DENIAL = (
    r"(?:(?:is|are|was|were|seems?|looks?|(?:can|could|would)\s+be)[ \t]+(?:\w+ly[ \t]+)?"
    r"(?:not|wrong|incorrect|false|absent|excluded|ruled|unlikely|less|unsupported|impossible|out)\b"
    r"|(?:is|are|was|were|does|do|did|could|would)n't\b|can't\b|cannot\b"
    r"|(?:can|does|do|did|could|would|may)[ \t]+not\b)"
)
_DENIED = re.compile(rf"[ \t]*{_DENIAL}")
_DENIED_AFTER = re.compile(
    r"[ \t]*(?:(?!(?:because|since|as|and|but|with|where|while|although|given|due|which|that)\b)"
    rf"[\w-]+[ \t]+){{0,2}}?{_DENIAL}"
)
_NEAR = 60
"""Characters around a mention that may deny it."""


@dataclass(frozen=True)
class _Mention:
    key: str
    start: int
    end: int
    clear: bool
    """No mere word: in brackets, with its own text, after "option" or at the head of an item."""


@dataclass(frozen=True)
class _Run:
    keys: frozenset[str]
    start: int
    end: int
    clear: bool


def settled(text: str, begins: int, keyed: Mapping[str, str]) -> frozenset[str]:
    """Keys of the options that `text` settles on, empty for none.

    `begins` is where its preamble ("The answer is") ends; `keyed` has the options' normalised texts
    by upper-case key.
    """
    low = text.lower()
    if len(low) != len(text):  # a few letters have a longer lower case: offsets would slip
        low = text
    marks = {found.end(): found.lastgroup for found in _CONCLUDES.finditer(text)}
    heads = {0, begins}
    runs = _runs(list(_mentions(text, low, keyed)), low, heads | marks.keys())
    runs += [run for at in heads | marks.keys() if (run := _texts(low, at, keyed))]
    runs = [run for run in runs if not _denied(low, run, run.start in heads)]
    last: dict[str | None, _Run] = {}
    for run in sorted(runs, key=lambda run: (run.start, run.end)):
        if run.start in marks:
            last[marks[run.start]] = run
    weak = [last["weak"]] if "weak" in last else []
    head = next((run for run in runs if run.start in heads and _ENDS.match(low, run.end)), None)
    for run in (last.get("stated"), head, last.get(None)):
        if run:
            return run.keys
    named = {run.keys for run in runs if run.clear} or {run.keys for run in weak}
    return named.pop() if len(named) == 1 else frozenset()


def _mentions(text: str, low: str, keyed: Mapping[str, str]) -> Iterator[_Mention]:
    """Mentions by key in the order of the text, with the option's own text where it stands by."""
    leads = {found.start(1) for found in _LEADING_KEY.finditer(text)}
    leads |= {found.start(1) for found in _OWN_LINE.finditer(text)}
    after = 0
    for found in _MENTION.finditer(text):
        key = (found[1] or found[2]).upper()
        own = keyed.get(key)
        if own is None or found.start() < after:
            continue
        start, end = found.span()
        named = not found[0].islower() and _OPTION_WORD.search(text, max(0, start - 9), start)
        clear = bool(found[1] or named) or start in leads
        gap = _BEFORE_OWN.match(low, end)
        told = gap.end() if gap else end
        # "A left effusion" is an article, also where option A reads "left".
        marked = found[1] or (gap and _MARK.search(gap[0]))
        if own and marked and low.startswith(own, told) and not _goes_on(low, told + len(own)):
            end = told + len(own)
            end += text[end : end + 1] == ")"
            clear = True
        elif found[1] and own:
            first = max(after, start - len(own) - 4)
            before = low[first:start].rstrip()
            ahead = first + len(before) - len(own)
            if before.endswith(own) and not (ahead and _goes_on(low, ahead - 1)):
                start = ahead
        if clear or _AFTER_BARE.match(text, end):
            yield _Mention(key, start, end, clear)
            after = end


def _runs(mentions: list[_Mention], low: str, starts: set[int]) -> list[_Run]:
    """Mentions joined; a bare letter counts only from where an answer may begin, or in a run that
    began so. Runs with "or" between them are left out."""
    runs: list[_Run] = []
    opened: set[int] = set()
    previous = -1
    for mention in mentions:
        last = runs[-1] if runs else None
        between = low[previous : mention.start] if previous >= 0 else ""
        listed = last is not None and last.end == previous
        if previous >= 0 and _OR.fullmatch(between):
            opened |= {len(runs) - 1, len(runs)} if listed else {len(runs)}
        elif last and listed and mention.start not in starts and _joins(between, low, mention):
            runs[-1] = _Run(
                last.keys | {mention.key}, last.start, mention.end, last.clear or mention.clear
            )
            previous = mention.end
            continue
        elif not mention.clear and mention.start not in starts:
            previous = mention.end
            continue
        runs.append(_Run(frozenset((mention.key,)), mention.start, mention.end, mention.clear))
        previous = mention.end
    return [run for number, run in enumerate(runs) if number not in opened]


def _joins(between: str, low: str, mention: _Mention) -> bool:
    """True where nothing but separators stands between. A new sentence or line goes on with a list
    only if it holds no more than the option."""
    if not _JOIN.fullmatch(between):
        return False
    return not re.search(r"[.\n]", between) or bool(_ITEM_END.match(low, mention.end))


def _texts(low: str, at: int, keyed: Mapping[str, str]) -> _Run | None:
    """The options whose texts, without keys, are listed from `at` to the end of the sentence."""
    keys: set[str] = set()
    end = start = at
    while True:
        article = _ARTICLE.match(low, at)
        places = (at, article.end()) if article else (at,)
        fits = (
            (len(own), place, key)
            for key, own in keyed.items()
            for place in places
            if own and low.startswith(own, place) and not _goes_on(low, place + len(own))
        )
        length, place, key = max(fits, default=(0, 0, ""))
        if not length:
            break
        end = place + length
        keys.add(key)
        between = _JOIN.match(low, end)
        if not between or between[0] in ("", " "):
            break
        at = between.end()
    if not keys or not _TEXTS_END.match(low, end):
        return None
    return _Run(frozenset(keys), start, end, clear=False)


def _goes_on(low: str, at: int) -> bool:
    """True where a letter or digit is at `at`: what ends before it is part of a word."""
    return low[at : at + 1].isalnum()


def _denied(low: str, run: _Run, begins: bool) -> bool:
    """A run that the text begins with is denied only by what follows at once: the words behind a
    key may be those of its option."""
    if _DENIED_BEFORE.search(low[max(0, run.start - _NEAR) : run.start]):
        return True
    return bool((_DENIED if begins else _DENIED_AFTER).match(low[run.end : run.end + _NEAR]))
