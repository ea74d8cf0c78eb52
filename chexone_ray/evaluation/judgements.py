"""What a judge behind an endpoint said of pairs of reports, kept beside the evaluation: it is paid
for. The file holds digests and counts, no text.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from chexone_ray import storage
from chexone_ray.config.learned import GreenTable
from chexone_ray.endpoints.chat_client import PASSING
from chexone_ray.evaluation.output import JUDGEMENTS_FILE
from chexone_ray.metrics.learned.green import Judged, green, key_of

SAVE_EVERY_S = 5.0
"""How many seconds of judgements a killed run may lose."""


def judged(
    predicted: Sequence[str], reference: Sequence[str], table: GreenTable, output_uri: str | None
) -> list[Judged]:
    """One a pair; only what `output_uri` does not hold is asked, each different pair once.

    Pairs without a score are asked about again, in a finished evaluation those alone that failed
    for the server's sake. Without `output_uri` nothing is kept.

    Raises:
        ChexoneError: the settings of the endpoint are wrong; what was judged by then is kept.
    """
    kept = _read(output_uri)
    finished = output_uri is not None and storage.committed(output_uri) is not None
    keys = [
        key_of(*pair, table.endpoint, table.max_tokens)
        for pair in zip(predicted, reference, strict=True)
    ]
    missing = {
        key: place
        for place, key in enumerate(keys)
        if key not in kept or _again(kept[key], finished)
    }
    asked, places = list(missing), list(missing.values())
    saved = time.monotonic()

    def told(number: int, one: Judged) -> None:
        nonlocal saved
        kept[asked[number]] = one
        if time.monotonic() - saved >= SAVE_EVERY_S:
            _write(output_uri, kept)
            saved = time.monotonic()

    if asked:
        pairs = [predicted[at] for at in places], [reference[at] for at in places]
        try:
            green(*pairs, table.endpoint, table.max_tokens, told)
        finally:
            _write(output_uri, kept)
    return [kept[key] for key in keys]


def _again(one: Judged, finished: bool) -> bool:
    return one.score is None and (not finished or PASSING.fullmatch(one.problem) is not None)


def _read(output_uri: str | None) -> dict[str, Judged]:
    if output_uri is None or not storage.exists(_place(output_uri)):
        return {}
    return {key: Judged(**told) for key, told in storage.read_json(_place(output_uri)).items()}


def _write(output_uri: str | None, kept: dict[str, Judged]) -> None:
    if output_uri is not None and kept:
        told = {key: asdict(one) for key, one in kept.items()}
        storage.write_json(_place(output_uri), told)


def _place(output_uri: str) -> str:
    return storage.join(output_uri, JUDGEMENTS_FILE)
