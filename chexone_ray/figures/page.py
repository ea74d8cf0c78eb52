"""Parts of an HTML page that opens without a network: its frame, films with boxes, cards."""

from __future__ import annotations

import base64
import html
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
.film p{font-size:13px;margin:4px 0}
.card{display:grid;grid-template-columns:250px 1fr;gap:16px;border:1px solid var(--line);
border-radius:8px;padding:12px;margin:12px 0;background:var(--back)}
.card dt{font-size:12px;color:var(--soft);margin-top:6px}.card dd{margin:0;white-space:pre-line}
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
    """An image with its boxes and its caption."""
    caption = f"<p>{escape(item.caption)}</p>" if item.caption else ""
    return f"<div class='film'>{_overlay(item)}{caption}</div>"


def cards(title: str, items: Sequence[Card], note: str) -> str:
    """Cards under a heading; nothing without one."""
    if not items:
        return ""
    shown = []
    for card in items:
        said = "".join(
            f"<dt>{escape(model)}</dt><dd>{escape(trace)} <b>{escape(answer)}</b></dd>"
            for model, (trace, answer) in card.answers.items()
        )
        reference = f"<dt>reference</dt><dd>{escape(card.reference)}</dd>" if card.reference else ""
        shown.append(
            f"<div class='card'><div>{''.join(film(item) for item in card.films)}</div>"
            f"<dl><dt>question</dt><dd>{escape(card.question)}</dd>{said}{reference}</dl></div>"
        )
    return f"<h2>{escape(title)}</h2><p class='soft'>{escape(note)}</p>{''.join(shown)}"


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
