"""What an adapter reads, who may use it, and how its labels came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from chexone_ray.check_line import CheckLine
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy

Access = Literal["open", "registration", "kaggle", "credentialed", "agreement", "own"]
"""Anybody; after a registration or a click; under Kaggle's rules of the competition; PhysioNet's
training and signed agreement; an agreement that the institution signs; as its owner allows."""
Reader = Callable[[SourceConfig, bool], tuple[list[PendingStudy], Losses]]
"""(source, keep the archive's splits) -> studies and what was left out, by reason and place."""
HeldOut = Callable[[SourceConfig], tuple[dict[str, str], Losses]]
"""source -> patient to be tested on -> its split there, and what was left out."""


@dataclass(frozen=True)
class Table:
    """One table that an adapter reads: the first of `names` that is there, plain or .gz."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    optional: bool = False
    remedy: str = ""
    """What to do about a missing column, where it is not another release."""


@dataclass(frozen=True)
class Spec:
    """One data set as `prepare` takes it."""

    title: str
    access: Access
    images: str
    """Where the images are under the archive's root."""
    labels: str
    """Who labelled what, in a few words."""
    tables: tuple[Table, ...]
    read: Reader
    files: Callable[[str], Sequence[str]] | None = None
    """root -> the many small files that are read as a table is, in order; None without any."""
    split_unit: str = "patient"
    """What stays in one split: where the archive does not tell whose the films are, the study or
    the film, and a patient may be in two splits."""
    uncertain: bool = False
    """True where labels or reports may leave a finding uncertain, so that a policy matters."""
    boxes_elsewhere: bool = False
    """True where boxes may come from a file of their own, under `boxes_uri`."""
    images_elsewhere: bool = False
    """True where the images are those of another data set, under `images_uri`."""
    packable: bool = True
    """True where the images may be in archives, under `packed`: False where there are none, or
    where the studies are made of the files in a folder."""
    test_patients: HeldOut | None = None
    """Where a set is tested on in a part alone: who is in that part, without reading the rest.
    None where all patients of the set are to be held out."""
    patients: str = ""
    """Whose patient numbers these are where several data sets share them, such as "mimic"; a
    patient then is in one split over all of them. Empty for numbers of its own."""
    look: Callable[[SourceConfig, Sequence[PendingStudy]], Iterator[CheckLine]] | None = None
    """More lines of `prepare --check`, where a person wrote the table."""
