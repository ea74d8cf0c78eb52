"""One HTML page about a run: opens without a network, made from result files only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chexone_ray.evaluation.blind import SIDES_TOLD
from chexone_ray.figures import charts
from chexone_ray.figures.page import Card, Film, cards, document, escape, film, interval
from chexone_ray.kinds import spoken
from chexone_ray.log import RESEARCH_USE_ONLY

METRICS_SHOWN = 3
"""Metrics of a kind on the page; table.html has all."""


@dataclass(frozen=True)
class Content:
    """Everything that the page shows; an empty part is left out."""

    title: str
    summary: Mapping[str, Any]
    """As in summary.json: passed, seconds, checks, metrics."""
    films: Sequence[Film] = ()
    sft: Sequence[Mapping[str, float]] = ()
    grpo: Sequence[Mapping[str, float]] = ()
    histograms: Mapping[str, charts.Spread] = field(default_factory=dict)
    cut: float = 0.0
    cards: Sequence[Card] = ()
    real_cards: Sequence[Card] = ()
    real_selection: str = ""
    """Which of the real films are shown."""
    drawn: Sequence[str] = ()
    """Files of `chexone figures` in the folder "figures" beside the page."""
    skipped: Sequence[Mapping[str, str]] = ()
    """Name and reason of the figures that could not be drawn."""


_EXAMPLES = (
    "Of every kind, questions on which the two models differ, both wrong and both right in turn, "
    "so these are no sample: the table has the shares. Correct is the option of the reference, or "
    "boxes of a mean IoU of 0.5 or more (none where there are none). Reports are right by degrees: "
    "the label F1 counts their findings, neither sides nor sizes. Boxes are the upper left and the "
    "lower right corner in % of width and height; drawn are the reference in solid blue and the "
    "answer after GRPO in dashed orange."
)


def render(content: Content) -> str:
    """The page as one HTML text."""
    parts = [
        _head(content),
        _checks(content.summary.get("checks", [])),
        _headline(content.summary),
        _films(content.films),
        _sft(content.sft),
        _filter(content),
        _grpo(content.grpo),
        _table(content.summary.get("metrics", [])),
        cards("Held-out examples", content.cards, _EXAMPLES),
        cards(
            "Real films",
            content.real_cards,
            "The model saw drawn phantoms only: it is untrained on real images. These answers mean "
            "nothing beyond showing that real PNG and DICOM files pass through the whole chain. "
            + content.real_selection,
        ),
        _drawn(content),
        _timings(content.summary),
    ]
    body = "\n".join(part for part in parts if part)
    return document(content.title, body)


def _head(content: Content) -> str:
    summary = content.summary
    passed = bool(summary.get("passed"))
    seconds = summary.get("seconds", {}).get("total", 0.0)
    return (
        f"<h1>{escape(content.title)}</h1><p><span class='verdict {'yes' if passed else 'no'}'>"
        f"{'all checks passed' if passed else 'some checks failed'}</span> "
        f"<span class='soft'>{seconds / 60:.1f} minutes from archive to served model; "
        f"figures are of held-out patients</span></p><p class='banner'>{escape(RESEARCH_USE_ONLY)} "
        "All films but those marked real are drawn phantoms.</p>"
    )


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(c['name'])}</td>"
        f"<td class='n range'>{escape(c['direction'])} {_number(c['threshold'])}</td>"
        f"<td class='n'>{_number(c['reached'])}</td><td>{_interval(c)}</td>"
        f"<td><span class='verdict {_word(c)}'>{_word(c)}</span></td></tr>"
        for c in checks
    )
    if not rows:
        return ""
    return (
        "<h2>Checks</h2><table><tr><th>check</th><th class='n'>asked for</th>"
        "<th class='n'>reached</th>"
        f"<th>95 % interval</th><th>passed</th></tr>{rows}</table>"
    )


def _word(check: Mapping[str, Any]) -> str:
    return "yes" if check["passed"] else "no"


def _number(value: float) -> str:
    """Counts and whole minutes as such, rates with three digits."""
    if not math.isfinite(value):
        return "n/a"
    if isinstance(value, int) or (value > 1 and float(value).is_integer()):
        return f"{value:.0f}"
    return f"{value:.1f}" if value > 1 else f"{value:.3f}"


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row.get("low"), row.get("high")
    return interval(low, high) if low is not None and high is not None else ""


def _headline(summary: Mapping[str, Any]) -> str:
    groups: dict[str, list[tuple[str, float, float, float, str]]] = {}
    bars: dict[str, float] = {}
    for row in summary.get("metrics", []):
        kind = row["kind"]
        if row["headline"]:
            name = f"{spoken(kind)}\n{row['metric']}"
            told = "sides told" if row["model"] == SIDES_TOLD else "told nothing"
            sort = f"baseline, {told}" if row["baseline"] else ""
            entry = (row["model"], row["value"], row["low"], row["high"], sort)
            groups.setdefault(name, []).append(entry)
            if kind in summary.get("thresholds", {}):
                bars[name] = summary["thresholds"][kind]
    if not groups:
        return ""
    chart = charts.intervals(groups, "held-out value, 95 % interval over patients", targets=bars)
    return f"<h2>What was learned</h2><div class='chart'>{chart}</div>"


def _films(films: Sequence[Film]) -> str:
    if not films:
        return ""
    return (
        "<h2>Sample films</h2><p class='soft'>Held-out films, chosen like the examples below. "
        "Boxes: reference solid blue, answer after GRPO dashed orange.</p>"
        f"<div class='films'>{''.join(map(film, films))}</div>"
    )


def _series(
    rows: Sequence[Mapping[str, float]], keys: Mapping[str, str]
) -> dict[str, list[tuple[float, float]]]:
    """Points (step, value) of each key that occurs; `keys` maps metric key -> shown name."""
    found = {
        name: [(row["step"], row[key]) for row in rows if key in row] for key, name in keys.items()
    }
    return {name: points for name, points in found.items() if points}


def _by_kind(
    rows: Sequence[Mapping[str, float]], prefix: str
) -> dict[str, list[tuple[float, float]]]:
    keys = sorted({key for row in rows for key in row if key.startswith(prefix)})
    return _series(rows, {key: spoken(key.removeprefix(prefix)) for key in keys})


def _chart(title: str, svg: str, note: str = "") -> str:
    return (
        f"<h2>{escape(title)}</h2><p class='soft'>{escape(note)}</p><div class='chart'>{svg}</div>"
    )


def _sft(rows: Sequence[Mapping[str, float]]) -> str:
    if not rows:
        return ""
    series = {**_series(rows, {"sft/loss": "all"}), **_by_kind(rows, "sft/nll_")}
    window = max(1, len(rows) // 40)
    svg = charts.curves(series, "optimizer step", "loss a token", window=window, log=True)
    return _chart(
        "Supervised fine-tuning", svg, "Answer tokens only, by question kind; logarithmic."
    )


def _filter(content: Content) -> str:
    if not content.histograms:
        return ""
    shown = {spoken(kind): spread for kind, spread in content.histograms.items()}
    svg = charts.histograms(shown, "std of the reward over the samples of a prompt")
    note = (
        "Prompts by how much the rewards of their samples differ. Grey ones are dropped: all of "
        "bar 0, whose samples all got the same reward, so that nothing can be learned from them"
    )
    if content.cut > 0:
        note += f", and those with a std of at most {content.cut:g}, a part of the bar beside it"
    return _chart("Variance filter", svg, f"{note}.")


def _grpo(rows: Sequence[Mapping[str, float]]) -> str:
    if not rows:
        return ""
    window = max(1, len(rows) // 15)
    kinds = _by_kind(rows, "grpo/reward/kind/")
    note = "Mean reward of the rollouts of each step"
    if len(kinds) == 1:
        note += f"; one kind is trained: {next(iter(kinds))}"
        kinds = {}
    rewards = {**_series(rows, {"grpo/reward": "all"}), **kinds}
    svg = charts.curves(rewards, "optimizer step", "mean reward", window=window)
    kl = _series(rows, {"grpo/kl": "KL to the start"})
    if kl:
        svg += charts.curves(kl, "optimizer step", "KL to the start", window=window, height=2.2)
    return _chart("Reinforcement (GRPO)", svg, f"{note}.")


def _table(figures: Sequence[Mapping[str, Any]]) -> str:
    if not figures:
        return ""
    systems = list(dict.fromkeys(row["model"] for row in figures if not row["baseline"]))
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in _first_metrics(figures):
        line = lines.setdefault(
            (row["kind"], row["metric"]), {"baselines": [], "rows": row["num_rows"]}
        )
        value = f"{row['value']:.3f} " if math.isfinite(row["value"]) else ""
        text = f"{value}<span class='soft'>{interval(row['low'], row['high'])}</span>"
        if row["baseline"]:
            line["baselines"].append(f"{_baseline(row['model'])} {text}")
        else:
            unparsed = (
                f"<br><span class='soft'>{row['num_unparsed']} unparsed</span>"
                if row["num_unparsed"]
                else ""
            )
            line[row["model"]] = text + unparsed
    head = "".join(f"<th>{escape(system)}</th>" for system in systems)
    body = "".join(
        f"<tr><td>{escape(spoken(kind))}</td><td>{escape(metric)}</td>"
        f"<td class='n'>{line['rows']}</td><td>{'<br>'.join(line['baselines'])}</td>"
        + "".join(f"<td>{line.get(system, '')}</td>" for system in systems)
        + "</tr>"
        for (kind, metric), line in lines.items()
    )
    return (
        "<h2>Held-out results</h2><table><tr><th>kind</th><th>metric</th><th class='n'>rows</th>"
        f"<th>baselines without the image</th>{head}</tr>{body}</table>{_told(figures)}"
        "<p class='soft'><a href='table.html'>All metrics</a>, with signatures and tests between "
        "the models.</p>"
    )


def _first_metrics(figures: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows of the first metrics of each kind; the others are on a page of their own."""
    first: dict[str, dict[str, None]] = {}
    for row in figures:
        of_kind = first.setdefault(row["kind"], {})
        if row["metric"] in of_kind or len(of_kind) < METRICS_SHOWN:
            of_kind[row["metric"]] = None
            yield row


