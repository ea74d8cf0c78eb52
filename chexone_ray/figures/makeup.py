"""Figure 1: what a manifest is made of, by task and data set, and how much of it has reasoning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chexone_ray import storage
from chexone_ray.data import manifest
from chexone_ray.figures.plates import (
    DOUBLE,
    Drawn,
    Page,
    bar_handles,
    end_axis,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.runs import Run, Runs

MODES = ("with reasoning", "answer alone")
ROW_HEIGHT = 0.165
COLUMNS = ("task", "dataset", "mode")


@dataclass(frozen=True)
class Makeup:
    """Rows of one split: `by[column][value]` are (with reasoning, without)."""

    split: str
    by: Mapping[str, Mapping[str, tuple[int, int]]]

    @property
    def total(self) -> tuple[int, int]:
        """(with reasoning, without) of all rows."""
        found = self.by["task"].values()
        return sum(pair[0] for pair in found), sum(pair[1] for pair in found)


def draw(runs: Runs) -> Drawn:
    """A page a manifest."""
    found = runs.need("no manifest is given: give the output_uri of `prepare`", "manifest")
    pages = tuple(_page(run).formats for run in found)
    return Drawn(pages, tuple(run.file(manifest.MANIFEST_FILE) for run in found))


def count(run: Run) -> Makeup:
    """The rows of the first split (training, where there is one), by reading three columns."""
    import pyarrow.parquet as pq

    body = manifest.load(run.uri)
    split = next(iter(body.info["counts"]["split"]))
    counted: Counter[tuple[str, str, str]] = Counter()
    for part in body.of_split(split):
        system, path = storage.filesystem(storage.join(run.uri, part.name))
        table = pq.read_table(path, filesystem=system, columns=list(COLUMNS), partitioning=None)
        groups = table.group_by(list(COLUMNS)).aggregate([([], "count_all")]).to_pylist()
        for row in groups:
            counted[row["task"], row["dataset"], row["mode"]] += row["count_all"]
    by: dict[str, dict[str, tuple[int, int]]] = {"task": {}, "dataset": {}}
    for (task, dataset, mode), number in counted.items():
        for column, value in (("task", task), ("dataset", dataset)):
            traced, plain = by[column].get(value, (0, 0))
            is_traced = mode == "reasoning"
            by[column][value] = (traced + number * is_traced, plain + number * (not is_traced))
    return Makeup(split, by)


def share(pair: tuple[int, int]) -> str:
    """ "58 %" of the rows have reasoning."""
    return f"{100 * pair[0] / max(sum(pair), 1):.0f} %"


def _page(run: Run) -> Page:
    found = count(run)
    rows = sum(found.total)
    others = {
        split: number
        for split, number in manifest.load(run.uri).info["counts"]["split"].items()
        if split != found.split
    }
    kept_apart = ", ".join(f"{split} {number:,}" for split, number in others.items())
    title = f"{rows:,} {found.split} rows of {run.name}, {share(found.total)} with reasoning" + (
        f"\n(beside them: {kept_apart})" if kept_apart else ""
    )
    longest = max(len(found.by["task"]), len(found.by["dataset"]), 4)
    with page(DOUBLE, 0.5 + ROW_HEIGHT * longest, title) as made:
        axes = made.figure.subplots(1, 2)
        look = looks(MODES)
        for axis, column, name in zip(axes, ("task", "dataset"), ("task", "data set"), strict=True):
            _bars(axis, found.by[column], longest, f"rows by {name}")
        made.handles = bar_handles(look)
        made.note = "Beside a bar: rows, and the share of them with reasoning."
    return made


def _bars(axis: Any, found: Mapping[str, tuple[int, int]], longest: int, xlabel: str) -> None:
    order = sorted(found, key=lambda name: (-sum(found[name]), name))
    look = looks(MODES)
    start = [0] * len(order)
    for at, mode in enumerate(MODES):
        sizes = [found[name][at] for name in order]
        axis.barh(range(len(order)), sizes, left=start, height=0.72, **look[mode].bar)
        start = [a + b for a, b in zip(start, sizes, strict=True)]
    for at, name in enumerate(order):
        text = f" {sum(found[name]):,} \u00b7 {share(found[name])}"
        axis.text(start[at], at, text, va="center", fontsize=6)
    axis.set_yticks(range(len(order)), [wrapped(name, 42) for name in order], fontsize=6.5)
    axis.set_ylim(longest - 0.4, -0.6)
    axis.set_xlim(0, max(start, default=1) * 1.42)
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_formatter(lambda value, _: short(value))
    axis.xaxis.get_major_locator().set_params(nbins=4)
    axis.set_xlabel(xlabel)
    end_axis(axis, len(order))


def short(value: float) -> str:
    """12000 as "12k", 3000000 as "3M"."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
