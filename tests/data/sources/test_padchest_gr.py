"""PadChest-GR: sentences and their places."""

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
from tests.data.sources.replicas import png16, read, write


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
