"""Figures 3 to 5 from an evaluation's table: questions answered, accuracy by skill, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chexone_ray import kinds
from chexone_ray.figures import bars, reasoned
from chexone_ray.figures.plates import (
    DOUBLE,
    SINGLE,
    TALLEST,
    Drawn,
    Look,
    Page,
    Skip,
    bar_handles,
    line_handles,
    looks,
    page,
    wrapped,
)
from chexone_ray.figures.runs import TABLE, Runs, Score, in_order, scores

NO_EVALUATION = "no evaluation is given: run `chexone evaluate` and give its output_uri"
ROW_HEIGHT, RADAR_HEIGHT = 1.75, 3.5
ROWS_A_PAGE, ROWS_BESIDE_RADAR = 3, 2
PANEL_FRAME = 0.55
"""Inches of a panel of dots besides its rows."""
RADAR_SPOKES = (3, 16)
"""Fewer make no area, more leave no room for their names."""
RADAR_SYSTEMS = 8
"""More hide each other."""
INTERVAL = "95 % interval over patients"


def vqa(runs: Runs) -> Drawn:
    """Grouped bars of every VQA setting by system, and a radar of the same numbers."""
    chosen = [score for score in _table(runs) if not score.topic and score.headline]
    chosen = [score for score in chosen if _is_vqa(score.kind)]
    if not chosen:
        raise Skip("the evaluations hold no question-answering kind")
    found = bars.groups(chosen, bars.labels(chosen))
    look = looks(bars.models(found))
    rows = bars.rows_of(found)
    title = "Visual question answering"
    round_ = RADAR_SPOKES[0] <= len(found) <= RADAR_SPOKES[1] and len(look) <= RADAR_SYSTEMS
    parts = [rows[at : at + ROWS_A_PAGE] for at in range(0, len(rows), ROWS_A_PAGE)]
    if round_ and len(parts[-1]) > ROWS_BESIDE_RADAR:
        parts.append([])
    pages = [
        _bar_page(title, chosen, part, found if round_ and part is parts[-1] else (), look, rows)
        for part in parts
    ]
    return Drawn(tuple(p.formats for p in pages), **_told(runs, chosen))


def skills(runs: Runs) -> Drawn:
    """Accuracy by topic, a panel a setting; by question kind where no setting has topics."""
    table = [score for score in _table(runs) if score.headline]
    chosen = [score for score in table if score.topic]
    title = "Accuracy by skill"
    if not chosen:
        chosen = [score for score in table if kinds.form(score.kind) == "options"]
        title = "Accuracy by question kind (the rows of this run have no skills)"
    if not chosen:
        raise Skip("the evaluations hold neither topics nor kinds with options")
    pages = []
    whole = looks(in_order(score.model for score in chosen if not score.baseline))
    for setting in in_order(score.setting for score in chosen):
        here = [score for score in chosen if score.setting == setting]
        found = bars.groups(here, bars.labels(here))
        if not found:
            continue
        rows = bars.rows_of(found)
        look = {name: whole[name] for name in whole if name in bars.models(found)}
        named = f"{title}: {setting}" if setting else title
        for at in range(0, len(rows), ROWS_A_PAGE):
            pages.append(_bar_page(named, here, rows[at : at + ROWS_A_PAGE], (), look, rows))
    return Drawn(tuple(p.formats for p in pages), **_told(runs, chosen))


def reports(runs: Runs) -> Drawn:
    """A panel a metric: dots with intervals by setting and system."""
    chosen = [score for score in _table(runs) if kinds.form(score.kind) == "report"]
    # Figure 7 has what is told of the reasoning.
    chosen = [s for s in chosen if not s.topic and not s.metric.startswith(reasoned.PREFIX)]
    if not chosen:
        raise Skip("the evaluations hold no kind that is answered by a report")
    names = bars.labels(chosen, metric=False)
    look = looks(in_order(score.model for score in chosen if not score.baseline))
    each = max(0.2, 0.085 * len(look) + 0.06)
    most = max(1, int((TALLEST - PANEL_FRAME) / each))
    keys = list(names)
    num_parts = -(-len(keys) // most)
    size = -(-len(keys) // num_parts)
    pages = []
    for at in range(0, len(keys), size):
        panels = _report_panels(chosen, {key: names[key] for key in keys[at : at + size]})
        height = PANEL_FRAME + min(size, len(keys)) * each
        columns = min(3 if size <= 12 else 2, len(panels))
        on_page = columns * max(1, int(TALLEST / height))
        pages += [
            _report_page(panels[start : start + on_page], look, columns, height)
            for start in range(0, len(panels), on_page)
        ]
    return Drawn(tuple(p.formats for p in pages), **_told(runs, chosen))


def _report_panels(
    chosen: Sequence[Score], names: Mapping[tuple[str, str, str], str]
) -> list[tuple[str, list[bars.Group]]]:
    """(axis label, groups) of every metric; all have the same groups, some of them empty."""
    found = []
    for metric in in_order(score.metric for score in chosen):
        here = [score for score in chosen if score.metric == metric]
        by_label = {group.label: group for group in bars.groups(here, names)}
        if by_label:
            direction = "" if here[0].higher_is_better else "\n(lower is better)"
            groups = [by_label.get(text, bars.Group(text, {})) for text in names.values()]
            found.append((f"{metric}{direction}", groups))
    return found


def _report_page(
    panels: Sequence[tuple[str, list[bars.Group]]],
    look: dict[str, Look],
    columns: int,
    height: float,
) -> Page:
    num_rows = -(-len(panels) // columns)
    with page(DOUBLE, num_rows * height, "Report generation") as made:
        axes = made.figure.subplots(num_rows, columns, squeeze=False).ravel()
        for number, axis in enumerate(axes):
            if number >= len(panels):
                axis.set_axis_off()
                continue
            xlabel, found = panels[number]
            first = number % columns == 0
            bars.interval_dots(axis, found, look, xlabel, names=first, letters=24)
        made.handles = line_handles(look, line=False)
        _note(made, [group for _, found in panels for group in found])
    return made


def _table(runs: Runs) -> list[Score]:
    return scores(runs.need(NO_EVALUATION, "evaluation"))


def _is_vqa(kind: str) -> bool:
    known = kinds.KINDS.get(kind)
    return bool(known and (known.form == "options" or "VQA" in known.task))


def _told(runs: Runs, chosen: Sequence[Score]) -> dict[str, tuple[str, ...]]:
    return {
        "made_from": tuple(run.file(TABLE) for run in runs.of("evaluation")),
        "signatures": tuple(in_order(s.signature for s in chosen if s.signature)),
    }


def _bar_page(
    title: str,
    chosen: Sequence[Score],
    rows: Sequence[Sequence[bars.Group]],
    spokes: Sequence[bars.Group],
    look: dict[str, Look],
    all_rows: Sequence[Sequence[bars.Group]],
) -> Page:
    metrics = in_order(score.metric for score in chosen)
    ylabel = metrics[0] if len(metrics) == 1 else "headline metric"
    places = max(map(len, all_rows))
    narrow = not spokes and places * max(len(look) * 0.12 + 0.2, 0.6) < SINGLE - bars.AXIS_ROOM
    width = SINGLE if narrow else DOUBLE
    deepest = _label_lines(rows, width, places)
    heights = [ROW_HEIGHT + 0.12 * (lines - 1) for lines in deepest]
    if spokes:
        heights.append(RADAR_HEIGHT)
    with page(width, sum(heights), title) as made:
        grid = made.figure.add_gridspec(len(heights), 1, height_ratios=heights)
        for at, row in enumerate(rows):
            axis = made.figure.add_subplot(grid[at])
            bars.grouped_bars(axis, row, look, ylabel, width=width, places=places)
        if spokes:
            axis = made.figure.add_subplot(grid[len(rows)], projection="polar")
            bars.radar(axis, spokes, look)
        made.handles = bar_handles(look)
        if spokes:
            lines = line_handles(look)
            made.handles = list(zip(made.handles, lines, strict=True)) if rows else lines
        _note(made, [group for row in rows for group in row] or spokes)
    return made


def _label_lines(rows: Sequence[Sequence[bars.Group]], width: float, places: int) -> list[int]:
    letters = max(8, int((width - bars.AXIS_ROOM) / places / bars.LETTER) - 1)
    return [max(len(wrapped(g.label, letters).splitlines()) for g in row) for row in rows]


def _note(made: Page, found: Sequence[bars.Group]) -> None:
    """What the whiskers and the dotted line are, and what is not drawn."""
    shown = [score for group in found for score in group.scores.values()]
    baseline = any(group.baseline is not None for group in found)
    made.note = bars.told(shown, INTERVAL, baseline=baseline)
