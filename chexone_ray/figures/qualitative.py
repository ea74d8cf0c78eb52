"""Figure 10: films with their question and what each system thought and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from chexone_ray.figures.answered import (
    LABELS_TOLD,
    NO_ANSWER,
    Asked,
    Film,
    choose,
    films,
    of_labels,
    parted,
)
from chexone_ray.figures.grounded import PREDICTED, REFERENCE, outline, show
from chexone_ray.figures.plates import DOUBLE, TALLEST, Drawn, Skip, fitted, page
from chexone_ray.figures.runs import Runs
from chexone_ray.kinds import spoken

NUM_CARDS = 6
FILM_WIDTH = 1.75
TEXT_WIDTH = DOUBLE - FILM_WIDTH - 0.2
"""Inches."""
LINE = 0.132
"""Inches."""
MOST_LINES = {"question": 3, "options": 2, "reference": 3}
ANSWER_LINES = 12
"""Of all systems together: one has at least two of its trace and two of its answer."""
MARK = {True: "\u2713", False: "\u2717", None: "\u2022"}


@dataclass(frozen=True)
class Line:
    """One printed line."""

    text: str
    bold: bool = False
    italic: bool = False


def draw(runs: Runs) -> Drawn:
    """Cards of as many kinds as fit, the questions on which systems differ first."""
    asked, files = choose(runs, 1)
    if not asked:
        raise Skip("the rows hold no question")
    chosen = some(asked, NUM_CARDS)
    read = iter(films(item.images[0] for item in chosen if item.images))
    pictures = [next(read) if item.images else Film(None, "", "no film") for item in chosen]
    texts = [lines(item) for item in chosen]
    heights = [
        max(_films_height(item), LINE * len(found) + 0.15)
        for item, found in zip(chosen, texts, strict=True)
    ]
    pages = []
    start = 0
    while start < len(chosen):
        stop = start + 1
        while stop < len(chosen) and sum(heights[start : stop + 1]) < TALLEST:
            stop += 1
        pages.append(_page(list(zip(chosen, pictures, texts, heights, strict=True))[start:stop]))
        start = stop
    digests = tuple(item.digest for item in pictures if item.digest)
    return Drawn(tuple(pages), files, digests)


def some(asked: Sequence[Asked], most: int) -> list[Asked]:
    """One question of each kind in turn, kinds with boxes first."""
    by_kind: dict[str, list[Asked]] = {}
    for item in asked:
        by_kind.setdefault(item.kind, []).append(item)
    kinds = sorted(by_kind, key=lambda kind: (not any(i.boxes for i in by_kind[kind]), kind))
    turns = zip_longest(*(by_kind[kind] for kind in kinds))
    return [item for turn in turns for item in turn if item is not None][:most]


def lines(item: Asked) -> list[Line]:
    """The text of a card, cut to what a card has room for."""
    where = ", ".join(part for part in (item.setting, spoken(item.kind), item.topic) if part)
    found = [Line(where, italic=True)]
    question, options = parted(item.question, item.options)
    found += [Line(text, bold=True) for text in _cut(question, MOST_LINES["question"], True)]
    if options:
        found += [Line(text) for text in _cut("; ".join(options), MOST_LINES["options"])]
    reference = f"Reference: {item.reference or '(none)'}"
    found += [Line(text) for text in _cut(reference, MOST_LINES["reference"])]
    most = max(2, ANSWER_LINES // max(len(item.answers), 1) // 2)
    for model, answer in item.answers.items():
        word = f" ({answer.verdict})" if answer.verdict else ""
        found.append(Line(f"{MARK[answer.right]} {model}{word}", bold=True))
        found += [Line(text, italic=True) for text in _cut(answer.reasoning, most)]
        if answer.text:
            word = "Said" if answer.verdict in NO_ANSWER else "Answer"
            found += [Line(text) for text in _cut(f"{word}: {answer.text}", most)]
    return found


def _cut(text: str, most: int, bold: bool = False) -> list[str]:
    found = fitted(text, TEXT_WIDTH, bold=bold)
    if len(found) > most:
        found = [
            *found[: most - 1],
            fitted(found[most - 1], TEXT_WIDTH - 0.2, bold=bold)[0] + " ...",
        ]
    return found


def _boxed(item: Asked) -> list[str]:
    """The systems whose boxes are drawn, each on a film of its own."""
    if item.boxes or any(answer.boxes for answer in item.answers.values()):
        return list(item.answers)
    return []


def _films_height(item: Asked) -> float:
    systems = len(_boxed(item))
    columns = 2 if systems > 1 else 1
    rows = -(-max(systems, 1) // columns)
    return rows * (FILM_WIDTH / columns + (0.3 if systems else 0)) + 0.2


def _page(cards: Sequence[tuple[Asked, Film, Sequence[Line], float]]) -> Mapping[str, bytes]:
    heights = [height for *_, height in cards]
    with page(DOUBLE, sum(heights), "Answers by system") as made:
        rows = made.figure.subfigures(len(cards), 1, height_ratios=heights, squeeze=False)[:, 0]
        for row, (item, shown, texts, height) in zip(rows, cards, strict=True):
            left, right = row.subfigures(1, 2, width_ratios=[FILM_WIDTH, DOUBLE - FILM_WIDTH])
            _films(left, item, shown)
            for at, line in enumerate(texts):
                right.text(
                    0.01,
                    1 - (0.06 + at * LINE) / height,
                    line.text,
                    va="top",
                    fontweight="bold" if line.bold else "normal",
                    fontstyle="italic" if line.italic else "normal",
                )
        made.note = "Cut texts end in dots."
        if any(_boxed(item) for item, *_ in cards):
            made.note += " Boxes: reference solid blue, the system's dashed orange."
        if any(of_labels(item) for item, *_ in cards):
            made.note += f" {LABELS_TOLD}"
    return made.formats


def _films(panel: Any, item: Asked, shown: Film) -> None:
    systems: list[str] = _boxed(item)
    columns = 2 if len(systems) > 1 else 1
    rows = -(-max(len(systems), 1) // columns)
    axes = panel.subplots(rows, columns, squeeze=False).ravel()
    for at, axis in enumerate(axes):
        if at >= max(len(systems), 1):
            axis.set_axis_off()
            continue
        show(axis, shown, FILM_WIDTH / columns - 0.15)
        axis.set_anchor("N")
        if systems:
            axis.set_title(_short(systems[at]), fontsize=6, fontweight="normal")
            if shown.pixels is not None:
                size = shown.pixels.shape[:2]
                said = item.answers[systems[at]].boxes
                outline(axis, [box for box in item.boxes if box.image == 0], size, REFERENCE, "-")
                outline(axis, [box for box in said if box.image == 0], size, PREDICTED, "--")
        elif len(item.images) > 1:
            axis.set_xlabel(f"film 1 of {len(item.images)}")


def _short(name: str, letters: int = 17) -> str:
    return name if len(name) <= letters else f"{name[: letters - 3]}..."
