"""Figure 7: quality of the reasoning by metric, system and mode."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chexone_ray.errors import ChexoneError
from chexone_ray.figures.plates import (
    DOUBLE,
    SINGLE,
    TALLEST,
    Drawn,
    Skip,
    bar_handles,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.runs import REASONING, TABLE, Run, Runs, in_order, scores
from chexone_ray.kinds import spoken

PREFIX = "reasoning:"
MODES = {"reasoning": "with reasoning", "instruct": "without reasoning", "": "all rows"}
PANEL_HEIGHT, LINE = 1.5, 0.125
"""Inches: of a panel without the names under it, and of a line of those."""


@dataclass(frozen=True)
class Quality:
    """One number about reasoning."""

    model: str
    mode: str
    metric: str
    value: float
    low: float
    high: float
    signature: str = ""


def draw(runs: Runs) -> Drawn:
    """A panel a metric; systems side by side, a bar a mode."""
    given = runs.need("no evaluation is given", "evaluation", "reasoning")
    found = [item for run in given for item in of_run(run)]
    if not found:
        raise Skip(f"no evaluation has a {REASONING} or a metric named {PREFIX}...")
    metrics = in_order(item.metric for item in found)
    modes = in_order(item.mode for item in found)
    systems = in_order(item.model for item in found)
    look = looks([MODES.get(mode, mode) for mode in modes])
    wide = len(systems) * (0.12 * len(modes) + 0.25) + 0.7 > SINGLE
    columns = 1 if wide or len(metrics) == 1 else 2
    width = SINGLE if columns == 1 and not wide else DOUBLE
    names = _names(systems, width / columns)
    height = PANEL_HEIGHT + LINE * max(len(name.splitlines()) for name in names)
    size = columns * int(TALLEST / height)
    pages = []
    for start in range(0, len(metrics), size):
        part = metrics[start : start + size]
        num_rows = -(-len(part) // columns)
        with page(width, num_rows * height, "Reasoning") as made:
            axes = made.figure.subplots(num_rows, columns, squeeze=False).ravel()
            for axis, metric in zip(axes, part, strict=False):
                here = [item for item in found if item.metric == metric]
                _panel(axis, here, systems, modes)
                axis.set_xticks(range(len(systems)), names)
                axis.set_title(wrapped(metric, int(width / columns / 0.075)))
            for axis in axes[len(part) :]:
                axis.set_axis_off()
            if modes != [""]:
                made.handles = bar_handles(look)
            made.note = "Lines: 95 % interval."
        pages.append(made.formats)
    files = tuple(
        run.file(name)
        for run in given
        for name in (REASONING, TABLE)
        if any(True for _ in _of_file(run, name))
    )
    signatures = tuple(in_order(item.signature for item in found if item.signature))
    return Drawn(tuple(pages), files, (), signatures)


def of_run(run: Run) -> list[Quality]:
    """The numbers of reasoning.json, then those of the table whose kind or metric says so."""
    return [*_of_file(run, REASONING), *_of_file(run, TABLE)]


def _of_file(run: Run, name: str) -> list[Quality]:
    if name == REASONING:
        return [_quality(row, run.file(name)) for row in run.json(name) or ()]
    if run.sort != "evaluation":
        return []
    found = []
    for score in scores([run]):
        if score.topic or not (score.kind.startswith(PREFIX) or score.metric.startswith(PREFIX)):
            continue
        metric = score.metric.removeprefix(PREFIX).strip()
        where = [part for part in (score.setting, spoken(score.kind.removeprefix(PREFIX))) if part]
        title = f"{metric} ({', '.join(where)})" if where else metric
        numbers = (score.value, score.low, score.high, score.signature)
        found.append(Quality(score.model, "", title, *numbers))
    return found


def _quality(row: Mapping[str, Any], place: str) -> Quality:
    try:
        value, low, high = (
            math.nan if row[name] is None else float(row[name]) for name in ("value", "low", "high")
        )
        signature = row.get("signature", "")
        return Quality(row["model"], row["mode"], row["metric"], value, low, high, signature)
    except KeyError as error:
        raise ChexoneError(f"{place}: a row lacks {error}: evaluate again") from None


def _names(systems: Sequence[str], width: float) -> list[str]:
    letters = max(6, int((width - 0.7) / len(systems) / 0.062) - 1)
    return [wrapped(name, letters) for name in systems]


def _panel(
    axis: Any, found: Sequence[Quality], systems: Sequence[str], modes: Sequence[str]
) -> None:
    look = looks([MODES.get(mode, mode) for mode in modes])
    present = [mode for mode in modes if any(item.mode == mode for item in found)]
    bar = 0.8 / len(modes)
    for at, system in enumerate(systems):
        for i, mode in enumerate(present):
            for item in found:
                if (item.model, item.mode) != (system, mode):
                    continue
                x = at + (i - (len(present) - 1) / 2) * bar
                axis.bar(x, item.value, bar * 0.94, **look[MODES.get(mode, mode)].bar)
                axis.plot([x, x], [item.low, item.high], color="black", linewidth=0.8)
    axis.set_xlim(-0.6, len(systems) - 0.4)
    highs = [item.high for item in found if math.isfinite(item.high)]
    axis.set_ylim(0, max([1.0, *highs]) * 1.02)
    axis.tick_params(axis="x", length=0)
    axis.grid(False, axis="x")
