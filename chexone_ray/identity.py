"""Whether a result that is there was made with the settings that are given now, and which differ.

A place counts by where it is, not by how it was written: a relative path, an absolute one and a
file:// URI of one folder are the same setting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from chexone_ray import storage
from chexone_ray.checkpoints import is_hub_name
from chexone_ray.config import Settings
from chexone_ray.errors import ChexoneError

INPUT = "manifest"
"""Under this key lies what an input holds, which is told of as one."""


def content(config: Settings, exclude: Set[str] = frozenset()) -> dict[str, Any]:
    """The settings as JSON without the named fields, local places as absolute paths."""
    found: dict[str, Any] = _absolute(config.model_dump(mode="json", exclude=set(exclude)))
    return found


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the settings that are not equal, or on one side only, sorted."""
    names = []
    for key in sorted({*found, *wanted}):
        there, given = found.get(key), wanted.get(key)
        if there == given:
            continue
        if isinstance(there, Mapping) and isinstance(given, Mapping) and key != INPUT:
            names += differing(there, given, f"{prefix}{key}.")
        else:
            names.append(prefix + key)
    return names


def is_complete(
    uri: str, key: str, value: object, what: str, settings: Mapping[str, Any] | None = None
) -> bool:
    """True where the folder is committed with `value` under `key`, False where it is not committed.

    Raises ChexoneError where another value is there, the result of other settings; it names those
    of `settings` that differ from what the folder's config.json records.
    """
    info = storage.committed(uri)
    if info is not None and info.get(key) != value:
        found = info.get(key)
        if isinstance(found, Mapping) and isinstance(value, Mapping):
            raise other(uri, what, differing(found, value))
        raise other(uri, what, recorded_differences(uri, settings or {}))
    return info is not None


def recorded_differences(uri: str, settings: Mapping[str, Any]) -> list[str]:
    """Names of the settings that config.json of a result records otherwise; none without it."""
    place = storage.join(uri, storage.SETTINGS_FILE)
    if not storage.exists(place):
        return []
    recorded = _absolute(storage.read_json(place))
    return differing(_shared(recorded, settings), _shared(_as_json(settings), recorded))


def recorded(place: str, exclude: Set[str] = frozenset()) -> dict[str, Any]:
    """A config.json as `content` gives settings."""
    found = storage.read_json(place)
    found = found if isinstance(found, dict) else {}
    return {key: value for key, value in _absolute(found).items() if key not in exclude}


def refuse_foreign(uri: str, what: str, files: Set[str], folders: Set[str] = frozenset()) -> None:
    """Raises ChexoneError where the folder holds a file that `what` does not write: neither one of
    `files` nor in one of `folders`. Hidden files are passed over."""
    start = len(storage.join(uri)) + 1
    names = [place[start:] for place in storage.list_files(uri)]
    foreign = [
        name
        for name in names
        if name not in files
        and name.partition("/")[0] not in folders
        and not name.rpartition("/")[2].startswith(".")
    ]
    if foreign:
        raise ChexoneError(
            f"output_uri {uri} holds files that {what} does not write ({foreign[0]}, "
            f"{len(foreign)} in all): give a folder of its own"
        )


def other(uri: str, what: str, names: list[str]) -> ChexoneError:
    """The error for a result that was made otherwise; it tells names, never values."""
    told = f" ({', '.join(names)})" if names else ", or of another manifest, model or release"
    return ChexoneError(
        f"{uri} holds {what} of other settings{told}: give another output_uri or delete that folder"
    )


def _absolute(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        # `predictions_uri` names its places by model.
        return {k: _absolute(v, key if _is_place(key) else k) for k, v in value.items()}
    if isinstance(value, list):
        return [_absolute(item, key) for item in value]
    if not (_is_place(key) and isinstance(value, str) and storage.is_local(value)):
        return value
    return value if key == "model_uri" and is_hub_name(value) else storage.split(value)[1]


def _is_place(key: str) -> bool:
    return key == "uri" or key.endswith("_uri")


def _as_json(settings: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(settings, default=str))


def _shared(found: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    """What of `found` is in `shape` too: a record of another release has other fields."""
    return {
        key: _shared(value, shape[key])
        if isinstance(value, Mapping) and isinstance(shape[key], Mapping)
        else value
        for key, value in found.items()
        if key in shape
    }
