"""Parts of an HTML page that opens without a network: its frame, films with boxes, cards."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
.figure{width:calc(50% - 14px);margin:6px;vertical-align:top;border:1px solid var(--line)}
.film p{font-size:13px;margin:4px 0}
.card{display:grid;grid-template-columns:250px 1fr;gap:16px;border:1px solid var(--line);
border-radius:8px;padding:12px;margin:12px 0;background:var(--back)}
.card dl{min-width:0;margin:0;overflow-wrap:anywhere}
.card dt{font-size:12px;color:var(--soft);margin-top:6px}.card dd{margin:0;white-space:pre-line}
.chart{overflow-x:auto}.chart svg{width:100%;height:auto}
.range{white-space:nowrap}.correct{color:#1a7f37;font-weight:600}
.wrong{color:#b42318;font-weight:600}
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
class Said:
    """What a model said, and where it can be told whether that is right or how good it is."""

    trace: str
    answer: str
    right: bool | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Card:
    """One question with what a model said to it."""

    films: tuple[Film, ...]
    question: str
    reference: str
    answers: Mapping[str, Said]
    kind: str = ""
    name: str = ""
    """What the films are, shown under them."""


def document(title: str, body: str) -> str:
    """The whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_CSS}</style>"
        '<meta name="viewport" content="width=device-width,initial-scale=1"></head>'
        f"<body>{body}</body></html>\n"
    )


def escape(text: object) -> str:
    """Text as it may stand in HTML."""
    return html.escape(str(text))


def film(item: Film) -> str:
    """An image with its boxes and its caption; the caption alone where there are no bytes."""
    caption = f"<p>{escape(item.caption)}</p>" if item.caption else ""
    return f"<div class='film'>{_overlay(item) if item.png else ''}{caption}</div>"


def cards(title: str, items: Sequence[Card], note: str) -> str:
    """Cards under a heading; nothing without one."""
    if not items:
        return ""
    shown = []
    for card in items:
        said = "".join(
            f"<dt>{escape(model)}{_verdict(answer)}</dt>"
            f"<dd>{escape(answer.trace)} <b>{escape(answer.answer)}</b></dd>"
            for model, answer in card.answers.items()
        )
        reference = f"<dt>reference</dt><dd>{escape(card.reference)}</dd>" if card.reference else ""
        name = f"<p>{escape(card.name)}</p>" if card.name else ""
        asked = f"question: {escape(card.kind)}" if card.kind else "question"
        shown.append(
            f"<div class='card'><div class='film'>{''.join(film(item) for item in card.films)}"
            f"{name}</div><dl><dt>{asked}</dt><dd>{escape(card.question)}</dd>{said}{reference}</dl></div>"
        )
    return f"<h2>{escape(title)}</h2><p class='soft'>{escape(note)}</p>{''.join(shown)}"


def _verdict(said: Said) -> str:
    colour = {True: "correct", False: "wrong", None: "soft"}[said.right]
    return f" <span class='{colour}'>{escape(said.verdict)}</span>" if said.verdict else ""


def interval(low: float, high: float) -> str:
    """An interval that does not break across lines; "n/a" where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "<span class='range'>n/a</span>"
    return f"<span class='range'>{low:.3f}\u2013{high:.3f}</span>"


_BOX = re.compile(r"<\|box\|>(.*?)<\|/box\|>")
_CORNERS = re.compile(r"\)\s*,\s*\(")
_MARK = re.compile(r"<\|/?(?:ref|box)\|>")
_LAST = re.compile(r";\s*(?=$|[.,;])")


def readable(text: str) -> str:
    """Boxes in the model's notation as a reader writes them: "nodule (10,20)-(30,40) %"."""
    text = _BOX.sub(lambda found: f" {_CORNERS.sub(')-(', found[1])} %; ", text)
    return _LAST.sub("", _MARK.sub("", text)).strip()


def _overlay(item: Film) -> str:
    def rect(box: Box, colour: str, dash: str) -> str:
        x1, y1, x2, y2 = box.xyxy
        x, y, w, h = (
            x1 * item.width,
            y1 * item.height,
            (x2 - x1) * item.width,
            (y2 - y1) * item.height,
        )
        return (
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{w:.1f}' height='{h:.1f}' fill='none' "
            f"stroke='{colour}' stroke-width='{item.width / 110:.2f}' {dash}>"
            f"<title>{escape(box.label)}</title></rect>"
        )

    data = base64.b64encode(item.png).decode()
    boxes = "".join(rect(box, "#56B4E9", "") for box in item.reference)
    boxes += "".join(
        rect(box, "#E69F00", f"stroke-dasharray='{item.width / 40:.1f}'") for box in item.predicted
    )
    return (
        f"<svg viewBox='0 0 {item.width} {item.height}' role='img' "
        f"aria-label='{escape(item.caption or 'film')}'><image href='data:image/png;base64,{data}' "
        f"width='{item.width}' height='{item.height}'/>{boxes}</svg>"
    )
