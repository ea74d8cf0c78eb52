"""What is missing is told before any table is read whole."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import storage
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import prepare
from chexone_ray.data.preflight import preflight
from chexone_ray.data.sources import tables
from chexone_ray.errors import ChexoneError

MANY = "\n".join(f"{n}.png,{n},{os.urandom(20).hex()}" for n in range(9000))


def own(root: Path, text: str) -> SourceConfig:
    root.mkdir(exist_ok=True)
    (root / "studies.csv").write_text(text)
    return SourceConfig(adapter="own_table", uri=str(root))


def test_the_last_source_is_looked_at_before_the_first_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(uri: str) -> bytes:
        raise AssertionError(f"{uri} was read whole")

    first = own(tmp_path / "first", f"image,study,text\n{MANY}\n")
    gone = SourceConfig(adapter="rsna_pneumonia", uri=str(tmp_path / "gone"))
    out = tmp_path / "out"
    config = PrepareConfig(output_uri=str(out), sources=(first, gone))
    monkeypatch.setattr(storage, "read_bytes", whole)
    with pytest.raises(ChexoneError, match=r"gone/stage_2_train_labels\.csv\[\.gz\] is missing"):
        prepare(config)
    other = own(tmp_path / "other", f"image,name\n{MANY}\n")
    config = config.model_copy(update={"sources": (first,), "held_out": (other,)})
    with pytest.raises(ChexoneError, match=r'other/studies\.csv has no column "study"'):
        prepare(config)
    assert not out.exists()
    preflight(config.model_copy(update={"held_out": ()}))
    assert list(out.iterdir()) == [], "the probe is deleted again"


def test_the_columns_of_tables_with_tabs_are_looked_at(tmp_path: Path) -> None:
    table = tmp_path / "derivatives" / "labels" / "labels_covid19_posi.tsv"
    table.parent.mkdir(parents=True)
    table.write_text("PatientID\tReportID\tStudy\np\tr\ts\n")
    source = SourceConfig(adapter="bimcv_covid19", uri=str(tmp_path))
    with pytest.raises(ChexoneError, match=r'posi\.tsv has no column "Labels"'):
        preflight(PrepareConfig(output_uri=str(tmp_path / "out"), sources=(source,)))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    source = own(tmp_path / "first", "image,study\na.png,s\n")
    (tmp_path / "file").write_text("no folder")
    config = PrepareConfig(output_uri=str(tmp_path / "file" / "out"), sources=(source,))
    with pytest.raises(ChexoneError, match="cannot write"):
        prepare(config)


def test_headers_of_plain_and_packed_tables(tmp_path: Path) -> None:
    text = f'\ufeffa, "b",c\r\n{MANY}'
    (tmp_path / "t.csv").write_text(text, newline="")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("t.csv", text)
    for name in ("t.csv", "t.csv.gz", "t.csv.zip"):
        uri = str(tmp_path / name)
        assert tables.header(uri) == tables.read(uri, (), "").columns
        assert tables.header(uri)[::2] == ("a", "c")
    wide = ",".join(f"column {n}" for n in range(9000))
    (tmp_path / "wide.csv").write_text(wide)
    assert len(tables.header(str(tmp_path / "wide.csv"))) == 9000
    (tmp_path / "empty.csv").write_text("")
    assert tables.header(str(tmp_path / "empty.csv")) == ()
    (tmp_path / "bad.csv.gz").write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(ChexoneError, match="damaged gzip"):
        tables.header(str(tmp_path / "bad.csv.gz"))


def test_a_bucket_that_is_not_there_is_named_instead_of_a_table(tmp_path: Path, s3: Any) -> None:
    there = SourceConfig(adapter="own_table", uri=s3.folder("no-archive"))
    gone = SourceConfig(adapter="own_table", uri="s3://no-such-bucket/archive")
    for source, told in (
        (there, f"is missing: put studies.csv or studies.jsonl under {there.uri}"),
        (gone, "is missing: bucket no-such-bucket does not exist at AWS_ENDPOINT_URL="),
    ):
        with pytest.raises(ChexoneError) as caught:
            preflight(PrepareConfig(output_uri=str(tmp_path / "out"), sources=(source,)))
        assert told in str(caught.value)
