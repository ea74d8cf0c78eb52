"""Sets of one table and one film a study: Object-CXR, COVIDx, RANZCR CLiP, ROCO."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.facts import facts
from chexone_ray.data.sources import (
    ranzcr_clip,
    roco,
)
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study
from tests.data.sources.replicas import read, write
from tests.data.sources.replicas_of_films import write_ranzcr


def test_object_cxr_outlines(tmp_path: Path) -> None:
    write(
        tmp_path / "train.csv",
        "image_name,annotation",
        "b.jpg,0 10 20 30 40;2 5 5 9 5 7 11;9 1 2 3 4;1 4 4",
        "b.jpg,",
        "ä.jpg,",
        ",0 1 2 3 4",
    )
    write(tmp_path / "dev.csv", "image_name,annotation", "c.jpg,1 30 10 20 12")
    source = SourceConfig(adapter="object_cxr", uri=str(tmp_path))
    found, dropped = SOURCES["object_cxr"].read(source, True)
    assert [item.study.study for item in found] == ["c", "b", "ä"]
    assert dropped == {"box_row": 2, "duplicate_row": 1, "row_without_id": 1}
    assert [box.xyxy for box in found[1].pixel_boxes] == [(10, 20, 30, 40), (5, 5, 9, 11)]
    assert [item.study.labels["foreign object"] for item in found] == [1, 1, 0]
    assert {item.study.boxed for item in found} == {("foreign object",)}
    assert (found[0].study.archive_split, found[0].pixel_boxes[0].xyxy) == ("dev", (20, 10, 30, 12))


def test_covidx_lines(tmp_path: Path) -> None:
    write(
        tmp_path / "train.txt",
        "12 a.png positive rsna",
        "José María b.png negative cohen",
        "12 a.png positive rsna",
        "13 c.png maybe rsna",
        "14 d.png",
        "",
    )
    write(tmp_path / "test.txt", "15 e.png normal rsna")
    source = SourceConfig(adapter="covidx", uri=str(tmp_path))
    found, dropped = SOURCES["covidx"].read(source, True)
    assert [item.study.study for item in found] == ["test/e.png", "train/a.png", "train/b.png"]
    assert dropped == {"duplicate_row": 1, "unknown_label": 1, "unparsable_row": 1}
    normal, positive, negative = (item.study for item in found)
    assert normal.labels == {"covid-19": 0, "pneumonia": 0, "no finding": 1}
    assert (positive.patient, negative.patient) == ("rsna/12", "cohen/José María")
    assert (negative.labels, normal.archive_split) == ({"covid-19": 0}, "test")


def test_ranzcr_devices(tmp_path: Path) -> None:
    columns = [name for names in ranzcr_clip.DEVICES.values() for name in names]

    def row(name: str, patient: str, *present: str, odd: str = "0") -> str:
        cells = ["1" if column in present else odd for column in columns]
        return ",".join([name, *cells, patient])

    write(
        tmp_path / "train.csv",
        ",".join(["StudyInstanceUID", *columns, "PatientID"]),
        row("1.2", "pb", "ETT - Borderline", "CVC - Normal", "CVC - Abnormal"),
        row("1.2", "pb", "ETT - Borderline"),
        row("1.1", "pä"),
        row("1.3", "pc", odd="?"),
        row("", "pd"),
    )
    source = SourceConfig(adapter="ranzcr_clip", uri=str(tmp_path))
    found, dropped = SOURCES["ranzcr_clip"].read(source, True)
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    assert [item.study.study for item in found] == ["1.2", "1.1"]
    assert found[0].study.labels == {
        "endotracheal tube": 1,
        "nasogastric tube": 0,
        "central venous catheter": 1,
        "swan-ganz catheter": 0,
    }
    assert not any(found[1].study.labels.values())


def test_ranzcr_lines_are_boxes(tmp_path: Path) -> None:
    write_ranzcr(tmp_path)
    found, dropped = read("ranzcr_clip", tmp_path)
    assert dropped == {
        "box_row": 1,
        "box_without_image": 1,
        "duplicate_row": 2,
        "row_without_id": 2,
        "unknown_label": 1,
        "unparsable_row": 1,
    }
    drawn, cut, bare = found
    assert [item.study.study for item in found] == ["1.1", "1.3", "1.2"]
    assert drawn.pixel_boxes == (
        Box("endotracheal tube", (40, 10, 45, 51)),
        Box("central venous catheter", (50, 10, 61, 41)),
        Box("central venous catheter", (20, 10, 51, 61)),
    )
    assert drawn.study.boxed == tuple(ranzcr_clip.DEVICES), "the others are absent"
    assert cut.study.boxed == (
        "endotracheal tube",
        "central venous catheter",
        "swan-ganz catheter",
    ), "the nasogastric tube has lost its line"
    assert not cut.pixel_boxes and bare.study.boxed == () == bare.pixel_boxes
    known = facts(drawn.complete({0: ImageRef("1.1.jpg", "AP", "current", 96, 96)}, ""), 0)
    assert len(known["central venous catheter"].boxes) == 2
    (tmp_path / "train_annotations.csv").unlink()
    found, _ = read("ranzcr_clip", tmp_path)
    assert not any(item.pixel_boxes or item.study.boxed for item in found)


@pytest.mark.parametrize(
    ("data", "sides"),
    [
        ("[[5, 9], [5, 2]]", (5, 2, 6, 10)),  # upright, one pixel wide
        ("[[5.5, 9], [7, 2], [1, 3]]", (1, 2, 6.5 + 1.5, 10)),
        ("[[5, 9]]", None),
        ("[[5, 9], [1, 2, 3]]", None),
        ('[[5, 9], ["x", 3]]', None),
        ("[[5, 9], [NaN, 3]]", None),
        ("5", None),
        ("", None),
    ],
)
def test_ranzcr_line_box(data: str, sides: tuple[float, ...] | None) -> None:
    box = ranzcr_clip.line_box("tube", data)
    assert (box and box.xyxy) == sides


@pytest.mark.parametrize(
    ("caption", "chest"),
    [
        ("Chest X-ray showing a cavity.", True),
        ("Posteroanterior radiograph of the chest.", True),
        ("Initial CXR with a left effusion.", True),
        ("Plain film: both lungs are clear.", True),
        ("Chest CT after the chest radiograph.", False),
        ("Radiograph of the knee.", False),
        ("Chest wall on ultrasound, X-ray normal.", False),
        ("Thoracic spine radiograph.", False),
        ("Effusion of the chest.", False),
    ],
)
def test_roco_captions_tell_a_chest_film(caption: str, chest: bool) -> None:
    assert roco.is_chest_film(caption) is chest


@pytest.mark.parametrize("folder", ["", "data"])
def test_roco_keeps_chest_films(tmp_path: Path, folder: str) -> None:
    write(
        tmp_path / folder / "train" / "radiology" / "captions.txt",
        "ROCO_00002\t Chest radiograph:  große Kaverne.",
        "ROCO_00002\t Chest radiograph again.",
        "ROCO_00003\tAxial CT of the abdomen.",
        "ROCO_00004",
        "",
    )
    write(
        tmp_path / folder / "validation" / "radiology" / "captions.txt",
        "ROCO_00001\tA chest x-ray.",
    )
    found, dropped = read("roco", tmp_path)
    assert dropped == {"caption_of_another_image": 1, "duplicate_row": 1, "unparsable_row": 1}
    first, second = (item.study for item in found)
    assert (first.study, first.archive_split) == ("ROCO_00001", "validation")
    assert second == Study(
        dataset="roco",
        patient="ROCO_00002",
        study="ROCO_00002",
        images=(ImageRef(str(tmp_path / folder / "train/radiology/images/ROCO_00002.jpg")),),
        archive_split="train",
        caption="Chest radiograph: große Kaverne.",
    )
    with pytest.raises(ChexoneError, match=r"captions\.txt is missing"):
        read("roco", tmp_path / "nowhere")
