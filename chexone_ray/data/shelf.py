"""What the tables say of the studies, on the disk of the driver: memory holds where each lies.

An archive names hundreds of thousands of studies, each with its labels, boxes, phrases, questions
and often its report; asking needs those of a few patients at a time.
"""

from __future__ import annotations

import pickle
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from chexone_ray.data.sources.pending import PendingStudy


class Entry(NamedTuple):
    """A study on a shelf: what is needed of it to order, split and group, and where it lies."""

    patient: str
    date: str
    study: str
    dataset: str
    archive_split: str
    start: int
    size: int


class Shelf:
    """Studies in a file of their own, which goes with the object. Not for several threads."""

    def __init__(self) -> None:
        # It lives as long as the object: no `with` could close it.
        self._file = tempfile.TemporaryFile(prefix="chexone-studies-")  # noqa: SIM115
        self._end = 0

    def put(self, item: PendingStudy) -> Entry:
        """Keep a study; the entry finds it again."""
        data = zlib.compress(pickle.dumps(item, pickle.HIGHEST_PROTOCOL), 1)
        self._file.seek(self._end)
        self._file.write(data)
        study = item.study
        entry = Entry(
            study.patient,
            study.date,
            study.study,
            study.dataset,
            study.archive_split,
            self._end,
            len(data),
        )
        self._end += len(data)
        return entry

    def get(self, entry: Entry) -> PendingStudy:
        """The study as it was put."""
        self._file.seek(entry.start)
        found = pickle.loads(zlib.decompress(self._file.read(entry.size)))
        assert isinstance(found, PendingStudy)
        return found


@dataclass(frozen=True, slots=True)
class ShelvedPatient:
    """The studies of one patient in the order of time, all in one split."""

    entries: tuple[Entry, ...]
    split: str
    """The archive's split, or empty where the patient's hash tells it."""

    @property
    def dataset(self) -> str:
        """That of the first study."""
        return self.entries[0].dataset

    @property
    def patient(self) -> str:
        """The number in that data set."""
        return self.entries[0].patient


class Patients(Sequence[list[PendingStudy]]):
    """Each patient's studies, read from the shelf when they are asked for."""

    def __init__(self, shelf: Shelf, shelved: Sequence[ShelvedPatient]) -> None:
        self.shelved = shelved
        self._shelf = shelf

    def __len__(self) -> int:
        return len(self.shelved)

    @overload
    def __getitem__(self, at: int) -> list[PendingStudy]: ...
    @overload
    def __getitem__(self, at: slice) -> Patients: ...
    def __getitem__(self, at: int | slice) -> list[PendingStudy] | Patients:
        if isinstance(at, slice):
            return Patients(self._shelf, self.shelved[at])
        one = self.shelved[at]
        return [self._shelf.get(entry).with_split(one.split) for entry in one.entries]
