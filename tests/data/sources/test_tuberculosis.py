"""TBX11K, Montgomery and Shenzhen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study
from tests.data.sources.replicas import read, write


def write_tbx11k(root: Path) -> Path:
    """The folder of its two annotation files."""
    categories = [
        {"id": 1, "name": "ActiveTuberculosis"},
        {"id": 2, "name": "ObsoletePulmonaryTuberculosis"},
        {"id": 3, "name": "PulmonaryTuberculosis"},
    ]

    def mark(image: int, category: int, *bbox: object) -> dict[str, object]:
        return {"image_id": image, "category_id": category, "bbox": list(bbox)}

    train = {
        "categories": categories,
        "images": [
            {"id": 1, "file_name": "tb/tb0001.png"},
            {"id": 2, "file_name": "imgs/health/h0001.png"},
            {"id": 3, "file_name": "sick/ß0001.png"},
            {"id": 4, "file_name": "tb/tb0002.png"},
            {"id": 5, "file_name": "tb/tb0003.png"},
            {"id": 6},
            {"id": 5, "file_name": "tb/tb0003.png"},
            {"id": 7, "file_name": "tb/tb0002.png"},
        ],
        "annotations": [
            mark(1, 1, 100, 50, 60.5, 70),
            mark(1, 2, 10, 20, 30, 40),
            mark(1, 2, 10, 20, 30, 40),
            mark(4, 3, 1, 2, 3, 4),
            mark(4, 9, 1, 2, 3, 4),
            mark(4, 1, 1, 2, "x", 4),
            mark(99, 1, 1, 2, 3, 4),
            "odd",
        ],
    }
    val = {
        "categories": categories,
        "images": [
            {"id": 1, "file_name": "sick/s9.png"},
            {"id": 2, "file_name": "tb/tb0001.png"},
        ],
        "annotations": [],
    }
    folder = root / "annotations" / "json"
    write(folder / "TBX11K_train.json", json.dumps(train))
    write(folder / "TBX11K_val.json", json.dumps(val))
    return folder


def test_tbx11k_kinds_of_tuberculosis(tmp_path: Path) -> None:
    folder = write_tbx11k(tmp_path)
    found, dropped = read("tbx11k", tmp_path)
    lost = [
        ("box_row", "train.json:annotations[4]"),
        ("box_row", "train.json:annotations[5]"),
        ("box_row", "train.json:annotations[6]"),
        ("duplicate_row", "train.json:images[4]"),
        ("duplicate_row", "train.json:annotations[2]"),
        ("duplicate_row", "train.json:images[7]"),
        ("duplicate_row", "val.json:images[1]"),
        ("row_without_id", "train.json:images[5]"),
        ("unparsable_row", "train.json:annotations[7]"),
    ]
    places = [(why, place.rpartition("_")[2]) for why, place, _ in dropped.letters("")]
    assert places == lost
    healthy, val_sick, sick, both, doubt, unboxed = found
    kinds = ("active tuberculosis", "latent tuberculosis", "tuberculosis", "no finding")

    def states(item: PendingStudy) -> list[int | None]:
        return [item.study.labels.get(kind) for kind in kinds]

    assert both.study == Study(
        dataset="tbx11k",
        patient="tb/tb0001",
        study="tb/tb0001",
        images=(ImageRef(str(tmp_path / "imgs/tb/tb0001.png")),),
        archive_split="train",
        labels=dict(zip(kinds, (1, 1, 1, 0), strict=True)),
        boxed=kinds[:3],
    )
    assert both.pixel_boxes == (
        Box("active tuberculosis", (100, 50, 160.5, 120)),
        Box("latent tuberculosis", (10, 20, 40, 60)),
    )
    assert states(healthy) == [0, 0, 0, 1] and states(sick) == [0, 0, 0, 0]
    assert states(doubt) == [None, None, 1, 0] and states(unboxed) == [None, None, 1, 0]
    assert doubt.pixel_boxes == (Box("tuberculosis", (1, 2, 4, 6)),)
    assert [item.study.study for item in found if item.study.boxes_complete] == ["health/h0001"]
    assert (val_sick.study.boxed, unboxed.study.boxed) == (kinds[:3], ())
    assert val_sick.study.archive_split == "val"
    write(folder / "TBX11K_val.json", "[]")
    with pytest.raises(ChexoneError, match="is no COCO file"):
        read("tbx11k", tmp_path)


def test_nlm_tb_names(tmp_path: Path) -> None:
    for name in ("MCUCXR_0001_0.png", "CHNCXR_0327_1.png", "Thümbs.db", "deep/CHNCXR_0327_1.png"):
        write(tmp_path / "CXR_png" / name, "")
    source = SourceConfig(adapter="nlm_tb", uri=str(tmp_path))
    found, dropped = SOURCES["nlm_tb"].read(source, True)
    assert [(item.study.study, item.study.labels) for item in found] == [
        ("CHNCXR_0327", {"tuberculosis": 1}),
        ("MCUCXR_0001", {"tuberculosis": 0}),
    ]
    assert dropped == {"duplicate_row": 1, "file_of_another_name": 1}
    with pytest.raises(ChexoneError, match=r"holds no MCUCXR_\*\.png"):
        SOURCES["nlm_tb"].read(SourceConfig(adapter="nlm_tb", uri=str(tmp_path / "no")), True)
