"""`prepare`: archives -> manifest, with Ray Data.

    sources -> patients -> verify images, read reports, ask questions -> choose -> shuffle -> parts

An image is decoded once for each study of a data set that shows it; what cannot be used is counted
by reason and ends the run when too much of a source is damaged. What has been asked waits in
blocks beside the manifest, so a run that was killed goes on. What the tables say of the studies
waits on the driver's disk; its memory holds one source at a time, of every study where it lies, and
of the questions what choosing needs (`choose.COLUMNS`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from chexone_ray import identity, runtime, storage
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data import blocks, card, choose, drops, duplicates, leaks, manifest, shuffle
from chexone_ray.data.blocks import Letter
from chexone_ray.data.packed_images import locate
from chexone_ray.data.preflight import preflight
from chexone_ray.data.refuse import idle_settings, refuse
from chexone_ray.data.shelf import Entry, Patients, Shelf
from chexone_ray.data.sources import own_table, tables
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.sources.vindr_boxes import box_files
from chexone_ray.data.waves import ask_all
from chexone_ray.errors import ChexoneError
from chexone_ray.log import timed
from chexone_ray.parts import ahead, to_parquet

logger = logging.getLogger(__name__)

READS_AHEAD = 8
READ_THREADS = 16
NOT_CONTENT = {"ray", "output_uri", "check", "preview"}
"""Settings that change nothing in the manifest."""


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
    wanted = identity.content(config, NOT_CONTENT)
    if identity.is_complete(config.output_uri, "config_digest", digest, "a manifest", wanted):
        _refuse_changed(config, archive_digest(config))
        blocks.remove(config.output_uri)  # of a run that was killed right after its commit
        logger.info("manifest is complete already: %s", config.output_uri)
        return _with_pictures(config)
    refuse(config)
    preflight(config)
    runtime.join(config.ray)
    tables_digest = archive_digest(config)
    with timed(logger, "reading the tables of the archives"), _telling(config, letters := []):
        patients, found, moves = read_sources(config)
        letters += found
    manifest.clear(config.output_uri)
    storage.record_settings(config.output_uri, config)
    digests = {"config_digest": digest, "tables_digest": tables_digest}
    folder = blocks.open_folder(config.output_uri, digests)
    reading = f"reading images and reports of {len(patients)} patients"
    with timed(logger, reading), _telling(config, letters):
        asked = ask_all(patients, folder, config)
    del patients
    letters += [letter for block in asked for letter in block.letters]
    _write(config, asked, letters, digests | {"moved": leaks.report(moves)})
    blocks.remove(config.output_uri)
    return _with_pictures(config)


@contextmanager
def _telling(config: PrepareConfig, letters: Sequence[Letter]) -> Iterator[None]:
    """Where too much is lost, write down what, `letters` and that of the block, and say where."""
    try:
        yield
    except drops.TooMuchLost as error:
        lost = [*letters, *error.letters]
        if not lost:
            raise
        uri = storage.join(config.output_uri, manifest.LETTERS_FILE)
        storage.write_bytes(uri, to_parquet(blocks.letters_table(lost)))
        raise drops.TooMuchLost(f"{error}; {uri} names all of them", lost) from None


def _write(
    config: PrepareConfig,
    asked: Sequence[blocks.Block],
    letters: Sequence[Letter],
    info: dict[str, Any],
) -> None:
    """The parts and everything beside them, the commit file last."""
    twice, num_twice = duplicates.report(asked)
    with timed(logger, "shuffling and writing"):
        parts, not_chosen, phases = _shuffle(asked, config)
    letters = [*letters, *not_chosen]
    for name, table in (
        (manifest.DUPLICATES_FILE, twice),
        (manifest.LETTERS_FILE, blocks.letters_table(letters)),
    ):
        storage.write_bytes(storage.join(config.output_uri, name), to_parquet(table))
    info |= {
        "kind": "manifest",
        "seed": config.seed,
        "config": config.model_dump(mode="json", exclude=NOT_CONTENT),
        "num_patients": sum(block.num_patients for block in asked),
        "num_studies": sum(block.num_studies for block in asked),
        "num_images": sum(block.num_images for block in asked),
        "read": drops.read_of(asked),
        "dropped": dict(sorted(blocks.by_reason(letters).items())),
        "duplicates": num_twice,
        "curriculum": phases if config.curriculum else [],
    }
    written = manifest.write_manifest(config.output_uri, parts, info)
    logger.info("manifest %s: %s", config.output_uri, json.dumps(written.info["counts"]["split"]))
    if empty := card.empty_splits(written.info["counts"]):
        logger.warning("%s", empty)
    if unseen := info["dropped"].get(drops.VIEW_UNKNOWN):
        logger.warning("%s", drops.views_unknown(unseen))


def _with_pictures(config: PrepareConfig) -> str:
    """The manifest's URI, once its pictures are there; a run may have been killed before them."""
    from chexone_ray.figures import composition, preview

    if not storage.exists(storage.join(config.output_uri, composition.FILE)):
        composition.write(config.output_uri)
    if config.preview:
        uri = preview.write(config.output_uri, config.preview, config.images)
        logger.info("preview: %s", uri)
    return config.output_uri


