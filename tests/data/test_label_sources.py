"""More sets of labels and boxes, on made-up replicas worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.records import Box, ImageRef, Study
from tests.data.replicas import film, read, write, write_mimic


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    return write_mimic(tmp_path / "mimic")


# --- VinDr-PCXR and CXR-LT -----------------------------------------------------------------------


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
    assert dropped == {"box_row": 1}
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


def test_cxr_lt_labels_by_name(tmp_path: Path, mimic: Path) -> None:
    write(
        tmp_path / "train_labeled.csv",
        "dicom_id,subject_id,study_id,ViewPosition,age,Adenopathy,Normal,Fibrosis,Edema",
        "a1-b,10000001,50000001,LATERAL,61,1.0,0.0,,-1",
        "a1-a,10000001,50000001,AP,61,1.0,0.0,,-1",
        "a1-a,10000001,50000001,AP,61,1.0,0.0,,-1",
        "é1,10000002,50000003,XX,61,0,1,0,0",
        ",10000002,50000003,PA,61,0,1,0,0",
    )
    write(tmp_path / "development.csv", "dicom_id,subject_id,study_id", "d,10000008,50000020")
    write(
        tmp_path / "test.csv",
        "dicom_id,subject_id,study_id,Tuberculosis",
        "t,10000009,50000021,1",
        "a2,10000001,50000001,1",
    )
    found, dropped = read("cxr_lt", tmp_path, mimic)
    assert dropped == {"duplicate_row": 2, "row_without_id": 1, "row_without_label": 1}
    first, normal, test = (item.study for item in found)
    assert first == Study(
        dataset="cxr_lt",
        patient="10000001",
        study="50000001",
        images=(
            ImageRef(film(mimic, "10000001", "50000001", "a1-a"), "AP"),
            ImageRef(film(mimic, "10000001", "50000001", "a1-b"), "lateral"),
        ),
        archive_split="train",
        labels={"adenopathy": 1, "edema": -1, "pulmonary fibrosis": None, "no finding": 0},
    )
    assert normal.labels["no finding"] == 1 and normal.images[0].view == ""
    assert (test.archive_split, test.labels) == ("test", {"tuberculosis": 1})


def test_candid_chest_tubes(tmp_path: Path) -> None:
    size = 1024
    block = " ".join([f"{10 * size + 20} 5", *[f"{size - 5} 5"] * 3])
    write(
        tmp_path / "Pneumothorax_reports.csv",
        "SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report",
        "1.1,9.1,-1,Clear.",
        f"1.2,9.2,{block},Größer.",
    )
    write(
        tmp_path / "chest_tube.csv",
        "anon_SOPUID,anon_anno_ref,mask_rle",
        f"1.2,x,{block}",
        f"1.2,x,{block}",
        "1.1,x,odd",
    )
    found, dropped = read("candid_ptx", tmp_path)
    assert dropped == {"unparsable_row": 1}
    assert [item.study.labels for item in found] == [
        {"pneumothorax": 0},
        {"pneumothorax": 1, "tube": 1},
    ]
    assert [(box.label, box.xyxy) for box in found[1].pixel_boxes] == [
        ("pneumothorax", (10, 20, 14, 25)),
        ("tube", (10, 20, 14, 25)),
    ]
