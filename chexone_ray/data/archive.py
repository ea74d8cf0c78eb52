"""Writes an archive of phantom studies in the layouts of two public sets.

Under the given URI:

    mimic-cxr-jpg/  files/p10/p10000032/s50414267/<dicom_id>.jpg, the report s50414267.txt beside
                    the study's folder, and the metadata, split, chexpert and record-list tables
    vindr-cxr/      annotations/annotations_{train,test}.csv: pixel boxes of all frontal films under
                    their dicom_id; {train,test}/<dicom_id>.dicom: a share of the same films as
                    DICOM, listed in image_labels_{train,test}.csv; devices_{train,test}.csv:
                    boxes of pacemakers and tubes, which are not among VinDr-CXR's classes.
                    VinDr-CXR has no validate part: films of that MIMIC split have no DICOM copy,
                    and their boxes are in the test files, so none of them counts as training data
    _COMMITTED.json last, with the counts

All identifiers and dates are made up. Equal arguments give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from PIL import Image

from chexone_ray import storage
from chexone_ray.data.archive_dicom import dicom_bytes
from chexone_ray.data.archive_tables import (
    DEVICE_CLASSES,
    MIMIC,
    VINDR,
    VINDR_CLASSES,
    VINDR_LABELS,
    Row,
    Tables,
    chexpert,
    report_text,
    write_tables,
)
from chexone_ray.data.phantom import Phantom, PhantomStudy, random_history
from chexone_ray.data.phantom_anatomy import View
from chexone_ray.data.phantom_report import write_report
from chexone_ray.records import Box

logger = logging.getLogger(__name__)

JPEG_QUALITY = 95
PATIENTS_PER_TASK = 20
WRITE_THREADS = 8
TASK_TIMEOUT_S = 600.0
SPLITS = ("train",) * 16 + ("validate",) + ("test",) * 3
"""Of every twenty patients; which of them is shuffled."""
VIEW_WORDS = {
    "PA": ("postero-anterior", "Erect"),
    "AP": ("antero-posterior", "Recumbent"),
    "LATERAL": ("lateral", "Erect"),
}


@dataclass(frozen=True)
class _Film:
    """Where one film goes and what the tables say of it."""

    dicom_id: str
    subject: int
    study: int
    split: str
    view: str
    day: date
    clock: str
    phantom: Phantom

    @property
    def folder(self) -> str:
        return f"files/p{str(self.subject)[:2]}/p{self.subject}/s{self.study}"

    @property
    def part(self) -> str:
        """VinDr-CXR's part of the film: "train" for training films only, else "test"."""
        return "train" if self.split == "train" else "test"


def write_archive(
    uri: str,
    num_patients: int,
    seed: int = 0,
    size: int = 224,
    dicom_share: float = 0.1,
    workers: int = 2,
    bad_files: bool = False,
) -> dict[str, int]:
    """Draw `num_patients` patients and write the archive to `uri`; returns counts by kind.

    `size` is the side of the square films in pixels, `dicom_share` the share of the films that are
    DICOM too. `bad_files` adds one patient whose films are a truncated JPEG, a 16-bit PNG, an
    unknown view, one listed without a file and one listed twice. `workers` processes
    draw and write (0: this one). Raises ChexoneError where the place cannot be written.
    """
    tables = Tables()
    starts = range(0, num_patients, PATIENTS_PER_TASK)
    spans = [(start, min(start + PATIENTS_PER_TASK, num_patients)) for start in starts]
    if workers and len(spans) > 1:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(workers, len(spans)), context, _end_with, (os.getpid(),))
        try:
            parts = [
                pool.submit(write_patients, span, uri, seed, size, dicom_share) for span in spans
            ]
            for part in parts:
                tables.add(part.result(TASK_TIMEOUT_S))
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        for span in spans:
            tables.add(write_patients(span, uri, seed, size, dicom_share))
    if bad_files:
        tables.add(_write_bad_patient(uri, num_patients, seed, size))
    write_tables(uri, tables)
    counts = dict(sorted(tables.counts.items()))
    storage.commit(uri, {"kind": "phantom archive", "seed": seed, "size": size, "counts": counts})
    logger.info("phantom archive: %d films of %d patients", counts["images"], counts["patients"])
    return counts


