"""Charts as SVG text, colour-blind safe (Okabe and Ito 2008), fonts kept as text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#767676",
)
WIDE = 11.25
"""Inches: as wide as the page."""
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY)

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "chexone",
}


@contextmanager
def drawing(
    width: float, height: float, columns: int = 1
) -> Iterator[tuple[Any, list[Any], list[str]]]:
    """Figure, axes and a list that holds the SVG once the block ends. Size in inches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with matplotlib.rc_context(_STYLE):
        figure, axes = plt.subplots(1, columns, figsize=(width, height), squeeze=False)
        svg: list[str] = []
        try:
            yield figure, list(axes[0]), svg
            figure.tight_layout()
            sink = io.StringIO()
            figure.savefig(sink, format="svg", metadata={"Date": None})
            text = sink.getvalue()
            svg.append(text[text.index("<svg") :])
        finally:
            plt.close(figure)


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Centred running mean; shorter at both ends."""
    half = window // 2
    return [
        sum(part) / len(part)
        for part in (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    ]


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    xlabel: str,
    ylabel: str,
    *,
    window: int = 1,
    log: bool = False,
    width: float = WIDE,
    height: float = 3.2,
) -> str:
    """Named (x, y) series in one chart; `window` > 1 draws a running mean over the raw line."""
    with drawing(width, height) as (_, (axis,), svg):
        for at, (name, points) in enumerate(series.items()):
            colour = COLOURS[at % len(COLOURS)]
            line = ("-", "--", ":", "-.")[at // len(COLOURS) % 4]
            x, y = [p[0] for p in points], [p[1] for p in points]
            if window > 1:
                axis.plot(x, y, color=colour, linewidth=0.6, alpha=0.3)
            axis.plot(x, smooth(y, window), line, color=colour, linewidth=1.6, label=name)
        if log:
            axis.set_yscale("log")
        axis.set_xlabel(xlabel)
        axis.set_ylabel(ylabel)
        if len(series) > 1:
            axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8)
    return svg[0]


def intervals(
    groups: Mapping[str, Sequence[tuple[str, float, float, float, str]]],
    xlabel: str,
    *,
    targets: Mapping[str, float] | None = None,
    width: float = WIDE,
) -> str:
    """Dot and interval a system, a row a group; entries (system, value, low, high, baseline).

    `baseline` is the sort of baseline that the legend names, empty for a model; the first sort is
    drawn as a stroke, any other as a cross.
    """
    sorts = list(dict.fromkeys(e[4] for rows in groups.values() for e in rows if e[4]))
    marks = {"": "o"} | {sort: "x" if at else "|" for at, sort in enumerate(sorts)}
    systems = list(
        dict.fromkeys(entry[0] for rows in groups.values() for entry in rows if not entry[4])
    )
    colour = dict(zip(systems, COLOURS, strict=False))
    with drawing(width, 0.75 + 0.5 * len(groups)) as (_, (axis,), svg):
        for at, (group, rows) in enumerate(groups.items()):
            for i, (system, value, low, high, baseline) in enumerate(rows):
                y = at + (i - (len(rows) - 1) / 2) * 0.16
                shade = GREY if baseline else colour[system]
                axis.plot([low, high], [y, y], color=shade, linewidth=1.6)
                axis.plot(
                    [value],
                    [y],
                    marks[baseline],
                    color=shade,
                    markersize=7 if baseline else 5,
                )
            if targets and group in targets:
                axis.plot(
                    [targets[group]] * 2, [at - 0.42, at + 0.42], "--", color="black", linewidth=0.9
                )
        for system in systems:
            axis.plot([], [], "o", color=colour[system], label=system)
        for sort in sorts:
            axis.plot([], [], marks[sort], color=GREY, label=sort, markersize=7)
        if targets:
            axis.plot([], [], "--", color="black", linewidth=0.9, label="bar to reach")
        axis.set_yticks(range(len(groups)), list(groups))
        axis.set_ylim(len(groups) - 0.4, -0.6)
        axis.set_xlim(-0.02, 1.02)
        axis.set_xlabel(xlabel)
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8)
    return svg[0]


@dataclass(frozen=True)
class Spread:
    """Prompts of one kind by the std of their rewards; `counts` leave out those with none."""

    zero: int
    """Prompts whose samples all got the same reward."""
    edges: Sequence[float]
    counts: Sequence[int]
    kept: int


def dropped(spread: Spread) -> tuple[int, list[int]]:
    """How many of the zero bar and of each bin were not kept: the filter drops from the left."""
    left = spread.zero + sum(spread.counts) - spread.kept
    found = []
    for count in (spread.zero, *spread.counts):
        found.append(min(left, count))
        left -= found[-1]
    return found[0], found[1:]


def histograms(series: Mapping[str, Spread], xlabel: str, *, width: float = WIDE) -> str:
    """Small multiples; prompts without any spread are a bar of their own, left of a gap."""
    columns = max(1, len(series))
    with drawing(width, 2.6, columns) as (_, axes, svg):
        for axis, (name, spread) in zip(axes, series.items(), strict=False):
            widths = [b - a for a, b in pairwise(spread.edges)]
            left = spread.edges[0] - 2 * widths[0]
            zero, below = dropped(spread)
            x, widths = [left, *spread.edges[:-1]], [widths[0], *widths]
            grey, all_ = [zero, *below], [spread.zero, *spread.counts]
            kept = [count - lost for count, lost in zip(all_, grey, strict=True)]
            look: dict[str, Any] = {"align": "edge", "edgecolor": "white", "linewidth": 0.4}
            axis.bar(x, grey, widths, color=GREY, label="dropped", **look)
            axis.bar(x, kept, widths, bottom=grey, color=BLUE, label="kept", **look)
            ticks = list(spread.edges[::2])[1:]
            axis.set_xticks(
                [left + widths[0] / 2, *ticks], ["0", *(f"{tick:.2g}" for tick in ticks)]
            )
            axis.set_title(name, fontsize=9)
            axis.set_xlabel(xlabel)
        axes[0].set_ylabel("prompts")
        axes[-1].legend(loc="upper right")
    return svg[0]


def timeline(spans: Sequence[tuple[str, float, float, float]], *, width: float = WIDE) -> str:
    """Stages as bars: (name, start, seconds, seconds of them spent starting processes)."""
    with drawing(width, 0.7 + 0.28 * len(spans)) as (_, (axis,), svg):
        for at, (_name, start, seconds, starting) in enumerate(spans):
            axis.barh(at, seconds, left=start, color=BLUE, height=0.62)
            axis.barh(at, min(starting, seconds), left=start, color=ORANGE, height=0.62)
            axis.text(start + seconds, at, f" {seconds:.0f} s", va="center", fontsize=8)
        axis.barh(0, 0, color=BLUE, label="working")
        axis.barh(0, 0, color=ORANGE, label="starting processes")
        axis.set_yticks(range(len(spans)), [span[0] for span in spans])
        axis.invert_yaxis()
        axis.set_xlabel("seconds since the start")
        axis.margins(x=0.08)
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8)
    return svg[0]
