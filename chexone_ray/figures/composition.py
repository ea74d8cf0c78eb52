"""What a manifest is made of, as one picture: tasks and data sets by split, lengths, boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chexone_ray import storage
from chexone_ray.data import manifest, stream
from chexone_ray.data.splits import SPLITS
from chexone_ray.figures.charts import BLUE, COLOURS, drawing

FILE = manifest.PICTURE_FILE
MAX_ROW_GROUPS = 40
"""Read for lengths and boxes, spread over the training rows."""
LENGTH_EDGES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Words; the last bin is open."""
MIN_BARS = 8
"""Room for so many bars, so that two of them are no walls."""
GRID = 24
"""Cells a side of the picture of where boxes lie."""


def write(uri: str) -> str:
    """Write `composition.svg` into a manifest's folder; returns its URI."""
    found = manifest.load(uri)
    split = next(iter(found.info["counts"]["split"]))
    places = [
        (storage.join(uri, part.name), number)
        for part in found.of_split(split)
        for number in range(part.row_groups)
    ]
    step = -(-len(places) // MAX_ROW_GROUPS)
    rows = [
        row
        for place, number in places[::step]
        for row in stream.read_row_group(place, number)
        .select(["answer", "reasoning", "boxes"])
        .to_pylist()
    ]
    place = storage.join(uri, FILE)
    storage.write_bytes(place, render(found.info["counts"], rows).encode())
    return place


def render(counts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The picture as SVG text: `counts` of manifest.json, and some training rows with their answer,
    reasoning and boxes."""
    height = 1.2 + 0.2 * max(len(names(counts["task"])), len(names(counts["dataset"])), 8)
    with drawing(13.0, height, 4) as (_, axes, svg):
        _bars(axes[0], counts["task"], "tasks, questions")
        _bars(axes[1], counts["dataset"], "data sets, questions")
        axes[0].legend(loc="lower right", fontsize=7)
        _lengths(axes[2], rows)
        _boxes(axes[3], rows)
    return svg[0]


def names(by_split: Mapping[str, Mapping[str, int]]) -> list[str]:
    """All names, those with the most questions first."""
    total: Counter[str] = Counter()
    for found in by_split.values():
        total.update(found)
    return sorted(total, key=lambda name: (-total[name], name))


def length_counts(texts: Sequence[str]) -> list[int]:
    """How many texts have so many words, by the bins of `LENGTH_EDGES`."""
    words = [len(text.split()) for text in texts]
    counts, _ = np.histogram(words, bins=[*LENGTH_EDGES, np.inf])
    return [int(count) for count in counts]


def box_cover(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(GRID, GRID): how many boxes cover the centre of each cell of the image."""
    cover = np.zeros((GRID, GRID))
    centres = (np.arange(GRID) + 0.5) / GRID
    for row in rows:
        for box in row["boxes"] or ():
            x1, y1, x2, y2 = box["xyxy"]
            inside_y = (centres >= y1) & (centres < y2)
            inside_x = (centres >= x1) & (centres < x2)
            cover += np.outer(inside_y, inside_x)
    return cover


def _bars(axis: Any, by_split: Mapping[str, Mapping[str, int]], title: str) -> None:
    order = names(by_split)
    start = np.zeros(len(order))
    for split, colour in zip(SPLITS, COLOURS, strict=False):
        widths = np.array([by_split.get(split, {}).get(name, 0) for name in order], dtype=float)
        axis.barh(range(len(order)), widths, left=start, color=colour, height=0.7, label=split)
        start += widths
    axis.set_yticks(range(len(order)), order, fontsize=7)
    axis.set_ylim(max(len(order), MIN_BARS) - 0.4, -0.6)
    axis.set_xlabel(title)
    axis.tick_params(axis="x", labelsize=7)


def _lengths(axis: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    labels = [*(str(edge) for edge in LENGTH_EDGES[:-1]), f"{LENGTH_EDGES[-1]}+"]
    for at, name in enumerate(("answer", "reasoning")):
        counts = length_counts([row[name] for row in rows])
        places = np.arange(len(labels)) + (at - 0.5) * 0.4
        axis.bar(places, counts, 0.4, color=COLOURS[at], label=name)
    axis.set_xticks(range(len(labels)), labels, fontsize=7, rotation=60)
    axis.set_xlabel(f"words at least, of {len(rows)} training rows")
    axis.tick_params(axis="y", labelsize=7)
    axis.legend(fontsize=7)


def _boxes(axis: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    cover = box_cover(rows)
    count = sum(len(row["boxes"] or ()) for row in rows)
    axis.set_xlabel(f"{count} boxes, 0-1 of the image")
    axis.grid(False)
    axis.tick_params(labelsize=7)
    axis.set_aspect("equal")
    if count:
        axis.imshow(cover, cmap="Blues", extent=(0, 1, 1, 0))
    else:
        axis.text(0.5, 0.5, "no boxes", ha="center", va="center", color=BLUE)
