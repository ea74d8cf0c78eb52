"""JSON files of an archive, plain or gzip; one clear error for a file that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses, Row, place_in
from chexone_ray.data.sources.pending import CSV_STEP
from chexone_ray.errors import ChexoneError


def read_object(uri: str, of: str) -> Mapping[str, Any]:
    """A file that is one object. `of` says what its keys are, such as "by study"."""
    value = _read(uri)
    if not isinstance(value, dict):
        raise ChexoneError(f"{uri} is no JSON object {of}: {CSV_STEP}")
    return value


def entries(uri: str | None, of: str) -> Iterator[tuple[str, Any, str]]:
    """(key, value, place) of a file that is one object; nothing without a file."""
    for key, value in read_object(uri, of).items() if uri else ():
        yield key, value, place_in(str(uri), key)


def read_list(uri: str, losses: Losses, of: str = "rows") -> Iterator[Row[Any]]:
    """The objects of a file that is one list; other items are lost as unparsable rows. `of` says
    what the objects are."""
    value = _read(uri)
    if not isinstance(value, list):
        raise ChexoneError(f"{uri} is no JSON list of {of}: {CSV_STEP}")
    for number, row in enumerate(value):
        if isinstance(row, dict):
            yield Row(row, uri, number)
        else:
            losses.lose("unparsable_row", place_in(uri, number))


def read_lines(uri: str, losses: Losses) -> Iterator[Row[Any]]:
    """The objects of a file with one a line; other lines are lost as unparsable rows."""
    for number, line in tables.numbered_lines(uri):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            yield Row(row, uri, number)
        else:
            losses.lose("unparsable_row", place_in(uri, number))


def objects(items: Any, uri: str, at: str, losses: Losses) -> Iterator[Row[Any]]:
    """The objects of the list at `at` in a file, such as data[0].paragraphs; others are lost."""
    for number, item in enumerate(items if isinstance(items, list) else [None]):
        if isinstance(item, dict):
            yield Row(item, uri, f"{at}[{number}]")
        else:
            losses.lose("unparsable_row", place_in(uri, f"{at}[{number}]"))


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A value as one line of text: numbers are written out, null and other shapes are empty."""
    value = row.get(name)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _read(uri: str) -> Any:
    try:
        return json.loads(tables.read_text(uri))
    except ValueError as error:
        raise ChexoneError(f"{uri} is no JSON ({error}): fetch it again") from error
