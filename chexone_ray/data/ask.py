"""The worker's step of `prepare`: read and verify images, read reports, ask the questions."""

from __future__ import annotations

import hashlib
import json
import pickle
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig, PrepareConfig
from chexone_ray.data import blocks
from chexone_ray.data.blocks import Block, Letter
from chexone_ray.data.choose import share_of
from chexone_ray.data.drops import BOX_OUTSIDE, REPORT_MISSING, VIEW_UNKNOWN
from chexone_ray.data.leaks import numbers_of
from chexone_ray.data.questions.posed import has_too_many_options
from chexone_ray.data.questions.scene import lacks_view
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.splits import assign
from chexone_ray.data.tasks import balance_group, rank, samples
from chexone_ray.errors import ImageError
from chexone_ray.films.fingerprints import file_digest, fingerprint
from chexone_ray.records import ImageRef, Sample, Study, sample_schema, sample_to_row

READ_THREADS = 8
SUFFIXES = (".jpg", ".dcm", ".dicom", ".png")
"""Tried in turn where a file is not there under the name that the archive leads to expect."""
REPLACED = (*SUFFIXES, ".jpeg")
MISSING = "image_missing"
AMBIGUOUS = "image_ambiguous"


def pack(chunks: Sequence[Sequence[Sequence[PendingStudy]]]) -> bytes:
    """Chunks of patients for `ask_block`."""
    return zlib.compress(pickle.dumps(chunks, pickle.HIGHEST_PROTOCOL), 1)


def digest_of(packed: bytes) -> str:
    """Tells packed chunks apart, in `Block.asked_of`."""
    return hashlib.sha256(packed).hexdigest()[:16]


def ask_block(batch: Any, config: PrepareConfig, folder: str) -> Any:
    """Dataset step. Needs `number` and `chunks` (packed: chunks of patients, each patient a list
    of `PendingStudy`); writes each block into `folder` and gives `number` and `block` (JSON).
    """
    import pyarrow as pa

    numbers = batch["number"].to_pylist()
    written = []
    for number, packed in zip(numbers, batch["chunks"].to_pylist(), strict=True):
        patients = pickle.loads(zlib.decompress(packed))
        rows, films, block = ask(patients, number, blocks.rows_uri(folder, number), config)
        block = replace(block, asked_of=digest_of(packed))
        blocks.write(folder, block, rows, films)
        written.append(json.dumps(asdict(block)))
    return pa.table({"number": numbers, "block": written})


def ask(
    chunks: Sequence[Sequence[Sequence[PendingStudy]]], number: int, uri: str, config: PrepareConfig
) -> tuple[Any, Any, Block]:
    """The rows of a block, its films and what is to be known of both. Arrow columns: those of
    `films_schema()`; of the rows those of `sample_schema()` and

    - `key`, `rank`: place of the row's group in the shuffle, and its own place inside the group;
    - `group`, `cls`: what `choose` evens out; empty where it does not.
    """
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    tally = _Tally()
    with ThreadPoolExecutor(READ_THREADS) as pool:
        opened = [[[_open(s, config, pool) for s in studies] for studies in p] for p in chunks]
        for patients in opened:
            whole = [
                [(item.pending.study, _complete(item, tally)) for item in studies]
                for studies in patients
            ]
            found = list(_chunk_rows(whole, config))
            asked = {(row["dataset"], row["study"]) for row in found}
            for study in (study for studies in whole for _, study in studies if study):
                if (study.dataset, study.study) not in asked:
                    tally.lose(study, "study_without_question", study.study)
            rows += found
    kept = [row for row in rows if _is_mixed_in(row, config)]
    tally.lose_thinned(rows, kept)
    block = Block(
        number,
        uri,
        dict(Counter(f"{row['split']}/{row['kind']}" for row in kept)),
        num_patients=len({(row["dataset"], row["patient"]) for row in rows}),
        num_studies=len({(row["dataset"], row["study"]) for row in rows}),
        num_images=len(tally.films),
        usable=dict(tally.usable),
        letters=tuple(tally.letters),
    )
    table = pa.Table.from_pylist(kept, schema=asked_schema())
    return table, _films_table(tally.films, config), block


