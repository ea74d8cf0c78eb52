"""One HTML page about a run: opens without a network, made from result files only."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chexone_ray.figures import charts
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box

_CSS = """
:root{--ink:#1b1f24;--soft:#59636e;--line:#d8dee4;--back:#f6f8fa;--blue:#0072B2;--orange:#E69F00}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);margin:0 auto;
max-width:1080px;padding:24px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:19px;margin:36px 0 8px;border-bottom:1px solid var(--line)}
p{margin:6px 0}.soft{color:var(--soft);font-size:13px}
.banner{background:#fff3cd;border:1px solid #e6c200;border-radius:6px;padding:8px 12px;
margin:12px 0}
.verdict{display:inline-block;border-radius:6px;padding:2px 10px;font-weight:600;color:#fff}
.yes{background:#1a7f37}.no{background:#b42318}
table{border-collapse:collapse;font-size:13.5px;margin:8px 0}
td,th{border-bottom:1px solid var(--line);padding:4px 10px;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.films{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:14px}
.film svg{width:100%;display:block;background:#000;border-radius:4px}
.film p{font-size:13px;margin:4px 0}
.card{display:grid;grid-template-columns:250px 1fr;gap:16px;border:1px solid var(--line);
border-radius:8px;padding:12px;margin:12px 0;background:var(--back)}
.card dt{font-size:12px;color:var(--soft);margin-top:6px}.card dd{margin:0}
.chart{overflow-x:auto}.chart svg{max-width:100%;height:auto}
@media(max-width:640px){.card{grid-template-columns:1fr}}
"""


@dataclass(frozen=True)
class Film:
    """One image: PNG bytes, boxes of the reference (solid) and of the model (dashed), a caption."""

    png: bytes
    width: int
    height: int
    caption: str = ""
    reference: tuple[Box, ...] = ()
    predicted: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Card:
    """One question with what a model said to it."""

    films: tuple[Film, ...]
    question: str
    reference: str
    answers: Mapping[str, tuple[str, str]]
    """Model -> (trace, answer)."""


@dataclass(frozen=True)
class Content:
    """Everything that the page shows; an empty part is left out."""

    title: str
    summary: Mapping[str, Any]
    """As in summary.json: passed, seconds, checks, metrics."""
    films: Sequence[Film] = ()
    sft: Sequence[Mapping[str, float]] = ()
    grpo: Sequence[Mapping[str, float]] = ()
    histograms: Mapping[str, tuple[Sequence[float], Sequence[int]]] = field(default_factory=dict)
    cut: float = 0.0
    cards: Sequence[Card] = ()
    real_cards: Sequence[Card] = ()


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
        _cards("Held-out examples", content.cards, ""),
        _cards(
            "Real films",
            content.real_cards,
            "The model saw drawn phantoms only: it is untrained on real images. These answers mean "
            "nothing beyond showing that real PNG and DICOM files pass through the whole chain.",
        ),
        _timings(content.summary),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{_e(content.title)}</title><style>{_CSS}</style>"
        '<meta name="viewport" content="width=device-width,initial-scale=1"></head>'
        f"<body>{body}</body></html>\n"
    )


def _e(text: object) -> str:
    return html.escape(str(text))


def _head(content: Content) -> str:
    summary = content.summary
    passed = bool(summary.get("passed"))
    seconds = summary.get("seconds", {}).get("total", 0.0)
    return (
        f"<h1>{_e(content.title)}</h1><p><span class='verdict {'yes' if passed else 'no'}'>"
        f"{'all checks passed' if passed else 'some checks failed'}</span> "
        f"<span class='soft'>{seconds / 60:.1f} minutes from archive to served model; "
        f"figures are of held-out patients</span></p><p class='banner'>{_e(RESEARCH_USE_ONLY)} "
        "All films but those marked real are drawn phantoms.</p>"
    )


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{_e(c['name'])}</td><td class='n'>{_number(c['threshold'])}</td>"
        f"<td class='n'>{_number(c['reached'])}</td><td>{_interval(c)}</td>"
        f"<td><span class='verdict {_word(c)}'>{_word(c)}</span></td></tr>"
        for c in checks
    )
    if not rows:
        return ""
    return (
        "<h2>Checks</h2><table><tr><th>check</th><th class='n'>at least</th>"
        "<th class='n'>reached</th>"
        f"<th>95 % interval</th><th>passed</th></tr>{rows}</table>"
    )


def _word(check: Mapping[str, Any]) -> str:
    return "yes" if check["passed"] else "no"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else _e(value)


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row.get("low"), row.get("high")
    return f"{low:.3f} to {high:.3f}" if low is not None and high is not None else ""


def _headline(summary: Mapping[str, Any]) -> str:
    groups: dict[str, list[tuple[str, float, float, float, bool]]] = {}
    first: dict[str, str] = {}
    for row in summary.get("metrics", []):
        if first.setdefault(row["kind"], row["metric"]) == row["metric"]:
            name = f"{row['kind'].replace('_', ' ')}\n{row['metric']}"
            entry = (row["model"], row["value"], row["low"], row["high"], row["baseline"])
            groups.setdefault(name, []).append(entry)
    if not groups:
        return ""
    bars = {
        name: summary["thresholds"][name.split("\n")[0].replace(" ", "_")]
        for name in groups
        if name.split("\n")[0].replace(" ", "_") in summary.get("thresholds", {})
    }
    chart = charts.intervals(groups, "held-out value, 95 % interval over patients", targets=bars)
    return f"<h2>What was learned</h2><div class='chart'>{chart}</div>"


def _overlay(film: Film) -> str:
    def rect(box: Box, colour: str, dash: str) -> str:
        x1, y1, x2, y2 = box.xyxy
        x, y, w, h = (
            x1 * film.width,
            y1 * film.height,
            (x2 - x1) * film.width,
            (y2 - y1) * film.height,
        )
        return (
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{w:.1f}' height='{h:.1f}' fill='none' "
            f"stroke='{colour}' "
            f"stroke-width='{film.width / 110:.2f}' {dash}><title>{_e(box.label)}</title></rect>"
        )

    data = base64.b64encode(film.png).decode()
    boxes = "".join(rect(box, "#56B4E9", "") for box in film.reference)
    boxes += "".join(
        rect(box, "#E69F00", f"stroke-dasharray='{film.width / 40:.1f}'") for box in film.predicted
    )
    return (
        f"<svg viewBox='0 0 {film.width} {film.height}' role='img' "
        f"aria-label='{_e(film.caption or 'film')}'><image href='data:image/png;base64,{data}' "
        f"width='{film.width}' height='{film.height}'/>{boxes}</svg>"
    )


def _film(film: Film) -> str:
    caption = f"<p>{_e(film.caption)}</p>" if film.caption else ""
    return f"<div class='film'>{_overlay(film)}{caption}</div>"


def _films(films: Sequence[Film]) -> str:
    if not films:
        return ""
    return (
        "<h2>Sample films</h2><p class='soft'>Boxes: reference solid blue, model dashed orange.</p>"
        f"<div class='films'>{''.join(_film(film) for film in films)}</div>"
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
    return _series(rows, {key: key.removeprefix(prefix).replace("_", " ") for key in keys})


def _chart(title: str, svg: str, note: str = "") -> str:
    return f"<h2>{_e(title)}</h2><p class='soft'>{_e(note)}</p><div class='chart'>{svg}</div>"


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
    svg = charts.histograms(content.histograms, content.cut, "reward std")
    note = "Spread of the reward over samples of one prompt; left of the line nothing is learned."
    return _chart("Variance filter", svg, note)


def _grpo(rows: Sequence[Mapping[str, float]]) -> str:
    if not rows:
        return ""
    window = max(1, len(rows) // 15)
    rewards = {**_series(rows, {"grpo/reward": "all"}), **_by_kind(rows, "grpo/reward/kind/")}
    svg = charts.curves(rewards, "optimizer step", "mean reward", window=window)
    kl = _series(rows, {"grpo/kl": "KL to the start"})
    if kl:
        svg += charts.curves(kl, "optimizer step", "KL to the start", window=window, height=2.2)
    return _chart("Reinforcement (GRPO)", svg, "Mean reward of the rollouts of each step.")


def _table(figures: Sequence[Mapping[str, Any]]) -> str:
    if not figures:
        return ""
    systems = list(dict.fromkeys(row["model"] for row in figures if not row["baseline"]))
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in figures:
        line = lines.setdefault(
            (row["kind"], row["metric"]), {"baselines": [], "rows": row["num_rows"]}
        )
        text = f"{row['value']:.3f} <span class='soft'>{row['low']:.3f}-{row['high']:.3f}</span>"
        if row["baseline"]:
            line["baselines"].append(f"{_e(row['model'])} {text}")
        else:
            unparsed = (
                f"<br><span class='soft'>{row['num_unparsed']} unparsed</span>"
                if row["num_unparsed"]
                else ""
            )
            line[row["model"]] = text + unparsed
    head = "".join(f"<th>{_e(system)}</th>" for system in systems)
    body = "".join(
        f"<tr><td>{_e(kind.replace('_', ' '))}</td><td>{_e(metric)}</td>"
        f"<td class='n'>{line['rows']}</td><td>{'<br>'.join(line['baselines'])}</td>"
        + "".join(f"<td>{line.get(system, '')}</td>" for system in systems)
        + "</tr>"
        for (kind, metric), line in lines.items()
    )
    return (
        "<h2>Held-out results</h2><table><tr><th>kind</th><th>metric</th><th class='n'>rows</th>"
        f"<th>baselines without the image</th>{head}</tr>{body}</table>"
    )


def _cards(title: str, cards: Sequence[Card], note: str) -> str:
    if not cards:
        return ""
    shown = []
    for card in cards:
        said = "".join(
            f"<dt>{_e(model)}</dt><dd>{_e(trace)} <b>{_e(answer)}</b></dd>"
            for model, (trace, answer) in card.answers.items()
        )
        reference = f"<dt>reference</dt><dd>{_e(card.reference)}</dd>" if card.reference else ""
        shown.append(
            f"<div class='card'><div>{''.join(_film(film) for film in card.films)}</div>"
            f"<dl><dt>question</dt><dd>{_e(card.question)}</dd>{said}{reference}</dl></div>"
        )
    return f"<h2>{_e(title)}</h2><p class='soft'>{_e(note)}</p>{''.join(shown)}"


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
