"""Figure 7: quality of the reasoning and what its probes change, by metric, system and mode."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.tables import LEAST_SCORED
from chexone_ray.figures import bars
from chexone_ray.figures.plates import (
    DOUBLE,
    SINGLE,
    TALLEST,
    Drawn,
    Look,
    Skip,
    end_axis,
    line_handles,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.runs import REASONING, TABLE, Run, Runs, in_order, scores
from chexone_ray.kinds import spoken

PREFIX = "reasoning:"
COLUMNS, LETTERS, TITLE, FRAME = 3, 20, 16, 0.72
"""Panels beside each other, letters in a line of a row's name and of a title, inches of a panel
besides its rows."""
THIN = f"faint: no interval, or fewer than {LEAST_SCORED} scored rows or patients"
ALONE, PLAIN, WHOLE = "trace and answer", "as asked", "all rows"
"""Panel of the metrics with one row each; row of a metric without probe, of one without kind."""


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
    few: bool = False
    """True where next to no row or patient is scored."""

    @property
    def is_thin(self) -> bool:
        """True for a value that says next to nothing: without an interval, or of few rows."""
        return self.few or not math.isfinite(self.low)


@dataclass(frozen=True)
class Panel:
    """Rows by name: the numbers of one metric each."""

    title: str
    rows: Mapping[str, Sequence[Quality]]


def draw(runs: Runs) -> Drawn:
    """A panel a metric with its probes as rows; a dot a system, hollow without reasoning and faint
    where it rests on next to nothing."""
    given = runs.need("no evaluation is given", "evaluation", "reasoning")
    found = [item for run in given for item in of_run(run)]
    if not found:
        raise Skip(f"no evaluation has a {REASONING} or a metric named {PREFIX}...")
    modes = in_order(item.mode for item in found)
    look = looks(in_order(item.model for item in found))
    lines = max(len(_name(name).splitlines()) for part in panels(found) for name in part.rows)
    each = max(0.12 * lines + 0.05, 0.085 * len(look) + 0.08)
    shown = panels(found, int((TALLEST - FRAME) / each))
    columns = min(COLUMNS, len(shown))
    pages = []
    while shown:
        tries = [_packed(shown[:count], columns, each) for count in range(1, len(shown) + 1)]
        here = max(1, sum(max(_height(c, each) for c in found_) <= TALLEST for found_ in tries))
        parts = tries[here - 1]
        high = max(_height(column, each) for column in parts)
        with page(SINGLE if columns == 1 else DOUBLE, high, "Reasoning") as made:
            grid = made.figure.add_gridspec(1, len(parts))
            for at, column in enumerate(parts):
                sizes: list[float] = [len(part.rows) for part in column]
                sizes[-1] += (high - _height(column, each)) / each
                inner = grid[0, at].subgridspec(len(column), 1, height_ratios=sizes)
                for down, (part, size) in enumerate(zip(column, sizes, strict=True)):
                    _panel(made.figure.add_subplot(inner[down, 0]), part, look, size)
            made.handles = [*line_handles(look, line=False), *_mode_handles(modes)]
            weak = [replace(item, low=math.nan) if item.is_thin else item for item in found]
            made.note = bars.told(weak, "95 % interval", none=THIN)
        pages.append(made.formats)
        shown = shown[here:]
    files = tuple(
        run.file(name)
        for run in given
        for name in (REASONING, TABLE)
        if any(True for _ in _of_file(run, name))
    )
    signatures = tuple(in_order(item.signature for item in found if item.signature))
    return Drawn(tuple(pages), files, (), signatures)


def _height(column: Sequence[Panel], each: float) -> float:
    """Inches of panels below each other, at `each` a row."""
    return sum(FRAME + each * len(part.rows) for part in column)


def _packed(parts: Sequence[Panel], columns: int, each: float) -> list[list[Panel]]:
    """The panels in columns of about equal height: the longest first, each where most room is; in
    their own order within a column, and the columns in that of their first."""
    found: list[list[int]] = [[] for _ in range(min(columns, len(parts)))]
    for at in sorted(range(len(parts)), key=lambda at: -len(parts[at].rows)):
        min(found, key=lambda column: _height([parts[i] for i in column], each)).append(at)
    return [[parts[at] for at in column] for column in sorted(map(sorted, found))]


def panels(found: Sequence[Quality], most: int = 1000) -> list[Panel]:
    """A panel for "accuracy", "accuracy, blank image", ... or "factuality (side)", ...; one for
    the metrics that are alone, the last. Longer ones go on in a further panel after `most` rows."""
    parts = {metric: _parts(metric) for metric in in_order(item.metric for item in found)}
    of_name = Counter(name for name, _ in parts.values())
    probed = {metric.partition(", ")[0] for metric in parts if "(" not in metric and "," in metric}
    rows: dict[str, dict[str, list[Quality]]] = {}
    for metric, (name, probe) in parts.items():
        row = probe or (PLAIN if name in probed else WHOLE)
        title, row = (name, row) if of_name[name] > 1 else (ALONE, metric)
        rows.setdefault(title, {})[row] = [item for item in found if item.metric == metric]
    if ALONE in rows:
        rows[ALONE] = rows.pop(ALONE)
    return [
        Panel(title, dict(list(of.items())[at : at + most]))
        for title, of in rows.items()
        for at in range(0, len(of), most)
    ]


def _parts(metric: str) -> tuple[str, str]:
    """Metric and probe of "accuracy, blank image", metric and kind of "factuality (side)"."""
    name, _, kind = metric.partition(" (")
    if kind:
        return name, kind.removesuffix(")")
    name, _, probe = metric.partition(", ")
    return name, probe


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
        scored = (score.num_scored, score.num_patients_scored)
        few = any(number is not None and number < LEAST_SCORED for number in scored)
        numbers = (score.value, score.low, score.high, score.signature, few)
        found.append(Quality(score.model, "", title, *numbers))
    return found


def _quality(row: Mapping[str, Any], place: str) -> Quality:
    try:
        value, low, high = (
            math.nan if row[name] is None else float(row[name]) for name in ("value", "low", "high")
        )
        signature = row.get("signature", "")
        few = min(row.get("num_rows", LEAST_SCORED), row.get("num_patients", LEAST_SCORED))
        told = (row["model"], row["mode"], row["metric"], value, low, high, signature)
        return Quality(*told, few < LEAST_SCORED)
    except KeyError as error:
        raise ChexoneError(f"{place}: a row lacks {error}: evaluate again") from None


def _name(row: str) -> str:
    return wrapped(row, LETTERS)


def _panel(axis: Any, part: Panel, look: Mapping[str, Look], size: float) -> None:
    """Dots with intervals, a row a name, in the room of `size` rows; axes end under the last."""
    step = 0.84 / len(look)
    for at, row in enumerate(part.rows.values()):
        for i, (system, drawn) in enumerate(look.items()):
            of = [item for item in row if item.model == system]
            for j, item in enumerate(of):
                # Side by side with the other mode, so that equal values do not hide each other.
                y = at - 0.42 + (i + 0.5 + 0.44 * (j - (len(of) - 1) / 2)) * step
                _dot(axis, item, y, drawn)
    bars.from_zero(axis, [v for row in part.rows.values() for i in row for v in (i.value, i.high)])
    number = len(part.rows)
    axis.set_yticks(range(number), [_name(name) for name in part.rows])
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(size - 0.4, -0.6)
    end_axis(axis, number)
    low, high = axis.get_xlim()
    ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
    axis.vlines(ticks, -0.6, number - 0.4, color="#e0e0e0", linewidth=0.5, zorder=0)
    axis.hlines([n - 0.5 for n in range(1, number)], low, high, color="#cccccc", linewidth=0.5)
    axis.set_xlim(low, high)
    axis.set_title(wrapped(part.title, TITLE))


def _dot(axis: Any, item: Quality, y: float, look: Look) -> None:
    if not math.isfinite(item.value):
        bars.not_judged(axis, y, look)
        return
    drawn = replace(look, hollow=True) if item.mode == "instruct" else look
    if item.is_thin:
        axis.plot(item.value, y, linestyle="none", markersize=3.5, alpha=0.3, **drawn.dot)
        return
    line = ":" if item.mode == "instruct" else "-"
    axis.plot([item.low, item.high], [y, y], line, color=drawn.colour, linewidth=1.0)
    axis.plot(item.value, y, linestyle="none", markersize=3.5, **drawn.dot)


def _mode_handles(modes: Sequence[str]) -> list[Any]:
    """What filled and hollow dots are, where there are both."""
    if "instruct" not in modes or len(modes) == 1:
        return []
    black = Look("#000000", "", "o", "-")
    # The numbers of an evaluation's table have no mode of their own.
    filled = "with reasoning, or as evaluated" if "" in modes else "with reasoning"
    found = {filled: black, "without reasoning": replace(black, hollow=True)}
    return line_handles(found, line=False)
