"""The two ways in which rules word a reference trace, by `PrepareConfig.traces`."""

from __future__ import annotations

import random
from typing import Literal, Protocol

from chexone_ray.data import stated, wording


class Signs(Protocol):
    """What `stated.py` and `wording.py` both are; `stated.py` says what each function gives."""

    NORMAL_SIGN: str
    """Of a film on which nothing is boxed."""
    LARGE_HEART: str
    """What a box of cardiomegaly shows, with its article."""

    def sign(self, name: str, side: str, zone: str, rng: random.Random) -> str: ...
    def no_sign(self, name: str, rng: random.Random) -> str: ...
    def so_it_is(self, name: str) -> str: ...
    def heart(self, size: str, rng: random.Random) -> str: ...
    def view(self, name: str, rng: random.Random) -> str: ...
    def change(self, name: str, course: str, is_device: bool, rng: random.Random) -> str: ...
    def nothing(self, denied: list[str], rng: random.Random) -> str: ...
    def box_trace(self, name: str, places: list[tuple[str, str]]) -> str: ...


SIGNS: dict[Literal["stated", "schematic"], Signs] = {"stated": stated, "schematic": wording}
