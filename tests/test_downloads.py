"""Copies of remote folders: fresh, whole, fetched once, bounded."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chexone_ray import downloads, storage
from chexone_ray.errors import ChexoneError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "chexone-ray"


def copies(cache: Path) -> list[str]:
    return sorted(entry.name for entry in cache.iterdir() if entry.is_dir())


def test_upload_download_follow_the_commit(s3: Any, tmp_path: Path) -> None:
    uri = s3.folder("model")
    source = tmp_path / "model"
    (source / "deep").mkdir(parents=True)
    (source / "config.json").write_text("1")
    (source / "deep/weights").write_bytes(b"w" * 1000)
    storage.upload(source, uri)
    storage.commit(uri, {"version": 1})
    first = downloads.download(uri)
    assert (first / "deep/weights").read_bytes() == b"w" * 1000
    marker = first / "config.json"
    before = marker.stat().st_mtime_ns
    assert downloads.download(uri + "/") == first and marker.stat().st_mtime_ns == before
    (source / "config.json").write_text("2")
    storage.upload(source, uri)
    storage.commit(uri, {"version": 2})
    second = downloads.download(uri)
    assert second != first and (second / "config.json").read_text() == "2"
    assert marker.read_text() == "1", "a copy that is in use does not change"
    storage.commit(uri, {"version": 3})
    third = downloads.download(uri)
    assert third != second and first.is_dir(), "a copy that is in use stays"
    assert downloads.download(str(source)) == source


def test_an_interrupted_download_leaves_no_copy(
    s3: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = s3.folder("half")
    for index in range(20):
        storage.write_bytes(f"{uri}/{index}", b"x")
    whole = storage.list_files(uri)
    files = storage.describe_files(uri)
    storage.delete(f"{uri}/7")
    with monkeypatch.context() as patch:
        patch.setattr(storage, "describe_files", lambda _uri: files)
        with pytest.raises(ChexoneError, match="does not exist"):
            downloads.download(uri)
    storage.write_bytes(f"{uri}/7", b"y")
    copy = downloads.download(uri)
    assert len(list(copy.iterdir())) == len(whole) == 20
    assert copies(own_cache) == [copy.name]


def test_processes_that_want_the_same_folder_fetch_it_once(
    s3: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = s3.folder("wanted")
    storage.write_bytes(f"{uri}/weights", b"w")
    fetched = []
    real = storage.download_files

    def slow(source: str, names: list[str], folder: Path) -> None:
        fetched.append(source)
        time.sleep(0.5)
        real(source, names, folder)

    monkeypatch.setattr(storage, "download_files", slow)
    with ThreadPoolExecutor(4) as threads:  # each opens the lock for itself, as a process does
        found = set(threads.map(lambda _: downloads.download(uri), range(4)))
    assert fetched == [uri]
    assert copies(own_cache) == [next(iter(found)).name]


def test_what_a_killed_download_left_is_cleared(s3: Any, own_cache: Path) -> None:
    uri = s3.folder("killed")
    storage.write_bytes(f"{uri}/weights", b"w")
    name = downloads.download(uri).name
    (own_cache / name).rename(own_cache / f".partial-{name}")
    (own_cache / f".partial-{name}" / "half").write_bytes(b"h")
    assert [p.name for p in downloads.download(uri).iterdir()] == ["weights"]
    assert copies(own_cache) == [name]


def test_the_copies_keep_within_their_share_of_the_disk(
    s3: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for i, age_s in enumerate((9000, 8000, 7000, 60)):
        storage.write_bytes(s3.folder(f"many/{i}/weights"), bytes(1000))
        found.append(downloads.download(s3.folder(f"many/{i}")))
        os.utime(found[-1], (time.time() - age_s,) * 2)
    # 5 copies of 1,000 bytes and 5,000 free: a quarter of that is 2,500. The two used in the last
    # hour stay; of the others the oldest go.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5000))
    storage.write_bytes(s3.folder("many/last/weights"), bytes(1000))
    newest = downloads.download(s3.folder("many/last"))
    assert copies(own_cache) == sorted([found[3].name, newest.name])
    # With nothing free, what is in use stays all the same.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    storage.write_bytes(s3.folder("many/more/weights"), bytes(1000))
    downloads.download(s3.folder("many/more"))
    assert len(copies(own_cache)) == 3
