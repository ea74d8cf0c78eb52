"""What was asked waits in blocks: a killed `prepare` goes on, and every loss is told."""

from __future__ import annotations

import gzip
import os
import pickle
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chexone_ray import images, storage
from chexone_ray.config import PrepareConfig, RayConfig, SourceConfig
from chexone_ray.data import blocks, manifest, waves
from chexone_ray.data.ask import ask
from chexone_ray.data.blocks import Block, Letter
from chexone_ray.data.build import prepare, read_sources
from chexone_ray.errors import ChexoneError
from tests.data.test_build import everything, settings

WAIT_S = 120.0
FILMS = blocks.films_schema().empty_table()


def block(folder: str, number: int) -> Block:
    letters = (Letter("d", "image_missing", "gone.png"),)
    return Block(
        number, blocks.rows_uri(folder, number), {"train": 2}, 1, 1, 3, {"d/images": 3}, letters
    )


def test_a_block_counts_once_its_last_file_is_there(tmp_path: Path) -> None:
    folder = blocks.open_folder(str(tmp_path), {"config_digest": "a"})
    table = pa.table({"rank": [1, 2], "split": ["train", "train"]})
    blocks.write(folder, block(folder, 3), table, FILMS)
    storage.write_bytes(blocks.rows_uri(folder, 4), b"killed before its JSON")
    found = blocks.finished(folder)
    assert found == {3: block(folder, 3)}
    assert found[3].read(["rank"]).to_pydict() == {"rank": [1, 2]}
    assert blocks.from_json(asdict(found[3])) == found[3]


def test_blocks_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    folder = blocks.open_folder(str(tmp_path), {"config_digest": "a"})
    blocks.write(folder, block(folder, 0), pa.table({"rank": [1]}), FILMS)
    assert blocks.finished(blocks.open_folder(str(tmp_path), {"config_digest": "a"}))
    assert not blocks.finished(blocks.open_folder(str(tmp_path), {"config_digest": "b"}))
    blocks.remove(str(tmp_path))
    assert not (tmp_path / blocks.FOLDER).exists()


@pytest.mark.parametrize(("name", "value"), [("__version__", "9.9.9"), ("SCHEMA_VERSION", 99)])
def test_blocks_of_other_code_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    digests = {"config_digest": "a"}
    folder = blocks.open_folder(str(tmp_path), digests)
    blocks.write(folder, block(folder, 0), pa.table({"rank": [1]}), FILMS)
    assert blocks.finished(blocks.open_folder(str(tmp_path), digests))
    monkeypatch.setattr(blocks, name, value)
    assert not blocks.finished(blocks.open_folder(str(tmp_path), digests))
    assert digests == {"config_digest": "a"}, "a commit file does not name the code"


def test_letters_are_sorted_and_counted() -> None:
    letters = [Letter("b", "image_missing", "z"), Letter("a", "duplicate_row", "t", 4)]
    assert blocks.letters_table(letters).to_pylist() == [
        {"dataset": "a", "reason": "duplicate_row", "place": "t", "count": 4},
        {"dataset": "b", "reason": "image_missing", "place": "z", "count": 1},
    ]
    assert blocks.by_reason(letters) == {"duplicate_row": 4, "image_missing": 1}


@pytest.mark.slow
def test_everything_of_the_archive_is_in_the_manifest_or_a_dead_letter(
    s3: Any, ray_local: None, archive_uri: str
) -> None:
    config = settings(archive_uri, s3.folder("blocks/counted"), max_per_kind={"view": 5})
    uri = prepare(config)
    info = manifest.load(uri).info
    letters = pq.read_table(
        pa.BufferReader(storage.read_bytes(storage.join(uri, manifest.LETTERS_FILE)))
    ).to_pylist()
    lost = Counter(dict.fromkeys(info["dropped"], 0))
    for letter in letters:
        lost[letter["reason"]] += letter["count"]

    patients, *_ = read_sources(config)
    studies = [item.study for found in patients for item in found]
    table = storage.read_bytes(f"{config.sources[0].uri}/mimic-cxr-2.0.0-metadata.csv.gz")
    twice = sum("metadata" in letter["place"] for letter in letters)
    num_rows = len(gzip.decompress(table).decode().strip().splitlines()) - 1
    images = sum(len(study.images) for study in studies)
    assert num_rows == images + twice and twice > 0
    dropped_images = sum(n for reason, n in lost.items() if reason.startswith("image_"))
    assert images == info["num_images"] + dropped_images and dropped_images == 2
    without = lost["study_without_image"] + lost["study_without_question"]
    assert len(studies) == info["num_studies"] + without

    everything_asked = prepare(
        settings(archive_uri, s3.folder("blocks/all"), max_per_kind={"presence": 10_000})
    )
    more = manifest.load(everything_asked).info
    away, over = (
        info["dropped"][f"question_{reason}"] for reason in ("balanced_away", "over_max_per_kind")
    )
    assert more["dropped"]["question_balanced_away"] == away > 0
    assert more["counts"]["rows"] == info["counts"]["rows"] + over and over > 0
    assert not storage.exists(storage.join(uri, blocks.FOLDER))


def small_blocks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(waves, "PATIENTS_PER_CHUNK", 2)
    patch.setattr(waves, "CHUNKS_PER_BLOCK", 1)


@pytest.fixture(scope="module")
def whole(s3: Any, ray_local: None, archive_uri: str) -> dict[str, str]:
    """Name -> digest of the parts of a run that nobody killed."""
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        uri = prepare(settings(archive_uri, s3.folder("blocks/whole")))
    return {part.name: part.sha256 for part in manifest.load(uri).parts}


