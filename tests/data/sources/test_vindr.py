"""VinDr-CXR, VinDr-PCXR and VinBigData: readers, votes and merged boxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.facts import facts
from chexone_ray.data.sources import (
    vindr_cxr,
)
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.sources.vindr_boxes import finding_name, merge, read_box_files
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study
from tests.data.sources.replicas import read, write, write_table


def test_vindr_merges_readers_and_votes(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    header = ["image_id", "rad_ID", "class_name", "x_min", "y_min", "x_max", "y_max"]
    rows = [
        ["i1", "R1", "Nodule/Mass", "0", "0", "10", "10"],
        ["i1", "R2", "Nodule/Mass", "2", "2", "12", "12"],
        ["i1", "R3", "Nodule/Mass", "50", "50", "60", "60"],
        ["i2", "R1", "No finding", "", "", "", ""],
    ]
    write_table(folder / "annotations_train.csv", header, rows)
    votes = [
        ["i1", "R1", "1", "1", "0"],
        ["i1", "R2", "1", "0", "0"],
        ["i1", "R3", "1", "0", "0"],
        ["i2", "R1", "0", "0", "0"],
    ]
    names = ["image_id", "rad_ID", "Nodule/Mass", "ILD", "Edema"]
    write_table(folder / "image_labels_train.csv", names, votes)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "i1.dicom").write_bytes(b"")
    found, _ = vindr_cxr.studies(SourceConfig(adapter="vindr_cxr", uri=str(tmp_path)), True)
    first, second = found
    assert [box.xyxy for box in first.pixel_boxes] == [(0, 0, 12, 12), (50, 50, 60, 60)]
    assert first.study.labels == {"nodule or mass": 1, "interstitial lung disease": -1, "edema": 0}
    assert first.study.images[0].uri == str(tmp_path / "train" / "i1.dicom")
    assert first.study.archive_split == "train"
    assert not second.pixel_boxes and second.study.boxes_complete
    (folder / "image_labels_train.csv").unlink()
    found, _ = vindr_cxr.studies(SourceConfig(adapter="vindr_cxr", uri=str(tmp_path)), True)
    assert found[0].study.labels == {"nodule or mass": 1}
    write_table(folder / "annotations_train.csv", header, [*rows[2:], ["i1", "R2", "ILD", *"1234"]])
    found, _ = vindr_cxr.studies(SourceConfig(adapter="vindr_cxr", uri=str(tmp_path)), True)
    assert found[0].study.labels == {"interstitial lung disease": -1, "nodule or mass": -1}


def test_vindr_without_tables_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match=r"annotations_train\.csv is missing"):
        vindr_cxr.studies(SourceConfig(adapter="vindr_cxr", uri=str(tmp_path)), True)
    with pytest.raises(ChexoneError, match="holds no annotations"):
        read_box_files(str(tmp_path), Losses())


def test_merge_follows_a_growing_hull_and_keeps_classes_apart() -> None:
    boxes = [
        Box("a", (0, 0, 10, 10)),
        Box("a", (5, 0, 15, 10)),
        Box("a", (12, 0, 22, 10)),
        Box("b", (0, 0, 10, 10)),
    ]
    # The third touches the second by 3/17 = 0.18 of the union, and their hull the first.
    assert merge(boxes) == [Box("a", (0, 0, 22, 10)), Box("b", (0, 0, 10, 10))]
    # IoU of exactly 1/19 = 0.05 stays apart.
    apart = [Box("a", (0, 0, 10, 10)), Box("a", (9, 0, 19, 10))]
    assert merge(apart) == apart


def test_finding_names() -> None:
    assert finding_name("Nodule/Mass") == "nodule or mass"
    assert finding_name("Pleural effusion") == "pleural effusion"


def test_vinbigdata_merges_readers(tmp_path: Path) -> None:
    write(
        tmp_path / "train.csv",
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        "b,Nodule/Mass,8,R1,10,10,20,20",
        "b,Nodule/Mass,8,R2,11,10,21,20",
        "b,Nodule/Mass,8,R2,11,10,21,20",
        "b,Pleural effusion,10,R1,50,50,90,90",
        "b,Pleural effusion,10,Ř3,,50,90,90",
        "a,No finding,14,R1,,,,",
    )
    source = SourceConfig(adapter="vinbigdata", uri=str(tmp_path))
    (normal, found), dropped = SOURCES["vinbigdata"].read(source, True)
    assert dropped == {"box_row": 1, "duplicate_row": 1}
    assert normal.study.labels == {"nodule or mass": 0, "pleural effusion": 0, "no finding": 1}
    assert normal.study.boxes_complete
    assert found.study.labels == {"nodule or mass": 1, "pleural effusion": 1, "no finding": 0}
    assert not found.study.boxes_complete, "a box of it is lost"
    assert [(box.label, box.xyxy) for box in found.pixel_boxes] == [
        ("nodule or mass", (10, 10, 21, 20)),
        ("pleural effusion", (50, 50, 90, 90)),
    ]
    assert found.study.images[0].uri == str(tmp_path / "train/b.dicom")


def test_vinbigdata_readers_vote(tmp_path: Path) -> None:
    write(
        tmp_path / "train.csv",
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        *(f"a,No finding,14,R{n},,,," for n in (1, 2, 3)),
        "b,ILD,5,R1,10,10,20,20",  # the two others saw nothing here, and have no row
        "c,ILD,5,R1,10,10,20,20",
        "c,ILD,5,R1,50,50,60,60",  # one reader twice is one vote
        "c,Nodule/Mass,8,R2,10,10,20,20",
        "c,Nodule/Mass,8,R3,70,70,80,80",
    )
    source = SourceConfig(adapter="vinbigdata", uri=str(tmp_path))
    found, _ = SOURCES["vinbigdata"].read(source, True)
    assert [item.study.labels for item in found] == [
        {"interstitial lung disease": 0, "nodule or mass": 0, "no finding": 1},
        {"interstitial lung disease": -1, "nodule or mass": 0, "no finding": 0},
        {"interstitial lung disease": -1, "nodule or mass": 1, "no finding": 0},
    ]
    image = {0: ImageRef("c.dicom", "PA", "current", 100, 100)}
    assert set(facts(found[2].complete(image, ""), 0)) == {"nodule or mass"}


@pytest.mark.parametrize("folder", ["", "annotations"])
def test_vindr_pcxr_reads_as_its_sister(tmp_path: Path, folder: str) -> None:
    write(
        tmp_path / folder / "annotations_train.csv",
        "image_id,rad_ID,class_name,x_min,y_min,x_max,y_max,class_id",
        "b,R1,Bronchial thickening,10,20,30,40,1",
        "b,R1,Bronchial thickening,10,20,30,40,1",
        "b,R1,Ghost,30,20,10,40,2",
        "a,R1,No finding,,,,,0",
    )
    write(
        tmp_path / folder / "image_labels_train.csv",
        "image_id,rad_ID,No finding,Bronchitis",
        "b,R1,0.0,1.0",
        "a,R1,1.0,0.0",
        "ü,R1,1.0,0.0",
    )
    write(
        tmp_path / folder / "annotations_test.csv",
        "image_id,class_name,x_min,y_min,x_max,y_max",
        "t,Bronchitis,1,2,3,4",
    )
    write(tmp_path / "train" / "a.dicom", "")
    found, dropped = read("vindr_pcxr", tmp_path)
    assert [(p.study.study, p.study.archive_split) for p in found] == [
        ("a", "train"),
        ("b", "train"),
        ("t", "test"),
        ("ü", "train"),
    ]
    assert dropped == {"box_row": 1, "duplicate_row": 1}
    assert found[0].study == Study(
        dataset="vindr_pcxr",
        patient="a",
        study="a",
        images=(ImageRef(str(tmp_path / "train" / "a.dicom")),),
        archive_split="train",
        labels={"no finding": 1, "bronchitis": 0},
        boxes_complete=True,
    )
    assert found[1].pixel_boxes == (Box("bronchial thickening", (10, 20, 30, 40)),)
    assert found[0].default_view == "frontal" and not found[3].study.boxes_complete
