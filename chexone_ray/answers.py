r"""Completion -> reasoning and answer, answer -> chosen options: the one parser for all stages.

Rewards, metrics, prediction and serving read completions through this module only. Two rule sets:

- `strict` (ours): the last well-formed `\boxed{}` with balanced braces.
- `original`: what the published reward code of CheXOne does, quirks included, so that its numbers
  can be compared with: the first `\boxed{`, up to the first closing brace.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from chexone_ray.records import Mode

Rules = Literal["strict", "original"]

_TOKEN = re.compile(r"\\boxed\s*\{|\\[{}]|[{}]")
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mathsf)\s*\{([^{}]*)\}")
_ORIGINAL_OPENING = "\\boxed{"

_KEY = r"[A-Za-z]|[0-9]{1,2}"
_SEPARATOR = r"\s*(?:(?:[,;/&+]|\band\b)\s*)+|\s+"
_MARKED_KEY = rf"\(\s*(?:{_KEY})\s*\)[.:]?|(?:{_KEY})[.:)]?"
_KEY_LIST = re.compile(rf"(?:{_MARKED_KEY})(?:(?:{_SEPARATOR})(?:{_MARKED_KEY}))*[.\s]*")
_ONE_KEY = re.compile(rf"\b(?:{_KEY})\b")
_BRACKETED_KEY = re.compile(rf"(?<!\w)\(\s*({_KEY})\s*\)")
_LEADING_KEY = re.compile(
    rf"(?:^|[,;\n]|\band\s)[ \t]*({_KEY})\s*(?:[.:)](?=\s|$)|\s-\s)", re.MULTILINE
)
_PREFIX = re.compile(
    r"^(?:the\s+)?(?:(?:correct|final|best)\s+)*(?:answers?|options?|choices?)\b\s*(?:(?:is|are)\b|:)?\s*"
    r"(?:options?\b|choices?\b)?\s*",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"\s*(?:\(\s*({_KEY})\s*\)[.:]?|({_KEY})\s*[.):])\s*(.*)", re.DOTALL)
_SPLIT = re.compile(r"[,;\n/&+]|\band\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)")
_SPACE = re.compile(r"\s+")
_MAX_UNWRAP = 8
_EDGE = " \t\r\n.,;:!?\"'`*_$"

_ORIGINAL_BRACKETED = re.compile(r"\(([A-Za-z0-9])\)")
_ORIGINAL_MARKED = re.compile(r"\b([A-Za-z0-9])[.:\uff1a,\s]")
_ORIGINAL_ISOLATED = re.compile(r"\b([A-Za-z0-9])\b")


@dataclass(frozen=True)
class Answer:
    r"""What a completion says.

    `reasoning` is the text before the box ("" for none); `answer` is None where nothing could be
    parsed. `num_boxed` counts every `\boxed{` opening under the strict rules (malformed and nested
    ones too) and the pattern's matches under the original rules.
    """

    reasoning: str
    answer: str | None
    num_boxed: int


def parse(text: str, mode: Mode, rules: Rules = "strict") -> Answer:
    """Read one completion. Instruct mode without a box: the whole text is the answer.

    Without a box in reasoning mode the whole text is reasoning and the answer is None. The original
    rules know one mode only and treat both the same.
    """
    if rules == "original":
        return _parse_original(text)
    spans, num_boxed = _boxes(text)
    for start, content in reversed(spans):
        answer = _unwrap(content)
        if answer:
            return Answer(text[:start].strip(), answer, num_boxed)
    if mode == "instruct" and num_boxed == 0:
        return Answer("", text.strip() or None, 0)
    return Answer(text.strip(), None, num_boxed)


def boxed(answer: str) -> str:
    r"""`answer` as `\boxed{answer}`; braces that do not balance become round brackets, because
    a box around them could not be read back."""
    depth = 0
    for character in answer:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            break
    if depth:
        answer = answer.replace("{", "(").replace("}", ")")
    return f"\\boxed{{{answer}}}"


def chosen_options(
    answer: str, options: tuple[str, ...], rules: Rules = "strict"
) -> frozenset[str]:
    """The options that `answer` names, as upper-case keys ("A") or, where the options carry no key
    or there are none, as normalised text.

    Keys that are not on offer stay in the set, so that they cost something in a comparison. With
    keyed options an answer that names none of them gives the empty set; a leading article "A" is
    no key. Without options the whole answer, normalised, is the one choice.
    """
    if rules == "original":
        return original_options(answer)
    return _chosen(answer, tuple(options))


def original_options(answer: str) -> frozenset[str]:
    """Option keys as the published reward reads them: the first of four rules that matches wins."""
    for pattern in (_ORIGINAL_BRACKETED, _ORIGINAL_MARKED, _ORIGINAL_ISOLATED):
        found = pattern.findall(answer)
        if found:
            return frozenset(found)
    return frozenset((answer,))


@lru_cache(maxsize=16_384)
def normalise(text: str) -> str:
    """Lower case, one space between words, no punctuation at the edges, no leading article."""
    text = _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip(_EDGE).lower()
    return _ARTICLE.sub("", text)


def _boxes(text: str) -> tuple[list[tuple[int, str]], int]:
    """Well-formed boxes in order of their opening, as (start of the outermost well-formed box
    around it, content), and the number of openings. One pass."""
    if "\\boxed" not in text:
        return [], 0
    opened: list[tuple[int, int] | None] = []
    closed: list[tuple[int, int, int]] = []
    num_boxed = 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark == "{":
            opened.append(None)
        elif mark == "}":
            box = opened.pop() if opened else None
            if box is not None:
                closed.append((*box, token.start()))
        elif mark.startswith("\\b"):
            num_boxed += 1
            opened.append((token.start(), token.end()))
    closed.sort()
    spans = []
    outer_start, outer_end = 0, -1
    for start, begin, end in closed:
        if end > outer_end:
            outer_start, outer_end = start, end
        spans.append((outer_start, text[begin:end]))
    return spans, num_boxed


def _unwrap(content: str) -> str:
    r"""Strip doubled braces and `\text{}`-like commands around the whole content."""
    content = content.strip()
    for _ in range(_MAX_UNWRAP):
        command = _TEXT_COMMAND.fullmatch(content)
        if command:
            content = command.group(1).strip()
        elif content.startswith("{") and content.endswith("}") and _one_group(content):
            content = content[1:-1].strip()
        else:
            break
    return content


def _one_group(content: str) -> bool:
    """True where the first brace of `content` closes at its last character."""
    depth = 0
    for at, character in enumerate(content):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return at == len(content) - 1
    return False


def _parse_original(text: str) -> Answer:
    """The first opening up to the first closing brace. Plain searches: the published pattern says
    the same but takes cubic time on text with many openings and no closing."""
    spans = []
    start = text.find(_ORIGINAL_OPENING)
    while start >= 0:
        end = text.find("}", start)
        if end < 0:
            break
        spans.append((start, end))
        start = text.find(_ORIGINAL_OPENING, end)
    if not spans:
        return Answer(text, None, 0)
    start, end = spans[0]
    answer = text[start + len(_ORIGINAL_OPENING) : end].strip()
    return Answer(text[:start].strip(), answer or None, len(spans))


@lru_cache(maxsize=4_096)
def _keyed(options: tuple[str, ...]) -> dict[str, str] | None:
    """Key -> normalised text; None where not every option carries a key of its own."""
    keyed = {}
    for option in options:
        found = _OPTION.fullmatch(option)
        if not found:
            return None
        keyed[(found.group(1) or found.group(2)).upper()] = normalise(found.group(3))
    return keyed if len(keyed) == len(options) else None


@lru_cache(maxsize=16_384)
def _chosen(answer: str, options: tuple[str, ...]) -> frozenset[str]:
    whole = normalise(answer)
    if not whole and not options:
        return frozenset()
    if not options:
        return frozenset((whole,))
    keyed = _keyed(options)
    if keyed is None:
        return _by_text(answer, {normalise(option): normalise(option) for option in options})
    answer = unicodedata.normalize("NFKC", answer).strip(_EDGE)
    by_text = {text: key for key, text in keyed.items() if text}
    if whole in by_text:
        return frozenset((by_text[whole],))
    for candidate in (answer, _PREFIX.sub("", answer)):
        if _KEY_LIST.fullmatch(candidate):
            return frozenset(key.upper() for key in _ONE_KEY.findall(candidate))
    found = _known(_BRACKETED_KEY, answer, keyed) or _known(_LEADING_KEY, answer, keyed)
    return found or _by_text(answer, by_text) or _key_before_its_text(answer, keyed)


def _known(pattern: re.Pattern[str], answer: str, keyed: dict[str, str]) -> frozenset[str]:
    return frozenset(key for found in pattern.findall(answer) if (key := found.upper()) in keyed)


def _by_text(answer: str, by_text: dict[str, str]) -> frozenset[str]:
    """Options whose text the answer is, alone or as a list of nothing but option texts."""
    whole = normalise(answer)
    if whole in by_text:
        return frozenset((by_text[whole],))
    parts = [part for part in map(normalise, _SPLIT.split(answer)) if part]
    if parts and all(part in by_text for part in parts):
        return frozenset(by_text[part] for part in parts)
    return frozenset()


def _key_before_its_text(answer: str, keyed: dict[str, str]) -> frozenset[str]:
    """ "B pneumonia" is option B only where option B reads "pneumonia"."""
    key, _, rest = answer.partition(" ")
    if rest and keyed.get(key.upper()) == normalise(rest):
        return frozenset((key.upper(),))
    return frozenset()
