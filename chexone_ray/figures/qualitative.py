"""Figure 10: films with their question and what each system thought and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from chexone_ray.figures.answered import Asked, Film, choose, film
from chexone_ray.figures.grounded import REFERENCE, outline, show
from chexone_ray.figures.plates import DOUBLE, TALLEST, Drawn, Look, Skip, looks, page, wrapped
from chexone_ray.figures.runs import Runs, in_order
from chexone_ray.kinds import spoken

NUM_CARDS = 6
FILM_WIDTH = 1.75
LETTERS = 88
"""In a line of text beside the film."""
LINE = 0.132
"""Inches."""
MOST_LINES = {"question": 3, "options": 2, "reference": 4, "reasoning": 4, "answer": 4}
MARK = {True: "\u2713", False: "\u2717", None: "\u2022"}


@dataclass(frozen=True)
class Line:
    """One printed line: `bold` and `colour` of a system's name."""

    text: str
    bold: bool = False
    italic: bool = False
    colour: str = "black"


def draw(runs: Runs) -> Drawn:
    """Cards of as many kinds as fit, the questions on which systems differ first."""
    asked, files = choose(runs, 1)
    if not asked:
        raise Skip("the rows hold no question")
    chosen = some(asked, NUM_CARDS)
    look = looks(in_order(model for item in chosen for model in item.answers))
    films = [film(item.images[0]) if item.images else Film(None, "", "no film") for item in chosen]
    texts = [lines(item, look) for item in chosen]
    heights = [max(FILM_WIDTH + 0.25, LINE * len(found) + 0.15) for found in texts]
    pages = []
    start = 0
    while start < len(chosen):
        stop = start + 1
        while stop < len(chosen) and sum(heights[start : stop + 1]) < TALLEST - 0.6:
            stop += 1
        cards = list(zip(chosen, films, texts, heights, strict=True))[start:stop]
        pages.append(_page(cards, look))
        start = stop
    digests = tuple(item.digest for item in films if item.digest)
    return Drawn(tuple(pages), files, digests)


def some(asked: Sequence[Asked], most: int) -> list[Asked]:
    """Questions of different forms of answers in turn: boxes, choices, reports, texts."""
    by_kind: dict[str, list[Asked]] = {}
    for item in asked:
        by_kind.setdefault(item.kind, []).append(item)
    kinds = sorted(by_kind, key=lambda kind: (not any(i.boxes for i in by_kind[kind]), kind))
    turns = zip_longest(*(by_kind[kind] for kind in kinds))
    return [item for turn in turns for item in turn if item is not None][:most]


def lines(item: Asked, look: Mapping[str, Look]) -> list[Line]:
    """The text of a card, cut to what a card has room for."""
    where = [spoken(item.kind), item.setting, item.topic]
    found = [Line(", ".join(part for part in where if part), italic=True, colour="#555555")]
    found += [Line(text, bold=True) for text in _cut(item.question, "question")]
    if item.options:
        found += [Line(text) for text in _cut("  ".join(item.options), "options")]
    found += [Line(t) for t in _cut(f"Reference: {item.reference or '(none)'}", "reference")]
    for model, answer in item.answers.items():
        word = f" ({answer.verdict})" if answer.verdict else ""
        head = f"{MARK[answer.right]} {model}{word}"
        found.append(Line(head, bold=True, colour=look[model].colour))
        if answer.reasoning:
            found += [Line(t, italic=True) for t in _cut(answer.reasoning, "reasoning")]
        if answer.text:
            found += [Line(text) for text in _cut(f"Answer: {answer.text}", "answer")]
    return found


def _cut(text: str, part: str) -> list[str]:
    found = wrapped(" ".join(text.split()), LETTERS).splitlines()
    most = MOST_LINES[part]
    if len(found) > most:
        found = [*found[: most - 1], found[most - 1][: LETTERS - 4] + " ..."]
    return found


def _page(
    cards: Sequence[tuple[Asked, Film, Sequence[Line], float]], look: Mapping[str, Look]
) -> Mapping[str, bytes]:
    heights = [height for *_, height in cards]
    with page(DOUBLE, sum(heights) + 0.55, "Answers by system") as made:
        grid = made.figure.add_gridspec(
            len(cards), 2, height_ratios=heights, width_ratios=[FILM_WIDTH, DOUBLE - FILM_WIDTH]
        )
        for at, (item, shown, texts, height) in enumerate(cards):
            axis = made.figure.add_subplot(grid[at, 0])
            show(axis, shown)
            axis.set_anchor("N")
            if shown.pixels is not None:
                _boxes(axis, item, shown, look)
            if len(item.images) > 1:
                axis.set_xlabel(f"film 1 of {len(item.images)}")
            _write(made.figure.add_subplot(grid[at, 1]), texts, height)
        made.note = (
            "Texts are cut where dots end them. Solid light blue boxes: reference; others in the "
            "colour of the system."
        )
    return made.formats


def _boxes(axis: Any, item: Asked, shown: Film, look: Mapping[str, Look]) -> None:
    size = shown.pixels.shape[:2]  # type: ignore[union-attr]
    outline(axis, [box for box in item.boxes if box.image == 0], size, REFERENCE, "-")
    for model, answer in item.answers.items():
        drawn = [box for box in answer.boxes if box.image == 0]
        outline(axis, drawn, size, look[model].colour, "--" if look[model].line == "-" else ":")


def _write(axis: Any, texts: Sequence[Line], height: float) -> None:
    axis.set_axis_off()
    axis.set_xlim(0, 1)
    axis.set_ylim(height, 0)
    for at, line in enumerate(texts):
        axis.text(
            0,
            at * LINE,
            line.text,
            va="top",
            fontweight="bold" if line.bold else "normal",
            fontstyle="italic" if line.italic else "normal",
            color=line.colour,
        )