def asked(uri: str) -> bool:
    return bool(blocks.finished(storage.join(uri, blocks.FOLDER)))


def part_written(uri: str) -> bool:
    names = (file.rpartition("/")[2] for file in storage.list_files(uri, ".parquet"))
    return any(name.startswith("part-") for name in names)


KILLED_AT = {
    "a block is asked": (asked, ""),
    # The driver waits before manifest.json, so that it is never killed after its commit.
    "a part is written": (part_written, "manifest.write_manifest = lambda *_: time.sleep(600)\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", KILLED_AT)
def test_a_killed_prepare_goes_on_and_gives_the_same_bytes(
    s3: Any,
    archive_uri: str,
    whole: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    import ray

    small_blocks(monkeypatch)
    has_come, hold = KILLED_AT[moment]
    uri = s3.folder(f"blocks/killed-{has_come.__name__}")
    config = settings(archive_uri, uri)
    address = ray.get_runtime_context().gcs_address
    joined = config.model_copy(update={"ray": RayConfig(address=address)})
    program = (
        "import sys, time\n"
        "from chexone_ray.config import PrepareConfig\n"
        "from chexone_ray.data import build, manifest, waves\n"
        "waves.PATIENTS_PER_CHUNK, waves.CHUNKS_PER_BLOCK = 2, 1\n"
        f"{hold}"
        "build.prepare(PrepareConfig.model_validate_json(sys.argv[1]))\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", program, joined.model_dump_json()], stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + WAIT_S
        while not has_come(uri):
            assert driver.poll() is None and time.monotonic() < end, f"not once {moment}"
            time.sleep(0.02)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait(WAIT_S)
    assert storage.committed(uri) is None, "it was killed too late to show anything"
    folder = storage.join(uri, blocks.FOLDER)
    there = set(blocks.finished(folder))
    assert there
    again: set[int] = set()
    original = waves._ask

    def counted(todo: Any, *others: Any) -> Any:
        again.update(item["number"] for item in todo)
        return original(todo, *others)

    monkeypatch.setattr(waves, "_ask", counted)
    assert prepare(config) == uri
    assert not again & there, "what was there is not asked again"
    loaded = manifest.load(uri)
    assert {part.name: part.sha256 for part in loaded.parts} == whole
    assert len({sample.id for sample in everything(uri)}) == loaded.info["counts"]["rows"]
    assert not storage.exists(folder)


@pytest.mark.slow
def test_a_mended_archive_is_read_again_where_it_was_damaged(
    ray_local: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    rows = [f"{n}.png,s{n},p{n},{('PA', 'lateral')[n % 2]},train" for n in range(8)]
    archive = tmp_path / "archive"
    archive.mkdir()
    table = archive / "studies.csv"
    table.write_text("\n".join(["image,study,patient,view,split", *rows]) + "\n")
    for number in range(5):
        write_film(archive, number)
    source = SourceConfig(adapter="own_table", uri=str(archive))
    config = PrepareConfig(
        output_uri=str(tmp_path / "out"), sources=(source,), kinds=("view",), max_drop_share=0.1
    )
    with pytest.raises(ChexoneError, match=r"3 of 8 images are unusable \(image_missing 3"):
        prepare(config)
    kept = blocks.finished(storage.join(config.output_uri, blocks.FOLDER))
    assert {tuple(letter.reason for letter in item.letters) for item in kept.values()} == {()}
    assert len(kept) == 2, "the two pairs of patients that lost nothing"
    for number in range(5, 8):
        write_film(archive, number)
    again: list[int] = []
    original = waves._ask

    def counted(todo: Any, *others: Any) -> Any:
        again.extend(item["number"] for item in todo)
        return original(todo, *others)

    monkeypatch.setattr(waves, "_ask", counted)
    uri = prepare(config)
    assert len(again) == 2 and not set(again) & kept.keys()
    assert manifest.load(uri).info["num_images"] == 8


def write_film(folder: Path, number: int) -> None:
    pixels = (np.arange(64 * 64).reshape(64, 64) * (number + 1) % 251).astype(np.uint8)
    (folder / f"{number}.png").write_bytes(images.to_png(pixels))


def test_a_wrong_folder_is_told_after_the_first_wave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves, "num_cpus", lambda: 1)
    monkeypatch.setattr(waves, "BLOCKS_PER_WAVE", 2)
    monkeypatch.setattr(waves, "ROUNDS_PER_WAVE", 1)
    small_blocks(monkeypatch)
    table = tmp_path / "studies.csv"
    rows = [f"{n}.png,s{n},p{n},PA,train" for n in range(40)]
    table.write_text("\n".join(["image,study,patient,view,split", *rows]) + "\n")
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    config = PrepareConfig(output_uri=str(tmp_path / "out"), sources=(source,))
    patients, *_ = read_sources(config)
    looked_at: list[int] = []

    def here(todo: Any, folder: str, *_: Any) -> Any:
        for item in todo:
            looked_at.append(item["number"])
            chunks = pickle.loads(zlib.decompress(item["chunks"]))
            yield ask(chunks, item["number"], "unused", config)[2]

    monkeypatch.setattr(waves, "_ask", here)
    with pytest.raises(ChexoneError, match=r"^own_table: 4 of 4 images are unusable"):
        waves.ask_all(patients, str(tmp_path / "blocks"), config)
    assert looked_at == [0, 1]
