"""Files inside archives: zip and tar on the disk and on a real S3 server, and what is refused."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import packed, storage
from chexone_ray.errors import ChexoneError, ImageError

FILES = {
    "0/a.png": b"first" * 1000,
    "0/deep/er/b.png": bytes(range(256)) * 9,
    "empty.png": b"",
    "\N{LATIN SMALL LETTER E WITH ACUTE} b.png": b"x",
}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.mkdir("0")
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], mode: Any = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


ARCHIVES = [
    ("stored.zip", zipped(FILES, zipfile.ZIP_STORED)),
    ("deflated.ZIP", zipped(FILES)),
    ("behind_a_program.zip", b"#!/bin/sh\n" * 70 + zipped(FILES)),
    ("pax.tar", tarred(FILES)),
    ("gnu.tar", tarred({**FILES, "./" + "long/" * 40 + "c.png": b"c"}, form=tarfile.GNU_FORMAT)),
]


@pytest.mark.parametrize(("name", "data"), ARCHIVES, ids=[name for name, _ in ARCHIVES])
def test_members_read_as_files_do(tmp_path: Path, name: str, data: bytes) -> None:
    uri = write(tmp_path / name, data)
    assert set(FILES) <= set(storage.list_members(uri))
    for form in (uri, f"file://{uri}"):
        for path, content in FILES.items():
            assert storage.read_bytes(f"{form}!/{path}") == content
            assert storage.exists(f"{form}!/{path}")
    absent = f"{uri}!/0/absent.png"
    assert storage.read_if_there(absent) is None and not storage.exists(absent)
    assert not storage.exists(f"{uri}!/0"), "a folder in an archive is no file"
    with pytest.raises(ChexoneError, match=r"absent\.png: it does not exist"):
        storage.read_bytes(absent)
    assert storage.read_if_there(f"{tmp_path}/none.zip!/a.png") is None


def test_a_zip_of_more_than_4_gb(tmp_path: Path) -> None:
    place = tmp_path / "large.zip"
    with place.open("w+b") as file:
        file.truncate(5 * 2**30)  # a hole, which takes no room on the disk
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("a.png", b"far away")
    assert storage.read_bytes(f"{place}!/a.png") == b"far away"


class Outage(io.RawIOBase):
    """An archive in a storage that stops answering after its first bytes."""

    def __init__(self) -> None:
        self.answers = [b"PK"]

    def size(self) -> int:
        return 1000

    def read_at(self, count: int, start: int) -> bytes:
        if not self.answers:
            raise OSError("no answer")
        return self.answers.pop()

    def readinto(self, _: object) -> int:
        raise OSError("no answer")

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_an_outage_is_no_damage(name: str) -> None:
    with pytest.raises(OSError, match="no answer"):
        packed.index(Outage(), name)


def test_an_archive_of_another_size_is_read_anew(tmp_path: Path) -> None:
    place = tmp_path / "a.zip"
    uri = write(place, zipped({"a": b"1"}))
    assert storage.list_members(uri) == ["a"]
    write(place, zipped({"a": b"1", "b": b"2"}))
    assert storage.list_members(uri) == ["a", "b"] and storage.read_bytes(f"{uri}!/b") == b"2"


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_many_threads_share_one_reading_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    files = {f"{n % 7}/{n}.png": bytes([n % 251]) * (n + 1) for n in range(300)}
    uri = write(tmp_path / name, (zipped if name == "a.zip" else tarred)(files))
    readings: list[str] = []
    read_index = packed._read_index

    def counted(file: Any, archive: str) -> packed.Index:
        readings.append(archive)
        return read_index(file, archive)

    monkeypatch.setattr(packed, "_read_index", counted)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(storage.read_bytes, (f"{uri}!/{n}" for n in files)))
    assert found == list(files.values()) and readings == [uri]


def test_no_more_indexes_than_the_bound_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MAX_INDEXES", 2)
    monkeypatch.setattr(packed, "_indexes", {})
    uris = [write(tmp_path / f"{n}.zip", zipped({"a": bytes([n])})) for n in range(5)]
    assert [storage.read_bytes(f"{uri}!/a") for uri in uris * 2] == [
        bytes([n]) for n in range(5)
    ] * 2
    assert len(packed._indexes) == 2


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("images_001.tar.gz", r"images_001.tar.gz is compressed as a whole.*tar -xf images_001"),
        ("b.tgz", "compressed as a whole"),
        ("b.7z", "no zip or tar: unpack it"),
        ("b.zip.001", "is a part of a zip file: join the parts"),
        ("b.csv", "is no zip or tar by its name"),
    ],
)
def test_what_cannot_be_read_in_place_says_what_to_do(
    tmp_path: Path, name: str, remedy: str
) -> None:
    uri = write(tmp_path / name, tarred(FILES, "w:gz"))
    with pytest.raises(ChexoneError, match=remedy):
        storage.list_members(uri)


def test_a_member_of_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "wrongly_named.tar", "wrongly_named.zip"):
        uri = write(tmp_path / name, tarred(FILES, "w:gz"))
        for action in (storage.read_bytes, storage.read_if_there, storage.exists):
            with pytest.raises(ChexoneError, match=rf"{name} is compressed as a whole"):
                action(f"{uri}!/0/a.png")


@pytest.mark.parametrize(
    "member", ["", "/etc/passwd", "../a.png", "a/../../b.png", "./a.png", "0/"]
)
def test_members_that_are_no_place_in_the_archive(tmp_path: Path, member: str) -> None:
    uri = write(tmp_path / "a.zip", zipped(FILES))
    with pytest.raises(ChexoneError, match="is a file in the archive"):
        storage.read_bytes(f"{uri}!/{member}")


def test_names_that_leave_the_archive_are_not_listed(tmp_path: Path) -> None:
    names = ("../up.png", "/root.png", "__MACOSX/0/._a.png", "win\\a.png", "./0/a.png")
    for name, pack in (("a.zip", zipped), ("a.tar", tarred)):
        uri = write(tmp_path / name, pack(dict.fromkeys(names, b"1")))
        assert storage.list_members(uri) == ["0/a.png", "win/a.png"]


def test_an_exclamation_mark_in_a_folder_is_no_archive(tmp_path: Path) -> None:
    folder = tmp_path / "wow!"
    folder.mkdir()
    assert storage.read_bytes(write(folder / "a.png", b"1")) == b"1"


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def damaged() -> list[tuple[str, bytes, str]]:
    stored, tar = zipped(FILES, zipfile.ZIP_STORED), tarred(FILES)
    entry = stored.rfind(b"0/a.png") - 46  # of the directory
    locked, odd, moved = (bytearray(stored) for _ in range(3))
    locked[entry + 8] |= 1
    odd[entry + 10] = 9  # deflate64
    struct.pack_into("<L", moved, entry + 42, 3)
    squeezed = zipped(FILES)
    return [
        ("short.zip", stored[: len(stored) // 2], "damaged"),
        ("none.zip", b"", "damaged"),
        ("text.zip", b"<html>not found</html>", "damaged"),
        ("crc.zip", flipped(stored, stored.find(b"first") + 9), "checksum"),
        ("deflated.zip", flipped(squeezed, squeezed.find(b"0/a.png") + 40), "damaged"),
        ("moved.zip", bytes(moved), "not where the directory says"),
        ("locked.zip", bytes(locked), "encrypted"),
        ("odd.zip", bytes(odd), "method 9"),
        ("short.tar", tar[: len(tar) // 4], "damaged"),
        ("header.tar", flipped(tar, tar.find(b"0/deep") + 1), "damaged"),
        ("text.tar", b"<html>not found</html>" * 99, "damaged"),
        ("none.tar", b"", "damaged"),
    ]


@pytest.mark.parametrize(("name", "data", "said"), damaged(), ids=[n for n, *_ in damaged()])
def test_damage_is_one_clear_line(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    uri = write(tmp_path / name, data)
    with pytest.raises(ChexoneError, match=said) as caught:
        storage.read_if_there(f"{uri}!/0/a.png")
    assert name in str(caught.value) and "\n" not in str(caught.value)
    of_one_member = name in ("crc.zip", "deflated.zip", "moved.zip")
    assert isinstance(caught.value, ImageError) == of_one_member, "the others end a run"


def test_archives_in_object_storage(s3: Any) -> None:
    for name, data in (("0.zip", zipped(FILES)), ("1.tar", tarred(FILES))):
        uri = s3.folder(f"packed/{name}")
        storage.write_bytes(uri, data)
        assert storage.list_members(uri) == sorted(FILES)
        with ThreadPoolExecutor(8) as pool:
            read = list(pool.map(storage.read_bytes, [f"{uri}!/{name}" for name in FILES] * 5))
        assert read == list(FILES.values()) * 5
        assert storage.read_if_there(f"{uri}!/absent.png") is None
    assert storage.read_if_there(s3.folder("packed/absent.zip") + "!/a.png") is None
    with pytest.raises(ChexoneError, match="bucket no-such-bucket does not exist"):
        storage.read_bytes("s3://no-such-bucket/a.zip!/a.png")