def _end_with(parent: int) -> None:
    """End this worker soon after its parent: a killed driver leaves no process behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def write_patients(
    span: tuple[int, int], uri: str, seed: int, size: int, dicom_share: float
) -> Tables:
    """Draw and write the patients numbered `span[0]` to `span[1]`; returns their table rows."""
    tables = Tables()
    with ThreadPoolExecutor(WRITE_THREADS) as pool:
        writes = [
            pool.submit(storage.write_bytes, storage.join(uri, path), data)
            for patient in range(*span)
            for path, data in _patient_files(patient, seed, size, dicom_share, tables)
        ]
        for write in writes:
            write.result(TASK_TIMEOUT_S)
    return tables


def _patient_files(
    patient: int, seed: int, size: int, dicom_share: float, tables: Tables
) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every file of one patient; adds the rows to `tables`."""
    tables.counts["patients"] += 1
    for number, study in enumerate(random_history(_number(seed, patient))):
        films = list(_films(patient, number, study, seed, size))
        report = write_report(study)
        yield f"{MIMIC}/{films[0].folder}.txt", report_text(study, report).encode()
        tables.chexpert.append((films[0].subject, films[0].study, *chexpert(study)))
        tables.counts.update(studies=1, reports=1)
        for film in films:
            jpeg = _jpeg(film.phantom.pixels)
            yield f"{MIMIC}/{film.folder}/{film.dicom_id}.jpg", jpeg
            as_dicom = film.split != "validate" and _share(film.dicom_id) < dicom_share
            if as_dicom:
                yield f"{VINDR}/{film.part}/{film.dicom_id}.dicom", _dicom(film, jpeg)
            _list(film, as_dicom, tables)


def _films(patient: int, number: int, study: PhantomStudy, seed: int, size: int) -> Iterator[_Film]:
    rng = np.random.default_rng([_number(seed, patient), 0xDA])
    block, place = divmod(patient, len(SPLITS))
    split = SPLITS[np.random.default_rng([seed, block, 0x59]).permutation(len(SPLITS))[place]]
    first = date(2110, 1, 1) + timedelta(days=int(rng.integers(25_000)))
    day = first + timedelta(days=number * int(rng.integers(3, 300)))
    hour, minute, second, milli = (int(rng.integers(n)) for n in (24, 60, 60, 1000))
    # MIMIC-CXR stores the time as a number, which loses leading zeros.
    clock = f"{int(f'{hour:02d}{minute:02d}{second:02d}')}.{milli:03d}"
    subject = 10_000_000 + (patient * 7919 + seed * 104_729) % 9_999_991
    study_id = 50_000_000 + ((patient * 4 + number) * 7919 + seed * 104_729) % 9_999_991
    for view in study.views:
        digest = hashlib.sha256(f"{seed}/{patient}/{number}/{view}".encode()).hexdigest()
        dicom_id = "-".join(digest[i : i + 8] for i in range(0, 40, 8))
        yield _Film(dicom_id, subject, study_id, split, view, day, clock, study.film(view, size))


def _number(seed: int, patient: int) -> int:
    """The seed of one patient's history."""
    return int.from_bytes(hashlib.sha256(f"patient {seed}/{patient}".encode()).digest()[:6])


