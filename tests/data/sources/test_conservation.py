"""Nothing of a table vanishes: its rows are what the studies hold and what was lost, added up."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from chexone_ray.data.sources.losses import Losses
from tests.data.sources.replicas import LABEL_HEADER, Read, read, write

NUM_ROWS = 300


def lost_of(lost: Losses, table: Path) -> Counter[str]:
    """Reason -> how much was lost of one table."""
    letters = lost.letters("archive")
    return Counter(reason for reason, place, _ in letters if place.startswith(f"{table}:"))


def num_images(found: Read) -> int:
    films = [image.uri for item in found[0] for image in item.study.images]
    assert len(films) == len(set(films))
    return len(films)


def num_boxes(found: Read) -> int:
    return sum(len(item.pixel_boxes) for item in found[0])


def damaged(rows: list[str], rng: random.Random, broken: str) -> list[str]:
    """The rows with some there twice, some broken and some lines blank, shuffled."""
    rows = [*rows, *rng.sample(rows, 20), *[broken] * 7, *[""] * 5]
    rng.shuffle(rows)
    return rows


def test_mimic(tmp_path: Path) -> None:
    table = tmp_path / "mimic-cxr-2.0.0-metadata.csv"
    header = "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime"
    rows = [f"d{n},1{n // 7:07},5{n // 3:07},PA,21500102,{n}" for n in range(NUM_ROWS)]
    rows = damaged(rows, random.Random(0), "d,,50000001,PA,21500102,0")
    write(table, header, *rows)
    write(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", f"subject_id,study_id,{LABEL_HEADER}")
    found = read("mimic_cxr_jpg", tmp_path, archive_splits=False)
    lost = lost_of(found[1], table)
    assert lost == {"duplicate_row": 20, "row_without_id": 7}
    assert sum(map(bool, rows)) == num_images(found) + lost.total() == NUM_ROWS + 27


def test_chexpert(tmp_path: Path) -> None:
    states = "," * LABEL_HEADER.count(",")
    rows = [
        f"x/train/patient{n // 5:05}/study{n // 2}/view{n % 2}_frontal.jpg,Frontal,AP,{states}"
        for n in range(NUM_ROWS)
    ]
    rows = damaged(rows, random.Random(1), f"nowhere.jpg,Frontal,AP,{states}")
    write(tmp_path / "train.csv", f"Path,Frontal/Lateral,AP/PA,{LABEL_HEADER}", *rows)
    found = read("chexpert", tmp_path)
    lost = lost_of(found[1], tmp_path / "train.csv")
    assert sum(map(bool, rows)) == num_images(found) + lost.total() == NUM_ROWS + 27


def test_rsna(tmp_path: Path) -> None:
    """A film with several boxes has as many rows in each table, of which one is enough."""
    rng = random.Random(2)
    names = [f"f{n}" for n in range(NUM_ROWS)]
    classes = [f"{name},Lung Opacity" for name in names]
    boxes = [f"{name},{10 + n % 9},10,{n % 11},5,1" for n, name in enumerate(names)]
    classes = [*damaged(classes, rng, "f0,Odd"), ",Normal"]
    boxes = [*damaged(boxes, rng, "stranger,1,1,5,5,1"), "f1,,,,,0"]
    write(tmp_path / "stage_2_detailed_class_info.csv", "patientId,class", *classes)
    write(tmp_path / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target", *boxes)
    found = read("rsna_pneumonia", tmp_path)
    of_classes = lost_of(found[1], tmp_path / "stage_2_detailed_class_info.csv")
    of_boxes = lost_of(found[1], tmp_path / "stage_2_train_labels.csv")
    assert of_classes == {"unknown_label": 8}
    assert len({*filter(None, classes)}) == num_images(found) + 2
    num_targets = sum(row.endswith(",1") for row in boxes)
    assert num_targets == num_boxes(found) + of_boxes.total() == NUM_ROWS + 27
    assert of_boxes["box_row"] > 7 < of_boxes["duplicate_row"]


def test_object_cxr(tmp_path: Path) -> None:
    shapes = ("0 10 20 30 40", "2 5 5 9 5 7 11", "1 4 4", "9 1 2 3 4", "")
    rows = [f"{n}.jpg,{';'.join(shapes[: n % 6])}" for n in range(NUM_ROWS)]
    rows = damaged(rows, random.Random(3), ",0 1 2 3 4")
    write(tmp_path / "train.csv", "image_name,annotation", *rows)
    found = read("object_cxr", tmp_path)
    lost = lost_of(found[1], tmp_path / "train.csv")
    lost_rows = lost["duplicate_row"] + lost["row_without_id"]
    assert sum(map(bool, rows)) == num_images(found) + lost_rows == NUM_ROWS + 27
    kept = {row for row in rows if row and not row.startswith(",")}
    num_shapes = sum(bool(s) for row in kept for s in row.partition(",")[2].split(";"))
    assert num_shapes == num_boxes(found) + lost["box_row"]
