"""The worker's step of `prepare`: read and verify images, read reports, ask the questions."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from pickle import loads as unpickle
from typing import Any

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig, PrepareConfig
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.splits import assign
from chexone_ray.data.tasks import balance_group, rank, samples
from chexone_ray.errors import ImageError
from chexone_ray.records import ImageRef, Sample, Study, sample_schema, sample_to_row

STATS_COLUMN = "stats"
STATS = ("dropped", "images", "boxes")
"""What is counted: losses by reason; images read and dropped; boxes read and outside of theirs."""
READ_THREADS = 8
SUFFIXES = (".jpg", ".dcm", ".dicom", ".png")
"""Tried in turn where a file is not there under the name that the archive leads to expect."""
_REPLACED = (*SUFFIXES, ".jpeg")
_DICOM_VIEWS = {"PA": "PA", "AP": "AP", "LL": "lateral", "RL": "lateral", "LATERAL": "lateral"}
_MISSING = "image_missing"


def ask_batch(batch: Any, config: PrepareConfig) -> Any:
    """Dataset step. Needs `chunk` (a pickled list of patients, each a list of `PendingStudy`);
    gives the columns of `sample_schema()` and

    - `key`, `rank`: place of the row's group in the shuffle, and its own place inside the group;
    - `group`, `cls`: what `choose` evens out; empty where it does not;
    - `stats`: null, but for one last row without a sample that holds the batch's counts as JSON.
    """
    import pyarrow as pa

    chunks: list[list[list[PendingStudy]]] = [unpickle(c) for c in batch["chunk"].to_pylist()]
    stats: dict[str, Counter[str]] = {name: Counter() for name in STATS}
    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(READ_THREADS) as pool:
        opened = [
            [[_open(item, config, pool) for item in studies] for studies in patients]
            for patients in chunks
        ]
        for futures in opened:
            patients = [
                [study for item in studies if (study := _complete(item, stats))]
                for studies in futures
            ]
            rows += _chunk_rows(patients, config)
    rows.append({"stats": json.dumps(stats)})
    return pa.Table.from_pylist(rows, schema=asked_schema())


def asked_schema() -> Any:
    """Arrow schema of the rows that `ask_batch` gives."""
    import pyarrow as pa

    extra = [("key", pa.int64()), ("rank", pa.int64())]
    text = [(name, pa.string()) for name in ("group", "cls", STATS_COLUMN)]
    return pa.schema([*sample_schema(), *(pa.field(*item) for item in extra + text)])


def _chunk_rows(
    patients: Sequence[Sequence[Study]], config: PrepareConfig
) -> Iterator[dict[str, Any]]:
    """Rows of the patients of one chunk, each beside the studies of the others of its data set and
    split; the studies of a patient in the order of time."""
    beside: dict[tuple[str, str], list[Study]] = defaultdict(list)
    for studies in patients:
        for study in studies:
            beside[_apart(study, config)].append(study)
    for studies in patients:
        for number, study in enumerate(studies):
            others = [o for o in beside[_apart(study, config)] if o.patient != study.patient]
            prior = _prior(studies[:number], study)
            for sample in samples(study, prior, config.seed, config, others):
                yield _row(sample, config)


def _apart(study: Study, config: PrepareConfig) -> tuple[str, str]:
    return study.dataset, assign(study.patient, study.archive_split, config.seed, config)


def _prior(before: Sequence[Study], study: Study) -> Study | None:
    """The latest of the studies with an earlier date in the same data set."""
    earlier = [b for b in before if b.dataset == study.dataset and b.date and b.date < study.date]
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
class _Opened:
    """A study whose files are being read."""

    pending: PendingStudy
    report: Future[str | None] | None
    images: tuple[Future[ImageRef | str], ...]


def _open(pending: PendingStudy, config: PrepareConfig, pool: ThreadPoolExecutor) -> _Opened:
    report = pool.submit(_report, pending.report_uri) if pending.report_uri else None
    view = pending.default_view
    verified = (pool.submit(verify, image, view, config.images) for image in pending.study.images)
    return _Opened(pending, report, tuple(verified))


def _complete(opened: _Opened, stats: dict[str, Counter[str]]) -> Study | None:
    """The study with its usable images and its report, None without an image; counts losses."""
    usable: dict[int, ImageRef] = {}
    for number, future in enumerate(opened.images):
        result = future.result()
        if isinstance(result, ImageRef):
            usable[number] = result
            stats["images"]["read"] += 1
        else:
            stats["images"]["dropped"] += 1
            stats["dropped"][result] += 1
    text = opened.report.result() if opened.report else ""
    if text is None:
        stats["dropped"]["report_missing"] += 1
    if opened.images and not usable:  # some data sets are texts alone
        stats["dropped"]["study_without_image"] += 1
        return None
    boxes, outside = opened.pending.count_boxes(usable)
    stats["boxes"].update(read=boxes, outside=outside)
    return opened.pending.complete(usable, text or "")


def verify(image: ImageRef, default_view: str, config: ImageConfig) -> ImageRef | str:
    """The image with its displayed size, view and real place, or the reason why it is unusable."""
    uri = image.uri
    data = storage.read_if_there(uri)
    if data is None:
        place = next((place for place in other_names(uri) if storage.exists(place)), None)
        if place is None:
            return _MISSING
        uri, data = place, storage.read_bytes(place)
    try:
        geometry = images.decode(data, config).geometry
    except ImageError as error:
        return f"image_{error.reason}"
    view = image.view or _header_view(uri, data) or default_view
    return replace(
        image,
        uri=uri,
        view=view,
        width=geometry.original_width,
        height=geometry.original_height,
    )


def other_names(uri: str) -> Iterator[str]:
    """The same file under each of `SUFFIXES`. What follows the last dot of a name is a suffix only
    where it is a known one: a UID is full of dots."""
    suffix = PurePosixPath(uri).suffix
    stem = uri.removesuffix(suffix) if suffix.lower() in _REPLACED else uri
    return (stem + other for other in SUFFIXES)


def _header_view(uri: str, data: bytes) -> str:
    """View of a DICOM file by its ViewPosition; empty for other files and views."""
    if not uri.endswith((".dcm", ".dicom")):
        return ""
    import pydicom

    header = pydicom.dcmread(
        io.BytesIO(data), stop_before_pixels=True, force=True, specific_tags=["ViewPosition"]
    )
    return _DICOM_VIEWS.get(str(header.get("ViewPosition", "")).upper(), "")


def _report(uri: str) -> str | None:
    """The text of a report, or None where there is none."""
    data = storage.read_if_there(uri)
    return None if data is None else data.decode("utf-8", errors="replace")