def _films_table(films: Sequence[tuple[Verified, Study]], config: PrepareConfig) -> Any:
    import pyarrow as pa

    rows = [
        {
            "uri": film.image.uri,
            "split": _apart(study, config)[1],
            "place": rank(0, film.image.uri),
            "patient": rank(0, f"{numbers_of(study.dataset)}/{study.patient}"),
            "fingerprint": film.fingerprint,
            "digest": film.digest,
        }
        for film, study in films
    ]
    return pa.Table.from_pylist(rows, schema=blocks.films_schema())


def asked_schema() -> Any:
    """Arrow schema of the rows of a block."""
    import pyarrow as pa

    extra = [
        ("key", pa.int64()),
        ("rank", pa.int64()),
        ("group", pa.string()),
        ("cls", pa.string()),
    ]
    return pa.schema([*sample_schema(), *(pa.field(*item) for item in extra)])


Read = tuple[Study, Study | None]
"""A study as the tables have it, and whole, or None where it has no usable image."""


def _chunk_rows(
    patients: Sequence[Sequence[Read]], config: PrepareConfig
) -> Iterator[dict[str, Any]]:
    """Rows of the patients of one chunk, each beside the studies of the others of its data set and
    split; the studies of a patient in the order of time."""
    beside: dict[tuple[str, str], list[Study]] = defaultdict(list)
    for studies in patients:
        for _, study in studies:
            if study:
                beside[_apart(study, config)].append(study)
    for studies in patients:
        for number, (_, study) in enumerate(studies):
            if not study:
                continue
            others = [o for o in beside[_apart(study, config)] if o.patient != study.patient]
            prior = _prior(studies[:number], study)
            for sample in samples(study, prior, config.seed, config, others):
                yield _row(sample, config)


def _is_mixed_in(row: dict[str, Any], config: PrepareConfig) -> bool:
    share = share_of(row["dataset"], row["task"], row["kind"], config)
    return row["split"] != "train" or row["rank"] < share * 2**63


def _apart(study: Study, config: PrepareConfig) -> tuple[str, str]:
    return study.dataset, assign(study.patient, study.archive_split, config.seed, config)


def _prior(before: Sequence[Read], study: Study) -> Study | None:
    """The latest of the studies with an earlier date in the same data set. None where there is none
    or its films are lost: a report compares with that one, not with the one before it."""
    earlier = [
        whole
        for told, whole in before
        if told.dataset == study.dataset and told.date and told.date < study.date
    ]
    return earlier[-1] if earlier else None


def _row(sample: Sample, config: PrepareConfig) -> dict[str, Any]:
    own = rank(config.seed, sample.id)
    shared = rank(config.seed, f"{sample.dataset}/{sample.study}")
    group, cls = balance_group(sample.id, sample.kind, sample.answer) or ("", "")
    return (
        sample_to_row(sample)
        | {"key": shared if config.group_by_study else own, "rank": own}
        | {"group": group, "cls": cls}
    )


@dataclass(frozen=True)
class Verified:
    """An image that can be used, and what tells it from others."""

    image: ImageRef
    fingerprint: bytes
    digest: bytes


@dataclass(frozen=True)
class _Opened:
    """A study whose files are being read."""

    pending: PendingStudy
    report: Future[str | None] | None
    images: tuple[Future[Verified | str], ...]


def _open(pending: PendingStudy, config: PrepareConfig, pool: ThreadPoolExecutor) -> _Opened:
    report = pool.submit(_report, pending.report_uri) if pending.report_uri else None
    view = pending.default_view

    def read(number: int, image: ImageRef) -> Verified | str:
        return pending.lost.get(number) or verify(image, view, config.images)

    verified = (pool.submit(read, *item) for item in enumerate(pending.study.images))
    return _Opened(pending, report, tuple(verified))


