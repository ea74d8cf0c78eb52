"""JSON that is handed on: read without losing an entry, written so that nothing else changes."""

from __future__ import annotations

import json
from typing import Any

from chexone_ray import storage
from chexone_ray.errors import ChexoneError


def read_object(uri: str, of: str) -> dict[str, dict[str, Any]]:
    """A file that is one object of objects, in order; NaN is read as such. `of` says what the
    entries are.

    Raises:
        ChexoneError: another shape, or a key that is there twice, which plain reading would drop.
    """
    found = parse(storage.read_bytes(uri), uri)
    if not isinstance(found, dict) or not found:
        raise ChexoneError(f"{uri} is no JSON object of {of}, or an empty one: check the URI")
    for key, entry in found.items():
        if not isinstance(entry, dict):
            raise ChexoneError(f"{uri}: {key} is no object: check the file")
    return found


def parse(data: bytes, uri: str) -> Any:
    """The value of a file. Raises ChexoneError for no JSON and for a key that is there twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ChexoneError(f"{uri}: {key} is there twice: keep one")
            found[key] = value
        return found

    try:
        return json.loads(data, object_pairs_hook=unique)
    except ChexoneError:
        raise
    except ValueError as error:
        raise ChexoneError(f"{uri} is no JSON ({error}): check the file") from None


def same(first: Any, second: Any) -> bool:
    """True for equal values with their keys in the same order; NaN equals NaN."""
    return json.dumps(first) == json.dumps(second)


def text(entry: dict[str, Any], name: str) -> str:
    """A value as one line of text; empty for NaN, null and other shapes."""
    value = entry.get(name)
    return " ".join(value.split()) if isinstance(value, str) else ""
