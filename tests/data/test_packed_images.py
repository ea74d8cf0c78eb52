"""Images of a source in archives: which member is which image, `--check`, what is counted."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chexone_ray import storage
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.ask import AMBIGUOUS, MISSING, ask
from chexone_ray.data.build import read_sources
from chexone_ray.data.check import answer
from chexone_ray.data.packed_images import match
from chexone_ray.data.refuse import problems
from chexone_ray.errors import ChexoneError


def png(shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    pixels = np.arange(64 * 64).reshape(64, 64) * (shade / 90) % 256
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def pack_zip(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def pack_tar(path: Path, files: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(adapter: Any, root: Path, *packed: str, **changes: Any) -> PrepareConfig:
    source = SourceConfig(adapter=adapter, uri=str(root), packed=packed)
    return PrepareConfig(output_uri="unused-output", sources=(source,), **changes)


def places(config: PrepareConfig) -> dict[str, str]:
    """Study -> place of its first image under the root, or why it has none."""
    patients, _, _ = read_sources(config)
    root = f"{config.sources[0].uri}/"
    return {
        item.study.study: item.lost.get(0) or item.study.images[0].uri.removeprefix(root)
        for studies in patients
        for item in studies
    }


# --- which member is which image -----------------------------------------------------------------


def found(names: str, members: str) -> list[str]:
    """Each of `names` -> the member (its place is its path), by words."""
    return list(match(names.split(), {path: path for path in members.split()}).values())


@pytest.mark.parametrize(
    ("names", "members", "expected"),
    [
        ("i1/images/a.png i2/images/b.png", "i1/images/a.png x/i2/images/b.png", None),
        ("images/a.png images/b.png", "p/i1/images/a.png p/i2/images/b.png", None),
        ("images/a.png images/b.png", "films/a.png films/b.png", None),
        ("a.png b.png", "images/a.png masks/b.png", None),
        ("images/a.png", "masks/a.png images/a.png", "images/a.png"),
        ("a.png b.png", "x/a.dcm x/b.jpg", None),
        ("a.png", "x/a.dcm x/a.png", "x/a.png"),
        ("a.png", "x/a.dcm x/a.jpg", AMBIGUOUS),
        ("a.png", "x/a.png y/a.png", AMBIGUOUS),
        ("a.png b.png", "x/a.png", f"x/a.png {MISSING}"),
        ("1.2.826.1.dcm 1.2.826.2.dcm", "x/1.2.826.1 x/1.2.826.2.dcm", None),
        ("JPCLN001.IMG", "x/JPCLN001.png", None),
        ("JPCLN001.IMG", "x/JPCLN001.IMG", None),
        ("a.png", "", MISSING),
        ("", "x/a.png", ""),
        # Two images that differ in their folders alone lead to one member.
        ("b/x.png a/b/x.png", "a/b/x.png", f"{AMBIGUOUS} {AMBIGUOUS}"),
    ],
)
def test_the_longest_common_end_decides(names: str, members: str, expected: str | None) -> None:
    assert found(names, members) == (members if expected is None else expected).split()


def test_no_film_takes_the_place_of_another() -> None:
    names = (
        "train/p1/s1/view1.jpg train/p1/s2/view1.jpg train/p2/s1/view1.jpg train/p3/s3/view1.jpg"
    )
    # Patient 3 has no film here, and the other's of that study number is not it.
    members = (
        "z/train/p1/s1/view1.jpg z/train/p1/s2/view1.jpg z/p2/s1/view1.jpg z/train/p9/s3/view1.jpg"
    )
    assert found(names, members) == [*members.split()[:3], MISSING]


# --- sources -------------------------------------------------------------------------------------

NIH = "Image Index,Finding Labels,Follow-up #,Patient ID,View Position"


def write_nih(root: Path) -> None:
    rows = [f"0000000{n}_000.png,Mass,0,{n},PA" for n in (1, 2, 3, 4)]
    write(root / "Data_Entry_2017_v2020.csv", NIH, *rows)
    pack_zip(root / "images_001.zip", {"images/00000001_000.png": png(1)})
    two = {"images/00000002_000.png": png(2), "images/00000003_000.png": png(3)}
    pack_tar(root / "images_002.tar", two)
    pack_zip(root / "again.zip", {"x/00000003_000.png": png(3), "images/00000003_000.png": b""})


def test_nih_in_zip_and_tar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_nih(tmp_path)
    both = ("images_001.zip", f"{tmp_path}/images_002.tar")
    config = settings("nih_chestxray14", tmp_path, *both, max_drop_share=0.5)
    expected = {
        "00000001_000": "images_001.zip!/images/00000001_000.png",
        "00000002_000": "images_002.tar!/images/00000002_000.png",
        "00000003_000": "images_002.tar!/images/00000003_000.png",
        "00000004_000": MISSING,
    }
    assert places(config) == expected
    assert answer(config.model_copy(update={"check": True})) == 1
    assert "3 of 4 are there: fetch the other 1" in capsys.readouterr().out
    config = settings("nih_chestxray14", tmp_path, *both, "again.zip", check=True)
    assert places(config) == expected | {"00000003_000": AMBIGUOUS}
    assert answer(config) == 1
    assert "2 of 4 are there (1 could be any of several files" in capsys.readouterr().out
    write(tmp_path / "Data_Entry_2017_v2020.csv", NIH, "00000001_000.png,Mass,0,1,PA")
    config = settings("nih_chestxray14", tmp_path, *both, check=True)
    assert answer(config) == 0
    assert answer(config.model_copy(update={"held_out": config.sources})) == 0


def test_questions_are_asked_of_packed_images_and_the_others_are_counted(tmp_path: Path) -> None:
    write_nih(tmp_path)
    packed = ("images_001.zip", "images_002.tar", "again.zip")
    config = settings("nih_chestxray14", tmp_path, *packed)
    patients, _, _ = read_sources(config)
    _, films, block = ask([patients], 0, "unused", config)
    assert [uri.removeprefix(f"{tmp_path}/") for uri in films["uri"].to_pylist()] == [
        "images_001.zip!/images/00000001_000.png",
        "images_002.tar!/images/00000002_000.png",
    ]
    lost = {(item.reason, item.place.removeprefix(f"{tmp_path}/")) for item in block.letters}
    assert (AMBIGUOUS, "images/00000003_000.png") in lost
    assert (MISSING, "images/00000004_000.png") in lost


def test_a_damaged_member_is_one_image_less(tmp_path: Path) -> None:
    write_nih(tmp_path)
    place = tmp_path / "images_001.zip"
    data = bytearray(place.read_bytes())
    data[data.find(b"00000001_000.png") + 40] ^= 0xFF
    place.write_bytes(data)
    config = settings("nih_chestxray14", tmp_path, "images_001.zip", "images_002.tar")
    _, films, block = ask([read_sources(config)[0]], 0, "unused", config)
    assert len(films) == 2
    member = f"{place}!/images/00000001_000.png"
    assert ("image_damaged_in_archive", member) in {(x.reason, x.place) for x in block.letters}


def test_an_archive_stands_for_a_folder_of_its_name(tmp_path: Path) -> None:
    columns = "ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,Projection,Labels"
    rows = [f"{n}.png,{n},20150101,s{n},p{n},PA,\"['nodule']\"" for n in (0, 1)]
    write(tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", columns, *rows)
    pack_zip(tmp_path / "0.zip", {"0.png": png(), "1.png": png()})
    pack_zip(tmp_path / "zips" / "1.zip", {"1.png": png()})
    config = settings("padchest", tmp_path, "0.zip", "zips/1.zip")
    assert places(config) == {"s0": "0.zip!/0.png", "s1": "zips/1.zip!/1.png"}


def test_chexpert_in_one_zip_of_its_name(tmp_path: Path) -> None:
    columns = (
        "Path,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
        "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
        "Pleural Effusion,Pleural Other,Fracture,Support Devices"
    )
    top = "CheXpert-v1.0-small"
    names = [f"train/patient0000{n}/study1/view1_frontal.jpg" for n in (1, 2, 3)]
    write(tmp_path / "train.csv", columns, *(f"{top}/{name},Frontal,AP" for name in names))
    pack_zip(tmp_path / f"{top}.zip", {f"{top}/{name}": png() for name in names[:2]})
    assert places(settings("chexpert", tmp_path, f"{top}.zip")) == {
        "patient00001/study1": f"{top}.zip!/{top}/{names[0]}",
        "patient00002/study1": f"{top}.zip!/{top}/{names[1]}",
        "patient00003/study1": MISSING,
    }


def test_adapters_that_list_their_files(tmp_path: Path) -> None:
    reports = "SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report"
    write(
        tmp_path / "Pneumothorax_reports.csv", reports, "1.2.3,9.1,-1,Clear.", "1.2.4,9.2,-1,Clear."
    )
    pack_zip(tmp_path / "dicom.zip", {"a/b/1.2.3.dcm": b"", "c/1.2.4.dcm": b""})
    assert places(settings("candid_ptx", tmp_path, "dicom.zip")) == {
        "1.2.3": "dicom.zip!/a/b/1.2.3.dcm",
        "1.2.4": "dicom.zip!/c/1.2.4.dcm",
    }


def test_images_elsewhere_stay_there(tmp_path: Path) -> None:
    write(
        tmp_path / "a" / "studies.csv", "image,study", "x.png,s1", f"file://{tmp_path}/b/y.png,s2"
    )
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "y.png").write_bytes(png())
    pack_zip(tmp_path / "a" / "all.zip", {"x.png": png(), "y.png": png()})
    config = settings("own_table", tmp_path / "a", "all.zip", check=True)
    assert places(config) == {"s1": "all.zip!/x.png", "s2": f"file://{tmp_path}/b/y.png"}
    assert answer(config) == 0


# --- what is refused -----------------------------------------------------------------------------


def test_archives_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    def said(adapter: Any, *packed: str, **changes: Any) -> list[str]:
        return list(problems(settings(adapter, tmp_path, *packed, **changes)))

    assert said("padchest", "0.zip", "s3://other/1.tar") == []
    (told,) = said("nih_chestxray14", "images_001.tar.gz")
    assert "tar -xf images_001.tar.gz" in told and "zip -0 -r" in told
    assert said("padchest", "0.zip", "0.zip") == [
        'packed of padchest names "0.zip" 2 times: keep one'
    ]
    for adapter in ("nlm_tb", "bimcv_covid19", "radqa", "radgraph"):
        (told,) = said(adapter, "0.zip")
        assert told.startswith(f"packed has no effect on {adapter}")
    held = SourceConfig(adapter="padchest_gr", uri="unused", packed=("0.tgz",))
    (told,) = said("padchest", held_out=(held,))
    assert told.startswith("0.tgz is compressed as a whole")


def test_an_archive_that_is_absent_empty_or_damaged_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_nih(tmp_path)
    pack_zip(tmp_path / "empty.zip", {"images/": b""})
    (tmp_path / "bad.zip").write_bytes(b"<html>")
    for name, why in (("no.zip", "not exist"), ("empty.zip", "no file"), ("bad.zip", "damaged")):
        config = settings("nih_chestxray14", tmp_path, name, check=True)
        with pytest.raises(ChexoneError, match=rf"{name}.*{why}"):
            read_sources(config)
        assert answer(config) == 1
        assert f"FAIL  images         {'cannot read ' * (why == 'not exist')}{tmp_path}/{name}" in (
            capsys.readouterr().out
        )


def test_archives_of_a_bucket(s3: Any) -> None:
    root = s3.folder("packed-nih")
    storage.write_bytes(
        f"{root}/Data_Entry_2017.csv", f"{NIH}\n00000001_000.png,Mass,0,1,PA\n".encode()
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images/00000001_000.png", png())
    storage.write_bytes(f"{root}/zips/images_001.zip", buffer.getvalue())
    config = settings("nih_chestxray14", root, "zips/images_001.zip", check=True)
    assert places(config) == {"00000001_000": "zips/images_001.zip!/images/00000001_000.png"}
    assert answer(config) == 0
