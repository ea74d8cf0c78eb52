"""Which of the questions asked stay: evened answers, then at most so many training rows a kind.

Pure functions on Arrow columns. Both rules keep the lowest ranks, so a limit is one number. What
`mix` thins out is not asked in the first place: `share_of` says how much of a row's likes is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chexone_ray.config import PrepareConfig

NO_LIMIT = 2**63 - 1
COLUMNS = ("split", "kind", "dataset", "group", "cls", "rank")
"""What choosing reads of a row; `group` and `cls` as `tasks.balance_group` gives them."""
Limits = dict[str, int]
"""Choice group -> highest rank that stays; groups without an entry stay whole."""


def share_of(dataset: str, task: str, kind: str, config: PrepareConfig) -> float:
    """The share of training rows like this one that is kept: the product over `config.mix`."""
    return math.prod(config.mix.get(name, 1.0) for name in (dataset, task, kind))


def undecided(rows: Any, config: PrepareConfig) -> Any:
    """Those of the rows that a rule may remove; all others stay and need not be held."""
    import pyarrow as pa
    import pyarrow.compute as pc

    limited = pa.array(sorted(config.max_per_kind), pa.string())
    return rows.filter(pc.or_(pc.not_equal(rows["cls"], ""), pc.is_in(rows["kind"], limited)))


def choose(rows: Any, config: PrepareConfig) -> Limits:
    """Which rows stay: evened classes in every split, then at most `max_per_kind` training rows.

    `rows` is an Arrow table with `COLUMNS`; cls is empty for no class. Both rules
    keep the lowest ranks, so a limit is one number. Keys: "split/group/cls", "kind/KIND". A group
    with one class only goes: its wording would tell the answer.
    """
    import pyarrow.compute as pc

    limits: Limits = {}
    classes: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, ranks in _ranks(rows.filter(pc.not_equal(rows["cls"], "")), _class_keys):
        group, _, cls = key.rpartition("/")
        classes[group][cls] = ranks
    for group, found in classes.items():
        keep = min(map(len, found.values())) if len(found) > 1 else 0
        for cls, ranks in found.items():
            limits[f"{group}/{cls}"] = int(ranks[keep - 1]) if keep else -1
    for key, ranks in _ranks(rows.filter(kept(rows, limits)), _kind_keys):
        most = config.max_per_kind.get(key.removeprefix("kind/"))
        if most is not None and len(ranks) > most:
            limits[key] = int(ranks[most - 1])
    return limits


def kept(rows: Any, limits: Limits) -> Any:
    """Arrow booleans: true for the rows whose rank is inside all their limits."""
    import pyarrow.compute as pc

    return pc.and_(_inside(rows, limits, _class_keys), _inside(rows, limits, _kind_keys))


def _inside(rows: Any, limits: Limits, keys_of: Callable[[Any], Any]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = keys_of(rows).combine_chunks().dictionary_encode()
    most = pa.array([limits.get(key, NO_LIMIT) for key in keys.dictionary.to_pylist()], pa.int64())
    return pc.less_equal(rows["rank"], most.take(keys.indices))


def _class_keys(rows: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(rows["split"], rows["group"], rows["cls"], "/")


def _kind_keys(rows: Any) -> Any:
    """ "kind/KIND" for training rows, "held out" for the others, which have no limit."""
    import pyarrow.compute as pc

    keys = pc.binary_join_element_wise("kind", rows["kind"], "/")
    return pc.if_else(pc.equal(rows["split"], "train"), keys, "held out")


def _ranks(rows: Any, keys_of: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """(key, sorted ranks) of every key, in one pass over sorted rows."""
    import pyarrow as pa

    table = pa.table({"key": keys_of(rows), "rank": rows["rank"]})
    table = table.sort_by([("key", "ascending"), ("rank", "ascending")])
    ranks, at = table["rank"].to_numpy(), 0
    counts = table.group_by("key", use_threads=False).aggregate([("rank", "count")])
    for key, count in zip(counts["key"].to_pylist(), counts["rank_count"].to_pylist(), strict=True):
        yield key, ranks[at : at + count]
        at += count


@dataclass(frozen=True)
class Removed:
    """What a row that is not chosen is counted by."""

    split: str
    kind: str
    dataset: str
    reason: str


def removed(rows: Any, limits: Limits) -> dict[Removed, int]:
    """How many of the rows go, by what they are and why."""
    import pyarrow.compute as pc

    even = _inside(rows, limits, _class_keys)
    few = _inside(rows, limits, _kind_keys)
    found = {}
    for reason, gone in (
        ("question_balanced_away", pc.invert(even)),
        ("question_over_max_per_kind", pc.and_(even, pc.invert(few))),
    ):
        names = ("split", "kind", "dataset")
        table = rows.filter(gone).group_by(names).aggregate([([], "count_all")])
        for row in table.to_pylist():
            item = Removed(row["split"], row["kind"], row["dataset"], reason)
            found[item] = row["count_all"]
    return found
