"""Scores of several systems in groups: bars, dots and a radar, each with its intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chexone_ray.evaluation.blind import SIDES_TOLD
from chexone_ray.figures.plates import DOUBLE, Look, wrapped
from chexone_ray.figures.runs import Score, in_order
from chexone_ray.kinds import spoken

AXIS_ROOM, BAR_WIDTH, GROUP_GAP = 0.7, 0.085, 0.2
"""Inches: left of the bars, a bar at least, between two groups."""
LETTER = 0.062
"""Inches a letter of 7 points, about."""
BASELINE = "best baseline without the image"
NOT_JUDGED = "n/a: no row could be scored"
NO_INTERVAL = "some values have none, as there are too few patients"
ENDS = (0.1, 0.2, 0.5, 1.0)
"""Where an axis of shares may end: at the first that everything on it is below."""


@dataclass(frozen=True)
class Group:
    """One place on the axis: what each system reaches there."""

    label: str
    scores: Mapping[str, Score]
    baseline: float | None = None
    """The best of the baselines that are told nothing."""


def groups(scores: Sequence[Score], label: Mapping[tuple[str, str, str], str]) -> list[Group]:
    """Scores by (setting, kind, topic) in the order of `label`, which names them."""
    found = []
    for key, text in label.items():
        here = [score for score in scores if (score.setting, score.kind, score.topic) == key]
        constants = [s for s in here if s.baseline and s.model != SIDES_TOLD]
        models = {score.model: score for score in here if not score.baseline}
        constants = [s for s in constants if math.isfinite(s.value)]
        best = max(
            constants, key=lambda s: s.value if s.higher_is_better else -s.value, default=None
        )
        if models:
            found.append(Group(text, models, best.value if best else None))
    return found


def labels(scores: Sequence[Score], *, metric: bool = True) -> dict[tuple[str, str, str], str]:
    """(setting, kind, topic) -> the fewest words that tell it from the others, in order; with the
    metric on a line of its own where they differ, if asked for."""
    keys = in_order_of(scores)
    settings = {setting for setting, _, _ in keys}
    kinds = {kind for _, kind, _ in keys}
    metrics = {(s.setting, s.kind, s.topic): s.metric for s in scores}
    of_setting = {setting: {kind for s, kind, _ in keys if s == setting} for setting in settings}
    found = {}
    for setting, kind, topic in keys:
        words = [setting] if setting and len(settings) > 1 else []
        if topic:
            words += [spoken(kind)] if len(of_setting[setting]) > 1 else []
            words.append(topic)
        elif len(of_setting[setting]) > 1 or not words:
            words.append(spoken(kind) if len(kinds) > 1 or not setting else setting)
        text = ": ".join(words)
        if metric and len(set(metrics.values())) > 1:
            text += f"\n{metrics[setting, kind, topic]}"
        found[setting, kind, topic] = text
    return found


def in_order_of(scores: Sequence[Score]) -> list[tuple[str, str, str]]:
    """The places that scores are of, each once."""
    return list(dict.fromkeys((score.setting, score.kind, score.topic) for score in scores))


def models(found: Sequence[Group]) -> list[str]:
    """The systems of all groups, in order."""
    return in_order(model for group in found for model in group.scores)


def rows_of(found: Sequence[Group], width: float = DOUBLE) -> list[list[Group]]:
    """Groups in rows of about equal length in which every bar has its width."""
    each = max(len(models(found)) * BAR_WIDTH + GROUP_GAP, 0.62)
    most = max(1, int((width - AXIS_ROOM) / each))
    num_rows = -(-len(found) // most)
    size = -(-len(found) // num_rows) if num_rows else 1
    return [list(found[at : at + size]) for at in range(0, len(found), size)]


def grouped_bars(
    axis: Any,
    found: Sequence[Group],
    look: Mapping[str, Look],
    ylabel: str,
    *,
    width: float = DOUBLE,
    places: int | None = None,
) -> None:
    """Bars with intervals, a cluster a group; `places` keeps the width of bars between rows."""
    places = max(places or 0, len(found))
    bar = 0.84 / max(len(look), 1)
    for at, group in enumerate(found):
        shown = [(i, group.scores[name]) for i, name in enumerate(look) if name in group.scores]
        for i, score in shown:
            x = at - 0.42 + (i + 0.5) * bar
            if not math.isfinite(score.value):
                axis.text(x, 0.015, "n/a", fontsize=6, rotation=90, ha="center", va="bottom")
                continue
            axis.bar(x, score.value, bar * 0.94, **look[score.model].bar)
            if math.isfinite(score.low) and math.isfinite(score.high):
                axis.plot([x, x], [score.low, score.high], color="black", linewidth=0.7)
            if score.value == 0:  # A bar of no height is there and is told from a missing one.
                edge = {"color": look[score.model].colour, "linewidth": 2.0, "clip_on": False}
                axis.plot([x - 0.4 * bar, x + 0.4 * bar], [0, 0], solid_capstyle="butt", **edge)
                above = score.high if math.isfinite(score.high) else 0.0
                axis.text(x, above + 0.015, "0", fontsize=6, ha="center", va="bottom")
        if group.baseline is not None:
            axis.plot([at - 0.46, at + 0.46], [group.baseline] * 2, "k:", linewidth=1.0)
    letters = max(8, int((width - AXIS_ROOM) / places / LETTER) - 1)
    axis.set_xticks(range(len(found)), [wrapped(group.label, letters) for group in found])
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(-0.55, places - 0.45)
    top = max([1.0, *(s.high for g in found for s in g.scores.values() if math.isfinite(s.high))])
    axis.set_ylim(0, top * 1.02)
    axis.set_ylabel(wrapped(ylabel, 24))
    axis.grid(False, axis="x")


def interval_dots(
    axis: Any,
    found: Sequence[Group],
    look: Mapping[str, Look],
    xlabel: str,
    *,
    names: bool = True,
    letters: int = 26,
) -> None:
    """Dots with intervals, a row a group, systems from top to bottom in the order of `look`."""
    step = 0.8 / max(len(look), 1)
    for at, group in enumerate(found):
        for i, name in enumerate(look):
            score = group.scores.get(name)
            if score is None:
                continue
            y = at - 0.4 + (i + 0.5) * step
            drawn = look[name]
            if not math.isfinite(score.value):
                not_judged(axis, y, drawn)
                continue
            axis.plot([score.low, score.high], [y, y], color=drawn.colour, linewidth=1.0)
            axis.plot(score.value, y, linestyle="none", markersize=3.5, **drawn.dot)
        if group.baseline is not None:
            axis.plot([group.baseline] * 2, [at - 0.44, at + 0.44], "k:", linewidth=1.0)
    for at in range(1, len(found)):
        axis.axhline(at - 0.5, color="#cccccc", linewidth=0.5)
    texts = [wrapped(group.label, letters) for group in found] if names else [""] * len(found)
    axis.set_yticks(range(len(found)), texts)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlabel(xlabel)
    axis.grid(False, axis="y")
    baselines = [group.baseline for group in found if group.baseline is not None]
    drawn_ = [score for group in found for score in group.scores.values()]
    from_zero(axis, [v for s in drawn_ for v in (s.value, s.low, s.high)] + baselines)


def from_zero(axis: Any, values: Sequence[float]) -> None:
    """An x axis from 0 to where shares end, so that equal dots look equal in all panels of a scale
    and a small difference does not look large; longer where a value is beyond."""
    known = [value for value in values if math.isfinite(value)]
    highest, lowest = max(known, default=1.0), min(0.0, *known, 0.0)
    end = next((end for end in ENDS if highest <= end), 1.05 * highest)
    axis.set_xlim(lowest * 1.05 - 0.03 * end, end * 1.03)
    axis.xaxis.get_major_locator().set_params(nbins=5)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")


def not_judged(axis: Any, y: float, look: Look) -> None:
    """ "n/a" in place of a dot, in the system's colour."""
    axis.text(0, y, "n/a", fontsize=6, color=look.colour, ha="left", va="center")


