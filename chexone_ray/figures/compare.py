"""compare.html: questions with their films, and what each system answered, side by side.

One file that opens without a network; a few lines of script show a kind, a system, right or wrong.
It holds films and report text: it goes where the results may go.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from chexone_ray import images
from chexone_ray.figures.answered import (
    LABELS_TOLD,
    Answer,
    Asked,
    Film,
    choose,
    films,
    of_labels,
    parted,
)
from chexone_ray.figures.grounded import PREDICTED, REFERENCE
from chexone_ray.figures.page import document, escape
from chexone_ray.figures.plates import Drawn, Skip
from chexone_ray.figures.runs import Runs, in_order
from chexone_ray.kinds import spoken
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box

TITLE = "Answers by system"
_TOLD = (
    "Of every setting and kind, questions on which systems differ, all wrong and all right in "
    "turn. Correct is the option of the reference, or boxes of a mean IoU of 0.5 or more; reports "
    "are right by degrees, so their score is told."
)
_HERE = Path(__file__).parent
_VERDICTS = (("", "any"), ("yes", "correct"), ("no", "wrong"), ("differ", "systems differ"))


def page(runs: Runs, per_kind: int) -> tuple[bytes, Drawn]:
    """The page, and what it was made from. Skip where no row is given."""
    asked, files = choose(runs, per_kind)
    if not asked:
        raise Skip("the rows hold no question")
    read = iter(films(image for item in asked for image in item.images))
    of = [[next(read) for _ in item.images] for item in asked]
    digests = in_order(one.digest for some in of for one in some if one.digest)
    return render(asked, of).encode(), Drawn((), files, tuple(digests))


def render(asked: Sequence[Asked], pictures: Sequence[Sequence[Film]]) -> str:
    """The page as text; `pictures[i]` are the films of `asked[i]`."""
    kinds = in_order(_kind(item) for item in asked)
    systems = in_order(model for item in asked for model in item.answers)
    cards = [_card(i, item, of) for i, (item, of) in enumerate(zip(asked, pictures, strict=True))]
    head = (
        f"<h1>{TITLE}</h1><p class='banner'>{escape(RESEARCH_USE_ONLY)}</p>"
        f"<p class='soft'>{_TOLD}</p>"
    )
    body = (
        f"<style>{(_HERE / 'compare.css').read_text()}</style>{head}"
        f"<div class='choices'>{_select('kind', [('', 'all'), *((k, k) for k in kinds)])}"
        f"{_select('system', [('', 'all'), *((name, name) for name in systems)])}"
        f"{_select('verdict', _VERDICTS)}<span class='soft'><b id='shown'>{len(cards)}</b> of "
        f"{len(cards)} questions</span><span class='soft key'>"
        f"<i style='border-top:3px solid {REFERENCE}'></i>reference"
        f"<i style='border-top:3px dashed {PREDICTED}'></i>predicted</span></div>"
        f"{''.join(cards)}<script>{(_HERE / 'compare.js').read_text()}</script>"
    )
    return document(TITLE, body)


def _kind(item: Asked) -> str:
    return ": ".join(part for part in (item.setting, spoken(item.kind)) if part)


def _select(name: str, options: Sequence[tuple[str, str]]) -> str:
    inside = "".join(f"<option value='{escape(v)}'>{escape(text)}</option>" for v, text in options)
    return f"<label>{name} <select id='{name}'>{inside}</select></label>"


def _card(number: int, item: Asked, pictures: Sequence[Film]) -> str:
    boxed = bool(item.boxes) or any(answer.boxes for answer in item.answers.values())
    shown = "".join(
        _picture(number, at, one, [box for box in item.boxes if box.image == at], ())
        for at, one in enumerate(pictures)
    )
    systems = "".join(
        _said(number, model, answer, item, pictures if boxed else ())
        for model, answer in item.answers.items()
    )
    topic = f" \u00b7 {escape(item.topic)}" if item.topic else ""
    question, told = parted(item.question, item.options)
    note = f"<p class='soft'>{LABELS_TOLD}</p>" if of_labels(item) else ""
    options = f"<p>{'<br>'.join(map(escape, told))}</p>" if told else ""
    return (
        f"<article class='asked' data-kind='{escape(_kind(item))}'>{_definitions(number, pictures)}"
        f"<div><div class='films'>{shown}</div><p class='soft'>{escape(_kind(item))}{topic}</p>"
        f"<h3>{escape(question)}</h3>{options}<p class='reference'>"
        f"<span class='soft'>reference</span> {escape(item.reference or '(none)')}</p>{note}</div>"
        f"<div class='systems'>{systems}</div></article>"
    )


def _said(number: int, model: str, answer: Answer, item: Asked, pictures: Sequence[Film]) -> str:
    right = {True: "yes", False: "no", None: ""}[answer.right]
    colour = {True: "correct", False: "wrong", None: "soft"}[answer.right]
    drawn = "".join(
        _picture(
            number,
            at,
            one,
            [box for box in item.boxes if box.image == at],
            [box for box in answer.boxes if box.image == at],
        )
        for at, one in enumerate(pictures)
    )
    trace = f"<p class='trace'>{escape(answer.reasoning)}</p>" if answer.reasoning else ""
    return (
        f"<section class='said' data-system='{escape(model)}' data-right='{right}'>"
        f"<h4>{escape(model)} <span class='{colour}'>{escape(answer.verdict)}</span></h4>{drawn}"
        f"{trace}<p class='answer'>{escape(answer.text)}</p></section>"
    )


def _definitions(number: int, pictures: Sequence[Film]) -> str:
    """Each film once a card; the pictures of the card refer to it."""
    found = ""
    for at, one in enumerate(pictures):
        if one.pixels is not None:
            height, width = one.pixels.shape[:2]
            data = base64.b64encode(images.to_png(one.pixels)).decode()
            found += (
                f"<image id='f{number}-{at}' width='{width}' height='{height}' "
                f"href='data:image/png;base64,{data}'/>"
            )
    hidden = "style='position:absolute' width='0' height='0' aria-hidden='true'"
    return f"<svg {hidden}><defs>{found}</defs></svg>" if found else ""


def _picture(
    number: int, at: int, one: Film, reference: Sequence[Box], predicted: Sequence[Box]
) -> str:
    if one.pixels is None:
        return f"<p class='nofilm'>{escape(one.problem)}</p>"
    height, width = one.pixels.shape[:2]
    drawn = [_rect(box, width, height, REFERENCE, "") for box in reference]
    dash = "stroke-dasharray='8 6'"
    drawn += [_rect(box, width, height, PREDICTED, dash) for box in predicted]
    return (
        f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='film'>"
        f"<use href='#f{number}-{at}'/>{''.join(drawn)}</svg>"
    )


def _rect(box: Box, width: int, height: int, colour: str, dash: str) -> str:
    x1, y1, x2, y2 = box.xyxy
    return (
        f"<rect x='{x1 * width:.1f}' y='{y1 * height:.1f}' width='{(x2 - x1) * width:.1f}' "
        f"height='{(y2 - y1) * height:.1f}' fill='none' stroke='{colour}' "
        f"stroke-width='2.5' vector-effect='non-scaling-stroke' {dash}>"
        f"<title>{escape(box.label)}</title></rect>"
    )
