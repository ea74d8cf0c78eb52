"""Asked questions -> parts of the manifest: chosen, shuffled by their keys, written.

Rows have a seeded random key, and parts are ranges of that key: a global shuffle whose result
depends on seed and input alone, not on how many machines did it.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chexone_ray.data import manifest
from chexone_ray.data.blocks import Block, from_json
from chexone_ray.data.choose import Limits, kept

KEY_BITS = 63


def num_parts(asked: Mapping[str, int], removed: Mapping[str, int]) -> dict[str, int]:
    """Split -> parts for the rows that stay; splits without one are left out."""
    stay = Counter(asked)
    stay.subtract(removed)
    return {split: -(-n // manifest.ROWS_PER_PART) for split, n in sorted(stay.items()) if n}


def write(
    blocks: Sequence[Block], parts: Mapping[str, int], limits: Limits, uri: str, rows_per_group: int
) -> list[manifest.Part]:
    """Route every row to its part and write the parts; returns what was written."""
    import ray

    items = [{"block": json.dumps(dataclasses.asdict(block))} for block in blocks]
    grouped = (
        ray.data.from_items(items, override_num_blocks=len(items))
        .map_batches(
            _route,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"num_parts": parts, "limits": limits},
        )
        .groupby("part", num_partitions=sum(parts.values()))
    )
    written = grouped.map_groups(
        _write_group,
        batch_format="pyarrow",
        fn_kwargs={"uri": uri, "rows_per_group": rows_per_group},
    )
    return [manifest.Part(**json.loads(row["written"])) for row in written.take_all()]


def _route(batch: Any, num_parts: Mapping[str, int], limits: Limits) -> Any:
    """Dataset step. Needs `block` (JSON); gives the block's chosen rows with `part` added."""
    import pyarrow as pa

    routed = []
    for text in batch["block"].to_pylist():
        table = from_json(json.loads(text)).read()
        table = table.filter(kept(table, limits))
        places = zip(table["split"].to_pylist(), table["key"].to_pylist(), strict=True)
        parts = [f"{split}-{(key * num_parts[split]) >> KEY_BITS}" for split, key in places]
        routed.append(table.append_column("part", pa.array(parts, pa.string())))
    return pa.concat_tables(routed)


def _write_group(table: Any, uri: str, rows_per_group: int) -> Any:
    """Grouped step. Sorts one part by its random keys and writes it; gives one row, `written`."""
    import pyarrow as pa

    split, _, number = table["part"][0].as_py().rpartition("-")
    table = table.sort_by([("key", "ascending"), ("rank", "ascending"), ("id", "ascending")])
    part = manifest.write_part(uri, split, int(number), table, rows_per_group)
    return pa.table({"written": [json.dumps(dataclasses.asdict(part))]})
