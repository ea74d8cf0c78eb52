"""What an adapter leaves out of its tables: counts by reason, and the place of everything lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

MAX_PLACES = 100_000
"""Places that are kept a reason; what is lost beyond them is told as a count."""
Value = TypeVar("Value")
Name = TypeVar("Name")


class Row(dict[str, Value]):
    """A row of a table or an entry of a JSON file that knows where it stands."""

    __slots__ = ("at", "uri")

    def __init__(self, cells: dict[str, Value], uri: str, at: int | str) -> None:
        super().__init__(cells)
        self.uri = uri
        self.at = at
        """The line of a text file from 1 on, the index in a JSON list from 0 on, or a key."""

    @property
    def place(self) -> str:
        """`<uri>:<line, index or key>`."""
        return place_in(self.uri, self.at)


def place_in(uri: str, at: int | str) -> str:
    """The place of a line, an index or a key of a file, as a dead letter names it."""
    return f"{uri}:{at}"


Places = dict[str, list[str]]
"""Name -> the places of the rows about it."""


class Losses(Counter[str]):
    """Reason -> how much was lost. Filled by `lose` alone, so that everything has its place."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[str, list[str]] = defaultdict(list)

    def lose(self, reason: str, place: str) -> None:
        """Count one thing that was lost; several of one row are one call each."""
        self[reason] += 1
        if len(self._places[reason]) < MAX_PLACES:
            self._places[reason].append(place)

    def letters(self, archive_uri: str) -> Iterator[tuple[str, str, int]]:
        """(reason, place, count) of everything, by reason; what has no place kept is one of the
        archive as a whole."""
        for reason, count in sorted(self.items()):
            places = self._places[reason]
            yield from ((reason, place, 1) for place in places)
            if count > len(places):
                yield reason, archive_uri, count - len(places)


def lose_strangers(
    rows: Mapping[Name, Sequence[str]], known: Collection[Name], reason: str, losses: Losses
) -> None:
    """Count every row about a name that is not known."""
    for name, places in rows.items():
        if name not in known:
            for place in places:
                losses.lose(reason, place)
