"""A table of your own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from tests.data.sources.replicas import write


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_of_your_own(tmp_path: Path, kind: str) -> None:
    if kind == "csv":
        write(
            tmp_path / "studies.csv",
            "image,study,patient,date,view,split,report,label:Edema,boxes",
            'a/1.png,s1,p1,2020,PA,train,"FINDINGS: Größe normal. IMPRESSION: None.",0,',
            "a/2.dcm,s1,p1,2020,lateral,train,,,"
            '"[{""label"": ""Nodule"", ""xyxy"": [1, 2, 5, 9]}]"',
            "a/2.dcm,s1,p1,2020,lateral,train,,,",
            "s3://films/3.png,s0,p1,2019,Frontal,train,,-1,[{]",
            ",s9,p1,2019,PA,train,,,",
        )
    else:
        write(
            tmp_path / "studies.jsonl",
            '{"image": "a/1.png", "study": "s1", "patient": "p1", "date": 2020, "view": "PA", '
            '"split": "train", "report": "FINDINGS: Größe normal. IMPRESSION: None.", '
            '"labels": {"Edema": 0}}',
            '{"image": "a/2.dcm", "study": "s1", "view": "lateral", '
            '"boxes": [{"label": "Nodule", "xyxy": [1, 2, 5, 9]}]}',
            '{"image": "a/2.dcm", "study": "s1", "view": "lateral"}',
            '{"image": "s3://films/3.png", "study": "s0", "patient": "p1", "date": 2019, '
            '"view": "Frontal", "split": "train", "labels": {"Edema": -1}}',
            "[]",
            '{"study": "s9"}',
        )
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    found, dropped = SOURCES["own_table"].read(source, True)
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    earlier, later = found
    assert (earlier.study.study, earlier.study.date) == ("s0", "2019")
    assert earlier.study.images[0].uri == "s3://films/3.png"
    assert earlier.study.images[0].view == "frontal" and earlier.study.labels == {"edema": -1}
    assert [image.view for image in later.study.images] == ["PA", "lateral"]
    assert (later.study.patient, later.study.archive_split) == ("p1", "train")
    assert later.study.labels == {"edema": 0}
    assert [(b.label, b.xyxy, b.image) for b in later.pixel_boxes] == [("nodule", (1, 2, 5, 9), 1)]
    sized = (replace(image, width=10, height=20) for image in later.study.images)
    whole = later.complete(dict(enumerate(sized)), "")
    assert whole.boxes[0].xyxy == pytest.approx((0.1, 0.1, 0.5, 0.45))
    assert (whole.findings, whole.impression) == ("Größe normal.", "None.")


def test_a_table_of_your_own_that_is_wrong(tmp_path: Path) -> None:
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    with pytest.raises(ChexoneError, match=r"studies\.csv\[\.gz\] is missing"):
        SOURCES["own_table"].read(source, True)
    write(tmp_path / "studies.csv", "image,study,split", "a.png,s,evaluation")
    with pytest.raises(ChexoneError, match='split "evaluation": use train, validate or test'):
        SOURCES["own_table"].read(source, True)
    write(tmp_path / "studies.csv", "picture,study", "a.png,s")
    with pytest.raises(ChexoneError, match='has no column "image"'):
        SOURCES["own_table"].read(source, True)


def test_what_a_table_of_your_own_says_otherwise_is_counted(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {
            "labels": {
                "edema": True,
                "mass": False,
                "hernia": "yes",
                "nodule": 0.7,
                "fracture": None,
            }
        },
        {"labels": ["edema"], "boxes": 5},
        {"labels": {"edema": "inf"}, "findings": "One line.\u2028The next.\u0085The last."},
    ]
    rows = [{"image": f"{n}.png", "study": f"s{n}"} | line for n, line in enumerate(lines)]
    told = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "studies.jsonl").write_text("\r\n".join(told), encoding="utf-8")
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    (first, second, third), dropped = SOURCES["own_table"].read(source, True)
    assert dropped == {"unknown_label": 3, "unparsable_row": 2}
    assert first.study.labels == {
        "edema": 1,
        "mass": 0,
        "hernia": None,
        "nodule": None,
        "fracture": None,
    }
    assert second.study.labels == {} and not second.pixel_boxes
    assert third.study.findings == "One line. The next. The last."
    (tmp_path / "studies.jsonl").unlink()
    write(tmp_path / "studies.csv", "image,study,label:edema,boxes", "a.png,s,maybe,5")
    _, dropped = SOURCES["own_table"].read(source, True)
    assert dropped == {"unknown_label": 1, "unparsable_row": 1}
