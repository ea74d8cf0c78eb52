"""Archives that the tests of several adapters read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.sources.replicas import (
    CHEXPERT_COLUMNS,
    LABEL_HEADER,
    MIMIC_METADATA,
    cells,
    write,
    write_mimic,
    write_table,
)


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    return write_mimic(tmp_path / "mimic")


@pytest.fixture
def mimic_jpg(tmp_path: Path) -> Path:
    root = tmp_path / "mimic_jpg"
    rows = [
        ["d2", "10000001", "50000002", "PA", "100", "80", "21500102", "93012.5"],
        ["d1", "10000001", "50000001", "AP", "100", "80", "21500102", "1500.25"],
        ["d3", "10000001", "50000002", "LL", "100", "80", "21500102", "93012.5"],
        ["d2", "10000001", "50000002", "PA", "100", "80", "21500102", "93012.5"],
        ["d4", "10000002", "50000003", "", "100", "80", "21500101", "120000"],
        ["", "10000002", "50000003", "AP", "100", "80", "21500101", "120000"],
    ]
    write_table(root / "mimic-cxr-2.0.0-metadata.csv.gz", MIMIC_METADATA, rows)
    splits = [["d1", "50000001", "10000001", "train"], ["d2", "50000002", "10000001", "test"]]
    write_table(
        root / "mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], splits
    )
    states = {"Pleural Effusion": "1.0", "Edema": "-1.0", "Pneumonia": "0.0"}
    labels = [["10000001", "50000002", *(states.get(name, "") for name in CHEXPERT_COLUMNS)]]
    header = ["subject_id", "study_id", *CHEXPERT_COLUMNS]
    write_table(root / "mimic-cxr-2.0.0-chexpert.csv.gz", header, labels)
    image = root / "files/p10/p10000001/s50000002/d2.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    return root


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    write(
        tmp_path / "Data_Entry_2017_v2020.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],",
        "00000002_001.png,Effusion|Infiltration,1,2,058Y,M,AP,2500,2048,0.168,0.168,",
        "00000002_000.png,No Finding,0,2,057Y,M,PA,2500,2048,0.168,0.168,",
        "00000002_000.png,No Finding,0,2,057Y,M,PA,2500,2048,0.168,0.168,",
        "00000003_000.png,Cardiomegaly|Plëura,0,3,40,F,PA,2500,2048,0.168,0.168,",
        "00000004_000.png,Nodule,0,4,40,F,XX,2500,2048,0.168,0.168,",
        ",Nodule,0,5,40,F,PA,2500,2048,0.168,0.168,",
    )
    write(
        tmp_path / "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        "00000002_001.png,Infiltrate,100.5,200.0,50.25,60.0,,,",
        "00000002_001.png,Effusion,10,20,30,40,,,",
        "00000002_001.png,Effusion,10,20,,40,,,",
        "00000099_000.png,Nodule,1,2,3,4,,,",
    )
    write(tmp_path / "train_val_list.txt", "00000002_000.png", "00000002_001.png")
    write(tmp_path / "test_list.txt", "00000004_000.png")
    write(tmp_path / "images_002" / "images" / "00000002_001.png", "")
    return tmp_path


@pytest.fixture
def stanford(tmp_path: Path) -> Path:
    root = "CheXpert-v1.0-small"
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{LABEL_HEADER}"
    state = cells(edema="-1.0", pleural_effusion="1.0", fracture="0.0")
    write(
        tmp_path / "train.csv",
        header,
        f"{root}/train/patient00001/study2/view2_lateral.jpg,Male,60,Lateral,,{state}",
        f"{root}/train/patient00001/study2/view1_frontal.jpg,Male,60,Frontal,AP,{state}",
        f"{root}/train/patient00001/study2/view1_frontal.jpg,Male,60,Frontal,AP,{state}",
        f"{root}/train/patient00002/study1/view1_frontal.jpg,Féminin,60,Frontal,LL,{cells()}",
        f"nowhere.jpg,Male,60,Frontal,AP,{cells()}",
    )
    write(
        tmp_path / "valid.csv",
        header,
        f"{root}/valid/patient64541/study1/view1_frontal.jpg,Male,60,Frontal,PA,"
        + cells(no_finding="1.0"),
    )
    write(
        tmp_path / "test_labels.csv",
        f"Path,{LABEL_HEADER.replace('Lung Opacity', 'Airspace Opacity')}",
        "test/patient64741/study1/view1_frontal.jpg," + cells(lung_opacity="1.0"),
        "test/patient64741/study1/view2_lateral.jpg," + cells(lung_opacity="1.0"),
    )
    return tmp_path
