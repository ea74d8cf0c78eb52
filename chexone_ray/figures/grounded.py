"""Figure 6: how far predicted boxes overlap those of the reference, and some of them on films."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chexone_ray.figures import bars
from chexone_ray.figures.answered import Film, films, is_overlap
from chexone_ray.figures.plates import (
    DOUBLE,
    Drawn,
    Look,
    Skip,
    fitted,
    line_handles,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.runs import ROWS, TABLE, Run, Runs, Score, in_order, rows, scores
from chexone_ray.kinds import form
from chexone_ray.records import Box, ImageRef

NUM_FILMS = 4
FILM_HEIGHT = 2.05
THRESHOLDS = np.linspace(0, 1, 101)
REFERENCE, PREDICTED = "#56B4E9", "#E69F00"
_COLUMNS = ("model", "setting", "kind", "id", "patient", "scores")
_DRAWN = ("model", "setting", "id", "boxes", "predicted_boxes", "images")


def draw(runs: Runs) -> Drawn:
    """Share of questions over each IoU, the mean IoU by setting, and films of one system."""
    given = runs.need("no evaluation is given: run `chexone evaluate`", "evaluation")
    overlaps = {run: of for run in given if (of := _overlaps(run))}
    if not overlaps:
        raise Skip("the evaluations hold no row with an IoU")
    table = _first_overlap(scores(given))
    by_model: dict[str, list[float]] = defaultdict(list)
    for of in overlaps.values():
        for row in of:
            by_model[row["model"]].append(row["overlap"])
    order = in_order(s.model for s in table if not s.baseline and s.model in by_model)
    look = looks([*order, *(name for name in by_model if name not in order)])
    best = max(look, key=lambda name: (np.mean(by_model[name]), name))
    strip = _chosen(overlaps, best)
    found = bars.groups(table, bars.labels(table))
    panel = max(2.2, 0.5 + len(found) * max(0.24, 0.07 * len(look)))
    with page(DOUBLE, panel + (FILM_HEIGHT if strip else 0), "Grounding") as made:
        heights = [panel, FILM_HEIGHT] if strip else [panel]
        top, *below = made.figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        left, right = top[0].subplots(1, 2)
        _curves(left, by_model, look)
        bars.interval_dots(right, found, look, in_order(s.metric for s in table)[0], letters=24)
        right.set_title("mean IoU")
        for row in below:
            _strip(row[0], strip, best)
        made.handles = line_handles(look)
        shown = [score for group in found for score in group.scores.values()]
        baseline = any(group.baseline is not None for group in found)
        made.note = bars.told(shown, "95 % interval over patients", baseline=baseline)
        made.note += " Boxes: reference solid blue, predicted dashed orange." if strip else ""
    return Drawn(
        (made.formats,),
        tuple(run.file(name) for run in overlaps for name in (TABLE, ROWS)),
        tuple(shown.digest for _, _, shown in strip if shown.digest),
        tuple(in_order(score.signature for score in table if score.signature)),
    )


def _first_overlap(table: Sequence[Score]) -> list[Score]:
    """The scores of one IoU of each setting and kind: there are several, of one scale."""
    first: dict[tuple[str, str], str] = {}
    return [
        score
        for score in table
        if form(score.kind) == "boxes"
        and is_overlap(score.metric)
        and not score.topic
        and first.setdefault((score.setting, score.kind), score.metric) == score.metric
    ]


def _overlaps(run: Run) -> list[dict[str, Any]]:
    """Rows with an IoU of their own, as `overlap`."""
    import pyarrow.compute as pc

    kinds = in_order(s.kind for s in scores([run]) if form(s.kind) == "boxes")
    found = []
    for row in rows(run, _COLUMNS, pc.field("kind").isin(kinds)) if kinds else ():
        values = [value for name, value in row["scores"] or () if is_overlap(name)]
        if values and values[0] is not None:
            found.append({**row, "overlap": float(values[0])})
    return found


def shares(overlaps: Sequence[float]) -> np.ndarray[Any, Any]:
    """Share of the overlaps at or above each of THRESHOLDS."""
    values = np.sort(np.array(overlaps))
    return 1 - np.searchsorted(values, THRESHOLDS, side="left") / len(values)


def _curves(axis: Any, by_model: Mapping[str, Sequence[float]], look: Mapping[str, Look]) -> None:
    for name, drawn in look.items():
        axis.plot(
            THRESHOLDS,
            shares(by_model[name]),
            linestyle=drawn.line,
            **drawn.dot,
            markevery=(0.1, 0.2),
            markersize=3.5,
        )
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlabel("IoU of a question")
    axis.set_ylabel("share of questions at or above")
    axis.set_title("distribution of the IoU")


def spread(found: Sequence[Mapping[str, Any]], number: int) -> list[Mapping[str, Any]]:
    """Rows from the best IoU to the worst in equal steps of rank, each of another patient."""
    order = sorted(found, key=lambda row: (-row["overlap"], row["id"]))
    chosen: list[Mapping[str, Any]] = []
    for step in range(min(number, len(order))):
        start = round(step * (len(order) - 1) / max(min(number, len(order)) - 1, 1))
        seen = {row["patient"] for row in chosen}
        # The nearest rank whose patient is not shown yet.
        for at in sorted(range(len(order)), key=lambda at: (abs(at - start), at)):
            if order[at]["patient"] not in seen:
                chosen.append(order[at])
                break
    return sorted(chosen, key=lambda row: (-row["overlap"], row["id"]))


Shown = tuple[Mapping[str, Any], Mapping[str, Any], Film]
"""The row with its overlap, the row with its boxes, and the film."""


def _chosen(overlaps: Mapping[Run, Sequence[Mapping[str, Any]]], model: str) -> list[Shown]:
    import pyarrow.compute as pc

    of_model = [
        {**row, "run": run}
        for run, found in overlaps.items()
        for row in found
        if row["model"] == model
    ]
    rows_: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    for row in spread(of_model, NUM_FILMS):
        where = (pc.field("id") == row["id"]) & (pc.field("model") == model)
        for full in rows(row["run"], _DRAWN, where & (pc.field("setting") == row["setting"])):
            if len(full["images"] or ()) == 1:
                rows_.append((row, full))
    pictures = films(ImageRef(**full["images"][0]) for _, full in rows_)
    return [(*pair, picture) for pair, picture in zip(rows_, pictures, strict=True)]


def _strip(panel: Any, strip: Sequence[Shown], model: str) -> None:
    axes = panel.subplots(1, len(strip), squeeze=False)[0]
    panel.suptitle(
        wrapped(f"{model}: questions from its best to its worst IoU, in equal steps of rank", 95),
        x=0.01,
        ha="left",
        fontsize=7.5,
    )
    for axis, (row, full, shown) in zip(axes, strip, strict=True):
        show(axis, shown, min(FILM_HEIGHT - 0.75, DOUBLE / len(strip) - 0.2))
        if shown.pixels is not None:
            size = shown.pixels.shape[:2]
            outline(axis, _boxes(full["boxes"]), size, REFERENCE, "-")
            outline(axis, _boxes(full["predicted_boxes"]), size, PREDICTED, "--")
        label = ", ".join(in_order(box["label"] for box in full["boxes"] or ())) or "no box"
        axis.set_xlabel(f"{wrapped(label, 28)}\nIoU {row['overlap']:.2f}")


def _boxes(found: Sequence[Mapping[str, Any]] | None) -> list[Box]:
    return [Box(box["label"], tuple(box["xyxy"]), box["image"]) for box in found or ()]  # type: ignore[arg-type]


def show(axis: Any, shown: Film, inches: float) -> None:
    """A film without axes, or a grey square in a frame that says why there is none, in lines of at
    most `inches`."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    for side in axis.spines.values():
        side.set_visible(shown.pixels is None)
    if shown.pixels is None:
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_aspect("equal")
        axis.set_facecolor("#e8e8e8")
        size = 7 if inches > 1.2 else 5.5
        lines = fitted(shown.problem, (inches - 0.1) * 7 / size)
        text = axis.text(0.5, 0.5, "\n".join(lines), fontsize=size, ha="center", va="center")
        text.set_in_layout(False)
        return
    axis.imshow(shown.pixels, interpolation="antialiased")


def outline(axis: Any, boxes: Sequence[Box], size: tuple[int, int], colour: str, line: str) -> None:
    """Boxes over a film of `size` (height, width), solid ones with a dark edge."""
    from matplotlib.patches import Rectangle

    height, width = size
    for box in boxes:
        x1, y1, x2, y2 = box.xyxy
        place = (x1 * width - 0.5, y1 * height - 0.5)
        extent = ((x2 - x1) * width, (y2 - y1) * height)
        edges = ((colour, 1.2),) if line != "-" else (("black", 2.0), (colour, 1.2))
        for edge, thick in edges:
            axis.add_patch(
                Rectangle(
                    place, *extent, fill=False, edgecolor=edge, linewidth=thick, linestyle=line
                )
            )