def _share(text: str) -> float:
    """A number in [0, 1) that the text fixes."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


# --- one film ------------------------------------------------------------------------------------


def _jpeg(pixels: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _dicom(film: _Film, jpeg: bytes) -> bytes:
    view: View = film.phantom.view
    return dicom_bytes(
        film.phantom.pixels,
        jpeg,
        variant=int(_share(film.dicom_id + "/dicom") * 1000),
        dicom_id=film.dicom_id,
        patient=str(film.subject),
        study=str(film.study),
        day=film.day.strftime("%Y%m%d"),
        view={"PA": "PA", "AP": "AP", "LATERAL": "LL"}[view],
    )


def _list(film: _Film, as_dicom: bool, tables: Tables) -> None:
    """Add one film to the tables."""
    height, width = film.phantom.pixels.shape
    code, position = VIEW_WORDS[film.phantom.view]
    key = (film.dicom_id, film.subject, film.study)
    procedure = "CHEST (PA AND LAT)" if film.phantom.view != "AP" else "CHEST (PORTABLE AP)"
    when = (film.day.strftime("%Y%m%d"), film.clock)
    tables.metadata.append(
        (*key, procedure, film.view, height, width, *when, procedure, code, position)
    )
    tables.split.append((film.dicom_id, film.study, film.subject, film.split))
    tables.records.append(
        (film.subject, film.study, film.dicom_id, f"{film.folder}/{film.dicom_id}.dcm")
    )
    tables.counts.update({"images": 1, f"view {film.view}": 1, f"split {film.split}": 1})
    part = film.part
    reader = () if part == "test" else ("R1",)
    if film.phantom.view != "LATERAL":
        rows = list(
            _box_rows(film.dicom_id, reader, film.phantom.boxes, VINDR_CLASSES, width, height)
        )
        tables.counts["boxes"] += len(rows)
        tables.boxes[part] += rows or [(film.dicom_id, *reader, "No finding", "", "", "", "")]
        devices = list(
            _box_rows(film.dicom_id, reader, film.phantom.boxes, DEVICE_CLASSES, width, height)
        )
        tables.devices[part] += devices
        tables.counts["device boxes"] += len(devices)
    if as_dicom:
        present = {
            VINDR_CLASSES[box.label] for box in film.phantom.boxes if box.label in VINDR_CLASSES
        }
        flags = [int(name in present) for name in VINDR_LABELS]
        flags[-1] = int(not present)
        tables.labels[part].append((film.dicom_id, *reader, *flags))
        tables.counts["dicom"] += 1


def _box_rows(
    dicom_id: str,
    reader: Row,
    boxes: Sequence[Box],
    classes: dict[str, str],
    width: int,
    height: int,
) -> Iterator[Row]:
    for box in boxes:
        if box.label in classes:
            x1, y1, x2, y2 = box.xyxy
            places = (x1 * width, y1 * height, x2 * width, y2 * height)
            yield (dicom_id, *reader, classes[box.label], *(f"{place:.6g}" for place in places))


# --- what real archives suffer from --------------------------------------------------------------


def _write_bad_patient(uri: str, patient: int, seed: int, size: int) -> Tables:
    """One patient in the train split whose study has five films, each wrong in its own way."""
    tables = Tables()
    study = random_history(_number(seed, patient))[0]
    film = next(_films(patient, 0, study, seed, size))
    jpeg = _jpeg(film.phantom.pixels)
    buffer = io.BytesIO()
    Image.fromarray(film.phantom.pixels.astype(np.uint16) * 257).save(buffer, "PNG")
    contents: dict[str, bytes | None] = {
        "truncated": jpeg[: len(jpeg) // 3],
        "png16": buffer.getvalue(),
        "odd_view": jpeg,
        "missing": None,
        "twice": jpeg,
    }
    text = report_text(study, write_report(study)).encode()
    storage.write_bytes(storage.join(uri, MIMIC, f"{film.folder}.txt"), text)
    tables.chexpert.append((film.subject, film.study, *chexpert(study)))
    tables.counts.update(patients=1, studies=1, reports=1)
    for name, data in contents.items():
        digest = hashlib.sha256(f"{film.dicom_id}/{name}".encode()).hexdigest()
        dicom_id = "-".join(digest[i : i + 8] for i in range(0, 40, 8))
        view = "SWIMMERS" if name == "odd_view" else film.view
        bad = _Film(
            dicom_id, film.subject, film.study, "train", view, film.day, film.clock, film.phantom
        )
        for _ in range(2 if name == "twice" else 1):
            _list(bad, False, tables)
        if data is not None:
            path = f"{MIMIC}/{film.folder}/{dicom_id}.jpg"
            storage.write_bytes(storage.join(uri, path), data)
        tables.counts[f"bad {name}"] += 1
    return tables
