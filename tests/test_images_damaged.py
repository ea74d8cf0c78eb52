"""Damaged films of all kinds: each decodes or is an ImageError, in bounded time and memory.

A small share of what `python -m tests.fuzz_images` does; here also that it tells what goes wrong.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest

from chexone_ray.images import decode
from tests import damage, fuzz_images
from tests.films import CONFIG


@pytest.mark.parametrize("kind", damage.KINDS)
def test_every_kind_decodes_undamaged(kind: str) -> None:
    pixels = decode(damage.original(kind), CONFIG).pixels
    assert pixels.shape in ((84, 112, 3), (112, 84, 3))
    assert np.ptp(pixels) > 200


def test_damage_is_the_same_from_the_same_number() -> None:
    first, again, other = (damage.mutant(*pair) for pair in ((1, 5), (1, 5), (2, 5)))
    assert first == again != other
    kinds = {damage.mutant(1, number)[0] for number in range(500)}
    assert kinds == set(damage.KINDS)
    changed = [data != damage.original(k) for k, data in map(mutant_of_seed_1, range(200))]
    assert sum(changed) > 150


def mutant_of_seed_1(number: int) -> tuple[str, bytes]:
    return damage.mutant(1, number)


def test_damaged_films_never_crash_hang_or_take_much_memory() -> None:
    result = fuzz_images.run(600, seed=1)
    assert result.bad == []
    assert sum(result.outcomes.values()) == 600
    assert {"decoded", "undecodable", "truncated", "no_pixels"} <= set(result.outcomes)
    assert 50 < result.outcomes["decoded"] < 400
    assert result.largest_mib < fuzz_images.LIMIT_MIB


# --- that the harness sees what it looks for -----------------------------------------------------


def misbehave(data: bytes) -> str:
    """Ends its process, hangs, fills memory, raises, or does well, by the number of bytes."""
    match len(data) % 6:
        case 0:
            os.abort()
        case 1:
            time.sleep(60)
        case 2:
            np.ones(250 << 20, dtype=np.uint8)
        case 3:
            raise KeyError("unforeseen")
        case 4:
            raise MemoryError
    return "decoded"


def lengths(seed: int) -> list[int]:
    return [len(damage.mutant(seed, number)[1]) % 6 for number in range(6)]


def test_the_harness_tells_what_went_wrong_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_images, "LIMIT_MIB", 250.0)
    seed = next(seed for seed in itertools.count() if set(lengths(seed)) == set(range(6)))
    result = fuzz_images.run(6, seed=seed, trial=misbehave, limit_s=8.0)
    words = {0: "crash", 1: "hang", 2: "memory", 3: "crash", 4: "memory", 5: "decoded"}
    expected = [words[length] for length in lengths(seed)]
    assert result.outcomes == {word: expected.count(word) for word in set(expected)}
    told = {int(line.split()[1]): line for line in result.bad}
    assert sorted(told) == [n for n, word in enumerate(expected) if word != "decoded"]
    assert all(expected[number] in line for number, line in told.items())


def test_a_run_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_images, "BLOCK", 4)
    log_file = tmp_path / "blocks.jsonl"
    first = fuzz_images.run(8, seed=1, log_file=log_file)
    lines = log_file.read_text()
    assert lines.count("\n") == 2
    fuzz_images.run(8, seed=1, log_file=log_file)
    assert log_file.read_text() == lines  # Nothing was left to do.
    more = fuzz_images.run(12, seed=1, log_file=log_file)
    assert log_file.read_text().startswith(lines) and log_file.read_text().count("\n") == 3
    assert sum(more.outcomes.values()) == 12 and first.count == 8
    fuzz_images.run(4, seed=2, log_file=log_file)
    assert log_file.read_text().count("\n") == 4
