"""Answers of the probes -> reasoning.json, by_kind.json, differences.json and reasoning.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chexone_ray import storage
from chexone_ray.config import ProbeConfig
from chexone_ray.evaluation.same_answer import SAME_RULE
from chexone_ray.evaluation.table_formats import markdown
from chexone_ray.evaluation.tables import Cell, Document, Grid
from chexone_ray.kinds import spoken
from chexone_ray.probing.figures import Figure, Gap, Row, differences, figures, outcomes

_SAME = "|".join(f"{name}:{value}" for name, value in SAME_RULE.items())
"""The longest settings that signatures share."""
STATUSES = ("answered", "unparsed", "refused", "failed")


def write(output_uri: str, rows: Sequence[Row], model: str, config: ProbeConfig) -> None:
    """Write the four files."""
    found = figures(rows, model, config)
    by_kind = {
        kind: figures([row for row in rows if row["kind"] == kind], model, config)
        for kind in sorted({row["kind"] for row in rows})
    }
    gaps_found = differences(rows, model, config)
    files = {
        "reasoning": [_jsonable(asdict(figure)) for figure in found],
        "by_kind": [
            {"kind": kind, **_jsonable(asdict(figure))}
            for kind, of_kind in by_kind.items()
            for figure in of_kind
        ],
        "differences": [_jsonable(asdict(gap)) for gap in gaps_found],
    }
    for name, values in files.items():
        storage.write_json(storage.join(output_uri, f"{name}.json"), values)
    page = markdown(document(found, by_kind, gaps_found, outcomes(rows), config))
    storage.write_bytes(storage.join(output_uri, "reasoning.md"), page.encode())


def document(
    found: Sequence[Figure],
    by_kind: Mapping[str, Sequence[Figure]],
    gaps_found: Sequence[Gap],
    counts: Mapping[str, Mapping[str, int]],
    config: ProbeConfig,
) -> Document:
    """The page of one model's probes."""
    signatures = _footnotes(found)
    head = ("metric", "mode", "value", "rows", "patients")
    lines = [_line(figure, signatures) for figure in found]
    own = [
        line
        for kind, figures_ in by_kind.items()
        for line in (
            (Cell(spoken(kind), is_bold=True),),
            *(_line(figure, signatures) for figure in figures_),
        )
    ]
    compared = tuple(
        (Cell(f"{gap.second} minus {gap.first}"), *_numbers(gap, signed=True)) for gap in gaps_found
    )
    told = tuple(
        (
            Cell(probe),
            *(_count(by.get(status, 0)) for status in STATUSES),
        )
        for probe, by in counts.items()
    )
    grids = (
        Grid("All kinds", _head(*head), tuple(lines)),
        Grid("Differences", _head("metrics", "value", "rows", "patients"), compared),
        Grid("By kind", _head(*head), tuple(own)),
        Grid("Answers", _head("asked", *STATUSES), told),
    )
    name = found[0].model if found else ""
    notes = (
        "Values with 95 % intervals: percentile bootstrap over patients "
        f"({config.bootstrap} draws, seed {config.seed}).",
        "Failed answers are in no figure; unparsed and refused ones are wrong, and changed.",
        "Metrics are over the rows that have them; differences over the rows that have both.",
        "A swapped film has another right answer where the split holds one to the same question "
        "(other_truth in the parts); elsewhere it may have the same.",
        f"same_answer in signatures: {_SAME}.",
    )
    grids_shown = tuple(grid for grid in grids if grid.lines)
    return Document(f"Reasoning of {name}", grids_shown, notes, tuple(signatures.values()))


def _footnotes(found: Sequence[Figure]) -> dict[str, str]:
    """Settings of signatures -> a footnote, with the metrics that share them; the whole signatures
    are in reasoning.json."""
    names: dict[str, dict[str, None]] = {}
    for figure in found:
        name, _, settings = figure.signature.partition("|")
        names.setdefault(settings, {})[name] = None
    return {
        settings: f"{'; '.join(of)}|{settings.replace(_SAME, 'same_answer:as noted')}"
        for settings, of in names.items()
    }


def _jsonable(values: dict[str, Any]) -> dict[str, Any]:
    """The same with None for what is not finite, which JSON has not."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _head(*names: str) -> tuple[Cell, ...]:
    words = ("metric", "metrics", "mode", "asked")
    return tuple(Cell(name, is_number=name not in words) for name in names)


def _line(figure: Figure, signatures: Mapping[str, str]) -> tuple[Cell, ...]:
    footnote = list(signatures).index(figure.signature.partition("|")[2]) + 1
    return (Cell(figure.metric, footnote=footnote), Cell(figure.mode), *_numbers(figure))


def _numbers(figure: Figure | Gap, signed: bool = False) -> tuple[Cell, ...]:
    form = "{:+.3f}" if signed else "{:.3f}"
    finite = math.isfinite(figure.low)
    spread = f"{form.format(figure.low)} to {form.format(figure.high)}" if finite else "n/a"
    value = Cell(form.format(figure.value), spread, is_number=True)
    return (value, _count(figure.num_rows), _count(figure.num_patients))


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", is_number=True)
