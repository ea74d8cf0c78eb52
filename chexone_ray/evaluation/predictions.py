"""Reading what `predict` wrote."""

from __future__ import annotations

import io
from typing import Any

from chexone_ray import storage
from chexone_ray.errors import ChexoneError


def read_rows(uri: str) -> list[dict[str, Any]]:
    """All rows of a committed predictions folder as dicts, in the order of its parts.

    Raises:
        ChexoneError: the folder is not committed.
    """
    import pyarrow.parquet as pq

    if storage.committed(uri) is None:
        raise ChexoneError(
            f"predictions {uri} are not complete: run `chexone predict` again to finish them"
        )
    rows: list[dict[str, Any]] = []
    for part in storage.list_files(uri, ".parquet"):
        rows += pq.read_table(io.BytesIO(storage.read_bytes(part))).to_pylist()
    return rows
