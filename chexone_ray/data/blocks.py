"""What `prepare` has asked so far: one Parquet file and one JSON file a block of patients.

The JSON file is written last, so a block is there whole or not at all, and a run that was killed
goes on with the blocks that are missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chexone_ray import __version__, storage
from chexone_ray.errors import ChexoneError
from chexone_ray.films.fingerprints import DIGEST_BYTES, FINGERPRINT_BYTES
from chexone_ray.parts import from_parquet, to_parquet
from chexone_ray.records import SCHEMA_VERSION

FOLDER = "_asked"
SETTINGS_FILE = "settings.json"
FILMS_SUFFIX = ".films.parquet"


@dataclass(frozen=True)
class Letter:
    """A dead letter: something of an archive that the manifest lacks."""

    dataset: str
    reason: str
    """image_*, study_*, report_*, box_*, phrase_* and question_* say what of it; others are table
    rows."""
    place: str
    """The file, the row of a table as `<uri>:<line>`, the entry of a JSON file as `<uri>:<index or
    key>`, the study, a question or phrase as `<study>/<name>`, or the kind of the questions or the
    archive for what is too much to tell one by one."""
    count: int = 1


@dataclass(frozen=True)
class Block:
    """The questions of some patients, in one file."""

    number: int
    uri: str
    rows: dict[str, int]
    """ "split/kind" -> questions."""
    num_patients: int
    num_studies: int
    num_images: int
    """Patients and studies with a question, and all images that could be read."""
    usable: dict[str, int] = field(default_factory=dict)
    """ "data set/images" and "data set/reports" that could be read, and "data set/boxes" on those
    images, also those that reach outside."""
    letters: tuple[Letter, ...] = field(default=())
    asked_of: str = ""
    """Digest of what the tables say of its patients: a block of others is not gone on with."""

    def read(self, columns: Sequence[str] | None = None) -> Any:
        """Arrow table of the block's rows with those columns, all by default."""
        return read_rows(self.uri, columns)

    def read_films(self, columns: Sequence[str]) -> Any:
        """Arrow table of some columns of `films_schema()`, one row a film that could be read."""

        data = storage.read_bytes(f"{self.uri.removesuffix('.parquet')}{FILMS_SUFFIX}")
        return from_parquet(data, columns)


def read_rows(uri: str, columns: Sequence[str] | None = None) -> Any:
    """Arrow table of the rows of the block that lies there."""
    return from_parquet(storage.read_bytes(uri), columns)


def films_schema() -> Any:
    """Arrow schema of what is kept of every film: `place` and `patient` are hashes, of the URI and
    of whose number it is."""
    import pyarrow as pa

    return pa.schema(
        [
            ("uri", pa.string()),
            ("place", pa.int64()),
            ("split", pa.string()),
            ("patient", pa.int64()),
            ("fingerprint", pa.binary(FINGERPRINT_BYTES)),
            ("digest", pa.binary(DIGEST_BYTES)),
        ]
    )


def write(folder: str, block: Block, rows: Any, films: Any) -> None:
    """Write the rows and the films, then what makes the block count as done."""
    storage.write_bytes(block.uri, to_parquet(rows))
    storage.write_bytes(f"{block.uri.removesuffix('.parquet')}{FILMS_SUFFIX}", to_parquet(films))
    storage.write_json(_json_uri(folder, block.number), asdict(block))


def rows_uri(folder: str, number: int) -> str:
    """Where the rows of a block go."""
    return storage.join(folder, f"{number:06d}.parquet")


def finished(folder: str) -> dict[int, Block]:
    """Number -> block, of those that are whole."""
    found = {}
    for uri in storage.list_files(folder, ".json"):
        if not uri.endswith(SETTINGS_FILE):
            block = from_json(storage.read_json(uri))
            found[block.number] = block
    return found


def discard(folder: str, numbers: Iterable[int]) -> None:
    """Make blocks count as missing, so that the next run asks them again."""
    for number in numbers:
        storage.delete(_json_uri(folder, number))


def from_json(value: dict[str, Any]) -> Block:
    """The inverse of `dataclasses.asdict`."""
    letters = tuple(Letter(**letter) for letter in value.pop("letters"))
    return Block(**value, letters=letters)


def open_folder(output_uri: str, digests: dict[str, str]) -> str:
    """The folder of the blocks of a run; those of other settings, tables or code are deleted.

    Other code asks otherwise, and one manifest is asked by one version. The version is no part of
    the digests of a committed manifest, which a newer release still reads.
    """
    folder = storage.join(output_uri, FOLDER)
    place = storage.join(folder, SETTINGS_FILE)
    digests = digests | {"code": f"{__version__}, schema {SCHEMA_VERSION}"}
    before = storage.read_if_there(place)
    if before is None or _digests(before) != digests:
        remove(output_uri)
        storage.write_json(place, digests)
    return folder


def remove(output_uri: str) -> None:
    """Delete the blocks."""
    storage.delete(storage.join(output_uri, FOLDER))


def letters_table(letters: Iterable[Letter]) -> Any:
    """Arrow table of dead letters, one row each, sorted."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("dataset", pa.string()),
            ("reason", pa.string()),
            ("place", pa.string()),
            ("count", pa.int64()),
        ]
    )
    rows = sorted(letters, key=lambda item: (item.dataset, item.reason, item.place))
    columns = {name: [getattr(letter, name) for letter in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def by_reason(letters: Iterable[Letter]) -> Counter[str]:
    """Reason -> how much was lost."""
    counts: Counter[str] = Counter()
    for letter in letters:
        counts[letter.reason] += letter.count
    return counts


def _digests(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise ChexoneError(
            f"{SETTINGS_FILE} of an interrupted prepare is damaged ({error}): delete its folder "
            f"{FOLDER}"
        ) from error


def _json_uri(folder: str, number: int) -> str:
    return storage.join(folder, f"{number:06d}.json")
