"""Adapters on small made-up archives on local disk; no image is opened here."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data import build
from chexone_ray.data.ask import ask
from chexone_ray.data.blocks import Letter
from chexone_ray.data.build import read_sources
from chexone_ray.data.sources import mimic_cxr_jpg, vindr_cxr
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.report_sections import (
    Sections,
    broken_at_headers,
    read_sections,
)
from chexone_ray.data.sources.vindr_boxes import finding_name, merge, read_box_files
from chexone_ray.data.splits import assign, most_held_out
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import Box, ImageRef, Phrase, Study

CHEXPERT_COLUMNS = sorted(label.title() for label in LABELS)
METADATA = [
    "dicom_id",
    "subject_id",
    "study_id",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
]


def table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    root = tmp_path / "mimic"
    rows = [
        ["d2", "10000001", "50000002", "PA", "100", "80", "21500102", "93012.5"],
        ["d1", "10000001", "50000001", "AP", "100", "80", "21500102", "1500.25"],
        ["d3", "10000001", "50000002", "LL", "100", "80", "21500102", "93012.5"],
        ["d2", "10000001", "50000002", "PA", "100", "80", "21500102", "93012.5"],
        ["d4", "10000002", "50000003", "", "100", "80", "21500101", "120000"],
        ["", "10000002", "50000003", "AP", "100", "80", "21500101", "120000"],
    ]
    table(root / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA, rows)
    splits = [["d1", "50000001", "10000001", "train"], ["d2", "50000002", "10000001", "test"]]
    table(
        root / "mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], splits
    )
    cells = {"Pleural Effusion": "1.0", "Edema": "-1.0", "Pneumonia": "0.0"}
    labels = [["10000001", "50000002", *(cells.get(name, "") for name in CHEXPERT_COLUMNS)]]
    header = ["subject_id", "study_id", *CHEXPERT_COLUMNS]
    table(root / "mimic-cxr-2.0.0-chexpert.csv.gz", header, labels)
    image = root / "files/p10/p10000001/s50000002/d2.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    return root


def source(root: Path, boxes: Path | None = None) -> SourceConfig:
    return SourceConfig(
        adapter="mimic_cxr_jpg", uri=str(root), boxes_uri=str(boxes) if boxes else None
    )


def test_mimic_studies_in_the_order_of_padded_time(mimic: Path) -> None:
    found, dropped = mimic_cxr_jpg.studies(source(mimic), archive_splits=True)
    assert [item.study.study for item in found] == ["50000001", "50000002", "50000003"]
    # 00:15:00 comes before 09:30:12 although "1500.25" is the larger number of digits lost.
    assert found[0].study.date == "21500102 001500.250"
    assert found[1].study.date == "21500102 093012.500"
    assert dropped == {"duplicate_row": 1, "row_without_id": 1}


def test_mimic_paths_views_and_labels(mimic: Path) -> None:
    found, _ = mimic_cxr_jpg.studies(source(mimic), archive_splits=True)
    study = found[1].study
    folder = f"{mimic}/files/p10/p10000001/s50000002"
    assert [image.uri for image in study.images] == [f"{folder}/d2.jpg", f"{folder}/d3.jpg"]
    assert [image.view for image in study.images] == ["PA", "lateral"]
    assert found[1].report_uri == f"{folder}.txt"
    assert study.labels["pleural effusion"] == 1
    assert study.labels["edema"] == -1
    assert study.labels["pneumonia"] == 0
    assert study.labels["fracture"] is None
    assert study.archive_split == "test"
    assert found[2].study.images[0].view == ""


def test_mimic_boxes_of_a_vindr_shaped_file(mimic: Path, tmp_path: Path) -> None:
    path = tmp_path / "annotations_train.csv"
    header = ["image_id", "rad_id", "class_name", "x_min", "y_min", "x_max", "y_max"]
    rows = [
        ["d2", "R1", "Pleural effusion", "40", "50", "80", "100"],
        ["d1", "R1", "No finding", "", "", "", ""],
        ["d4", "R1", "Pneumothorax", "1", "", "", ""],
    ]
    table(path, header, rows)
    found, dropped = mimic_cxr_jpg.studies(source(mimic, path), archive_splits=True)
    first, second, third = found
    assert first.study.boxes_complete and not first.pixel_boxes
    assert first.study.labels["pneumothorax"] == 0
    assert second.pixel_boxes == (Box("pleural effusion", (40, 50, 80, 100), 0),)
    assert second.study.boxes_complete
    assert not third.study.boxes_complete  # its view is unknown
    assert dropped["box_row"] == 1
    table(path, header, [*rows, ["d1", "R1", "Pneumothorax", "1", "", "", ""]])
    (first, *_), _ = mimic_cxr_jpg.studies(source(mimic, path), archive_splits=True)
    assert not first.study.boxes_complete and "pneumothorax" not in first.study.labels
    assert second.complete(film(80, 100), "").boxes == (
        Box("pleural effusion", (0.5, 0.5, 1.0, 1.0), 0),
    )


def film(width: int, height: int) -> dict[int, ImageRef]:
    return {0: ImageRef("x", "PA", "current", width, height)}


def test_boxes_outside_their_image_are_dropped_and_a_little_overhang_is_cut() -> None:
    boxes = (
        Box("nodule", (-2, 10, 50, 52)),  # 50 pixels high: 2 pixels are more than 1 % of it
        Box("mass", (10, 10, 20, 52.1)),
        Box("edema", (10, 10, 1010, 20)),  # 1000 pixels wide: 1 % are 10
        Box("hernia", (10, 10, 1011, 20)),
    )
    study = Study("made_up", "p", "s", (ImageRef("x"),), boxes_complete=True, boxed=("mass", "a"))
    found = PendingStudy(study, boxes)
    assert found.count_boxes(film(1000, 50)) == (4, 2)
    whole = found.complete(film(1000, 50), "")
    assert [(box.label, box.xyxy) for box in whole.boxes] == [
        ("nodule", (0, 0.2, 0.05, 1)),
        ("edema", (0.01, 0.2, 1, 0.4)),
    ]
    assert (whole.boxes_complete, whole.boxed) == (False, ("a",))
    whole = PendingStudy(study, boxes[:1]).complete(film(1000, 50), "")
    assert (whole.boxes_complete, whole.boxed) == (True, ("mass", "a"))
    assert found.count_boxes({}) == (0, 0) and found.complete({}, "").boxes_complete
    shares = PendingStudy(
        study,
        (Box("b", (0, 0, 1.011, 1)), Box("c", (0, 0, 1.009, 1))),
        (Phrase("x", (Box("d", (0, -0.02, 1, 1)),)), Phrase("y", (Box("e", (0, 0, 1, 1)),))),
        canonical=True,
    )
    assert shares.count_boxes(film(1000, 1000)) == (4, 2)
    whole = shares.complete(film(1000, 1000), "")
    assert [box.label for box in whole.boxes] == ["c"] and [p.text for p in whole.phrases] == ["y"]


def test_a_pack_of_resized_films_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.to_png(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    boxes = tuple(Box("nodule", (n, 0, n + 4, 4)) for n in (0, 2, 4, 40))
    refs = (ImageRef(str(tmp_path / "a.dicom"), "PA"),)
    pending = PendingStudy(Study("made_up", "p", "s", refs, boxes_complete=True), boxes)
    config = PrepareConfig(output_uri="x", sources=(source(tmp_path),), max_drop_share=0.2)
    _, _, block = ask([[[pending]]], 0, "unused", config)
    assert block.num_boxes == 4
    assert Letter("made_up", "box_outside_image", "s") in block.letters
    with pytest.raises(ChexoneError, match=r"^1 of 4 boxes reach outside .* resized copies"):
        build._check_drops([block], config)
    build._check_drops([block], config.model_copy(update={"max_drop_share": 0.25}))


def test_missing_table_and_column_are_named(mimic: Path) -> None:
    table(mimic / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA[:3], [])
    with pytest.raises(ChexoneError, match=r'metadata.csv.gz has no column "ViewPosition"'):
        mimic_cxr_jpg.studies(source(mimic), archive_splits=True)
    (mimic / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    with pytest.raises(ChexoneError, match=r"metadata.csv\[.gz\] is missing: check"):
        mimic_cxr_jpg.studies(source(mimic), archive_splits=True)


def test_split_file_is_needed_only_for_archive_splits(mimic: Path) -> None:
    (mimic / "mimic-cxr-2.0.0-split.csv").unlink()
    with pytest.raises(ChexoneError, match="archive_splits=false"):
        mimic_cxr_jpg.studies(source(mimic), archive_splits=True)
    found, _ = mimic_cxr_jpg.studies(source(mimic), archive_splits=False)
    assert {item.study.archive_split for item in found} == {""}


def test_vindr_merges_readers_and_votes(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    header = ["image_id", "rad_ID", "class_name", "x_min", "y_min", "x_max", "y_max"]
    rows = [
        ["i1", "R1", "Nodule/Mass", "0", "0", "10", "10"],
        ["i1", "R2", "Nodule/Mass", "2", "2", "12", "12"],
        ["i1", "R3", "Nodule/Mass", "50", "50", "60", "60"],
        ["i2", "R1", "No finding", "", "", "", ""],
    ]
    table(folder / "annotations_train.csv", header, rows)
    votes = [
        ["i1", "R1", "1", "1", "0"],
        ["i1", "R2", "1", "0", "0"],
        ["i1", "R3", "1", "0", "0"],
        ["i2", "R1", "0", "0", "0"],
    ]
    names = ["image_id", "rad_ID", "Nodule/Mass", "ILD", "Edema"]
    table(folder / "image_labels_train.csv", names, votes)
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
    table(folder / "annotations_train.csv", header, [*rows[2:], ["i1", "R2", "ILD", *"1234"]])
    found, _ = vindr_cxr.studies(SourceConfig(adapter="vindr_cxr", uri=str(tmp_path)), True)
    assert found[0].study.labels == {"interstitial lung disease": -1, "nodule or mass": -1}


def test_vindr_without_tables_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match=r"annotations_train\.csv is missing"):
        vindr_cxr.studies(SourceConfig(adapter="vindr_cxr", uri=str(tmp_path)), True)
    with pytest.raises(ChexoneError, match="holds no annotations"):
        read_box_files(str(tmp_path))


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


REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  Cough.

 COMPARISON:  None.

 FINDINGS:

 The heart is normal
 in size.  A ratio of 1:2 is noted.

 IMPRESSION:

 No acute process.
"""


