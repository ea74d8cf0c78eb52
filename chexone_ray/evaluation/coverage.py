"""Are the evaluated rows the held-out rows of the manifest, all of them?

A system that left out its hard rows would look better than it is. Where `predict` was told to
answer a part (`max_per_kind`, `kinds`), which its predictions record, a note says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from chexone_ray import storage
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError


def compared(
    manifest_uri: str, predictions: Mapping[str, str], asked: Collection[str]
) -> list[str]:
    """Notes on what part of the manifest was answered. `asked` are the ids of all models alike,
    `predictions` their folders.

    Raises:
        ChexoneError: evaluated rows are no held-out rows of the manifest, or rows of it are missing
            that `predict` was not told to leave out.
    """
    held_out = stream.held_out(manifest_uri)
    odd = set(asked) - held_out.keys()
    if odd:
        raise ChexoneError(
            f"manifest_uri {manifest_uri} is not what was answered: {len(odd)} of {len(asked)} "
            f"evaluated rows are no test or validate rows of it, {min(odd)} first; give the "
            "manifest of the predictions, or drop manifest_uri and set baselines=false"
        )
    there = Counter(held_out[name] for name in asked)
    splits = {split for split, _ in there}
    known = Counter(place for place in held_out.values() if place[0] in splits)
    recorded = [_recorded(uri) for uri in predictions.values()]
    kinds = {kind for record in recorded for kind in record.get("kinds") or ()}
    most = max((record.get("max_per_kind") or 0 for record in recorded), default=0)
    wanted = {
        (split, kind): min(number, most or number)
        for (split, kind), number in known.items()
        if not kinds or kind in kinds
    }
    missing = sum(max(number - there[place], 0) for place, number in wanted.items())
    if missing:
        raise ChexoneError(
            f"{missing} of the {sum(wanted.values())} rows of {manifest_uri} (split "
            f"{'+'.join(sorted(splits))}) are not in the predictions: predict all of them, or a "
            "part by predict.max_per_kind or predict.kinds; answers of another system are put on "
            "all rows by `chexone results import --manifest_uri`, missing ones as failed"
        )
    return _told(known, there)


def _recorded(uri: str) -> dict[str, Any]:
    """The settings that the predictions were made with; nothing of those that record none."""
    found = (storage.committed(uri) or {}).get("config")
    return found if isinstance(found, dict) else {}


def _told(known: Mapping[tuple[str, str], int], there: Mapping[tuple[str, str], int]) -> list[str]:
    parts = [
        f"{kind} {there.get((split, kind), 0):,} of {number:,}"
        for (split, kind), number in sorted(known.items())
        if there.get((split, kind), 0) < number
    ]
    if not parts:
        return []
    return [f"A part of the manifest's rows, as predict was told: {', '.join(parts)}."]
