"""Asked questions -> parts of the manifest: chosen, shuffled by their keys, written.

Rows have a seeded random key, and parts are ranges of that key: a global shuffle whose result
depends on seed and input alone, not on how many machines did it. With a curriculum the training
rows are shuffled phase by phase, each in parts of its own.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chexone_ray import runtime
from chexone_ray.config import PrepareConfig
from chexone_ray.data import manifest
from chexone_ray.data.blocks import Block, read_rows
from chexone_ray.data.choose import Limits, kept

KEY_BITS = 63


@dataclass(frozen=True)
class Stretch:
    """Consecutive parts of a split that are shuffled together."""

    first: int
    count: int
    rows: int


Plan = dict[tuple[str, int], Stretch]
"""(split, phase) -> its parts; held-out splits have the one phase 0."""
Phases = Sequence[Sequence[str]]


def plan(asked: Mapping[str, int], removed: Mapping[str, int], phases: Phases) -> Plan:
    """The parts for the rows that stay; both counts by "split/kind"."""
    stay: Counter[tuple[str, int]] = Counter()
    for name, count in asked.items():
        split, _, kind = name.partition("/")
        stay[split, phase_of(split, kind, phases)] += count - removed.get(name, 0)
    found: Plan = {}
    first: Counter[str] = Counter()
    for (split, phase), rows in sorted(stay.items()):
        if rows:
            count = -(-rows // manifest.ROWS_PER_PART)
            found[split, phase] = Stretch(first[split], count, rows)
            first[split] += count
    return found


def phase_of(split: str, kind: str, phases: Phases) -> int:
    """The first phase that names the kind, else the last one; 0 for rows that are held out."""
    if split != "train":
        return 0
    return next((n for n, kinds in enumerate(phases) if kind in kinds), len(phases))


def write(
    blocks: Sequence[Block], parts: Plan, limits: Limits, config: PrepareConfig
) -> list[manifest.Part]:
    """Route every row to its part and write the parts; returns what was written."""
    import ray

    runtime.quiet_data()
    items = [{"uri": block.uri} for block in blocks]
    grouped = (
        ray.data.from_items(items, override_num_blocks=len(items))
        .map_batches(
            _route,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"parts": parts, "limits": limits, "phases": config.curriculum},
        )
        .groupby("part", num_partitions=sum(stretch.count for stretch in parts.values()))
    )
    written = grouped.map_groups(
        _write_group,
        batch_format="pyarrow",
        fn_kwargs={"uri": config.output_uri, "rows_per_group": config.rows_per_group},
    )
    return [manifest.Part(**json.loads(row["written"])) for row in written.take_all()]


def _route(batch: Any, parts: Plan, limits: Limits, phases: Phases) -> Any:
    """Dataset step. Needs `uri`, of a block; gives its chosen rows with `part` added."""
    import pyarrow as pa

    routed = []
    for uri in batch["uri"].to_pylist():
        table = read_rows(uri)
        table = table.filter(kept(table, limits))
        names = []
        columns = (table[name].to_pylist() for name in ("split", "kind", "key"))
        for split, kind, key in zip(*columns, strict=True):
            stretch = parts[split, phase_of(split, kind, phases)]
            names.append(f"{split}-{stretch.first + ((key * stretch.count) >> KEY_BITS)}")
        routed.append(table.append_column("part", pa.array(names, pa.string())))
    return pa.concat_tables(routed)


def _write_group(table: Any, uri: str, rows_per_group: int) -> Any:
    """Grouped step. Sorts one part by its random keys and writes it; gives one row, `written`."""
    import pyarrow as pa

    split, _, number = table["part"][0].as_py().rpartition("-")
    table = table.sort_by([("key", "ascending"), ("rank", "ascending"), ("id", "ascending")])
    part = manifest.write_part(uri, split, int(number), table, rows_per_group)
    return pa.table({"written": [json.dumps(dataclasses.asdict(part))]})
