"""The worker's step of `prepare`: read and verify images, read reports, ask the questions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from pickle import loads as unpickle
from typing import Any

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig, PrepareConfig
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.tasks import balance_group, rank, samples
from chexone_ray.errors import ImageError
from chexone_ray.records import ImageRef, Study, sample_schema, sample_to_row

STATS_COLUMN = "stats"
READ_THREADS = 8
SUFFIXES = (".jpg", ".dcm", ".dicom", ".png")
"""Tried in turn where a file is not there under the name that the archive leads to expect."""
_MISSING = "image_missing"


def ask_batch(batch: Any, config: PrepareConfig) -> Any:
    """Dataset step. Needs `studies` (a pickled list of one patient's `PendingStudy`); gives the
    columns of `sample_schema()` and

    - `key`, `rank`: place of the row's group in the shuffle, and its own place inside the group;
    - `group`, `cls`: what `choose` evens out; empty where it does not;
    - `stats`: null, but for one last row without a sample that holds the batch's counts as JSON.
    """
    import pyarrow as pa

    patients: list[list[PendingStudy]] = [unpickle(item) for item in batch["studies"].to_pylist()]
    stats: dict[str, Counter[str]] = {"dropped": Counter(), "images": Counter()}
    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(READ_THREADS) as pool:
        opened = [[_open(item, config, pool) for item in studies] for studies in patients]
        for futures in opened:
            studies = [study for item in futures if (study := _complete(item, stats))]
            rows += _patient_rows(studies, config)
    rows.append({"stats": json.dumps(stats)})
    return pa.Table.from_pylist(rows, schema=asked_schema())


def asked_schema() -> Any:
    """Arrow schema of the rows that `ask_batch` gives."""
    import pyarrow as pa

    extra = [("key", pa.int64()), ("rank", pa.int64())]
    text = [(name, pa.string()) for name in ("group", "cls", STATS_COLUMN)]
    return pa.schema([*sample_schema(), *(pa.field(*item) for item in extra + text)])


def _patient_rows(studies: Sequence[Study], config: PrepareConfig) -> list[dict[str, Any]]:
    """Rows of one patient; `studies` in the order of time."""
    rows = []
    prior: Study | None = None
    for number, study in enumerate(studies):
        earlier = [other for other in studies[:number] if other.date < study.date]
        prior = earlier[-1] if earlier else None
        for sample in samples(study, prior, config.seed, config):
            own = rank(config.seed, sample.id)
            shared = rank(config.seed, f"{study.dataset}/{study.study}")
            group, cls = balance_group(sample.id, sample.kind, sample.answer) or ("", "")
            rows.append(
                sample_to_row(sample)
                | {"key": shared if config.group_by_study else own, "rank": own}
                | {"group": group, "cls": cls}
            )
    return rows


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
    if not usable:
        stats["dropped"]["study_without_image"] += 1
        return None
    return opened.pending.complete(usable, text or "")


def verify(image: ImageRef, default_view: str, config: ImageConfig) -> ImageRef | str:
    """The image with its displayed size, view and real place, or the reason why it is unusable."""
    uri = image.uri
    data = storage.read_if_there(uri)
    if data is None:
        place = _elsewhere(uri)
        if place is None:
            return _MISSING
        uri, data = place, storage.read_bytes(place)
    try:
        decoded = images.decode(data, config)
    except ImageError as error:
        return f"image_{error.reason}"
    geometry = decoded.geometry
    view = image.view or _more_exact(decoded.provenance.get("view", ""), default_view)
    return replace(
        image,
        uri=uri,
        view=view,
        width=geometry.original_width,
        height=geometry.original_height,
    )


def _elsewhere(uri: str) -> str | None:
    """The same file under another of `SUFFIXES`, or None. Raises where storage does not answer."""
    stem = uri[: -len(PurePosixPath(uri).suffix)]
    return next((stem + s for s in SUFFIXES if storage.exists(stem + s)), None)


def _more_exact(header_view: str, default_view: str) -> str:
    """A DICOM header's view, but where it says no more than frontal the archive's PA or AP."""
    if header_view == "frontal" and default_view in ("PA", "AP"):
        return default_view
    return header_view or default_view


def _report(uri: str) -> str | None:
    """The text of a report, or None where there is none."""
    data = storage.read_if_there(uri)
    return None if data is None else data.decode("utf-8", errors="replace")
