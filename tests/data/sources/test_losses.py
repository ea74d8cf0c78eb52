"""Everything that an adapter leaves out has its place: line by line on made-up tables."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.blocks import Letter
from chexone_ray.data.build import read_sources
from chexone_ray.data.check import answer
from chexone_ray.data.sources import json_files, losses, tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.metrics.labeller import LABELS
from tests.data.sources.replicas import read, write


def told(lost: Losses, uri: str = "archive") -> list[tuple[str, str]]:
    return [(reason, place) for reason, place, _ in lost.letters(uri)]


def test_losses_are_counts_with_places() -> None:
    lost = Losses()
    lost.lose("row_without_id", "t.csv:3")
    lost.lose("box_row", "t.csv:2")
    lost.lose("box_row", "t.csv:2")
    assert lost == {"box_row": 2, "row_without_id": 1}
    assert list(lost.letters("archive")) == [
        ("box_row", "t.csv:2", 1),
        ("box_row", "t.csv:2", 1),
        ("row_without_id", "t.csv:3", 1),
    ]
    assert not Losses() and not list(Losses().letters("archive"))


def test_beyond_the_bound_there_is_one_letter_with_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "MAX_PLACES", 2)
    lost = Losses()
    for line in range(2, 7):
        lost.lose("box_row", f"t.csv:{line}")
    lost.lose("unknown_label", "t.csv:2")
    assert list(lost.letters("archive")) == [
        ("box_row", "t.csv:2", 1),
        ("box_row", "t.csv:3", 1),
        ("box_row", "archive", 3),
        ("unknown_label", "t.csv:2", 1),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_rows_know_the_line_that_an_editor_shows(tmp_path: Path, end: str, packed: bool) -> None:
    lines = ["\ufeffname, text", "a,one", "", 'b,"two', "", 'lines"', "c", "d,x,more", '"e', '",y']
    data = end.join([*lines, ""]).encode()
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(data) if packed else data)
    table = tables.read(str(path), ("name", "text"), "mend it")
    assert [row.at for row in table] == [2, 4, 7, 8, 9]
    assert [row["name"] for row in table] == ["a", "b", "c", "d", "e"]
    assert [row["text"] for row in table] == ["one", f"two{end * 2}lines", "", "x", "y"]
    assert table.rows[0].place == f"{path}:2"
    assert [number for number, _ in tables.numbered_lines(str(path))] == [1, 2, 4, 6, 7, 8, 9, 10]


def test_entries_of_json_files_know_their_index_or_line(tmp_path: Path) -> None:
    lost = Losses()
    write(tmp_path / "list.json", '[{"a": 1}, 5,\n {"a": 2}]')
    uri = str(tmp_path / "list.json")
    rows = list(json_files.read_list(uri, lost))
    assert [(row.place, row["a"]) for row in rows] == [(f"{uri}:0", 1), (f"{uri}:2", 2)]
    lines = str(tmp_path / "lines.json")
    write(tmp_path / "lines.json", '{"a": "x\u2028y"}', "", "[]", '{"a": 2}', "{")
    assert [row.at for row in json_files.read_lines(lines, lost)] == [1, 4]
    assert told(lost) == [
        ("unparsable_row", f"{file}") for file in (f"{uri}:1", f"{lines}:3", f"{lines}:5")
    ]


def write_mimic_tables(root: Path) -> Path:
    rows = [
        "d2,10000001,50000002,PA,21500102,93012.5",
        "d1,10000001,50000001,AP,21500102,1500.25",
        "d2,10000001,50000002,PA,21500102,93012.5",
        ",10000002,50000003,AP,21500101,120000",
        "",
        "d4,10000002,50000003,,21500101,120000",
        "d3,10000001,50000002,LL,21500102,93012.5",
        "d9,,50000003,PA,21500101,120000",
        "d2,10000001,50000002,PA,21500102,93012.5",
    ]
    header = "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime"
    table = root / "mimic-cxr-2.0.0-metadata.csv"
    write(table, header, *rows)
    labels = ",".join(label.title() for label in LABELS)
    write(root / "mimic-cxr-2.0.0-chexpert.csv", f"subject_id,study_id,{labels}")
    return table


def write_chexpert_table(root: Path) -> Path:
    labels = ",".join(label.title() for label in LABELS)
    rows = [
        "x/train/patient1/study2/view2_lateral.jpg,Lateral,",
        "x/train/patient1/study2/view1_frontal.jpg,Frontal,AP",
        "nowhere.jpg,Frontal,AP",
        "x/train/patient1/study2/view1_frontal.jpg,Frontal,AP",
        "x/train/patient2/study1/view1_frontal.jpg,Frontal,PA",
    ]
    table = root / "train.csv"
    states = "," * len(LABELS)
    write(table, f"Path,Frontal/Lateral,AP/PA,{labels}", *(row + states for row in rows))
    return table


@pytest.mark.parametrize(
    ("adapter", "write_table", "expected"),
    [
        (
            "mimic_cxr_jpg",
            write_mimic_tables,
            {4: "duplicate_row", 5: "row_without_id", 9: "row_without_id", 10: "duplicate_row"},
        ),
        ("chexpert", write_chexpert_table, {4: "row_without_id", 5: "duplicate_row"}),
    ],
)
def test_every_row_of_a_table_is_an_image_or_a_loss(
    tmp_path: Path, adapter: str, write_table: Any, expected: dict[int, str]
) -> None:
    table = write_table(tmp_path)
    found, lost = read(adapter, tmp_path, archive_splits=False)
    assert sorted(told(lost), key=lambda item: int(item[1].rpartition(":")[2])) == [
        (reason, f"{table}:{line}") for line, reason in expected.items()
    ]
    lines = enumerate(table.read_text().splitlines()[1:], start=2)
    kept = [line for number, line in lines if line and number not in expected]
    stems = [line.partition(",")[0].rpartition("/")[2].removesuffix(".jpg") for line in kept]
    films = [image.uri for item in found for image in item.study.images]
    assert len(films) == len(set(films)) == len(kept)
    names = [uri.rpartition("/")[2].removesuffix(".jpg") for uri in films]
    assert sorted(names) == sorted(stems)


def test_what_several_rows_lose_is_told_one_by_one(tmp_path: Path) -> None:
    write(
        tmp_path / "Data_Entry_2017.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID,View Position",
        "1_0.png,No Finding,0,1,PA",
        "1_1.png,Odd,0,1,PA",
        "1_0.png,No Finding,0,1,PA",
    )
    write(
        tmp_path / "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        "9_0.png,Nodule,1,2,3,4,,,",
        "1_0.png,Nodule,1,2,0,4,,,",
        "9_0.png,Mass,1,2,3,4,,,",
    )
    entries, boxes = (tmp_path / name for name in ("Data_Entry_2017.csv", "BBox_List_2017.csv"))
    expected = [
        ("box_row", f"{boxes}:3"),
        ("box_without_image", f"{boxes}:2"),
        ("box_without_image", f"{boxes}:4"),
        ("duplicate_row", f"{entries}:4"),
        ("unknown_label", f"{entries}:3"),
    ]
    assert told(read("nih_chestxray14", tmp_path)[1]) == expected
    source = SourceConfig(adapter="nih_chestxray14", uri=str(tmp_path))
    _, letters, _ = read_sources(
        PrepareConfig(output_uri="unused-output", sources=(source,), max_drop_share=0.7)
    )
    assert letters == [Letter("nih_chestxray14", *item) for item in expected]


def test_places_of_lines_and_of_deep_entries(tmp_path: Path) -> None:
    write(tmp_path / "train.txt", "12 a.png positive rsna", "", "13 c.png maybe rsna", "14 d.png")
    uri = str(tmp_path / "train.txt")
    assert told(read("covidx", tmp_path)[1]) == [
        ("unknown_label", f"{uri}:3"),
        ("unparsable_row", f"{uri}:4"),
    ]
    for part in ("train", "dev", "test"):
        write(tmp_path / f"{part}.json", '{"data": []}')
    asked = {"id": "q", "question": "Where?", "answers": [{"text": "here"}]}
    paragraph = {"context": "It is here.", "qas": [asked, asked]}
    write(tmp_path / "dev.json", json.dumps({"data": [{"paragraphs": [5, paragraph]}]}))
    place = f"{tmp_path}/dev.json:data[0].paragraphs"
    assert told(read("radqa", tmp_path)[1]) == [
        ("duplicate_row", f"{place}[1].qas[1]"),
        ("unparsable_row", f"{place}[0]"),
    ]


def test_check_still_tells_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "studies.csv", "image,study", "a.png,s", "a.png,s", ",s", "b.png,")
    write(tmp_path / "a.png")
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    config = PrepareConfig(output_uri="unused-output", sources=(source,), check=True)
    assert answer(config) == 0
    said = capsys.readouterr().out
    assert "1 studies; left out: 1 duplicate_row, 2 row_without_id" in said
    _, lost = read("own_table", tmp_path)
    uri = f"{tmp_path}/studies.csv"
    assert told(lost) == [
        ("duplicate_row", f"{uri}:3"),
        ("row_without_id", f"{uri}:4"),
        ("row_without_id", f"{uri}:5"),
    ]
