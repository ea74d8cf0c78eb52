"""Figure 9: what the readers of a study preferred, how long they took, what they agreed with."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chexone_ray import storage
from chexone_ray.figures import reader_study
from chexone_ray.figures.plates import (
    DOUBLE,
    TALLEST,
    Drawn,
    Look,
    bar_handles,
    end_axis,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.reader_study import COMPARABLE, EDIT_REASONS, Response
from chexone_ray.figures.runs import RESPONSES, Run, Runs, in_order

SIMULATED = "SIMULATED READERS: a program gave these answers, no person read these films"
DIVERGING = (
    Look("#D55E00", "////", "", ""),
    Look("#F3BF99", "", "", ""),
    Look("#DDDDDD", "....", "", ""),
    Look("#9CC8E3", "", "", ""),
    Look("#0072B2", "\\\\\\\\", "", ""),
)
ALL = "all readers"
NAME = 28
"""Letters in a line of a row's name."""
LEVELS = ("strongly disagree", "disagree", "neutral", "agree", "strongly agree")
REASONS = {
    "none": "no edit needed",
    "content": "content false or missing",
    "style": "style",
    "both": "content and style",
}
NOTE = (
    "Numbers in bars, where they fit: responses. Boxes: quartiles and median; thin lines join the "
    "same reader and case, solid where the right one is faster, dotted where it is slower."
)
Stacked = Mapping[str, Mapping[str, int]]
"""Row -> part -> count."""


def draw(runs: Runs) -> Drawn:
    """Preferences, edit reasons, durations and ratings of all responses together."""
    given = runs.need("no responses.jsonl of a reader study is given", "responses")
    responses = [response for run in given for response in read(run)]
    banner = SIMULATED if reader_study.any_simulated(responses) else ""
    choices, reasons = preferences(responses), edit_reasons(responses)
    rated = ratings(responses)
    parts: list[tuple[float, Callable[[Any], None]]] = [
        (
            1.15 + _line(choices, reasons) * max(len(choices), len(reasons), 1),
            lambda panel: _shares(panel, choices, reasons),
        ),
        (2.5, lambda panel: _durations(panel.subplots(), responses)),
        (0.85 + 0.3 * max(len(rated), 1), lambda panel: _likert(panel, rated)),
    ]
    pages = []
    while parts:
        size = 1
        while size < len(parts) and sum(height for height, _ in parts[: size + 1]) <= TALLEST:
            size += 1
        here, parts = parts[:size], parts[size:]
        heights = [height for height, _ in here]
        with page(DOUBLE, sum(heights), "Reader study", banner=banner) as made:
            panels = made.figure.subfigures(size, 1, height_ratios=heights, squeeze=False)[:, 0]
            for panel, (_, drawing) in zip(panels, here, strict=True):
                drawing(panel)
            made.note = NOTE
        pages.append(made.formats)
    return Drawn(tuple(pages), tuple(_place(run) for run in given))


def _line(*found: Stacked) -> float:
    """Inches of a row, by the lines that its name takes."""
    names = [wrapped(name, NAME) for rows in found for name in rows]
    return 0.12 * max((len(name.splitlines()) for name in names), default=1) + 0.08


def _shares(panel: Any, choices: Stacked, reasons: Stacked) -> None:
    left, right = panel.subfigures(1, 2)
    num_rows = max(len(choices), len(reasons))
    parts = in_order(name for row in choices.values() for name in row)
    _stack(left, choices, _choice_looks(parts), "preferred report, blind", num_rows)
    look = {REASONS[reason]: look for reason, look in looks(EDIT_REASONS).items()}
    told = {row: {REASONS[r]: n for r, n in of.items()} for row, of in reasons.items()}
    _stack(right, told, look, "why the draft was edited", num_rows)


def _choice_looks(parts: Sequence[str]) -> dict[str, Look]:
    """The model first, "comparable" in the middle and grey."""
    sources = [name for name in parts if name != COMPARABLE]
    found = looks(sources)
    order = [*sources[:1], COMPARABLE, *sources[1:]] if COMPARABLE in parts else sources
    return {name: found.get(name, Look("#C4C4C4", "....", "", "")) for name in order}


def _place(run: Run) -> str:
    return run.uri if run.uri.endswith(".jsonl") else run.file(RESPONSES)


def read(run: Run) -> list[Response]:
    """The responses of a run. ChexoneError where a line is none."""
    return reader_study.read(storage.read_bytes(_place(run)), _place(run))


def preferences(responses: Sequence[Response]) -> dict[str, Counter[str]]:
    """Reader -> choice -> count, all readers together first, the model's reports first."""
    blind = [response for response in responses if response.study == "blind"]
    names = sorted({str(r.choice) for r in blind}, key=lambda name: (name != "model", name))
    found: dict[str, Counter[str]] = {}
    readers = sorted({response.reader for response in blind}, key=_natural)
    for row in [ALL, *readers] if blind else ():
        counted = Counter(str(r.choice) for r in blind if row in (ALL, r.reader))
        found[row] = Counter({name: counted[name] for name in names})
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """resident-2 before resident-10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def edit_reasons(responses: Sequence[Response]) -> dict[str, Counter[str]]:
    """ "resident on model draft" -> reason -> count."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for response in responses:
        if response.study == "edit" and response.edit_reason:
            found[_where(response)][response.edit_reason] += 1
    return dict(sorted(found.items()))


