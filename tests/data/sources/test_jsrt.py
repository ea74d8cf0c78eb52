"""JSRT: nodules, and its films without a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from chexone_ray.records import ImageRef, Study
from tests.data.sources.replicas import read, write


def test_jsrt_nodules_become_squares(tmp_path: Path) -> None:
    rows = [
        "JPCLN001.IMG\t5\t35\t53\tMale\t1000\t700\tmalignant\tl.upper lobe\tBüchner",
        "JPCLN002.IMG\t2\t?\t60\tFemale\t500\t600\tbenign\tr.lower lobe\tscar",
        "JPCLN001.IMG\t5\t35\t53\tMale\t1000\t700\tmalignant\tl.upper lobe\tx",
        "notes",
        "",
    ]
    (tmp_path / "CLNDAT_EN.txt").write_bytes("\r".join(rows).encode())
    write(tmp_path / "CNNDAT_EN.TXT", "JPCNN001.IMG 23 female non-nodule", "")
    write(tmp_path / "films" / "JPCLN001.IMG", "")
    write(tmp_path / "converted" / "JPCNN001.png", "")
    found, dropped = read("jsrt", tmp_path)
    assert dropped == {"box_row": 1, "duplicate_row": 1, "row_without_id": 1}
    first, unknown, normal = found
    assert first.study == Study(
        dataset="jsrt",
        patient="JPCLN001",
        study="JPCLN001",
        images=(ImageRef(str(tmp_path / "films/JPCLN001.IMG")),),
        labels={"nodule": 1, "no finding": 0},
        boxes_complete=True,
    )
    (box,) = first.pixel_boxes  # 35 mm are 200 pixels
    assert box.label == "nodule" and box.xyxy == pytest.approx((900, 600, 1100, 800))
    assert not unknown.pixel_boxes and not unknown.study.boxes_complete
    assert unknown.study.images[0].uri == str(tmp_path / "JPCLN002.IMG"), "counted as missing"
    assert normal.study.labels == {"nodule": 0, "no finding": 1} and normal.study.boxes_complete
    assert normal.study.images[0].uri == str(tmp_path / "converted/JPCNN001.png")


def test_jsrt_films_without_a_header() -> None:
    words = np.full((2048, 2048), 4095, ">u2")
    words[:, 1024:] = 0
    data = words.tobytes()
    config = ImageConfig()
    assert images.size(data) == (2048, 2048)
    decoded = images.decode(data, config)
    assert decoded.provenance == {"format": "JSRT", "bits": 12}
    middle = decoded.pixels[decoded.pixels.shape[0] // 2]
    assert (middle[5].tolist(), middle[-5].tolist()) == ([0, 0, 0], [255, 255, 255])
    words[0, 0] = 4096
    for wrong in (words.tobytes(), data[:-2], data + b"\0\0"):
        with pytest.raises(ImageError):
            images.decode(wrong, config)
    small = ImageConfig.model_validate({"max_source_pixels": 1_000_000})
    with pytest.raises(ImageError, match="2048x2048 pixels"):
        images.decode(data, small)