@dataclass
class _Tally:
    """What a block has found and lost so far."""

    letters: list[Letter] = field(default_factory=list)
    films: list[tuple[Verified, Study]] = field(default_factory=list)
    usable: Counter[str] = field(default_factory=Counter)

    def lose(self, study: Study, reason: str, place: str, count: int = 1) -> None:
        self.letters.append(Letter(study.dataset, reason, place, count))

    def lose_thinned(self, rows: Sequence[dict[str, Any]], kept: Sequence[dict[str, Any]]) -> None:
        before, after = (Counter((r["dataset"], r["kind"]) for r in some) for some in (rows, kept))
        self.letters += [
            Letter(dataset, "question_thinned", kind, count)
            for (dataset, kind), count in (before - after).items()
        ]


def _complete(opened: _Opened, tally: _Tally) -> Study | None:
    """The study with its usable images and its report, None without an image."""
    study = opened.pending.study
    usable: dict[int, ImageRef] = {}
    for number, future in enumerate(opened.images):
        result = future.result()
        if isinstance(result, Verified):
            usable[number] = result.image
            tally.films.append((result, study))
            tally.usable[f"{study.dataset}/images"] += 1
        else:
            tally.lose(study, result, study.images[number].uri)
    text = opened.report.result() if opened.report else ""
    if text is None:
        tally.lose(study, REPORT_MISSING, opened.pending.report_uri)
    elif opened.report:
        tally.usable[f"{study.dataset}/reports"] += 1
    for reason, place in opened.pending.losses(usable):
        tally.lose(study, reason, f"{study.study}/{place}")
    if opened.images and not usable:  # some data sets are texts alone
        tally.lose(study, "study_without_image", study.study)
        return None
    boxes, outside = opened.pending.count_boxes(usable)
    tally.usable[f"{study.dataset}/boxes"] += boxes
    if outside:
        tally.lose(study, BOX_OUTSIDE, study.study, outside)
    whole = opened.pending.complete(usable, text or "")
    if lacks_view(whole):
        tally.lose(study, VIEW_UNKNOWN, study.study)
    for question in filter(has_too_many_options, whole.questions):
        tally.lose(study, "question_with_too_many_options", f"{study.study}/{question.name}")
    return whole


def verify(image: ImageRef, default_view: str, config: ImageConfig) -> Verified | str:
    """The image with its displayed size, view and real place, or the reason why it is unusable."""
    uri = image.uri
    try:
        data = storage.read_if_there(uri)
        if data is None:
            place = next((place for place in other_names(uri) if storage.exists(place)), None)
            if place is None:
                return MISSING
            uri, data = place, storage.read_bytes(place)
        picture = images.decode(data, config)
    except ImageError as error:
        return f"image_{error.reason}"
    view = image.view or _more_exact(picture.provenance.get("view", ""), default_view)
    size = picture.geometry
    found = replace(
        image, uri=uri, view=view, width=size.original_width, height=size.original_height
    )
    return Verified(found, fingerprint(picture.pixels), file_digest(data))


def other_names(uri: str) -> Iterator[str]:
    """The same file under each of `SUFFIXES`. What follows the last dot of a name is a suffix only
    where it is a known one: a UID is full of dots."""
    suffix = PurePosixPath(uri).suffix
    stem = uri.removesuffix(suffix) if suffix.lower() in REPLACED else uri
    return (stem + other for other in SUFFIXES)


def _more_exact(header_view: str, default_view: str) -> str:
    """A DICOM header's view, but where it says no more than frontal the archive's PA or AP."""
    if header_view == "frontal" and default_view in ("PA", "AP"):
        return default_view
    return header_view or default_view


def _report(uri: str) -> str | None:
    """The text of a report, or None where there is none."""
    data = storage.read_if_there(uri)
    return None if data is None else data.decode("utf-8", errors="replace")
