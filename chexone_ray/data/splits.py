"""Patient-level splits: the archive's own, or a seeded hash of the patient."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal, cast

from chexone_ray.config import PrepareConfig

Split = Literal["train", "validate", "test"]
SPLITS: tuple[Split, ...] = ("train", "validate", "test")
TRAIN_VAL = "train_val"
"""What an archive gives to train and to validate on, and does not part."""
_NAMES = {
    TRAIN_VAL: TRAIN_VAL,
    "train": "train",
    "validate": "validate",
    "validation": "validate",
    "valid": "validate",
    "val": "validate",
    "dev": "validate",
    "test": "test",
}


def assign(patient: str, archive_split: str, seed: int, config: PrepareConfig) -> Split:
    """The split of a patient: the archive's, which adapters leave empty unless
    `config.archive_splits` is on, else by hash. Of what an archive does not part between train and
    validate, a share is to validate on."""
    given = _NAMES[archive_split.lower()] if archive_split else ""
    if given and given != TRAIN_VAL:
        return cast(Split, given)
    digest = hashlib.blake2b(f"split/{seed}/{patient}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if given:
        return "validate" if place < config.validate_share else "train"
    if place < config.test_share:
        return "test"
    return "validate" if place < config.test_share + config.validate_share else "train"


def is_split_name(name: str) -> bool:
    """True for a name that `assign` understands."""
    return name.lower() in _NAMES


def most_held_out(archive_splits: Iterable[str]) -> str:
    """The split for all studies of one patient that an archive put into several: a patient that is
    tested on is never trained on. Empty where none is given."""
    names = {_NAMES[name.lower()] for name in archive_splits if name}
    order = ("test", "validate", TRAIN_VAL, "train")
    return next((split for split in order if split in names), "")
