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
from dataclasses import dataclass

from chexone_ray.options import (
    TEXT_COMMAND,
    Rules,
    choice_of,
    chosen_options,
    normalise,
    original_options,
)
from chexone_ray.records import Mode

__all__ = [
    "Answer",
    "Rules",
    "boxed",
    "choice_of",
    "chosen_options",
    "normalise",
    "original_options",
    "parse",
]

_TOKEN = re.compile(r"\\boxed\s*\{|\\[{}]|[{}]")
_ESCAPED = re.compile(r"\\[{}]")
_ORIGINAL_OPENING = "\\boxed{"

_MAX_UNWRAP = 8

_THINK = re.compile(r"<(?:/?think(?:ing)?|unused9[45])>", re.IGNORECASE)
_THINK_END = re.compile(r"</think(?:ing)?>|<unused95>", re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_FINAL = re.compile(r"^[ \t#*_]*final answer\b[ \t*_]*:?[ \t*_]*", re.IGNORECASE | re.MULTILINE)
_BLANK = " \t\r\n*_"
_OPEN_BOX = re.compile(r"\\boxed\s*\{\s*$")


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
    r"""`answer` as `\boxed{answer}`; braces that do not balance or hold nothing become round
    brackets, because a box around them could not be read back."""
    depth = 0
    for character in _ESCAPED.sub("", answer):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            break
    if depth or not _unwrap(answer):
        answer = answer.replace("{", "(").replace("}", ")")
    answer += " " if answer.endswith("\\") else ""  # which would escape the brace
    return f"\\boxed{{{answer}}}"


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
        command = TEXT_COMMAND.fullmatch(content)
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
