"""`prepare`: archives -> manifest, with Ray Data.

    sources -> patients -> verify images, read reports, ask questions -> choose -> shuffle -> parts

Every image is decoded once; what cannot be used is counted by reason and ends the run when it is
too much. Rows get a seeded random key, and parts are ranges of that key: a global shuffle whose
result depends on seed and input alone, not on how many machines did it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chexone_ray import runtime, storage
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data import manifest
from chexone_ray.data.ask import STATS, STATS_COLUMN, ask_batch
from chexone_ray.data.refuse import idle_settings, refuse
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.sources.vindr_boxes import box_files
from chexone_ray.data.splits import most_held_out
from chexone_ray.errors import ChexoneError
from chexone_ray.log import timed
from chexone_ray.parts import cut

logger = logging.getLogger(__name__)

BLOCKS_PER_CPU = 3
PATIENTS_PER_CHUNK = 32
"""Patients whose studies are put beside one another: fixed, so that no result depends on blocks."""
MAX_CHUNKS_PER_BLOCK = 16
KEY_BITS = 63
NO_LIMIT = 2**63 - 1
Limits = dict[str, int]
"""Choice group -> highest rank that stays; groups without an entry stay whole."""


def prepare(config: PrepareConfig) -> str:
    """Write the manifest of `config` to its output URI and return that URI.

    Returns at once where the same settings have been committed there. Raises ChexoneError for a
    missing table, an unknown kind, too many unusable images or another manifest in the place.
    """
    if config.check:
        raise ChexoneError(
            "check=true asks for a list of what is missing, which `chexone prepare` prints: set "
            "check=false to write a manifest"
        )
    digest = config_digest(config)
    tables_digest = archive_digest(config)
    if storage.is_complete(config.output_uri, "config_digest", digest, "a manifest"):
        _refuse_changed(config, tables_digest)
        logger.info("manifest is complete already: %s", config.output_uri)
        return config.output_uri
    refuse(config)
    with timed(logger, "reading the tables of the archives"):
        patients, dropped = read_sources(config)
    runtime.join(config.ray)
    manifest.clear(config.output_uri)
    storage.record_settings(config.output_uri, config)
    with timed(logger, f"reading images and reports of {len(patients)} patients"):
        asked = _ask(patients, config)
    stats, groups = _index(asked)
    stats["dropped"].update(dropped)
    _check_drops(stats, config)
    limits = choose(groups, config)
    with timed(logger, "shuffling and writing"):
        parts = _write(asked, _parts_per_split(groups, limits), limits, config)
    info = {
        "kind": "manifest",
        "seed": config.seed,
        "config_digest": digest,
        "tables_digest": tables_digest,
        "config": config.model_dump(mode="json", exclude={"ray", "output_uri", "check"}),
        "num_patients": len(patients),
        "num_images": stats["images"]["read"],
        "dropped": dict(sorted(stats["dropped"].items())),
    }
    written = manifest.write_manifest(config.output_uri, parts, info)
    logger.info("manifest %s: %s", config.output_uri, json.dumps(written.info["counts"]["split"]))
    return config.output_uri


def archive_digest(config: PrepareConfig) -> str:
    """SHA-256 of the tables of all archives; empty where an archive is not there (any more): one of
    its tables that is needed, or all of them, or the box file of the source."""
    digest = hashlib.sha256()
    for source in config.sources:
        spec = SOURCES[source.adapter]
        found = [(tables.find(source.uri, table.names), table.optional) for table in spec.tables]
        if any(uri is None and not optional for uri, optional in found):
            return ""
        there = [uri for uri, _ in found if uri is not None]
        boxes = box_files(source.boxes_uri) if source.boxes_uri else []
        if (spec.tables and not there) or (source.boxes_uri and not boxes):
            return ""
        for uri in (*there, *boxes):
            digest.update(storage.read_bytes(uri))
    return digest.hexdigest()


def _refuse_changed(config: PrepareConfig, found: str) -> None:
    made_from = (storage.committed(config.output_uri) or {}).get("tables_digest")
    if found and made_from and found != made_from:
        raise ChexoneError(
            f"{config.output_uri} was made from other tables than its archives hold now: "
            "give another output_uri or delete that folder"
        )


def config_digest(config: PrepareConfig) -> str:
    """SHA-256 of all settings that change the content of the manifest."""
    content = config.model_dump(mode="json", exclude={"ray", "output_uri", "check"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_sources(config: PrepareConfig) -> tuple[list[list[PendingStudy]], Counter[str]]:
    """Studies of all sources by patient and time, and the rows that their tables lost, by reason.

    A patient is one of a data set, in whichever sources; all its studies get its split. Raises
    ChexoneError where a study is there twice or a setting of a source has no effect.
    """
    dropped: Counter[str] = Counter()
    by_patient: dict[tuple[str, str], list[PendingStudy]] = defaultdict(list)
    first_uri: dict[tuple[str, str], str] = {}
    for source in config.sources:
        spec = SOURCES[source.adapter]
        numbers = spec.patients
        for problem in idle_settings(source):
            raise ChexoneError(problem)
        found, lost = spec.read(source, config.archive_splits)
        found = [item.with_uncertain(source.uncertain) for item in found]
        dropped.update(lost)
        repeated: Counter[str] = Counter()
        for item in found:
            study = item.study
            key = (study.dataset, study.study)
            if key in first_uri:
                repeated[first_uri[key]] += 1
            first_uri.setdefault(key, source.uri)
            by_patient[numbers or study.dataset, study.patient].append(item)
        if repeated:
            raise ChexoneError(_told_twice(source, repeated))
    patients = []
    for studies in by_patient.values():
        studies.sort(key=lambda item: (item.study.date, item.study.study))
        split = most_held_out(item.study.archive_split for item in studies)
        patients.append([item.with_split(split) for item in studies])
    return patients, dropped


def _told_twice(source: SourceConfig, repeated: Counter[str]) -> str:
    """One line for studies of `source` that are there already: URI of the first place -> count."""
    earlier, count = repeated.most_common(1)[0]
    if earlier == source.uri:
        return (
            f"{count} studies of the {source.adapter} archive {source.uri} are there twice: list "
            "an archive once in sources, and check that its tables name every study once"
        )
    return (
        f"{count} studies of the {source.adapter} archive {source.uri} are in {earlier} too: keep "
        "one of the two in sources"
    )


def _ask(patients: list[list[PendingStudy]], config: PrepareConfig) -> Any:
    """Dataset of questions, materialized: the columns of `sample_schema()` plus those of `ask`."""
    import ray

    num_cpus = _num_cpus()
    chunks = cut(patients, PATIENTS_PER_CHUNK)
    num_blocks = max(BLOCKS_PER_CPU * num_cpus, -(-len(chunks) // MAX_CHUNKS_PER_BLOCK))
    dataset = ray.data.from_items(
        [{"chunk": pickle.dumps(chunk)} for chunk in chunks],
        override_num_blocks=max(1, min(num_blocks, len(chunks))),
    )
    return dataset.map_batches(
        ask_batch,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"config": config},
        compute=ray.data.TaskPoolStrategy(size=num_cpus),
    ).materialize()


def _num_cpus() -> int:
    """CPUs to use: what Ray has, on one machine no more than there really are."""
    import ray

    cluster = int(ray.cluster_resources().get("CPU", 1))
    alone = sum(node["Alive"] for node in ray.nodes()) == 1
    return max(1, min(cluster, len(os.sched_getaffinity(0))) if alone else cluster)


def _index(asked: Any) -> tuple[dict[str, Counter[str]], Any]:
    """Summed drop counts, and an Arrow table of what choosing needs of every row."""
    import pyarrow as pa

    columns = [STATS_COLUMN, "split", "kind", "group", "cls", "rank"]
    stats: dict[str, Counter[str]] = {name: Counter() for name in STATS}
    tables = []
    for table in asked.select_columns(columns).iter_batches(
        batch_size=None, batch_format="pyarrow"
    ):
        is_stats = table[STATS_COLUMN].is_valid()
        for text in table.filter(is_stats)[STATS_COLUMN].to_pylist():
            for name, counts in json.loads(text).items():
                stats[name].update(counts)
        tables.append(table.filter(pa.compute.invert(is_stats)).drop_columns([STATS_COLUMN]))
    return stats, pa.concat_tables(tables)


def _check_drops(stats: Mapping[str, Counter[str]], config: PrepareConfig) -> None:
    read, dropped = stats["images"]["read"], stats["images"]["dropped"]
    total = read + dropped
    if total == 0 or dropped / total > config.max_drop_share:
        reasons = [(r, n) for r, n in stats["dropped"].most_common() if r.startswith("image_")][:5]
        told = ", ".join(f"{reason} {count}" for reason, count in reasons) or "there is none"
        raise ChexoneError(
            f"{dropped} of {total} images are unusable ({told}), more than "
            f"max_drop_share={config.max_drop_share}: mend the archive or raise max_drop_share"
        )
    boxes, outside = stats["boxes"]["read"], stats["boxes"]["outside"]
    if outside > config.max_drop_share * boxes:
        raise ChexoneError(
            f"{outside} of {boxes} boxes reach outside their images, more than "
            f"max_drop_share={config.max_drop_share}: these images are probably resized copies and "
            "the boxes count in pixels of the archive's own, so give those or scale the boxes"
        )
    if outside:
        stats["dropped"]["box_outside_image"] += outside


def choose(rows: Any, config: PrepareConfig) -> Limits:
    """Which rows stay: evened classes in every split, then at most `max_per_kind` training rows.

    `rows` is an Arrow table with split, kind, group, cls (empty for no class) and rank. Both rules
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
    import pyarrow as pa
    import pyarrow.compute as pc

    result = None
    for keys_of in (_class_keys, _kind_keys):
        keys = keys_of(rows).combine_chunks().dictionary_encode()
        most = pa.array(
            [limits.get(key, NO_LIMIT) for key in keys.dictionary.to_pylist()], pa.int64()
        )
        inside = pc.less_equal(rows["rank"], most.take(keys.indices))
        result = inside if result is None else pc.and_(result, inside)
    return result


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


