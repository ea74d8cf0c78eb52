"""One figure for print: its size, its look and the same bytes in three formats each time.

matplotlib draws without its global state (no pyplot), with the look of `print.mplstyle` alone,
whatever the user's own settings are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from chexone_ray.figures.charts import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

SINGLE, DOUBLE, TALLEST = 3.5, 7.2, 8.4
"""Inches: one column, two columns, and how high panels may be on a page with their caption."""
TITLE_LINE, LEGEND_LINE, FOOT_LINE = 0.16, 0.165, 0.11
"""Inches a line of each."""
STYLE = Path(__file__).with_name("print.mplstyle")
FOOT = "Research use only: not for diagnosis or treatment."
DPI = 300
DIGITS = 5
"""Of places on the page, whose sides are 1."""
LOOKS = (
    (BLUE, "", "o", "-"),
    (ORANGE, "////", "s", "--"),
    (GREEN, "....", "^", "-."),
    (PURPLE, "\\\\\\\\", "D", ":"),
    (SKY, "xxxx", "v", "-"),
    (RED, "----", "P", "--"),
    ("#000000", "++++", "X", "-."),
    ("#B0B0B0", "||||", "*", ":"),
)
"""Colour, hatch, marker and line of the first systems: hatch and marker tell them apart in grey."""
SECOND = ("oooo", "****", "//..", "\\\\..", "++..", "xx..", "OO", "--||")
"""Hatches of the next, whose markers are hollow."""


class Skip(Exception):
    """A figure cannot be drawn from these runs; the message says what is missing."""


@dataclass(frozen=True)
class Look:
    """How one system is drawn in every figure."""

    colour: str
    hatch: str
    marker: str
    line: str
    hollow: bool = False

    @property
    def dot(self) -> dict[str, Any]:
        """Keywords of a marker."""
        face = "white" if self.hollow else self.colour
        return {"marker": self.marker, "color": self.colour, "markerfacecolor": face}

    @property
    def bar(self) -> dict[str, Any]:
        """Keywords of a bar."""
        return {
            "color": self.colour,
            "hatch": self.hatch,
            "edgecolor": "white",
            "linewidth": 0.3,
        }


@dataclass(frozen=True)
class Drawn:
    """A figure's pages, each a mapping of format to bytes, and what they were made from."""

    pages: tuple[Mapping[str, bytes], ...]
    made_from: tuple[str, ...] = ()
    """URIs of the result files."""
    films: tuple[str, ...] = ()
    """SHA-256 of the films in it; their URIs may tell who was filmed."""
    signatures: tuple[str, ...] = ()
    """Of the numbers in it."""


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look a name, in order; sixteen differ."""
    found = {}
    for at, name in enumerate(names):
        again, place = divmod(at, len(LOOKS))
        colour, hatch, marker, line = LOOKS[place]
        # The line of another colour: the same colour twice is then told apart by it.
        line = LOOKS[(place + again) % len(LOOKS)][3]
        found[name] = Look(colour, SECOND[place] if again % 2 else hatch, marker, line, again > 0)
    return found


@dataclass
class Page:
    """The figure being drawn; `formats` is filled once the block ends."""

    figure: Any
    note: str = ""
    """What marks mean that the legend leaves out; small, under the figure."""
    handles: Sequence[Any] = ()
    """One legend for all panels, between title and panels."""
    formats: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def page(width: float, height: float, title: str = "", *, banner: str = "") -> Iterator[Page]:
    """A figure whose panels take `width` by `height` inches; title, legend and foot come on top.

    `banner` is a warning in a frame over the title, such as that readers were simulated.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context(["default", str(STYLE)]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        made = Page(figure)
        yield made
        _frame(made, width, height, title, banner)
        made.formats |= _formats(figure)


def _frame(made: Page, width: float, height: float, title: str, banner: str) -> None:
    """Put banner, title and legend above the panels and the foot below, each in its own room."""
    from matplotlib.legend_handler import HandlerTuple

    figure = made.figure
    title = "\n".join(wrapped(line, int(width / 0.082)) for line in title.splitlines())
    foot = wrapped(f"{FOOT} {made.note}".strip(), int(width / 0.047))
    columns = _columns(made.handles, width)
    legend_rows = -(-len(made.handles) // columns)
    parts = [
        0.34 if banner else 0.05,
        TITLE_LINE * len(title.splitlines()) + 0.05,
        LEGEND_LINE * legend_rows + (0.05 if legend_rows else 0.0),
    ]
    below = FOOT_LINE * len(foot.splitlines()) + 0.08
    total = height + sum(parts) + below
    figure.set_size_inches(width, total)
    rect = (0, below / total, 1, height / total)
    figure.get_layout_engine().set(rect=rect)
    left = 0.06 / width
    if banner:
        frame = {"facecolor": "#F0E442", "edgecolor": "black", "linewidth": 0.8, "pad": 2.5}
        bold = {"fontsize": 9, "fontweight": "bold", "ha": "center", "va": "top"}
        figure.text(0.5, 1 - 0.09 / total, banner, bbox=frame, **bold)
    y = 1 - parts[0] / total
    figure.text(left, y, title, fontsize=9, fontweight="bold", ha="left", va="top")
    if made.handles:
        y -= parts[1] / total
        place = {"loc": "upper left", "bbox_to_anchor": (left, y)}
        room = {"borderpad": 0, "borderaxespad": 0, "labelspacing": 0.45}
        paired = isinstance(made.handles[0], tuple)
        figure.legend(
            handles=list(made.handles),
            labels=[_label(handle) for handle in made.handles],
            handler_map={tuple: HandlerTuple(ndivide=None, pad=0.4)},
            handlelength=4.0 if paired else None,
            ncols=columns,
            **place,
            **room,
        )
    figure.text(left, 0.04 / total, foot, fontsize=6, color="#555555", ha="left", va="bottom")


def _label(handle: Any) -> str:
    """Of a pair of marks, both have the name."""
    first = handle[0] if isinstance(handle, tuple) else handle
    return str(first.get_label())


def _columns(handles: Sequence[Any], width: float) -> int:
    """The fewest columns of the fewest rows that their names leave room for."""
    names = [sum(_inches(letter, False) for letter in _label(handle)) for handle in handles]
    sign = 0.65 if handles and isinstance(handles[0], tuple) else 0.45
    for rows in range(1, len(names)):
        columns = -(-len(names) // rows)
        size, longer = divmod(len(names), columns)  # As matplotlib fills them.
        ends = [0, *accumulate(size + (at < longer) for at in range(columns))]
        if sum(max(names[a:b]) + sign for a, b in pairwise(ends)) <= width - 0.1:
            return columns
    return 1


def _formats(figure: Any) -> dict[str, bytes]:
    """The same layout in every format.

    The canvases are asked by themselves: `savefig` draws everything twice a format.
    """
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from PIL import Image

    figure.dpi = DPI
    _lay_out(figure)
    canvas = figure.canvas
    canvas.draw()
    png, pdf, svg = io.BytesIO(), io.BytesIO(), io.StringIO()
    # Opaque, without what would tell one drawing from the next.
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
    picture.convert("RGB").save(png, "PNG", dpi=(DPI, DPI))
    times = {"CreationDate": None, "Producer": None, "Creator": None}
    FigureCanvasPdf(figure).print_pdf(pdf, metadata=times)
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
    return {"pdf": pdf.getvalue(), "svg": svg.getvalue().encode(), "png": png.getvalue()}


def _lay_out(figure: Any) -> None:
    """Let the panels find their places, then hold them there, rounded.

    The solver adds its terms in no fixed order: the last digits differ from run to run.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    parts = list(figure.subfigs)
    for part in parts:
        parts += part.subfigs
        box = part.bbox_relative
        box.p0, box.p1 = (tuple(round(v, DIGITS) for v in corner) for corner in (box.p0, box.p1))
    for axis in figure.axes:
        place = axis.get_position(original=True)
        axis.set_position([round(value, DIGITS) for value in place.bounds])


def bar_handles(found: Mapping[str, Look]) -> list[Any]:
    """Legend entries of bars."""
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=look.colour, hatch=look.hatch, edgecolor="white", lw=0.3, label=name)
        for name, look in found.items()
    ]


def line_handles(found: Mapping[str, Look], *, line: bool = True) -> list[Any]:
    """Legend entries of lines with markers, or of markers alone."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle=look.line if line else "none", label=name, **look.dot)
        for name, look in found.items()
    ]


@lru_cache(maxsize=4096)
def _inches(letter: str, bold: bool) -> float:
    """Width of a letter of 7 points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties("DejaVu Sans", weight="bold" if bold else "normal", size=7)
    width, _, _ = TextToPath().get_text_width_height_descent(letter, font, ismath=False)
    return float(width) / 72


def fitted(text: str, inches: float, *, bold: bool = False) -> list[str]:
    """`text` in lines of 7 points that are at most `inches` wide; longer words are broken."""
    lines, line, used = [], "", 0.0
    space = _inches("n", bold) / 2
    for word in text.split():
        room = sum(_inches(letter, bold) for letter in word)
        if line and used + space + room > inches:
            lines.append(line)
            line, used = "", 0.0
        if line:
            line, used = f"{line} {word}", used + space + room
            continue
        for letter in word:
            if used + _inches(letter, bold) > inches:
                lines.append(line)
                line, used = "", 0.0
            line, used = line + letter, used + _inches(letter, bold)
    return [*lines, line] if line else lines


def end_axis(axis: Any, rows: int) -> None:
    """Let the axes of `rows` horizontal bars end under the last, where a neighbour has more."""
    axis.spines["bottom"].set_position(("data", rows - 0.4))
    axis.spines["left"].set_bounds(-0.6, rows - 0.4)
    axis.grid(False)


def wrapped(text: str, width: int) -> str:
    """Each line of `text` in lines of at most `width` letters, broken at spaces where it can be."""
    import textwrap

    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]
    return "\n".join(lines)