def test_sections_of_a_report() -> None:
    assert read_sections(REPORT) == Sections(
        "The heart is normal in size. A ratio of 1:2 is noted.",
        "No acute process.",
        "Cough.",
        "None.",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" CONCLUSION: Clear.", Sections(impression="Clear.")),
        (" FINDINGS/IMPRESSION:\n Clear.", Sections(impression="Clear.")),
        (" FINDINGS AND IMPRESSION: Clear.", Sections(impression="Clear.")),
        (" CHEST, TWO VIEWS: Clear lungs.", Sections(findings="Clear lungs.")),
        (" REASON FOR EXAM: Fever.\n FINDINGS: Clear.", Sections("Clear.", "", "Fever.")),
        (
            " HISTORY: Fall.\n\n Some words.\n\n Clear lungs.",
            Sections("", "Clear lungs.", "Fall. Some words. Clear lungs."),
        ),
        ("First part.\n\nLast part.\n", Sections(impression="Last part.")),
        ("", Sections()),
        ("Findings: Clear.\nImpression: Normal.", Sections("Clear.", "Normal.")),
        (" FINDINGS: One.\n ADDENDUM: Not this.\n FINDINGS: Two.", Sections("One. Two.")),
    ],
)
def test_section_headers(text: str, expected: Sections) -> None:
    assert read_sections(text) == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "CLINICAL HISTORY: cough. FINDINGS: Clear. IMPRESSION: None.",
            ["CLINICAL HISTORY: cough.", "FINDINGS: Clear.", "IMPRESSION: None."],
        ),
        (
            "Seen. REASON FOR EXAM : Fall. FINDINGS/IMPRESSION: Clear.",
            ["Seen.", "REASON FOR EXAM : Fall.", "FINDINGS/IMPRESSION: Clear."],
        ),
        ("HISTORY: a. FINDINGS AND IMPRESSION: b.", ["HISTORY: a.", "FINDINGS AND IMPRESSION: b."]),
        ("FINDINGS: The history: none.", ["FINDINGS: The history: none."]),
        ("FINDINGS:\nNo HISTORY: of it.", ["FINDINGS:", "No HISTORY: of it."]),
        ("", []),
    ],
)
def test_a_report_of_one_line_is_broken_at_its_headers(text: str, lines: list[str]) -> None:
    assert broken_at_headers(text).splitlines() == lines


