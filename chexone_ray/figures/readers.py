"""Figure 9: what the readers of a study preferred, how long they took, what they agreed with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chexone_ray import storage
from chexone_ray.figures import reader_study
from chexone_ray.figures.plates import (
    DOUBLE,
    TALLEST,
    Drawn,
    Look,
    bar_handles,
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
LEVELS = ("strongly disagree", "disagree", "neutral", "agree", "strongly agree")
REASONS = {
    "none": "no edit needed",
    "content": "content false or missing",
    "style": "style",
    "both": "content and style",
}
Stacked = Mapping[str, Mapping[str, int]]
"""Row -> part -> count."""


def draw(runs: Runs) -> Drawn:
    """Preferences, edit reasons, durations and ratings of all responses together."""
    given = runs.need("no responses.jsonl of a reader study is given", "responses")
    responses = [response for run in given for response in _read(run)]
    banner = SIMULATED if reader_study.any_simulated(responses) else ""
    choices, reasons = preferences(responses), edit_reasons(responses)
    rated = ratings(responses)
    top = max(1.4, 0.7 + 0.21 * max(len(choices), len(reasons)))
    likert = 0.75 + 0.24 * max(len(rated), 1)
    heights = [top, 2.5, likert]
    height = min(TALLEST, sum(heights) + (1.2 if banner else 0.8))
    with page(DOUBLE, height, "Reader study", banner=banner) as made:
        grid = made.figure.add_gridspec(3, 2, height_ratios=heights)
        parts = in_order(name for row in choices.values() for name in row)
        order = [name for name in parts if name != COMPARABLE]
        order = [*order[:1], COMPARABLE, *order[1:]]
        _stack(made.figure.add_subplot(grid[0, 0]), choices, order, "preferred report, blind")
        axis = made.figure.add_subplot(grid[0, 1])
        _stack(axis, reasons, EDIT_REASONS, "why the draft was edited", REASONS)
        _durations(made.figure.add_subplot(grid[1, :]), responses)
        _likert(made.figure.add_subplot(grid[2, :]), rated)
        made.note = "Numbers in bars: responses. Boxes: quartiles and median; thin lines: one case."
    return Drawn((made.formats,), tuple(_place(run) for run in given))


def _place(run: Run) -> str:
    return run.uri if run.uri.endswith(".jsonl") else run.file(RESPONSES)


def _read(run: Run) -> list[Response]:
    return reader_study.read(storage.read_bytes(_place(run)), _place(run))


def preferences(responses: Sequence[Response]) -> dict[str, Counter[str]]:
    """Reader -> choice -> count, all readers first."""
    blind = [response for response in responses if response.study == "blind"]
    found: dict[str, Counter[str]] = {"all readers": Counter()} if blind else {}
    # The model comes first in the order of parts, whoever was preferred first.
    names = sorted({str(r.choice) for r in blind}, key=lambda name: (name != "model", name))
    for reader in ["all readers", *sorted({response.reader for response in blind})][
        : None if blind else 0
    ]:
        of = [r for r in blind if reader in ("all readers", r.reader)]
        counted = Counter(str(r.choice) for r in of)
        found[reader] = Counter({name: counted[name] for name in names})
    return found


def edit_reasons(responses: Sequence[Response]) -> dict[str, Counter[str]]:
    """ "resident on the model's draft" -> reason -> count."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for response in responses:
        if response.study == "edit" and response.edit_reason:
            found[_where(response)][response.edit_reason] += 1
    return dict(sorted(found.items()))


def ratings(responses: Sequence[Response]) -> dict[str, Counter[int]]:
    """ "statement (who on whose)" -> level -> count."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for response in responses:
        for statement, level in response.likert.items():
            found[f"{statement} ({_where(response)})"][level] += 1
    return dict(sorted(found.items()))


def _where(response: Response) -> str:
    whose = f" on {response.source}" if response.source else ""
    return f"{response.role}{whose}"


def _stack(
    axis: Any,
    found: Stacked,
    parts: Sequence[str],
    title: str,
    names: Mapping[str, str] | None = None,
) -> None:
    """Shares of each row, with counts where they fit."""
    axis.set_title(title)
    if not found:
        _nothing(axis)
        return
    look = looks(parts)
    for at, counts in enumerate(found.values()):
        total, start = max(sum(counts.values()), 1), 0.0
        for part in parts:
            share = 100 * counts.get(part, 0) / total
            axis.barh(at, share, left=start, height=0.74, **look[part].bar)
            if share >= 8:
                _count(axis, start + share / 2, at, counts[part])
            start += share
    axis.set_yticks(range(len(found)), [wrapped(name, 22) for name in found])
    axis.set_ylim(len(found) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.set_xlabel("% of responses")
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    shown = {(names or {}).get(part, part): look[part] for part in parts}
    columns = 3 if sum(map(len, shown)) < 34 else 2
    axis.legend(
        handles=bar_handles(shown),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.42 * 1.4 / max(1.4, 0.7 + 0.21 * len(found))),
        ncols=columns,
    )


def _count(axis: Any, x: float, y: float, number: int) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axis.text(x, y, str(number), ha="center", va="center", fontsize=6.5, bbox=box)


def conditions(responses: Sequence[Response]) -> dict[str, dict[str, dict[tuple[str, str], float]]]:
    """Role -> condition -> (reader, case) -> minutes; writing from nothing comes first."""
    found: dict[str, dict[str, dict[tuple[str, str], float]]] = {}
    for role in ("resident", "attending"):
        of = [r for r in responses if r.role == role and r.duration_s is not None]
        by: dict[str, dict[tuple[str, str], float]] = {}
        for response in sorted(of, key=lambda r: (r.study != "draft", r.source)):
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
    axis.set_xticks(places, [wrapped_lines(tick, 22) for tick in ticks])
    axis.set_xlim(-0.6, place - 0.9)
    axis.set_ylim(0, None)
    axis.set_ylabel("minutes")
    axis.tick_params(axis="x", length=0)
    axis.grid(False, axis="x")


def wrapped_lines(text: str, letters: int) -> str:
    """Each line of a text wrapped by itself."""
    return "\n".join(wrapped(line, letters) for line in text.splitlines())


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


def _likert(axis: Any, found: Mapping[str, Mapping[int, int]]) -> None:
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
    axis.set_yticks(range(len(found)), [wrapped(name, 48) for name in found])
    axis.set_ylim(len(found) - 0.4, -0.6)
    axis.set_xlim(-105, 105)
    axis.set_xticks([-100, -50, 0, 50, 100], ["100", "50", "0", "50", "100"])
    axis.set_xlabel("% of responses: disagree to the left, agree to the right")
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    axis.legend(
        handles=bar_handles(dict(zip(LEVELS, DIVERGING, strict=True))),
        loc="upper center",
        bbox_to_anchor=(0.3, -0.55 / (0.75 + 0.24 * len(found))),
        ncols=5,
        handlelength=1.4,
        columnspacing=0.8,
    )


def _nothing(axis: Any) -> None:
    axis.set_axis_off()
    axis.text(0.5, 0.5, "no responses of this study", ha="center", va="center", color="#555555")
