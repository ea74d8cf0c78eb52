"""Adapters of sets with phrases and changes, on made-up replicas worked out by hand."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.check import check_lines
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Phrase, Study
from tests.data.replicas import film, png16, read, write, write_mimic, write_rows


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    return write_mimic(tmp_path / "mimic")


@pytest.mark.parametrize("adapter", ["ms_cxr", "ms_cxr_t", "chest_imagenome", "cxr_lt"])
def test_images_of_another_archive_are_asked_for(adapter: str, tmp_path: Path) -> None:
    assert SOURCES[adapter].patients == "mimic"
    with pytest.raises(ChexoneError, match=f"{adapter} has no images of its own: set images_uri"):
        read(adapter, tmp_path)
    with pytest.raises(ChexoneError, match="is missing"):
        read(adapter, tmp_path, tmp_path)


def test_sets_of_the_same_patients_say_so() -> None:
    sharing = {name: spec.patients for name, spec in SOURCES.items() if spec.patients}
    assert sharing["padchest"] == sharing["padchest_gr"] == "padchest"
    assert sharing["mimic_cxr_jpg"] == "mimic"


# --- MS-CXR --------------------------------------------------------------------------------------

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
    assert not read("ms_cxr", tmp_path, mimic, archive_splits=False)[0][0].study.archive_split


def test_ms_cxr_has_splits_from_its_second_release(tmp_path: Path, mimic: Path) -> None:
    rows = [*ms_cxr_rows("; train")[:4], *ms_cxr_rows("; val")[8:]]
    write_rows(tmp_path / "MS_CXR_Local_Alignment_v1.0.0.csv", MS_CXR, *ms_cxr_rows())
    write_rows(tmp_path / "MS_CXR_Local_Alignment_v1.1.0.csv", f"{MS_CXR},split", *rows)
    found, dropped = read("ms_cxr", tmp_path, mimic)
    assert [item.study.archive_split for item in found] == ["train", "val"]
    assert dropped == {"duplicate_row": 1}


# --- MS-CXR-T ------------------------------------------------------------------------------------


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


# --- PadChest-GR ---------------------------------------------------------------------------------


@pytest.fixture
def padchest_gr(tmp_path: Path) -> Path:
    def sentence(text: str, **more: object) -> dict[str, object]:
        return {"sentence_en": text, "sentence_es": "Texto.", "abnormal": bool(more)} | more

    effusion = sentence(
        "Größere effusion.",
        labels=["pleural effusion"],
        boxes=[[0.1, 0.6, 0.4, 0.9], [0.6, 0.7, 0.9, 1.005]],
        locations=["loc basal bilateral"],
        progression="worsened",
    )
    two = sentence("Chronic signs.", labels=["emphysema", "kyphosis"], boxes=[], progression="?")
    bad = sentence("Nodule.", labels=["nodule"], boxes=[[0.5, 0.5, 0.5, 0.6]])
    entries: list[object] = [
        {
            "StudyID": "s2",
            "ImageID": "b.png",
            "PreviousImageID": "a.png",
            "findings": [effusion, two, bad, {"sentence_en": None}],
        },
        {"StudyID": "s2", "ImageID": "b.png", "findings": []},
        {"StudyID": "s1", "ImageID": "c.png", "findings": [sentence("Normal heart.")]},
        {"StudyID": "s3", "ImageID": "d.png", "findings": []},
        {"StudyID": "", "ImageID": "e.png"},
        "no study",
    ]
    write(tmp_path / "grounded_reports_20240819.json", json.dumps(entries))
    write(
        tmp_path / "master_table.csv",
        "StudyID,ImageID,PatientID,split,label",
        "s2,b.png,p1,validation,pleural effusion",
        "s2,b.png,p1,validation,emphysema",
        "s1,c.png,p2,test,Normal",
    )
    png16(tmp_path / "Padchest_GR_files" / "b.png")
    png16(tmp_path / "PadChest_GR_progression_prior_studies" / "a.png")
    return tmp_path


def test_padchest_gr_sentences_and_places(padchest_gr: Path) -> None:
    found, dropped = read("padchest_gr", padchest_gr)
    assert dropped == {
        "box_row": 1,
        "duplicate_row": 1,
        "row_without_id": 1,
        "sentence_without_text": 1,
        "study_without_patient": 1,
        "unknown_change": 1,
        "unparsable_row": 1,
    }
    first, normal = found
    assert first.study == Study(
        dataset="padchest_gr",
        patient="p1",
        study="s2",
        images=(
            ImageRef(
                str(padchest_gr / "PadChest_GR_progression_prior_studies/a.png"), role="prior"
            ),
            ImageRef(str(padchest_gr / "Padchest_GR_files/b.png")),
        ),
        archive_split="validation",
        findings="Größere effusion. Chronic signs. Nodule.",
    )
    label = "pleural effusion"
    boxes = (Box(label, (0.1, 0.6, 0.4, 0.9), 1), Box(label, (0.6, 0.7, 0.9, 1.005), 1))
    assert first.pixel_phrases == (
        Phrase("Größere effusion.", boxes, label, "basal bilateral", "worse"),
        Phrase("Chronic signs."),
    )
    assert normal.pixel_phrases == (Phrase("Normal heart."),)
    assert normal.study.images == (ImageRef(str(padchest_gr / "c.png")),), "counted as missing"
    sized = {n: replace(i, width=1000, height=500) for n, i in enumerate(first.study.images)}
    assert [box.xyxy for box in first.complete(sized, "").phrases[0].boxes] == [
        (0.1, 0.6, 0.4, 0.9),
        (0.6, 0.7, 0.9, 1.0),
    ], "boxes in 0-1 stay, whatever the size"
    source = SourceConfig(adapter="padchest_gr", uri=str(padchest_gr))
    last = list(check_lines(source, SOURCES["padchest_gr"], archive_splits=True))[-1]
    assert (last.state, last.message.partition(":")[0]) == ("FAIL", "2 of 3 are there")


def test_padchest_gr_reads_a_zipped_table(padchest_gr: Path) -> None:
    before = read("padchest_gr", padchest_gr)
    table = padchest_gr / "master_table.csv"
    packed = padchest_gr / "master_table.csv.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__MACOSX/._master_table.csv", "")
        archive.write(table, "master_table.csv")
    table.unlink()
    assert read("padchest_gr", padchest_gr) == before
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("more.csv", "")
    with pytest.raises(ChexoneError, match=r"master_table\.csv\.zip holds 2 files"):
        read("padchest_gr", padchest_gr)
    packed.write_bytes(b"PK\x03\x04")
    with pytest.raises(ChexoneError, match="is a damaged zip file"):
        tables.read_text(str(packed))


def test_padchest_gr_that_is_no_list(padchest_gr: Path) -> None:
    write(padchest_gr / "grounded_reports_20240819.json", "{}")
    with pytest.raises(ChexoneError, match="is no JSON list of studies"):
        read("padchest_gr", padchest_gr)
    write(padchest_gr / "grounded_reports_20240819.json", "[")
    with pytest.raises(ChexoneError, match="is no JSON "):
        read("padchest_gr", padchest_gr)
