"""The manifest on storage: `part-<split>-<number>.parquet`, `manifest.json`, the commit file last.

Parts of a split in the order of their numbers, rows in the order of the parts: that is the order in
which training sees them. Row groups are small and of fixed size, so a place in the manifest is a
row group and a row.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from chexone_ray import storage
from chexone_ray.data import card
from chexone_ray.data.splits import SPLITS
from chexone_ray.errors import ChexoneError
from chexone_ray.records import SCHEMA_VERSION, Sample, sample_schema, sample_to_row

MANIFEST_FILE = "manifest.json"
CARD_FILE = "CARD.md"
LETTERS_FILE = "dropped.parquet"
"""What the archives hold and the manifest lacks: data set, reason, place, count."""
DUPLICATES_FILE = "duplicates.parquet"
"""Pairs of films that are the same, or look it."""
PICTURE_FILE = card.PICTURE_FILE
ROWS_PER_PART = 4096
COUNTED = ("dataset", "kind", "task")
"""Columns whose values are counted a split; none holds a slash."""
_OWN_FILES = frozenset(
    {MANIFEST_FILE, CARD_FILE, LETTERS_FILE, DUPLICATES_FILE, PICTURE_FILE, storage.COMMIT_FILE}
)
_PART_NAME = re.compile(rf"part-(?:{'|'.join(SPLITS)})-\d{{5}}\.parquet")


@dataclass(frozen=True)
class Part:
    """One Parquet file: `counts` are rows by "dataset/kind/task", `sha256` is of its bytes."""

    name: str
    split: str
    rows: int
    row_groups: int
    sha256: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says: the parts in order, and everything else in `info`."""

    uri: str
    parts: tuple[Part, ...]
    info: dict[str, Any]

    def of_split(self, split: str) -> tuple[Part, ...]:
        """The parts of one split; ChexoneError where the split has no row."""
        parts = tuple(part for part in self.parts if part.split == split)
        if not parts:
            raise ChexoneError(
                f'{self.uri} has no row in split "{split}": it has {self.info["counts"]["split"]}'
            )
        return parts


