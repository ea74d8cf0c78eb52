"""Storage against a real S3 server and the local disk."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from chexone_ray import storage
from chexone_ray.config import SftConfig
from chexone_ray.downloads import download
from chexone_ray.errors import ChexoneError


@pytest.fixture(params=["s3", "local", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder URI on S3 and on the disk."""
    if request.param == "s3":
        name = request.node.name.replace("[", "-").replace("]", "")
        return str(request.getfixturevalue("s3").folder(name))
    return str(tmp_path / "place") if request.param == "local" else f"file://{tmp_path}/place"


def test_bytes_and_json_come_back_and_are_listed_in_order(place: str) -> None:
    storage.write_bytes(storage.join(place, "b", "two.bin"), b"22")
    storage.write_bytes(storage.join(place, "a.json"), b"old")
    storage.write_json(storage.join(place, "a.json"), {"x": [1, None], "text": "é"})
    storage.write_bytes(storage.join(place, "b/one.bin"), b"")
    assert storage.read_bytes(f"{place}/b/two.bin") == b"22"
    assert storage.read_json(f"{place}/a.json") == {"x": [1, None], "text": "é"}
    names = ["a.json", "b/one.bin", "b/two.bin"]
    assert storage.list_files(place) == [f"{place}/{name}" for name in names]
    assert storage.list_files(place + "/", ".bin") == [f"{place}/{name}" for name in names[1:]]
    assert storage.list_files(f"{place}/absent") == []


def test_exists_and_delete(place: str) -> None:
    assert not storage.exists(place)
    for name in ("x", "sub/y", "sub/z"):
        storage.write_bytes(f"{place}/{name}", b"1")
    assert storage.exists(place) and storage.exists(f"{place}/sub/y")
    storage.delete(f"{place}/sub")
    assert not storage.exists(f"{place}/sub")
    assert storage.list_files(place) == [f"{place}/x"]
    storage.delete(f"{place}/sub")
    storage.delete(f"{place}/x")
    # No marker stays behind that would block a file or a folder of the same name.
    storage.write_bytes(f"{place}/sub", b"2")
    assert storage.list_files(place) == [f"{place}/sub"]


def test_commit_is_the_sign_of_a_complete_folder(place: str) -> None:
    storage.write_bytes(f"{place}/part", b"1")
    assert storage.committed(place) is None
    storage.commit(place, {"rows": 3})
    assert storage.committed(place) == {"rows": 3}


def test_a_large_object_survives_the_multi_part_upload(s3: Any) -> None:
    data = bytes(range(256)) * (96 * 1024)  # 24 MiB, several parts
    storage.write_bytes(s3.folder("large/object"), data)
    assert storage.read_bytes(s3.folder("large/object")) == data


def test_arrow_reads_and_writes_through_a_pickled_filesystem(s3: Any) -> None:
    system, path = pickle.loads(pickle.dumps(storage.filesystem(s3.folder("table"))))
    table = pa.table({"x": [1, 2, 3]})
    ds.write_dataset(table, path, filesystem=system, format="parquet", create_dir=False)
    assert storage.list_files(s3.folder("table"), ".parquet")
    assert ds.dataset(path, filesystem=system).to_table() == table


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "empty URI"),
        ("http://x/y", "scheme http:// is not known"),
        ("s3://", "names no bucket"),
        ("s3:/bucket/x", "followed by ://"),
    ],
)
def test_malformed_uris(uri: str, message: str) -> None:
    with pytest.raises(ChexoneError, match=message):
        storage.filesystem(uri)


def test_join() -> None:
    assert storage.join("s3://b/", "/a/", "", "c.txt") == "s3://b/a/c.txt"
    assert storage.join("/", "a") == "/a" and storage.join("/") == "/"
    assert storage.join("file:///", "a") == "file:///a" and storage.join("x/") == "x"
    with pytest.raises(ChexoneError, match="names no bucket"):
        storage.join("s3://", "a")


def _refused(action: Any, *args: Any) -> str:
    """The error line, after checking that it is one line and came within seconds."""
    start = time.monotonic()
    with pytest.raises(ChexoneError) as caught:
        action(*args)
    assert time.monotonic() - start < 15
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_things_are_one_clear_line(s3: Any, tmp_path: Path) -> None:
    key = s3.folder("not/there")
    assert (
        _refused(storage.read_bytes, key) == f"cannot read {key}: it does not exist; check the URI"
    )
    assert "nothing is there" in _refused(download, key)
    for action in (storage.read_bytes, storage.list_files, download):
        assert "bucket no-such-bucket does not exist" in _refused(action, "s3://no-such-bucket/x")
    assert "bucket no-such-bucket" in _refused(storage.write_bytes, "s3://no-such-bucket/x", b"")
    assert "does not exist" in _refused(storage.read_bytes, str(tmp_path / "absent"))
    assert "not a folder" in _refused(download, str(tmp_path / "absent"))
    storage.write_bytes(s3.folder("bad.json"), b"{")
    assert "is not JSON" in _refused(storage.read_json, s3.folder("bad.json"))


def test_wrong_endpoint_is_one_clear_line(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "no S3 server answers" in _refused(storage.read_bytes, s3.folder("x"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    assert "is not a URL" in _refused(storage.read_bytes, s3.folder("x"))


def test_wrong_and_absent_credentials(
    s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    assert "was refused" in _refused(storage.read_bytes, s3.folder("x"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "no S3 credentials" in _refused(storage.read_bytes, s3.folder("x"))


def test_only_what_is_not_there_reads_as_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert storage.read_if_there(str(tmp_path / "a")) == b"1"
    assert storage.read_if_there(str(tmp_path / "b")) is None
    (tmp_path / "stuck").mkdir()
    with pytest.raises(ChexoneError, match="stuck"):
        storage.read_if_there(str(tmp_path / "stuck"))


def test_settings_are_recorded_whole(tmp_path: Path) -> None:
    config = SftConfig(output_uri=str(tmp_path / "run"), manifest_uri="m", epochs=2)
    storage.record_settings(config.output_uri, config)
    assert SftConfig(**storage.read_json(f"{config.output_uri}/config.json")) == config


def test_numbers_that_json_does_not_know_are_null(tmp_path: Path) -> None:
    place = str(tmp_path / "a.json")
    storage.write_json(place, [{"low": float("nan"), "both": (1.5, float("inf"))}])
    assert storage.read_json(place) == [{"low": None, "both": [1.5, None]}]
    assert "NaN" not in Path(place).read_text()
