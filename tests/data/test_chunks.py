"""Patients are put beside others of their data set and split, however rare the split is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chexone_ray import images
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.ask import ask
from chexone_ray.data.build import read_sources
from chexone_ray.data.chunks import chunked
from chexone_ray.data.shelf import Entry, ShelvedPatient
from chexone_ray.data.splits import assign

CONFIG = PrepareConfig(
    output_uri="unused-output", sources=(SourceConfig(adapter="own_table", uri="unused"),)
)


def patient(number: int, dataset: str = "own_table", split: str = "") -> ShelvedPatient:
    entry = Entry(f"p{number}", "", f"s{number}", dataset, split, 0, 0)
    return ShelvedPatient((entry,), split)


def split_of(one: ShelvedPatient) -> str:
    return assign(one.patient, one.split, CONFIG.seed, CONFIG)


def test_a_held_out_patient_has_company() -> None:
    patients = [patient(n, ("own_table", "padchest")[n % 5 == 0]) for n in range(1000)]
    chunks = chunked(patients, 32, CONFIG)
    assert sorted(number for chunk in chunks for number in chunk) == list(range(1000))
    for chunk in chunks:
        assert len({(patients[n].dataset, split_of(patients[n])) for n in chunk}) == 1
        assert list(chunk) == sorted(chunk), "in the order of the tables"
    test = [chunk for chunk in chunks if split_of(patients[chunk[0]]) == "test"]
    assert 10 < sum(map(len, test)) < 35 and all(len(chunk) > 1 for chunk in test)


def test_no_chunk_is_left_with_one_patient() -> None:
    sizes = [
        len(chunk) for chunk in chunked([patient(n, split="test") for n in range(33)], 32, CONFIG)
    ]
    assert sizes == [17, 16]
    assert chunked([], 32, CONFIG) == []


def test_pairs_are_asked_in_a_split_of_two_in_a_hundred(tmp_path: Path) -> None:
    names = ("clear", "effusion")
    texts = ("The lungs are clear. No pleural effusion.", "There is a large pleural effusion.")
    rows = ["image,study,patient,view,split,report"]
    for number in range(100):
        split = "test" if number % 50 == 7 else "train"
        text = texts[number > 50]
        rows.append(f"{names[number > 50]}.png,s{number},p{number},PA,{split},FINDINGS: {text}")
    (tmp_path / "studies.csv").write_text("\n".join(rows) + "\n")
    for at, name in enumerate(names):
        pixels = (np.arange(4096).reshape(64, 64) * (at + 1) % 251).astype(np.uint8)
        (tmp_path / f"{name}.png").write_bytes(images.to_png(pixels))
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    config = CONFIG.model_copy(
        update={"sources": (source,), "kinds": ("image_text_matching", "image_text_selection")}
    )
    patients, *_ = read_sources(config)
    chunks = [[patients[n] for n in chunk] for chunk in chunked(patients.shelved, 32, config)]
    rows_found, *_ = ask(chunks, 0, "unused", config)
    held_out = [row for row in rows_found.to_pylist() if row["split"] == "test"]
    assert {row["patient"] for row in held_out} == {"p7", "p57"}
