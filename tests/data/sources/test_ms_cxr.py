"""MS-CXR, MS-CXR-T and CXR-LT, which describe films of MIMIC-CXR-JPG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chexone_ray.config import SourceConfig
from chexone_ray.data.check import check_lines
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.records import Box, ImageRef, Phrase, Study
from tests.data.sources.replicas import film, read, write, write_rows

MS_CXR = "category_name,label_text,path,x,y,w,h,image_width,image_height,dicom_id"


A_PATH = "files/p10/p10000001/s50000001/a1-a.jpg"


def ms_cxr_rows(split: str = "") -> list[str]:
    def row(category: str, text: str, path: str, box: str, name: str) -> str:
        return f"{category}; {text}; {path}; {box}; 2000; 1000; {name}{split}"

    other = "files/p10/p10000001/s50000001/a1-b.jpg"
    return [
        row("Pleural Effusion", "small  effusions", A_PATH, "100; 500; 200; 300", "a1-a"),
        row("Pleural Effusion", "small effusions", A_PATH, "1700; 500; 315; 300", "a1-a"),
        row("Pleural Effusion", "small effusions", A_PATH, "100; 500; 200; 300", "a1-a"),
        row("Edema", "Ödem", other, "0; 0; 1000; 500", "a1-b"),
        row("Pneumonia", "patch", "files/p10/p10000002/s50000003/b1.jpg", "5; 5; 0; 9", "b1"),
        row("Pneumonia", "patch", "files/p10/p10000002/s50000003/b1.jpg", "5; 5; 9; 9", "b1"),
        row("Pneumonia", "patch", "b1.jpg", "5; 5; 9; 9", "b1"),
        row("Pneumonia", "spot", "files/p10/p10000003/s50000004/c1.jpg", "1; 2; 3; x", "c1"),
        row("Pneumothorax", "apical", "files/p10/p10000003/s50000004/c1.jpg", "1; 2; 3; 4", "c1"),
    ]


def test_ms_cxr_rows_of_one_text_are_one_phrase(tmp_path: Path, mimic: Path) -> None:
    write_rows(tmp_path / "MS_CXR_Local_Alignment_v1.0.0.csv", MS_CXR, *ms_cxr_rows())
    found, dropped = read("ms_cxr", tmp_path, mimic)
    assert dropped == {
        "box_of_lost_phrase": 1,
        "box_row": 2,
        "duplicate_row": 1,
        "row_without_id": 1,
        "study_without_phrase": 1,
    }
    first, last = found
    assert first.study == Study(
        dataset="ms_cxr",
        patient="10000001",
        study="50000001",
        images=(
            ImageRef(film(mimic, "10000001", "50000001", "a1-a"), "AP"),
            ImageRef(film(mimic, "10000001", "50000001", "a1-b"), "PA"),
        ),
        archive_split="test",
    )
    label = "pleural effusion"
    assert first.pixel_phrases == (
        Phrase(
            "small effusions",
            (Box(label, (100, 500, 300, 800)), Box(label, (1700, 500, 2015, 800))),
            label,
        ),
        Phrase("Ödem", (Box("edema", (0, 0, 1000, 500), 1),), "edema"),
    )
    assert [phrase.text for phrase in last.pixel_phrases] == ["apical"]
    assert (last.study.images[0].view, last.default_view) == ("", "frontal")
    sizes = {n: replace(i, width=2000, height=1000) for n, i in enumerate(first.study.images)}
    second = first.complete(sizes, "").phrases[0].boxes[1]
    assert second.xyxy == (0.85, 0.5, 1.0, 0.8), "a box that reaches outside is clipped"
    assert [p.text for p in first.complete({1: sizes[1]}, "").phrases] == ["Ödem"]
    by_hash, _ = read("ms_cxr", tmp_path, mimic, archive_splits=False)
    assert [item.study.archive_split for item in by_hash] == ["test", "test"]


def test_ms_cxr_is_tested_on_whatever_its_second_release_says(tmp_path: Path, mimic: Path) -> None:
    rows = [*ms_cxr_rows("; train")[:4], *ms_cxr_rows("; val")[8:]]
    write_rows(tmp_path / "MS_CXR_Local_Alignment_v1.0.0.csv", MS_CXR, *ms_cxr_rows())
    write_rows(tmp_path / "MS_CXR_Local_Alignment_v1.1.0.csv", f"{MS_CXR},split", *rows)
    found, dropped = read("ms_cxr", tmp_path, mimic)
    assert [item.study.archive_split for item in found] == ["test", "test"]
    assert dropped == {"duplicate_row": 1}


def test_ms_cxr_t_pairs_and_changes(tmp_path: Path, mimic: Path) -> None:
    names = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
    columns = ",".join(f"{name}_progression" for name in names)
    table = tmp_path / "MS_CXR_T_temporal_image_classification_v1.0.0.csv"
    write(
        table,
        f"dicom_id,previous_dicom_id,study_id,subject_id,{columns}",
        "a2,a1-b,50000002,10000001,,improving,Worsening,stable,",
        "a2,a1-b,50000002,10000001,,improving,,,",
        "d2,d1,50000006,10000004,stable,,,größer,",
        "e2,e1,50000008,10000005,stable,,,,",
        "b1,a2,50000003,10000002,,,,,",
        ",a2,50000003,10000002,stable,,,,",
    )
    write(Path(film(mimic, "10000004", "50000005", "d1")), "")
    write(Path(film(mimic, "10000004", "50000005", "d1")).parent / "index.html", "")
    found, dropped = read("ms_cxr_t", tmp_path, mimic)
    assert dropped == {
        "duplicate_row": 1,
        "prior_film_not_found": 1,
        "row_without_change": 1,
        "row_without_id": 1,
        "unknown_change": 1,
    }
    known, listed = found
    assert known.study == Study(
        dataset="ms_cxr_t",
        patient="10000001",
        study="50000002/a2",
        images=(
            ImageRef(film(mimic, "10000001", "50000001", "a1-b"), "PA", role="prior"),
            ImageRef(film(mimic, "10000001", "50000002", "a2")),
        ),
        archive_split="test",
    )
    assert known.pixel_phrases == (
        Phrase("", label="edema", change="better"),
        Phrase("", label="pleural effusion", change="worse"),
        Phrase("", label="pneumonia", change="same"),
    )
    assert listed.study.images[0].uri == film(mimic, "10000004", "50000005", "d1")
    assert listed.pixel_phrases == (Phrase("", label="consolidation", change="same"),)
    by_hash, _ = read("ms_cxr_t", tmp_path, mimic, archive_splits=False)
    assert [item.study.archive_split for item in by_hash] == ["test", "test"]
    (mimic / "mimic-cxr-2.0.0-metadata.csv").unlink()
    write(Path(film(mimic, "10000001", "50000001", "a1-b")), "")
    again, _ = read("ms_cxr_t", tmp_path, mimic)
    assert again[0].study.images[0].uri == known.study.images[0].uri


def test_check_looks_for_films_where_they_are(tmp_path: Path, mimic: Path) -> None:
    write_rows(tmp_path / "MS_CXR_Local_Alignment_v1.0.0.csv", MS_CXR, *ms_cxr_rows())
    write(Path(film(mimic, "10000001", "50000001", "a1-a")), "")
    source = SourceConfig(adapter="ms_cxr", uri=str(tmp_path), images_uri=str(mimic))
    last = list(check_lines(source, SOURCES["ms_cxr"], archive_splits=True))[-1]
    assert last.message.startswith("1 of 3 are there")


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
