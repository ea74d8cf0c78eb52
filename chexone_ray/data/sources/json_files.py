"""JSON files of an archive, plain or gzip; one clear error for a file that is none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray.data.sources import tables
from chexone_ray.data.sources.pending import CSV_STEP
from chexone_ray.errors import ChexoneError


def read_object(uri: str, of: str) -> Mapping[str, Any]:
    """A file that is one object. `of` says what its keys are, such as "by study"."""
    value = _read(uri)
    if not isinstance(value, dict):
        raise ChexoneError(f"{uri} is no JSON object {of}: {CSV_STEP}")
    return value


def read_list(uri: str, dropped: Counter[str]) -> Iterator[Mapping[str, Any]]:
    """The objects of a file that is one list; other items are counted as unparsable rows."""
    value = _read(uri)
    if not isinstance(value, list):
        raise ChexoneError(f"{uri} is no JSON list of rows: {CSV_STEP}")
    for row in value:
        if isinstance(row, dict):
            yield row
        else:
            dropped["unparsable_row"] += 1


def read_lines(uri: str, dropped: Counter[str]) -> Iterator[Mapping[str, Any]]:
    """The objects of a file with one a line; other lines are counted as unparsable rows."""
    for line in filter(str.strip, tables.read_text(uri).split("\n")):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            yield row
        else:
            dropped["unparsable_row"] += 1


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A value as one line of text: numbers are written out, null and other shapes are empty."""
    value = row.get(name)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _read(uri: str) -> Any:
    try:
        return json.loads(tables.read_text(uri))
    except ValueError as error:
        raise ChexoneError(f"{uri} is no JSON ({error}): fetch it again") from error