def ratings(responses: Sequence[Response]) -> dict[str, Counter[int]]:
    """Statement and, on a second line, who on whose -> level -> count."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for response in responses:
        for statement, level in response.likert.items():
            found[f"{statement}\n{_where(response)}"][level] += 1
    return dict(sorted(found.items()))


def _where(response: Response) -> str:
    what = "reasoning" if response.study == "reasoning" else "draft"
    return f"{response.role} on {response.source} {what}" if response.source else response.role


def _stack(panel: Any, found: Stacked, look: Mapping[str, Look], title: str, num_rows: int) -> None:
    """Shares of each row, with counts where they fit; room for `num_rows`."""
    axis = panel.subplots()
    axis.set_title(title)
    if not found:
        _nothing(axis)
        return
    for at, counts in enumerate(found.values()):
        total, start = max(sum(counts.values()), 1), 0.0
        for part, drawn in look.items():
            share = 100 * counts.get(part, 0) / total
            axis.barh(at, share, left=start, height=0.74, **drawn.bar)
            if share >= 8:
                _count(axis, start + share / 2, at, counts[part])
            start += share
    axis.set_yticks(range(len(found)), [wrapped(name, NAME) for name in found])
    axis.set_ylim(num_rows - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.set_xlabel("% of responses")
    axis.tick_params(axis="y", length=0)
    end_axis(axis, len(found))
    columns = len(look) if sum(map(len, look)) < 34 else 2
    panel.legend(handles=bar_handles(look), loc="outside lower center", ncols=columns)


def _count(axis: Any, x: float, y: float, number: int) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axis.text(x, y, str(number), ha="center", va="center", fontsize=6.5, bbox=box)


def conditions(responses: Sequence[Response]) -> dict[str, dict[str, dict[tuple[str, str], float]]]:
    """Role -> condition -> (reader, case) -> minutes; writing from nothing comes first."""
    found: dict[str, dict[str, dict[tuple[str, str], float]]] = {}
    for role in ("resident", "attending"):
        of = [r for r in responses if r.role == role and r.duration_s is not None]
        by: dict[str, dict[tuple[str, str], float]] = {}
        # From nothing, then another's draft, then the model's.
        for response in sorted(
            of, key=lambda r: (r.study != "draft", r.source == "model", r.source)
        ):
            name = "from nothing" if response.study == "draft" else f"edits {response.source} draft"
            by.setdefault(name, {})[response.reader, response.case] = (
                response.duration_s or 0
            ) / 60
        if by:
            found[role] = by
    return found


def _durations(axis: Any, responses: Sequence[Response]) -> None:
    axis.set_title("time for a report, the same reader and case joined")
    found = conditions(responses)
    if not found:
        _nothing(axis)
        return
    ticks: list[str] = []
    place = 0.0
    places = []
    for role, by in found.items():
        xs = [place + i for i in range(len(by))]
        _pairs(axis, xs, list(by.values()))
        ticks += [f"{role} {name}\n(n = {len(values)})" for name, values in by.items()]
        places += xs
        place += len(by) + 0.5
    letters = max(8, int((DOUBLE - 0.7) / (places[-1] + 1.2) / 0.062) - 2)
    axis.set_xticks(places, [wrapped(tick, letters) for tick in ticks])
    axis.set_xlim(-0.6, place - 0.9)
    axis.set_ylim(0, None)
    axis.set_ylabel("minutes")
    axis.tick_params(axis="x", length=0)
    axis.grid(False, axis="x")


def _pairs(
    axis: Any, xs: Sequence[float], values: Sequence[Mapping[tuple[str, str], float]]
) -> None:
    from chexone_ray.figures.charts import BLUE, ORANGE

    for x, of in zip(xs, values, strict=True):
        axis.boxplot(
            [list(of.values())],
            positions=[x],
            widths=0.34,
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black", "linewidth": 1.4},
            boxprops={"linewidth": 0.9},
        )
    for first, second, x, y in zip(values, values[1:], xs, xs[1:], strict=False):
        for key in first:
            if key in second:
                faster = second[key] < first[key]
                axis.plot(
                    [x + 0.24, y - 0.24],
                    [first[key], second[key]],
                    "-" if faster else ":",
                    color=BLUE if faster else ORANGE,
                    linewidth=0.5,
                    alpha=0.8,
                )
    for at, (x, of) in enumerate(zip(xs, values, strict=True)):
        side = 0.24 if at < len(xs) - 1 else -0.24
        axis.plot([x + side] * len(of), list(of.values()), "o", color="#333333", markersize=1.8)


def _likert(panel: Any, found: Mapping[str, Mapping[int, int]]) -> None:
    axis = panel.subplots()
    axis.set_title("agreement with statements, neutral in the middle")
    if not found:
        _nothing(axis)
        return
    for at, counts in enumerate(found.values()):
        total = max(sum(counts.values()), 1)
        shares = [100 * counts.get(level, 0) / total for level in range(1, 6)]
        start = -(shares[0] + shares[1] + shares[2] / 2)
        for level, share in enumerate(shares):
            axis.barh(at, share, left=start, height=0.74, **DIVERGING[level].bar)
            if share >= 5:
                _count(axis, start + share / 2, at, counts[level + 1])
            start += share
    axis.axvline(0, color="black", linewidth=0.6)
    axis.set_yticks(range(len(found)), [wrapped(name, 46) for name in found])
    axis.set_ylim(len(found) - 0.4, -0.6)
    axis.set_xlim(-105, 105)
    axis.set_xticks([-100, -50, 0, 50, 100], ["100", "50", "0", "50", "100"])
    axis.set_xlabel("% of responses: disagree to the left, agree to the right")
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    shown = dict(zip(LEVELS, DIVERGING, strict=True))
    panel.legend(handles=bar_handles(shown), loc="outside lower center", ncols=len(LEVELS))


def _nothing(axis: Any) -> None:
    axis.set_axis_off()
    axis.text(0.5, 0.5, "no responses of this study", ha="center", va="center", color="#555555")
