"""Films that are there twice: equal files, and pictures that look the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chexone_ray import images
from chexone_ray.config import ImageConfig, PrepareConfig, SourceConfig
from chexone_ray.data.ask import ask
from chexone_ray.data.blocks import Block, films_schema, rows_uri, write
from chexone_ray.data.duplicates import MAX_DISTANCE, Pair, not_compared, pairs, report
from chexone_ray.data.phantom import random_phantom
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.tasks import rank
from chexone_ray.films.fingerprints import FINGERPRINT_BYTES, file_digest, fingerprint
from chexone_ray.records import ImageRef, Study

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"


def bits(*set_bits: int) -> np.ndarray:
    values = np.zeros(8 * FINGERPRINT_BYTES, dtype=np.uint8)
    values[list(set_bits)] = 1
    return np.packbits(values)


def digests(*values: int) -> np.ndarray:
    return np.array([[value] * 16 for value in values], dtype=np.uint8)


def test_pairs_by_hand() -> None:
    prints = np.stack([bits(), bits(0, 20, 40), bits(*range(0, 256, 5)), bits(), bits()])
    assert pairs(prints, digests(1, 2, 3, 4, 1)) == [
        Pair(0, 1, 3, False),
        Pair(0, 3, 0, False),
        Pair(0, 4, 0, True),
        Pair(1, 3, 3, False),
    ], "a copy of the first file is not compared again"
    assert pairs(prints[:1], digests(1)) == []
    far = np.stack([bits(), bits(*range(MAX_DISTANCE + 1))])
    assert pairs(far, digests(1, 2)) == []
    assert pairs(far, digests(1, 2), MAX_DISTANCE + 1) == [Pair(0, 1, MAX_DISTANCE + 1, False)]


@pytest.mark.parametrize(("border", "least"), [(0, 200), (4, 180)])
def test_copies_are_found_among_films_that_look_much_alike(border: int, least: int) -> None:
    """Each row of a film is one of 256, so 80 films share any one row. A copy differs in ten bits,
    the most that counts: all are found, and nearly all where four rows are one border."""
    rng = np.random.default_rng(0)
    choices = rng.integers(0, 65_536, (16, 256), dtype=np.uint16)
    words = np.stack([choices[at][rng.integers(0, 256, 20_000)] for at in range(16)], axis=1)
    words[:, :border] = 0
    films = np.unpackbits(words.view(np.uint8), axis=1)
    copies = films[:200].copy()
    for copy in copies:
        copy[rng.choice(256, MAX_DISTANCE, replace=False)] ^= 1
    prints = np.packbits(np.concatenate([films, copies]), axis=1)
    files = rng.integers(0, 256, (len(prints), 16), dtype=np.uint8)
    found = {(pair.first, pair.second): pair.distance for pair in pairs(prints, files)}
    assert sum(found.get((n, 20_000 + n)) == MAX_DISTANCE for n in range(200)) >= least
    assert not_compared(prints) == 0


def test_films_that_cannot_be_told_apart_are_counted() -> None:
    blank = np.zeros((65, FINGERPRINT_BYTES), dtype=np.uint8)
    files = np.random.default_rng(0).integers(0, 256, (65, 16), dtype=np.uint8)
    assert pairs(blank, files) == [] and not_compared(blank) == 65
    assert len(pairs(blank[:64], files[:64])) == 64 * 63 // 2 and not_compared(blank[:64]) == 0


def test_the_same_film_scaled_and_compressed_is_alike_and_another_is_not(tmp_path: Path) -> None:
    first, second = (random_phantom(seed, 448).pixels for seed in (1, 2))
    picture = Image.fromarray(first)
    picture.resize((300, 300)).save(tmp_path / "small.jpg", quality=60)
    again = images.decode((tmp_path / "small.jpg").read_bytes(), ImageConfig()).pixels
    whole = images.decode(images.to_png(first), ImageConfig()).pixels
    other = images.decode(images.to_png(second), ImageConfig()).pixels

    def distance(a: np.ndarray, b: np.ndarray) -> int:
        pair = np.frombuffer(fingerprint(a) + fingerprint(b), np.uint8).reshape(2, -1)
        return int(np.bitwise_count(pair[0] ^ pair[1]).sum())

    assert distance(whole, again) <= MAX_DISTANCE
    assert distance(whole, other) > 3 * MAX_DISTANCE


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/real is absent")
def test_real_films_that_two_collections_share_are_found() -> None:
    files = sorted((REAL / "covid19_image_repository" / "png").glob("*.png"))
    files += sorted((REAL / "covid_chestxray" / "images").iterdir())
    data = [file.read_bytes() for file in files]
    pixels = [images.decode(item, ImageConfig()).pixels for item in data]
    found = pairs(
        np.frombuffer(b"".join(map(fingerprint, pixels)), np.uint8).reshape(len(files), -1),
        np.frombuffer(b"".join(map(file_digest, data)), np.uint8).reshape(len(files), -1),
    )
    names = {tuple(sorted({files[pair.first].stem, files[pair.second].stem})) for pair in found}
    assert names == {("0a7faa2a",), ("5782ae15",)}, "a third one is cut out otherwise"


def test_report_names_the_films_of_all_blocks(tmp_path: Path) -> None:
    import pyarrow as pa

    def block(number: int, rows: list[tuple[str, str, int, np.ndarray, int]]) -> Block:
        films = [
            {
                "uri": uri,
                "place": rank(0, uri),
                "split": split,
                "patient": patient,
                "fingerprint": print_.tobytes(),
                "digest": bytes([digest] * 16),
            }
            for uri, split, patient, print_, digest in rows
        ]
        made = Block(number, rows_uri(str(tmp_path), number), {}, 1, 1, len(films))
        table = pa.Table.from_pylist(films, schema=films_schema())
        write(str(tmp_path), made, pa.table({"rank": [1]}), table)
        return made

    far = bits(*range(0, 256, 3))
    blocks = [
        block(0, [("a", "train", 1, bits(), 1), ("b", "train", 1, far, 2)]),
        block(1, []),
        block(2, [("c", "test", 2, bits(7), 3), ("d", "train", 1, far, 2)]),
        block(3, [("b", "train", 1, far, 2), ("a", "train", 1, bits(), 1)]),  # another data set
    ]
    table, counts = report(blocks)
    assert table.to_pylist() == [
        {
            "first": "a",
            "second": "c",
            "distance": 1,
            "exact": False,
            "same_patient": False,
            "first_split": "train",
            "second_split": "test",
        },
        {
            "first": "b",
            "second": "d",
            "distance": 0,
            "exact": True,
            "same_patient": True,
            "first_split": "train",
            "second_split": "train",
        },
    ]
    none = {"exact": 0, "alike": 0, "over_two_splits": 0, "not_compared": 0}
    assert counts == none | {"exact": 1, "alike": 1, "over_two_splits": 1}
    assert report(blocks[1:2])[1] == none
    _, leak = report([*blocks[:1], block(4, [("b", "test", 1, far, 2)])])
    assert leak == none | {"exact": 1, "over_two_splits": 1}, "one file in two splits"


def test_the_patients_of_mimic_are_one_over_all_its_sets(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        pixels = random_phantom(seed, 64).pixels
        (tmp_path / f"{name}.png").write_bytes(images.to_png(pixels))

    def found(dataset: str, *names: str) -> list[PendingStudy]:
        refs = tuple(ImageRef(str(tmp_path / f"{name}.png"), "PA") for name in names)
        return [PendingStudy(Study(dataset, "p1", "s1", refs, archive_split="test"))]

    source = SourceConfig(adapter="mimic_cxr_jpg", uri="unused")
    config = PrepareConfig(output_uri="unused-output", sources=(source,))
    patients = [found("mimic_cxr_jpg", "a", "b"), found("ms_cxr", "a"), found("padchest", "a")]
    _, films, _ = ask([patients], 0, "unused", config)
    mimic, _, ms_cxr, other = films["patient"].to_pylist()
    assert mimic == ms_cxr != other
    places = films["place"].to_pylist()
    assert places[0] == places[2] == places[3] != places[1]
