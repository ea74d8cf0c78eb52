"""MIMIC-CXR-JPG on a small made-up archive; no image is opened here."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.data.sources import mimic_cxr_jpg
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box
from tests.data.sources.replicas import (
    CHEXPERT_COLUMNS,
    MIMIC_METADATA,
    mimic_source,
    sized_film,
    write_table,
)


def test_mimic_studies_in_the_order_of_padded_time(mimic_jpg: Path) -> None:
    found, dropped = mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)
    assert [item.study.study for item in found] == ["50000001", "50000002", "50000003"]
    # 00:15:00 comes before 09:30:12 although "1500.25" is the larger number of digits lost.
    assert found[0].study.date == "21500102 001500.250"
    assert found[1].study.date == "21500102 093012.500"
    assert dropped == {"duplicate_row": 1, "row_without_id": 1}


def test_mimic_paths_views_and_labels(mimic_jpg: Path) -> None:
    found, _ = mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)
    study = found[1].study
    folder = f"{mimic_jpg}/files/p10/p10000001/s50000002"
    assert [image.uri for image in study.images] == [f"{folder}/d2.jpg", f"{folder}/d3.jpg"]
    assert [image.view for image in study.images] == ["PA", "lateral"]
    assert found[1].report_uri == f"{folder}.txt"
    assert study.labels["pleural effusion"] == 1
    assert study.labels["edema"] == -1
    assert study.labels["pneumonia"] == 0
    assert study.labels["fracture"] is None
    assert study.archive_split == "test"
    assert found[2].study.images[0].view == ""


def test_mimic_labels_by_hand_replace_those_by_rules(mimic_jpg: Path) -> None:
    names = ["Airspace Opacity", *(c for c in CHEXPERT_COLUMNS if c != "Lung Opacity")]
    path = mimic_jpg / "mimic-cxr-2.1.0-test-set-labeled.csv"
    told = {"Airspace Opacity": "1", "Edema": "0.0", "Fracture": "-1"}
    rows = [[study, *(told.get(name, "") for name in names)] for study in ("50000002", "59999999")]
    write_table(path, ["study_id", *names], rows)
    found, _ = mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)
    states = found[1].study.labels
    assert {name: state for name, state in states.items() if state is not None} == {
        "lung opacity": 1,
        "edema": 0,
        "fracture": -1,
    }
    assert (states["pleural effusion"], len(states), len(found)) == (None, 14, 3)
    write_table(path, ["study_id", "Lung Opacity"], [])
    with pytest.raises(ChexoneError, match=r"labeled\.csv has no column"):
        mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)


def test_mimic_boxes_of_a_vindr_shaped_file(mimic_jpg: Path, tmp_path: Path) -> None:
    path = tmp_path / "annotations_train.csv"
    header = ["image_id", "rad_id", "class_name", "x_min", "y_min", "x_max", "y_max"]
    rows = [
        ["d2", "R1", "Pleural effusion", "40", "50", "80", "100"],
        ["d1", "R1", "No finding", "", "", "", ""],
        ["d4", "R1", "Pneumothorax", "1", "", "", ""],
    ]
    write_table(path, header, rows)
    found, dropped = mimic_cxr_jpg.studies(mimic_source(mimic_jpg, path), archive_splits=True)
    first, second, third = found
    assert first.study.boxes_complete and not first.pixel_boxes
    assert first.study.labels["pneumothorax"] == 0
    assert second.pixel_boxes == (Box("pleural effusion", (40, 50, 80, 100), 0),)
    assert second.study.boxes_complete
    assert not third.study.boxes_complete  # its view is unknown
    assert dropped["box_row"] == 1
    write_table(path, header, [*rows, ["d1", "R1", "Pneumothorax", "1", "", "", ""]])
    (first, *_), _ = mimic_cxr_jpg.studies(mimic_source(mimic_jpg, path), archive_splits=True)
    assert not first.study.boxes_complete and "pneumothorax" not in first.study.labels
    assert second.complete(sized_film(80, 100), "").boxes == (
        Box("pleural effusion", (0.5, 0.5, 1.0, 1.0), 0),
    )


def test_missing_table_and_column_are_named(mimic_jpg: Path) -> None:
    write_table(mimic_jpg / "mimic-cxr-2.0.0-metadata.csv.gz", MIMIC_METADATA[:3], [])
    with pytest.raises(ChexoneError, match=r'metadata.csv.gz has no column "ViewPosition"'):
        mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)
    (mimic_jpg / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    with pytest.raises(ChexoneError, match=r"metadata.csv\[.gz\] is missing: check"):
        mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)


def test_split_file_is_needed_only_for_archive_splits(mimic_jpg: Path) -> None:
    (mimic_jpg / "mimic-cxr-2.0.0-split.csv").unlink()
    with pytest.raises(ChexoneError, match="archive_splits=false"):
        mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=True)
    found, _ = mimic_cxr_jpg.studies(mimic_source(mimic_jpg), archive_splits=False)
    assert {item.study.archive_split for item in found} == {""}
