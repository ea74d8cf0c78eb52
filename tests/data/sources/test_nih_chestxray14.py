"""NIH ChestX-ray14, and RSNA Pneumonia, whose films are NIH's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.sources import (
    nih_chestxray14,
    rsna_pneumonia,
)
from chexone_ray.errors import ChexoneError
from tests.data.sources.replicas import REAL, by_name, write


def test_nih_labels_boxes_lists_and_what_is_left_out(nih: Path) -> None:
    source = SourceConfig(adapter="nih_chestxray14", uri=str(nih))
    found, dropped = nih_chestxray14.studies(source, archive_splits=True)
    assert [item.study.study for item in found] == [
        "00000002_000",
        "00000002_001",
        "00000003_000",
        "00000004_000",
    ]
    assert dropped == {
        "duplicate_row": 1,
        "row_without_id": 1,
        "unknown_label": 1,
        "box_row": 1,
        "box_without_image": 1,
    }
    first, second, odd, nodule = (item.study for item in found)
    assert (first.patient, first.date, first.archive_split) == ("00000002", "0000", "train_val")
    assert first.labels["no finding"] == 1 and first.labels["pleural effusion"] == 0
    assert {name for name, state in second.labels.items() if state} == {
        "pleural effusion",
        "infiltration",
    }
    assert len(second.labels) == 15
    assert odd.labels == {} and odd.archive_split == ""
    assert (nodule.images[0].view, nodule.archive_split) == ("", "test")
    boxes = [(box.label, box.xyxy) for box in found[1].pixel_boxes]
    assert boxes == [
        ("infiltration", (100.5, 200.0, 150.75, 260.0)),
        ("pleural effusion", (10.0, 20.0, 40.0, 60.0)),
    ]
    assert second.images[0].uri == str(nih / "images_002/images/00000002_001.png")
    assert first.images[0].uri == str(nih / "images/00000002_000.png"), "to be counted as missing"
    assert not nih_chestxray14.studies(source, archive_splits=False)[0][0].study.archive_split
    (nih / "test_list.txt").unlink()
    assert nih_chestxray14.studies(source, archive_splits=False)[0]
    with pytest.raises(ChexoneError, match=r"/test_list\.txt is missing .* archive_splits=false"):
        nih_chestxray14.studies(source, archive_splits=True)
    (nih / "train_val_list.txt").unlink()
    assert not nih_chestxray14.studies(source, archive_splits=True)[0][0].study.archive_split


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/real is absent")
def test_nih_reads_the_true_tables() -> None:
    source = SourceConfig(adapter="nih_chestxray14", uri=str(REAL / "nih_chestxray14"))
    found, dropped = nih_chestxray14.studies(source, archive_splits=True)
    assert len(found) > 400
    assert dropped["unknown_label"] == dropped["row_without_id"] == dropped["box_row"] == 0
    first = by_name([item.study for item in found])["00000001_000"]
    assert first.labels["cardiomegaly"] == 1 and sum(v or 0 for v in first.labels.values()) == 1
    assert first.images[0].uri.endswith("images/00000001_000.png")
    old = SourceConfig(adapter="nih_chestxray14", uri=str(REAL / "nih_chestxray14_sample"))
    assert nih_chestxray14.studies(old, archive_splits=True)[0]


def test_rsna_classes_and_boxes(tmp_path: Path) -> None:
    write(
        tmp_path / "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target",
        "b,10,20,30,40,1",
        "b,50.5,60,10,20,1",
        "b,10,20,30,40,1",
        "b,10,20,0,40,1",
        "a,,,,,0",
        "zz,1,2,3,4,1",
        "a,,,,,0",
        "stranger,,,,,0",
    )
    write(
        tmp_path / "stage_2_detailed_class_info.csv",
        "patientId,class",
        "b,Lung Opacity",
        "b,Lung Opacity",
        "a,Normal",
        "c,No Lung Opacity / Not Normal",
        "d,Größe",
    )
    source = SourceConfig(adapter="rsna_pneumonia", uri=str(tmp_path))
    found, dropped = rsna_pneumonia.studies(source, archive_splits=True)
    assert [item.study.study for item in found] == ["a", "b", "c"]
    assert dropped == {"box_row": 2, "duplicate_row": 2, "film_not_found": 1, "unknown_label": 1}
    assert [box.xyxy for box in found[1].pixel_boxes] == [(10, 20, 40, 60), (50.5, 60, 60.5, 80)]
    assert found[0].study.labels == {"lung opacity": 0, "no finding": 1}
    assert found[2].study.labels == {"lung opacity": 0, "no finding": 0}
    assert [item.study.boxed for item in found] == [("lung opacity",), (), ()], (
        "b lost a box, and the table of boxes does not know c"
    )
    assert not any(item.study.boxes_complete for item in found)
    assert found[0].study.images[0].uri == str(tmp_path / "stage_2_train_images/a.dcm")
    (tmp_path / "stage_2_detailed_class_info.csv").unlink()
    with pytest.raises(ChexoneError, match=r"detailed_class_info\.csv\[\.gz\] is missing"):
        rsna_pneumonia.studies(source, archive_splits=True)


def test_rsna_films_of_one_patient_of_nih(nih: Path, tmp_path: Path) -> None:
    write(tmp_path / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target")
    rows = (f"{name},Normal" for name in "abcd")
    write(tmp_path / "stage_2_detailed_class_info.csv", "patientId,class", *rows)
    mapping = tmp_path / "pneumonia-challenge-dataset-mappings_2018.json"
    films = {"a": "00000004_003.png", "b": "00000004_001.png", "c": "odd", "zz": "00000009_000.png"}
    told = [{"subset_img_id": key, "img_id": name} for key, name in films.items()]
    mapping.write_text(json.dumps([*told, {"img_id": "00000009_000.png"}, 5]))
    rsna = SourceConfig(adapter="rsna_pneumonia", uri=str(tmp_path))
    found, dropped = rsna_pneumonia.studies(rsna, archive_splits=True)
    patients = {item.study.study: item.study.patient for item in found}
    assert patients == {"a": "00000004", "b": "00000004", "c": "c", "d": "d"}
    assert dropped == {
        "unparsable_row": 3,
        "film_without_patient": 2,
        "patient_without_film": 1,
    }
    other = SourceConfig(adapter="nih_chestxray14", uri=str(nih))
    config = PrepareConfig(output_uri="unused-output", sources=(rsna, other), max_drop_share=1.0)
    (shared,) = (p for p in read_sources(config)[0] if p[0].study.patient == "00000004")
    assert {(item.study.dataset, item.study.archive_split) for item in shared} == {
        ("rsna_pneumonia", "test"),
        ("nih_chestxray14", "test"),
    }
    mapping.write_text("{}")
    with pytest.raises(ChexoneError, match="is no JSON list of films"):
        rsna_pneumonia.studies(rsna, archive_splits=True)
    mapping.write_text("[")
    with pytest.raises(ChexoneError, match="is no JSON "):
        rsna_pneumonia.studies(rsna, archive_splits=True)
    mapping.unlink()
    found, _ = rsna_pneumonia.studies(rsna, archive_splits=True)
    assert [item.study.patient for item in found] == ["a", "b", "c", "d"]