def _parts_per_split(rows: Any, limits: Limits) -> dict[str, int]:
    counts = Counter(rows.filter(kept(rows, limits))["split"].to_pylist())
    if not counts:
        raise ChexoneError("the archives gave no question: check kinds and the archives' reports")
    return {split: -(-count // manifest.ROWS_PER_PART) for split, count in counts.items()}


def _write(
    asked: Any, num_parts: dict[str, int], limits: Limits, config: PrepareConfig
) -> list[manifest.Part]:
    """Route every row to its part and write the parts; returns what was written."""
    grouped = asked.map_batches(
        _route,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"num_parts": num_parts, "limits": limits},
    ).groupby("part", num_partitions=sum(num_parts.values()))
    written = grouped.map_groups(
        _write_group,
        batch_format="pyarrow",
        fn_kwargs={"uri": config.output_uri, "rows_per_group": config.rows_per_group},
    )
    return [manifest.Part(**json.loads(row["written"])) for row in written.take_all()]


def _route(table: Any, num_parts: dict[str, int], limits: Limits) -> Any:
    """Dataset step. Needs split, kind, group, cls, rank and key; adds `part`; keeps chosen rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.filter(pc.is_null(table[STATS_COLUMN])).drop_columns([STATS_COLUMN])
    table = table.filter(kept(table, limits))
    places = zip(table["split"].to_pylist(), table["key"].to_pylist(), strict=True)
    parts = [f"{split}-{(key * num_parts[split]) >> KEY_BITS}" for split, key in places]
    return table.append_column("part", pa.array(parts, pa.string()))


def _write_group(table: Any, uri: str, rows_per_group: int) -> Any:
    """Grouped step. Sorts one part by its random keys and writes it; gives one row, `written`."""
    import dataclasses

    import pyarrow as pa

    split, _, number = table["part"][0].as_py().rpartition("-")
    table = table.sort_by([("key", "ascending"), ("rank", "ascending"), ("id", "ascending")])
    part = manifest.write_part(uri, split, int(number), table, rows_per_group)
    return pa.table({"written": [json.dumps(dataclasses.asdict(part))]})
