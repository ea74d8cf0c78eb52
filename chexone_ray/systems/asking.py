"""A question -> the turns that a model is asked with, in its own notation of boxes."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from chexone_ray import boxes, prompts
from chexone_ray.boxes import Codec, Geometry
from chexone_ray.config import PromptConfig
from chexone_ray.data.questions.wordings import QUESTIONS
from chexone_ray.kinds import KINDS, form
from chexone_ray.systems.adapter import Adapter, Posed

WHOLE_REPORTS = frozenset(
    {"findings", "findings_indication", "impression", "impression_indication", "report"}
)
"""Kinds that ask for a report of all that the films show."""
_BOX_HINTS: dict[Codec, str] = {
    "percent": "Answer with boxes as <|ref|>name<|/ref|><|box|>(x1,y1),(x2,y2)<|/box|>, in percent "
    "of width and height.",
    "thousand": 'Answer with a JSON list of {"bbox_2d": [x1, y1, x2, y2], "label": name}, in '
    "thousandths of width and height; an empty list if there is nothing.",
    "pixels": 'Answer with a JSON list of {"bbox_2d": [x1, y1, x2, y2], "label": name}, in pixels '
    "of the image; an empty list if there is nothing.",
    "thousand_yx": 'Answer with a JSON list of {"box_2d": [y1, x1, y2, x2], "label": name}, in '
    "thousandths of height and width; an empty list if there is nothing.",
    "unit": "Answer with boxes as [x1, y1, x2, y2], in fractions of width and height.",
}
"""Of the codecs that a model is told of; the others are of models that were trained on them."""
_MARKED = re.compile(r"<\|ref\|>[^<|]*<\|/ref\|>(?:<\|box\|>[^<|]*<\|/box\|>)+")


def question(adapter: Adapter, posed: Posed, geometry: Geometry | None) -> str:
    """What is asked, without the reasoning suffix."""
    if adapter.report_request and posed.kind in WHOLE_REPORTS:
        return adapter.report_request
    text = _recoded(posed.question, adapter, geometry)
    told = hint(posed, adapter.codec) if adapter.hints else ""
    return f"{text} {told}" if told else text


def turns(
    adapter: Adapter, posed: Posed, wording: PromptConfig, geometry: Geometry | None
) -> list[dict[str, Any]]:
    """Chat turns with one image part a film. Raises ChexoneError for a control token."""
    asked = question(adapter, posed, geometry)
    made = prompts.messages(asked, len(posed.films), posed.mode, wording)
    if adapter.text_first:
        *films, text = made[-1]["content"]
        made[-1]["content"] = [text, *films]
    return made


def own_prompt(adapter: Adapter, posed: Posed, wording: PromptConfig) -> str:
    """What `engine.speech` gives to the code of a model that takes no chat, as JSON."""
    if adapter.protocol == "chexagent":
        asked = question(adapter, posed, None)
        told = prompts.question_text(asked, posed.mode, wording)
        return json.dumps({"system": wording.system, "question": told})
    given: dict[str, Any] = {"films": posed.films}
    if form(posed.kind) == "boxes":
        given["phrase"] = named(posed.kind, posed.question) or posed.question
    else:
        given["indication"] = indication(posed.kind, posed.question) or None
    return json.dumps(given)


def hint(posed: Posed, codec: Codec) -> str:
    """The form that the answer of a kind has to have, in a sentence; empty for reports and text."""
    which = form(posed.kind)
    if which == "boxes":
        return _BOX_HINTS.get(codec, "")
    if which != "options":
        return ""
    if posed.options and all(option.startswith("(") for option in posed.options):
        if posed.kind == "multi_choice":
            return "Answer with the letters of all that are right, such as A, C."
        return "Answer with the letter alone."
    classes = KINDS[posed.kind].classes
    if classes:
        return f"Answer with one of: {', '.join(classes)}."
    return "Answer in as few words as possible."


def named(kind: str, text: str) -> str:
    """The finding or phrase that a question in one of our wordings asks about, or nothing."""
    for pattern in _patterns(kind):
        found = pattern.fullmatch(text.strip())
        if found:
            return found.group(1).strip()
    return ""


def indication(kind: str, text: str) -> str:
    """The indication before a question in one of our wordings, or nothing."""
    before, after = prompts.INDICATION.split("{indication}")
    if not text.startswith(before):
        return ""
    ends = [end for end in QUESTIONS.get(kind, ()) if text.endswith(f" {end}")]
    told = text.removesuffix(max(ends, key=len)).rstrip() if ends else text
    return told.removeprefix(before).removesuffix(after)


@cache
def _patterns(kind: str) -> tuple[re.Pattern[str], ...]:
    """Wordings with one field as patterns, the one with the most words of its own first."""
    found = []
    for wording in sorted(QUESTIONS.get(kind, ()), key=len, reverse=True):
        before, *fields = re.split(r"\{(?:name|text)\}", wording)
        if len(fields) == 1 and "{" not in before + fields[0]:
            found.append(re.compile(re.escape(before) + "(.+?)" + re.escape(fields[0]), re.DOTALL))
    return tuple(found)


def _recoded(text: str, adapter: Adapter, geometry: Geometry | None) -> str:
    """`text` with its boxes, which are in our notation, in that of the model."""
    if adapter.codec == "percent" or geometry is None:
        return text

    def written(found: re.Match[str]) -> str:
        return boxes.encode(boxes.decode(found.group()), adapter.codec, geometry)

    return _MARKED.sub(written, text)