def told(
    scores: Iterable[Any], interval: str, *, baseline: bool = False, none: str = NO_INTERVAL
) -> str:
    """What lines, dotted lines and what is not drawn mean, for the foot of a figure.

    `scores` have a value, a low and a high; `none` is told where some have no interval.
    """
    parts = [f"Lines: {interval}"]
    drawn = [score for score in scores if not getattr(score, "baseline", False)]
    judged = [score for score in drawn if math.isfinite(score.value)]
    if any(not math.isfinite(score.low) for score in judged):
        parts.append(none)
    if len(judged) < len(drawn):
        parts.append(NOT_JUDGED)
    if baseline:
        parts.append(f"dotted: {BASELINE}")
    return "; ".join(parts) + "."


def radar(axis: Any, found: Sequence[Group], look: Mapping[str, Look]) -> None:
    """Lines round a polar axis, 0 in the centre and 1 at the rim, intervals along the spokes."""
    turn = 2 * math.pi / len(found)
    for i, (name, drawn) in enumerate(look.items()):
        # Side by side, so that the intervals of one spoke do not hide each other.
        shift = (i - (len(look) - 1) / 2) * min(0.035, 0.5 * turn / max(len(look), 1))
        angles, values = [], []
        for at, group in enumerate(found):
            score = group.scores.get(name)
            angles.append(at * turn + shift)
            values.append(score.value if score else math.nan)
            if score:
                line = {"color": drawn.colour, "linewidth": 0.8, "alpha": 0.75}
                axis.plot([angles[-1]] * 2, [score.low, score.high], **line)
        axis.plot(
            [*angles, angles[0]],
            [*values, values[0]],
            linestyle=drawn.line,
            **drawn.dot,
            markersize=2.8,
            linewidth=0.9,
            clip_on=False,
        )
    axis.set_rlabel_position(math.degrees(turn / 2))
    axis.set_theta_offset(math.pi / 2)
    axis.set_theta_direction(-1)
    axis.set_ylim(0, 1)
    axis.set_yticks([0.25, 0.5, 0.75, 1.0], ["", "0.5", "", "1"], fontsize=6)
    axis.set_xticks([])
    for at, group in enumerate(found):
        angle = at * turn
        side = math.sin(angle)
        align = "center" if abs(side) < 0.15 else "left" if side > 0 else "right"
        up = math.cos(angle)
        vertical = "center" if abs(up) < 0.85 else "bottom" if up > 0 else "top"
        text = wrapped(group.label, 30)
        axis.text(angle, 1.07, text, ha=align, va=vertical, fontsize=7)
        axis.plot([angle, angle], [0, 1], color="#dddddd", linewidth=0.5, zorder=0)