def _drawn(content: Content) -> str:
    """The figures as small pictures that lead to the large ones, and why others are missing."""
    pictures = [name for name in content.drawn if name.endswith(".png")]
    if not pictures and not content.skipped:
        return ""
    shown = "".join(
        f"<a href='figures/{escape(name)}'><img class='figure' alt='{escape(name)}' "
        f"src='figures/{escape(name)}'></a>"
        for name in pictures
    )
    told = "Drawn by <code>chexone figures</code> from the files of this run, in the folder "
    told += "figures as PDF, SVG and PNG."
    if any(name.startswith("09") for name in pictures):
        told += " The readers of figure 9 are simulated."
    for figure in content.skipped:
        told += f" Not drawn: {escape(figure['name'])} ({escape(figure['reason'])})."
    if "compare.html" in content.drawn:
        told += " <a href='figures/compare.html'>Films and answers side by side</a>."
    return f"<h2>Figures</h2><p class='soft'>{told}</p>{shown}"


def _baseline(name: str) -> str:
    if name == SIDES_TOLD:
        return f"{escape(name.removesuffix(', sides told'))} <b>(told the sides)</b>"
    return escape(name)


def _apart(low: float, high: float) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "n/a"
    return "overlap" if low <= high else "apart"


def _told(figures: Sequence[Mapping[str, Any]]) -> str:
    """How far the trained models are above the baseline that is told a part of the answer."""
    said = []
    for told in (row for row in figures if row["model"] == SIDES_TOLD and row["headline"]):
        rows = [
            row
            for row in figures
            if (row["kind"], row["metric"]) == (told["kind"], told["metric"])
            and not row["baseline"]
            and row["value"] > told["value"]
        ]
        above = [
            f"{row['model']} is {row['value'] - told['value']:.3f} above it ({row['value']:.3f}, "
            f"intervals {_apart(row['low'], told['high'])})"
            for row in rows
        ]
        said.append(
            f"In {spoken(told['kind'])} it gets {told['value']:.3f}, {told['metric']}: "
            f"{' and '.join(above) or 'no model is above it'}."
        )
    if not said:
        return ""
    return (
        "<p class='soft'>The baseline marked (told the sides) sees no image but is told how many "
        "boxes there are and on which sides; the checks leave it out. "
        f"{escape(' '.join(said))}</p>"
    )


def _timings(summary: Mapping[str, Any]) -> str:
    stages = summary.get("seconds", {}).get("stages", {})
    if not stages:
        return ""
    spans = [
        (name, stage["start"], stage["seconds"], stage.get("starting", 0.0))
        for name, stage in stages.items()
    ]
    total = sum(span[2] for span in spans) or 1.0
    share = 100 * sum(span[3] for span in spans) / total
    note = (
        f"{share:.0f} % of the stage time was spent waiting for processes to start (mostly "
        "imports); what started beside the work of an earlier stage is not in it."
    )
    return _chart("Time", charts.timeline(spans), note)
