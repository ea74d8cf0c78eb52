"""The phantom archive: layout, tables that agree with the files, DICOM that shows the same film."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from chexone_ray import storage
from chexone_ray.data.archive import write_archive
from chexone_ray.data.archive_dicom import VARIANTS, dicom_bytes
from chexone_ray.data.archive_tables import CHEXPERT
from chexone_ray.data.phantom import random_phantom
from chexone_ray.metrics.labeller import read_report

PATIENTS = 24


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    root = tmp_path_factory.mktemp("archive")
    counts = write_archive(
        str(root), PATIENTS, seed=3, size=112, dicom_share=0.5, workers=0, bad_files=True
    )
    return root, counts


def table(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_layout_and_counts(archive: tuple[Path, dict[str, int]]) -> None:
    root, counts = archive
    mimic, vindr = root / "mimic-cxr-jpg", root / "vindr-cxr"
    metadata = table(mimic / "mimic-cxr-2.0.0-metadata.csv.gz")
    splits = table(mimic / "mimic-cxr-2.0.0-split.csv.gz")
    labels = table(mimic / "mimic-cxr-2.0.0-chexpert.csv.gz")
    assert counts["patients"] == PATIENTS + 1
    assert len(metadata) == len(splits) == counts["images"]
    assert len(labels) == counts["studies"] == len(list(mimic.glob("files/p1?/p1*/s*.txt")))
    assert len(list(vindr.glob("t*/*.dicom"))) == counts["dicom"] > 0
    listed = Counter(row["dicom_id"] for row in metadata)
    assert sorted(listed.values())[-2:] == [1, 2]
    found = {path.stem: path for path in mimic.glob("files/p1?/p1*/s*/*.jpg")}
    assert len(set(listed) - set(found)) == 1 and not set(found) - set(listed)
    for row in metadata:
        path = found.get(row["dicom_id"])
        if path is not None:
            subject = f"p{row['subject_id']}"
            assert path.parts[-5:-1] == ("files", subject[:3], subject, f"s{row['study_id']}")
    assert storage.committed(str(root)) is not None


def test_split_is_by_patient_and_times_lose_their_zeros(
    archive: tuple[Path, dict[str, int]],
) -> None:
    mimic = archive[0] / "mimic-cxr-jpg"
    of_patient: dict[str, set[str]] = {}
    for row in table(mimic / "mimic-cxr-2.0.0-split.csv.gz"):
        of_patient.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(names) == 1 for names in of_patient.values())
    assert set().union(*of_patient.values()) == {"train", "validate", "test"}
    metadata = table(mimic / "mimic-cxr-2.0.0-metadata.csv.gz")
    assert any(float(row["StudyTime"]) < 100_000 for row in metadata)
    assert not any(
        row["StudyTime"].startswith("0") and len(row["StudyTime"]) > 5 for row in metadata
    )


def test_the_two_layouts_agree_on_the_split(archive: tuple[Path, dict[str, int]]) -> None:
    root, _ = archive
    mimic, vindr = root / "mimic-cxr-jpg", root / "vindr-cxr"
    split = {row["dicom_id"]: row["split"] for row in table(mimic / "mimic-cxr-2.0.0-split.csv.gz")}
    copies = {path.stem: path.parent.name for path in vindr.glob("t*/*.dicom")}
    assert set(copies.values()) == {"train", "test"}
    assert all(split[name] == part for name, part in copies.items())
    for part, allowed in (("train", {"train"}), ("test", {"validate", "test"})):
        for kind in ("annotations", "devices", "image_labels"):
            rows = table(vindr / "annotations" / f"{kind}_{part}.csv")
            assert {split[row["image_id"]] for row in rows} <= allowed
        listed = {row["image_id"] for row in rows}
        assert listed == {name for name, place in copies.items() if place == part}


def test_labels_agree_with_the_report_texts(archive: tuple[Path, dict[str, int]]) -> None:
    mimic = archive[0] / "mimic-cxr-jpg"
    rows = table(mimic / "mimic-cxr-2.0.0-chexpert.csv.gz")
    assert list(rows[0])[2:] == list(CHEXPERT) == sorted(CHEXPERT)
    for row in rows:
        subject = f"p{row['subject_id']}"
        text = (mimic / "files" / subject[:3] / subject / f"s{row['study_id']}.txt").read_text()
        assert text.startswith(" FINAL REPORT\n") and " FINDINGS:" in text
        findings = text.split(" FINDINGS:")[1].split(" IMPRESSION:")[0]
        read = read_report(findings)
        for name in CHEXPERT:
            if row[name] and name != "No Finding":
                assert read[name.lower()].state == int(float(row[name])), name


def test_boxes_are_pixels_of_listed_frontal_films(archive: tuple[Path, dict[str, int]]) -> None:
    root, counts = archive
    views = {
        row["dicom_id"]: row["ViewPosition"]
        for row in table(root / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-metadata.csv.gz")
    }
    num_boxes, boxed = 0, set()
    for part in ("train", "test"):
        rows = table(root / "vindr-cxr" / "annotations" / f"annotations_{part}.csv")
        assert rows and ("rad_id" in rows[0]) == (part == "train")
        for row in rows:
            boxed.add(row["image_id"])
            assert views[row["image_id"]] != "LATERAL"
            if row["class_name"] == "No finding":
                assert not row["x_min"]
                continue
            num_boxes += 1
            x1, y1, x2, y2 = (float(row[key]) for key in ("x_min", "y_min", "x_max", "y_max"))
            assert 0 <= x1 < x2 <= 112 and 0 <= y1 < y2 <= 112
    assert num_boxes == counts["boxes"]
    assert boxed == {name for name, view in views.items() if view != "LATERAL"}


def test_dicom_files_show_the_jpeg(archive: tuple[Path, dict[str, int]]) -> None:
    root, _ = archive
    for path in sorted((root / "vindr-cxr").glob("t*/*.dicom")):
        (jpeg,) = (root / "mimic-cxr-jpg" / "files").glob(f"*/*/*/{path.stem}.jpg")
        difference = displayed(path.read_bytes()) - np.asarray(Image.open(jpeg), float)
        assert np.abs(difference).mean() < 2.5


@pytest.mark.parametrize("variant", range(len(VARIANTS)), ids=VARIANTS)
def test_every_dicom_encoding(variant: int) -> None:
    pixels = random_phantom(1, (120, 100)).pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    data = dicom_bytes(
        pixels, buffer.getvalue(), variant, "a-b", "10000001", "50000001", "21200101", "PA"
    )
    assert data == dicom_bytes(
        pixels, buffer.getvalue(), variant, "a-b", "10000001", "50000001", "21200101", "PA"
    )
    tolerance = 6.0 if VARIANTS[variant] == "jpeg" else 0.6
    assert np.abs(displayed(data) - pixels).mean() < tolerance
    header = pydicom.dcmread(io.BytesIO(data))
    assert (header.PhotometricInterpretation == "MONOCHROME1") == (
        VARIANTS[variant] in ("inverted", "rle")
    )


def displayed(data: bytes) -> np.ndarray:
    """What a viewer shows, 0-255: modality rescale, window, then the photometric inversion."""
    header = pydicom.dcmread(io.BytesIO(data))
    values = apply_voi_lut(apply_modality_lut(header.pixel_array, header), header).astype(float)
    low = float(header.WindowCenter) - float(header.WindowWidth) / 2
    shown = (values - low) / float(header.WindowWidth) * 255
    return 255 - shown if header.PhotometricInterpretation == "MONOCHROME1" else shown


def test_equal_arguments_give_equal_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    for workers in (0, 2):
        write_archive(str(tmp_path / str(workers)), 21, seed=1, size=56, workers=workers)
    files = [
        {
            path.relative_to(root): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and path.name != storage.COMMIT_FILE
        }
        for root in (tmp_path / "0", tmp_path / "2")
    ]
    assert files[0] == files[1] and len(files[0]) > 21
