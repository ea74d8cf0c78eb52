r"""Completion -> reasoning and answer, answer -> chosen options: the one parser for all stages.

Rewards, metrics, prediction and serving read completions through this module only. Rule sets:

- `strict` (ours): the last well-formed `\boxed{}` with balanced braces.
- `original`: what the published reward code of CheXOne does, quirks included, so that its numbers
  can be compared with: the first `\boxed{`, up to the first closing brace.
- `tags`: of models that think between `<think>` tags and answer between `<answer>` tags, in a box,
  after "Final Answer:" or in what follows the thinking. For baselines; none of it counts elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from chexone_ray.records import Mode

Rules = Literal["strict", "original", "tags"]

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
    rf"(?:^|[,;\n]|\band\s)[ \t]*({_KEY})\s*(?:[.:)](?=\s|$|[A-Za-z(\"'](?!\.))|\s-\s)",
    re.MULTILINE,
)
_PREFIX = re.compile(
    r"^(?:(?:so|thus|therefore|hence|i\s+(?:think|believe|choose|pick|select))\b[,:]?\s*)*"
    r"(?:(?:the\s+)?(?:(?:correct|final|best|right)\s+)*(?:answers?|options?|choices?)\b\s*"
    r"|it(?=\s+is\b)\s*)?(?:(?:is|are)\b)?\s*:?\s*(?:(?:both|options?|choices?)\b\s*)*",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"^(?:the\s+)?(?:(?:correct|final|best|right)\s+)*answer(?:\s+is\b|\s*:)\s*", re.IGNORECASE
)
_SUFFIX = re.compile(
    r"(?<!\s)\s+(?:(?:is|are)\s+(?:the\s+)?(?:correct|right|best)\b(?:\s+(?:answers?|options?|choices?))?"
    r"|(?:because|since)\b.*)[.!]?$",
    re.IGNORECASE | re.DOTALL,
)
_BULLET = re.compile(r"^[ \t]*[-\u2022\u2013][ \t]+", re.MULTILINE)
_WRITTEN = str.maketrans(
    {"*": None, "`": None, "[": "(", "]": ")", "{": "(", "}": ")", "\u3002": ".", "\u3001": ","}
)
"""Emphasis, other brackets and East Asian stops, as `unicodedata` leaves them."""
_OWN_TEXT = re.compile(rf"({_KEY})\s*[\s=:(\-]\s*(\S.*)", re.DOTALL)
_OPTION = re.compile(rf"\s*(?:\(\s*({_KEY})\s*\)[.:]?|({_KEY})\s*[.):])\s*(.*)", re.DOTALL)
_SPLIT = re.compile(r"[,;\n/&+]|\band\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)")
_SPACE = re.compile(r"\s+")
_MAX_UNWRAP = 8
_EDGE = " \t\r\n.,;:!?\"'`*_$\u201c\u201d\u2018\u2019"

_THINK = re.compile(r"<(?:/?think(?:ing)?|unused9[45])>", re.IGNORECASE)
_THINK_END = re.compile(r"</think(?:ing)?>|<unused95>", re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_FINAL = re.compile(r"^[ \t#*_]*final answer\b[ \t*_]*:?[ \t*_]*", re.IGNORECASE | re.MULTILINE)
_BLANK = " \t\r\n*_"
_OPEN_BOX = re.compile(r"\\boxed\s*\{\s*$")

_ORIGINAL_BRACKETED = re.compile(r"\(([A-Za-z0-9])\)")
_ORIGINAL_MARKED = re.compile(r"\b([A-Za-z0-9])[.:\uff1a,\s]")
_ORIGINAL_ISOLATED = re.compile(r"\b([A-Za-z0-9])\b")


@dataclass(frozen=True)
class Answer:
    r"""What a completion says.

    `reasoning` is the text before the box ("" for none); `answer` is None where nothing could be
    parsed. `num_boxed` counts every `\boxed{` opening under the strict rules (malformed and nested
    ones too), the pattern's matches under the original rules, and under those of tags the openings
    of `<answer>` or, without any, of boxes.
    """

    reasoning: str
    answer: str | None
    num_boxed: int


def parse(text: str, mode: Mode, rules: Rules = "strict") -> Answer:
    """Read one completion. Instruct mode without a box: the whole text is the answer.

    Without a box in reasoning mode the whole text is reasoning and the answer is None. The original
    rules know one mode only and treat both the same. Under the rules of tags the text after closed
    thinking is an answer in both modes; thinking that was cut off has none.
    """
    if rules == "original":
        return _parse_original(text)
    if rules == "tags":
        return _parse_tags(text, mode)
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


def _parse_tags(text: str, mode: Mode) -> Answer:
    """The answer tag before the box, the box before "Final Answer:", that before the plain text."""
    ends = [mark.end() for mark in _THINK_END.finditer(text)]
    if ends and text[ends[-1] :].strip():
        thought, rest = text[: ends[-1]], text[ends[-1] :]
    else:
        thought, rest = "", text
    openings, span = _answer_tags(rest)
    spans, num_boxed = _boxes(rest)
    if span is None:
        read = [(start, _unwrap(content)) for start, content in spans]
        span = next((box for box in reversed(read) if box[1]), None)
    count = openings or num_boxed
    if span is None and not count:
        final = list(_FINAL.finditer(rest))
        if final:
            span = (final[-1].start(), rest[final[-1].end() :].strip(_BLANK))
        elif thought or (mode == "instruct" and not _THINK.search(rest)):
            span = (0, rest.strip())
    if span is None or not span[1]:
        return Answer(_THINK.sub("", text).strip(), None, count)
    before = _OPEN_BOX.sub("", thought + rest[: span[0]])
    return Answer(_THINK.sub("", before).strip(), span[1], count)


def _answer_tags(text: str) -> tuple[int, tuple[int, str] | None]:
    """Number of openings, and start and content of the last closed tag that holds something; of a
    box in it the content."""
    openings, begin = 0, None
    found = None
    for tag in _ANSWER_TAG.finditer(text):
        if not tag.group(1):
            openings, begin = openings + 1, tag
        elif begin is not None:
            content = text[begin.end() : tag.start()]
            inner = [box for _, part in _boxes(content)[0] if (box := _unwrap(part))]
            answer = inner[-1] if inner else _unwrap(content)
            if answer:
                found = (begin.start(), answer)
            begin = None
    return openings, found


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
    plain = _BULLET.sub("", unicodedata.normalize("NFKC", answer).translate(_WRITTEN)).strip(_EDGE)
    bare = _SUFFIX.sub("", _PREFIX.sub("", plain)).strip(_EDGE)
    if not options:
        return frozenset((normalise(_STATED.sub("", plain)) or whole,))
    keyed = _keyed(options)
    if keyed is None:
        by_text = {normalise(option): normalise(option) for option in options}
        return _by_text(answer, by_text) or _by_text(bare, by_text)
    by_text = {text: key for key, text in keyed.items() if text}
    # The whole first: an option may read "2" or "A and B", which are keys too.
    exact = _part(plain, keyed, by_text) or _part(bare, keyed, by_text)
    if exact:
        return frozenset((exact,))
    for candidate in (plain, bare, bare.removeprefix("(").removesuffix(")")):
        if _KEY_LIST.fullmatch(candidate):
            return frozenset(key.upper() for key in _ONE_KEY.findall(candidate))
    return (
        _known(_BRACKETED_KEY, plain, keyed)
        or _known(_LEADING_KEY, plain, keyed)
        or _known(_LEADING_KEY, bare, keyed)
        or _by_text(answer, by_text)
        or _by_parts(bare, keyed, by_text)
    )


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


def _by_parts(answer: str, keyed: dict[str, str], by_text: dict[str, str]) -> frozenset[str]:
    """Options of a list where every part is a key, a text or a key with its own text: "B pneumonia"
    is option B only where option B reads "pneumonia"."""
    found = set()
    for part in _SPLIT.split(answer):
        if part.strip(_EDGE):
            found.add(_part(part.strip(_EDGE), keyed, by_text))
    return frozenset(key for key in found if key) if None not in found else frozenset()


def _part(part: str, keyed: dict[str, str], by_text: dict[str, str]) -> str | None:
    if part.upper() in keyed:
        return part.upper()
    text = normalise(part)
    if text in by_text:
        return by_text[text]
    for written in (_OPTION, _OWN_TEXT):
        found = written.fullmatch(part)
        if found:
            *keys, own = found.groups()
            key = next(key for key in keys if key).upper()
            if own and keyed.get(key) in (normalise(own), normalise(own.removesuffix(")"))):
                return key
    return None