def _shuffle(
    asked: Sequence[blocks.Block], config: PrepareConfig
) -> tuple[list[manifest.Part], list[Letter], list[dict[str, Any]]]:
    """Choose, shuffle and write; the parts, the questions that were not chosen by data set, kind
    and reason, and the phases of training."""
    rows = _index(asked, config)
    limits = choose.choose(rows, config)
    gone: Counter[str] = Counter()
    lost: Counter[tuple[str, str, str]] = Counter()
    for item, number in choose.removed(rows, limits).items():
        gone[f"{item.split}/{item.kind}"] += number
        lost[item.dataset, item.reason, item.kind] += number
    counts: Counter[str] = Counter()
    for block in asked:
        counts.update(block.rows)
    parts = shuffle.plan(counts, gone, config.curriculum)
    if not parts:
        raise ChexoneError(
            "the archives gave no question: check kinds, the archives' reports, and whether their "
            "films are known to be frontal"
        )
    phases = [
        {"kinds": kinds, "rows": parts["train", number].rows}
        for number, kinds in enumerate((*map(list, config.curriculum), ["all others"]))
        if ("train", number) in parts
    ]
    letters = [Letter(*key, count) for key, count in lost.items()]
    return shuffle.write(asked, parts, limits, config), letters, phases


def archive_digest(config: PrepareConfig) -> str:
    """SHA-256 of the tables of all archives, and of the files that are read as tables are; empty
    where an archive is not there (any more): one of its tables that is needed, or all of them, or
    the box file of the source."""
    digest = hashlib.sha256()
    for source in (*config.sources, *config.held_out):
        spec = SOURCES[source.adapter]
        found = [(tables.find(source.uri, table.names), table.optional) for table in spec.tables]
        if any(uri is None and not optional for uri, optional in found):
            return ""
        there = [uri for uri, _ in found if uri is not None]
        boxes = box_files(source.boxes_uri) if source.boxes_uri else []
        files = spec.files(source.uri) if spec.files else ()
        if (spec.tables and not (there or files)) or (source.boxes_uri and not boxes):
            return ""
        for uri in (*there, *boxes):
            digest.update(storage.read_bytes(uri))
        with ThreadPoolExecutor(READ_THREADS) as pool:
            for data in pool.map(storage.read_bytes, files):
                digest.update(data)
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
    content = identity.content(config, NOT_CONTENT)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_sources(
    config: PrepareConfig,
) -> tuple[Patients, list[Letter], Counter[leaks.Move]]:
    """Studies of all sources by patient and time, what their tables lost, and the studies that are
    in another split than their archive's own.

    A patient is one over all data sets that share their patients' numbers. Raises
    ChexoneError where a source has no study or too many damaged rows, a study is there twice, or
    a setting of a source has no effect.
    """
    letters: list[Letter] = []
    shelf = Shelf()
    by_patient: dict[leaks.Patient, list[Entry]] = defaultdict(list)
    first_uri: dict[tuple[str, str], str] = {}
    for source in config.sources:
        for problem in idle_settings(source):
            raise ChexoneError(problem)
        found, lost = SOURCES[source.adapter].read(source, config.archive_splits)
        letters += [Letter(source.dataset, *letter) for letter in lost.letters(source.uri)]
        drops.check_rows(source, found, lost, config.max_drop_share, letters)
        repeated: Counter[str] = Counter()
        for item in locate(source, found):
            entry = shelf.put(item.with_uncertain(source.uncertain))
            key = (entry.dataset, entry.study)
            if key in first_uri:
                repeated[first_uri[key]] += 1
            first_uri.setdefault(key, source.uri)
            by_patient[leaks.numbers_of(source.dataset), entry.patient].append(entry)
        if repeated:
            raise ChexoneError(_told_twice(source, repeated))
        del found
    for studies in by_patient.values():
        studies.sort(key=lambda entry: (entry.date, entry.study))
    shelved, moves = leaks.settle(by_patient, leaks.held_out(config))
    kept, others = leaks.of_splits(shelved, config)
    if not kept:
        raise ChexoneError(
            f"no patient of the archives is in splits {', '.join(config.splits)}: check splits, "
            "archive_splits and the shares"
        )
    return Patients(shelf, kept), [*letters, *others], moves


def _told_twice(source: SourceConfig, repeated: Counter[str]) -> str:
    """One line for studies of `source` that are there already: URI of the first place -> count."""
    earlier, count = repeated.most_common(1)[0]
    if earlier == source.uri:
        return (
            f"{count} studies of the {source.dataset} archive {source.uri} are there twice: list "
            "an archive once in sources, and check that its tables name every study once"
        )
    told = f"{count} studies of the {source.dataset} archive {source.uri} are in {earlier} too"
    if source.adapter == own_table.DATASET:
        return f"{told}: give each source a name of its own, or make their study ids unique"
    return f"{told}: keep one of the two in sources"


def _index(asked: Sequence[blocks.Block], config: PrepareConfig) -> Any:
    """Arrow table of what choosing needs of the rows that a rule may remove."""
    import pyarrow as pa

    def read(block: blocks.Block) -> Any:
        return choose.undecided(block.read(choose.COLUMNS), config)

    return pa.concat_tables(list(ahead(asked, read, READS_AHEAD)))
