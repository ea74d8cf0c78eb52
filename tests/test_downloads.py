"""Copies of remote folders: fresh, whole, fetched once, bounded."""

from __future__ import annotations

import logging
import os
import shutil
import threading
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
    (own_cache / name).rename(own_cache / f".partial-{name}-1")
    (own_cache / f".partial-{name}-1" / "half").write_bytes(b"h")
    (own_cache / f".partial-{name[::-1]}-1000").mkdir()  # of a folder that nobody wants any more
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
    # What is in use stays, also where that is more than the share.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    storage.write_bytes(s3.folder("many/more/weights"), bytes(1000))
    downloads.download(s3.folder("many/more"))
    assert len(copies(own_cache)) == 3


GB = 10**9


class Disk:
    """Remote folders whose name ends in their size in GB, one sparse file each."""

    def __init__(self, cache: Path, patch: pytest.MonkeyPatch) -> None:
        self.cache = cache
        self.free_gb = 0
        self.begun, self.hold = threading.Event(), threading.Event()
        patch.setattr(storage, "describe_files", lambda uri: [("weights", self.size(uri), 1)])
        patch.setattr(storage, "download_files", self.fetch)
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=self.free_gb * GB))

    @staticmethod
    def size(uri: str) -> int:
        return int(uri.rpartition("-")[2]) * GB

    def fetch(self, uri: str, names: list[str], folder: Path) -> None:
        if "slow" in uri:
            self.begun.set()
            assert self.hold.wait(20)
        folder.mkdir(exist_ok=True)
        with (folder / "weights").open("w") as file:
            file.truncate(self.size(uri))

    def download(self, name: str, age_s: float = 0) -> Path:
        copy = downloads.download(f"s3://bucket/{name}")
        os.utime(copy, (time.time() - age_s,) * 2)
        return copy


@pytest.fixture
def disk(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(own_cache, monkeypatch)


def test_a_folder_above_the_share_is_told_of(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.free_gb = 11
    old = disk.download("old-1", age_s=9000)
    with caplog.at_level(logging.WARNING):
        recent = disk.download("recent-1", age_s=60)
        assert not caplog.messages
        large = disk.download("large-4")
    # 11 GB free and two copies of 1 GB: the share is a quarter of 13.
    assert caplog.messages == [
        f"downloads take more than their share of the disk of {disk.cache}: 4.0 GB come now, "
        "1.0 GB are in use or under way, the share is 3.2 GB"
    ]
    assert (old.exists(), recent.exists(), large.exists()) == (False, True, True)


def test_a_folder_that_does_not_fit_is_refused_and_nothing_deleted(disk: Disk) -> None:
    disk.free_gb = 9
    old, recent = disk.download("old-1", age_s=9000), disk.download("recent-1", age_s=60)
    with pytest.raises(ChexoneError, match=r"it takes 11.0 GB and .* has room for 10.0 GB: free "):
        disk.download("large-11")
    assert copies(disk.cache) == sorted([old.name, recent.name])
    assert disk.download("fits-10").exists()
    assert not old.exists()


@pytest.mark.parametrize(("free_gb", "fits"), [(40, True), (9, False)])
def test_downloads_of_other_folders_under_way_take_room_too(
    disk: Disk, free_gb: int, fits: bool
) -> None:
    disk.free_gb = free_gb
    old = disk.download("old-4", age_s=9000)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(disk.download, "slow-5")
        assert disk.begun.wait(10)
        # A quarter of 44 GB holds the old copy of 4 GB and one of 5, not two of those.
        assert old.exists() is fits
        if fits:
            assert disk.download("next-5").exists()
            assert not old.exists()
        else:
            with pytest.raises(ChexoneError, match=r"has room for 4\.0 GB"):
                disk.download("next-5")
        disk.hold.set()
        assert slow.result(timeout=10).exists()
