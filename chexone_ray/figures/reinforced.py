"""Figure 8: spread of the rewards by category with the filter's cut, reward and KL of GRPO."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from chexone_ray.figures.charts import BLUE, GREY, Spread, dropped, smooth
from chexone_ray.figures.plates import (
    DOUBLE,
    SINGLE,
    Drawn,
    Look,
    line_handles,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.runs import METRICS, Run, Runs
from chexone_ray.kinds import spoken

COLUMNS = 4
ROW_HEIGHT, CURVE_HEIGHT = 1.4, 2.3
FIRST_PAGE, LATER_PAGE = 12, 24
"""Histograms beside the curves, and on a page of their own."""
REPORT = "report.json"
KIND = "grpo/reward/kind/"
MOST_KINDS = 7
BAR_0 = "Bar 0: all samples of a prompt got one reward."
RAW = " Curves: running mean over the raw line."
Panel = tuple[str, Spread, float]
"""Title, histogram, cut."""


def draw(runs: Runs) -> Drawn:
    """Histograms of every filter, then the curves of every GRPO run."""
    given = runs.need("neither a filter nor a GRPO run is given", "filter", "grpo")
    panels = [panel for run in runs.of("filter") for panel in _panels(run, runs)]
    trained = runs.of("grpo")
    parts = [panels[:FIRST_PAGE]]
    rest = panels[FIRST_PAGE:]
    parts += [rest[at : at + LATER_PAGE] for at in range(0, len(rest), LATER_PAGE)]
    pages = [_page(part, trained if number == 0 else ()) for number, part in enumerate(parts)]
    names = {"filter": REPORT, "grpo": METRICS}
    return Drawn(tuple(pages), tuple(run.file(names[run.sort]) for run in given))


def _panels(run: Run, runs: Runs) -> list[Panel]:
    report = run.json(REPORT)
    cut = float(run.settings().get("min_std", 0.0))
    several = len(runs.of("filter")) > 1
    found = []
    for kind, table in report["kinds"].items():
        edges = [report["bin_width"] * i for i in range(len(table["bins"]) + 1)]
        title = f"{run.name}: {spoken(kind)}" if several else spoken(kind)
        spread = Spread(table["zero"], edges, table["bins"], table["kept"])
        counts = f"{table['kept']:,} of {table['prompts']:,} kept"
        found.append((f"{wrapped(title, 30)}\n{counts}", spread, cut))
    return found


def _page(panels: Sequence[Panel], trained: Sequence[Run]) -> Mapping[str, bytes]:
    title = "Variance filter and GRPO" if panels and trained else "Variance filter"
    title = title if panels else "GRPO"
    if len(panels) == 1:
        return _one_row(panels[0], trained, title)
    num_rows = -(-len(panels) // COLUMNS)
    columns = -(-len(panels) // max(num_rows, 1))
    heights = [ROW_HEIGHT * num_rows] * bool(panels) + [CURVE_HEIGHT] * bool(trained)
    with page(DOUBLE, sum(heights), title) as made:
        parts = made.figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        if panels:
            axes = parts[0].subplots(num_rows, columns, squeeze=False).ravel()
            for at, axis in enumerate(axes):
                if at < len(panels):
                    _histogram(axis, panels[at], at % columns == 0, at + columns >= len(panels))
                else:
                    axis.set_axis_off()
            made.handles, made.note = _histogram_handles(), BAR_0
        if trained:
            made.note = (made.note + RAW).strip()
            reward, kl = parts[-1].subplots(1, 2)
            _curves(reward, kl, trained)
    return made.formats


def _one_row(panel: Panel, trained: Sequence[Run], title: str) -> Mapping[str, bytes]:
    """A single histogram beside the curves, or alone in one column."""
    with page(DOUBLE if trained else SINGLE, CURVE_HEIGHT, title) as made:
        axes = made.figure.subplots(1, 3 if trained else 1, squeeze=False)[0]
        _histogram(axes[0], panel, True, True)
        if trained:
            _curves(axes[1], axes[2], trained)
        made.handles, made.note = _histogram_handles(), BAR_0 + RAW * bool(trained)
    return made.formats


def _histogram(axis: Any, panel: Panel, first: bool, last: bool) -> None:
    title, spread, cut = panel
    widths = [b - a for a, b in pairwise(spread.edges)]
    left = spread.edges[0] - 2 * widths[0]
    zero, below = dropped(spread)
    x, widths = [left, *spread.edges[:-1]], [widths[0], *widths]
    lost, counts = [zero, *below], [spread.zero, *spread.counts]
    kept = [count - gone for count, gone in zip(counts, lost, strict=True)]
    edge = {"align": "edge", "edgecolor": "white", "linewidth": 0.3}
    axis.bar(x, lost, widths, color=GREY, hatch="////", **edge)
    axis.bar(x, kept, widths, bottom=lost, color=BLUE, **edge)
    axis.axvline(
        cut if cut > 0 else spread.edges[0] - widths[0] / 2, color="black", ls="--", lw=0.9
    )
    middle = spread.edges[len(spread.edges) // 2]
    axis.set_xticks(
        [left + widths[0] / 2, middle, spread.edges[-1]],
        ["0", f"{middle:.2g}", f"{spread.edges[-1]:.2g}"],
    )
    axis.set_title(title, fontsize=7, fontweight="normal")
    axis.yaxis.get_major_locator().set_params(nbins=4, integer=True)
    axis.set_ylim(0, max(1, *counts) * 1.05)
    axis.grid(False, axis="x")
    if last:
        axis.set_xlabel("std of the reward")
    if first:
        axis.set_ylabel("prompts")


def _histogram_handles() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=BLUE, edgecolor="white", label="kept"),
        Patch(facecolor=GREY, hatch="////", edgecolor="white", label="dropped"),
        Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="cut"),
    ]


def _curves(reward: Any, kl: Any, trained: Sequence[Run]) -> None:
    rows = {run.name: run.metrics() for run in trained}
    series = {name: _points(found, "grpo/reward") for name, found in rows.items()}
    if len(trained) == 1:
        series = _with_kinds(next(iter(rows.values())))
    _lines(reward, series, "mean reward of a step")
    divergences = {name: _points(found, "grpo/kl") for name, found in rows.items()}
    divergences = {name: points for name, points in divergences.items() if points}
    if divergences:
        _lines(kl, divergences, "KL to the start")
    else:
        kl.set_axis_off()
        kl.text(0.5, 0.5, "no KL was measured (beta = 0)", ha="center", va="center")


def _with_kinds(rows: Sequence[Mapping[str, float]]) -> dict[str, list[tuple[float, float]]]:
    """All kinds together, then each of the commonest, where there are several."""
    keys = [key for row in rows for key in row if key.startswith(KIND)]
    common = sorted(set(keys), key=lambda key: (-keys.count(key), key))
    found = {"all": _points(rows, "grpo/reward")}
    if len(common) > 1:
        shown = sorted(common[:MOST_KINDS])
        found |= {spoken(key.removeprefix(KIND)): _points(rows, key) for key in shown}
    return found


def _points(rows: Sequence[Mapping[str, float]], key: str) -> list[tuple[float, float]]:
    return [
        (row["step"], row[key])
        for row in rows
        if row.get(key) is not None and math.isfinite(row[key])
    ]


def _lines(axis: Any, series: Mapping[str, Sequence[tuple[float, float]]], ylabel: str) -> None:
    found: dict[str, Look] = looks(list(series))
    for name, points in series.items():
        window = max(1, len(points) // 15)
        x, y = [p[0] for p in points], [p[1] for p in points]
        drawn = found[name]
        if window > 1:
            axis.plot(x, y, color=drawn.colour, linewidth=0.4, alpha=0.3)
        axis.plot(
            x,
            smooth(y, window),
            linestyle=drawn.line,
            **drawn.dot,
            markevery=max(1, len(x) // 6),
            markersize=3,
        )
    axis.set_xlabel("optimizer step")
    axis.set_ylabel(ylabel)
    if len(series) > 1:
        axis.legend(
            handles=line_handles(found),
            loc="upper center",
            bbox_to_anchor=(0.5, -0.24),
            ncols=min(3, len(series)),
            columnspacing=1.0,
        )