def test_splits_by_patient() -> None:
    config = PrepareConfig(
        output_uri="x",
        sources=(SourceConfig(adapter="vindr_cxr", uri="x"),),
        test_share=0.3,
        validate_share=0.2,
    )
    assert assign("p", "valid", 0, config) == "validate"
    found = [assign(str(n), "", 0, config) for n in range(2000)]
    assert found == [assign(str(n), "", 0, config) for n in range(2000)]
    assert 0.27 < found.count("test") / 2000 < 0.33
    assert 0.17 < found.count("validate") / 2000 < 0.23
    unparted = [assign(str(n), "train_val", 0, config) for n in range(2000)]
    assert set(unparted) == {"train", "validate"}
    assert 0.17 < unparted.count("validate") / 2000 < 0.23


def test_a_patient_in_several_archive_splits_is_held_out() -> None:
    assert most_held_out(["train", "test", "validate"]) == "test"
    assert most_held_out(["train", "", "val"]) == "validate"
    assert most_held_out(["", ""]) == ""
    assert most_held_out(["train_val", ""]) == "train_val"
    assert most_held_out(["train_val", "test"]) == "test"
    assert most_held_out(["train_val", "train"]) == "train_val"


def test_a_patient_of_two_archives_has_one_split_and_one_history(
    mimic: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    shutil.copytree(mimic, second)
    row = ["d9", "10000002", "50000009", "PA", "100", "80", "21490101", "120000"]
    table(second / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA, [row])
    table(
        second / "mimic-cxr-2.0.0-split.csv",
        ["dicom_id", "study_id", "subject_id", "split"],
        [["d9", "50000009", "10000002", "test"]],
    )
    config = PrepareConfig(output_uri="x", sources=(source(mimic), source(second)))
    patients, *_ = read_sources(config)
    seen = [[(item.study.study, item.study.archive_split) for item in p] for p in patients]
    assert seen == [
        [("50000001", "test"), ("50000002", "test")],
        [("50000009", "test"), ("50000003", "test")],
    ]


def test_a_study_that_is_there_twice_is_refused(mimic: Path, tmp_path: Path) -> None:
    config = PrepareConfig(output_uri="x", sources=(source(mimic), source(mimic)))
    with pytest.raises(ChexoneError, match=r"^3 studies of .*/mimic are there twice: list an arch"):
        read_sources(config)
    copy = tmp_path / "copy"
    shutil.copytree(mimic, copy)
    config = PrepareConfig(output_uri="x", sources=(source(mimic), source(copy)))
    with pytest.raises(ChexoneError, match=r"^3 studies of .*/copy are in .*/mimic too: keep one"):
        read_sources(config)