def write_part(uri: str, split: str, number: int, table: Any, rows_per_group: int) -> Part:
    """Write one Arrow table with the columns of `sample_schema()` as a part; equal tables give
    equal bytes."""
    import pyarrow.parquet as pq

    table = table.select(sample_schema().names).cast(sample_schema())
    buffer = io.BytesIO()
    pq.write_table(
        table.combine_chunks().replace_schema_metadata(None),
        buffer,
        row_group_size=rows_per_group,
        compression="zstd",
    )
    data = buffer.getvalue()
    name = f"part-{split}-{number:05d}.parquet"
    storage.write_bytes(storage.join(uri, name), data)
    names = zip(*(table[name].to_pylist() for name in COUNTED), strict=True)
    return Part(
        name=name,
        split=split,
        rows=table.num_rows,
        row_groups=-(-table.num_rows // rows_per_group),
        sha256=hashlib.sha256(data).hexdigest(),
        counts=dict(sorted(Counter(map("/".join, names)).items())),
    )


def write_manifest(uri: str, parts: Iterable[Part], info: dict[str, Any]) -> Manifest:
    """Write `manifest.json` with the counts of `parts` and `info`, the card, the commit file."""
    order: dict[str, int] = {split: number for number, split in enumerate(SPLITS)}
    parts = tuple(sorted(parts, key=lambda part: (order[part.split], part.name)))
    splits: Counter[str] = Counter()
    counts: dict[str, dict[str, Counter[str]]] = {name: {} for name in COUNTED}
    for part in parts:
        splits[part.split] += part.rows
        for key, count in part.counts.items():
            for name, value in zip(COUNTED, key.split("/"), strict=True):
                counts[name].setdefault(part.split, Counter())[value] += count
    body = {
        "schema_version": SCHEMA_VERSION,
        **info,
        "counts": {
            "rows": sum(splits.values()),
            "split": dict(splits),
            **{
                name: {split: dict(sorted(found.items())) for split, found in by_split.items()}
                for name, by_split in counts.items()
            },
        },
        "parts": [asdict(part) for part in parts],
    }
    storage.write_json(storage.join(uri, MANIFEST_FILE), body)
    storage.write_bytes(storage.join(uri, CARD_FILE), card.render(body).encode())
    digest = hashlib.sha256("".join(part.sha256 for part in parts).encode()).hexdigest()
    storage.commit(
        uri,
        {"kind": "manifest", "rows": body["counts"]["rows"], "sha256": digest}
        | {key: info[key] for key in ("config_digest", "tables_digest") if key in info},
    )
    return Manifest(uri, parts, {key: value for key, value in body.items() if key != "parts"})


class Units:
    """Counts the patients, studies and images of rows, by hashes of their names."""

    def __init__(self) -> None:
        self._found: tuple[set[int], set[int], set[int]] = (set(), set(), set())

    def add(self, sample: Sample) -> None:
        """Count one row."""
        patients, studies, images = self._found
        patients.add(hash((sample.dataset, sample.patient)))
        studies.add(hash((sample.dataset, sample.study)))
        images.update(hash(image.uri) for image in sample.images)

    def info(self) -> dict[str, int]:
        """The numbers as `manifest.json` names them."""
        return {f"num_{name}": len(of) for name, of in zip(card.UNITS, self._found, strict=True)}


class SampleWriter:
    """Writes a manifest part by part, rows of a split in the order given.

    Memory holds the rows of one part a split, and 8-byte hashes of who and what they are of. What
    an interrupted writer left in the folder is removed first.
    """

    def __init__(self, uri: str, rows_per_group: int = 512) -> None:
        clear(uri)
        self.units = Units()
        self._uri = uri
        self._rows_per_group = rows_per_group
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._parts: list[Part] = []

    def add(self, sample: Sample) -> None:
        """Write one more row; a part that is full goes to storage."""
        self.units.add(sample)
        rows = self._rows.setdefault(sample.split, [])
        rows.append(sample_to_row(sample))
        if len(rows) == ROWS_PER_PART:
            self._flush(sample.split)

    def finish(self, info: dict[str, Any]) -> Manifest:
        """Write what is left, then `manifest.json` with `info`, the card and the commit file."""
        for split in list(self._rows):
            self._flush(split)
        return write_manifest(self._uri, self._parts, info)

    def _flush(self, split: str) -> None:
        import pyarrow as pa

        rows = self._rows.pop(split)
        number = sum(part.split == split for part in self._parts)
        table = pa.Table.from_pylist(rows, schema=sample_schema())
        self._parts.append(write_part(self._uri, split, number, table, self._rows_per_group))


def write_samples(
    uri: str, samples: Iterable[Sample], info: dict[str, Any], rows_per_group: int = 512
) -> Manifest:
    """Write samples as a manifest of their own, in the order given."""
    writer = SampleWriter(uri, rows_per_group)
    for sample in samples:
        writer.add(sample)
    return writer.finish(info)


_OF_THE_WHOLE = frozenset(
    {"counts", "schema_version", "num_patients", "num_studies", "num_images"}
    | {"dropped", "duplicates", "moved", "curriculum"}
)
"""What a manifest says of all its rows, so not of a selection."""


def selection_info(uri: str, units: Units) -> dict[str, Any]:
    """The `info` of a manifest of some rows of another: what still holds, and new numbers."""
    source = load(uri).info
    kept = {key: value for key, value in source.items() if key not in _OF_THE_WHOLE}
    return kept | units.info()


def clear(uri: str) -> None:
    """Remove what an interrupted writer left, so that no stale part stays beside the new ones.

    Only files of a manifest that lie in the folder itself: others may be somebody's data.
    """
    folder = storage.join(uri).rstrip("/") + "/"
    for file in storage.list_files(uri):
        name = file.removeprefix(folder)
        if name in _OWN_FILES or _PART_NAME.fullmatch(name):
            storage.delete(file)


def load(uri: str) -> Manifest:
    """Read a committed manifest. Raises ChexoneError where there is none or of another schema."""
    if storage.committed(uri) is None:
        raise ChexoneError(f"{uri} holds no complete manifest: run `chexone prepare` into it first")
    if not storage.exists(storage.join(uri, MANIFEST_FILE)):
        told = storage.exists(storage.join(uri, "predictions.json"))  # as `predict` leaves it
        raise ChexoneError(
            f"{uri} holds {'predictions' if told else 'something else'}, not a manifest: give the "
            "output_uri of `chexone prepare`"
        )
    body = storage.read_json(storage.join(uri, MANIFEST_FILE))
    if body.get("schema_version") != SCHEMA_VERSION:
        raise ChexoneError(
            f"{uri} has schema version {body.get('schema_version')}, this program reads "
            f"{SCHEMA_VERSION}: prepare it again"
        )
    parts = tuple(Part(**part) for part in body.pop("parts"))
    return Manifest(uri, parts, body)
