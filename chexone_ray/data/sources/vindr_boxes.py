"""VinDr-shaped box files: one row a box and reader -> merged boxes an image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from chexone_ray import storage
from chexone_ray.boxes import iou
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import corners
from chexone_ray.data.sources.losses import Losses, Places, lose_strangers
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box

MERGE_IOU = 0.1
"""Boxes of one class that overlap more than this are one finding; the merged box is their hull."""
NO_FINDING = "no finding"
_FILES = ("annotations_train.csv", "annotations_test.csv", "devices_train.csv", "devices_test.csv")
"""`devices_*.csv` is ours: boxes of devices, which VinDr-CXR has no classes for."""
_COLUMNS = ("image_id", "class_name", "x_min", "y_min", "x_max", "y_max")
_READERS = ("rad_id", "rad_ID")
"""Releases differ; the test part, which is a consensus, has none."""
_REMEDY = "a VinDr-CXR annotation file has image_id, class_name, x_min, y_min, x_max, y_max"
_NAMES = {
    "ild": "interstitial lung disease",
    "nodule/mass": "nodule or mass",
    "oedema": "edema",
    "enlarged pa": "enlarged pulmonary artery",
    "other disease": "other diseases",
}


@dataclass(frozen=True)
class BoxFile:
    """Boxes in pixels of the displayed original; an image that was read has an entry."""

    boxes: dict[str, tuple[Box, ...]]
    names: frozenset[str]
    """All finding names that readers could box."""
    rows: Places = field(default_factory=dict)
    """Image -> the places of its rows that can be used."""
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Image -> the findings that have lost a box there, as it has no usable corners."""
    readers: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Image -> finding -> how many readers boxed it."""
    num_readers: int = 1
    """Readers an image: the most that any has, as one who saw nothing may have no row there."""

    def is_complete(self, image: str) -> bool:
        """True where the image was read and none of its boxes is lost."""
        return image in self.boxes and image not in self.lost

    def lost_boxes(self, image: str, number: int = 0) -> tuple[tuple[str, int], ...]:
        """As `Study.lost_boxes` has them, of an image that is number `number` of its study."""
        return tuple((name, number) for name in self.lost.get(image, ()))

    def lose_others(self, images: Collection[str], losses: Losses) -> None:
        """Count the rows of images that are not among `images`, those of the archive."""
        lose_strangers(self.rows, images, "box_of_unlisted_film", losses)

    def states(self, image: str) -> dict[str, int | None]:
        """Finding -> 1 (most readers boxed it), 0 (none did) or -1 (some did)."""
        boxed = self.readers.get(image, {})
        return {name: vote(boxed.get(name, 0), self.num_readers) for name in sorted(self.names)}


def vote(num_positive: int, num_readers: int) -> int:
    """1 where most readers say so, 0 where none does, else -1."""
    if num_positive == 0:
        return 0
    return 1 if 2 * num_positive > num_readers else -1


def finding_name(class_name: str) -> str:
    """A class as our lower-case finding name."""
    name = " ".join(class_name.lower().split())
    return _NAMES.get(name, name)


def box_files(uri: str) -> list[str]:
    """The CSV itself where it is there, or the box files of a folder or of its `annotations`."""
    if uri.endswith((".csv", ".csv.gz")):
        return [uri] if storage.exists(uri) else []
    return [
        place
        for folder in (uri, storage.join(uri, "annotations"))
        for part in _FILES
        if (place := tables.find(folder, (part,)))
    ]


def read_box_files(uri: str, losses: Losses) -> BoxFile:
    """The merged boxes of `box_files`. Rows without an image, without usable corners or that are
    there twice are lost. Raises ChexoneError where there are no files."""
    uris = box_files(uri)
    if not uris:
        raise ChexoneError(f"{uri} holds no annotations_{{train,test}}.csv: {_REMEDY}")
    raw: dict[str, list[Box]] = {}
    readers: dict[str, dict[str, set[str]]] = {}
    places: Places = {}
    lost: dict[str, list[str]] = {}
    for file in uris:
        seen: set[tuple[str, ...]] = set()
        for row in tables.read(file, _COLUMNS, _REMEDY):
            image, name = row["image_id"], finding_name(row["class_name"])
            if not image or not name:
                losses.lose("row_without_id", row.place)
                continue
            if tuple(row.values()) in seen:
                losses.lose("duplicate_row", row.place)
                continue
            seen.add(tuple(row.values()))
            found = raw.setdefault(image, [])
            reader = next((row[column] for column in _READERS if column in row), "")
            readers.setdefault(image, {}).setdefault(name, set()).add(reader)
            place = corners(row[column] for column in _COLUMNS[2:])
            if place is None and name != NO_FINDING:
                losses.lose("box_row", row.place)
                lost.setdefault(image, []).append(name)
                continue
            places.setdefault(image, []).append(row.place)
            if place is not None and name != NO_FINDING:
                found.append(Box(name, place))
    return BoxFile(
        boxes={image: tuple(merge(found)) for image, found in raw.items()},
        names=frozenset(name for found in readers.values() for name in found) - {NO_FINDING},
        rows=places,
        lost={image: tuple(names) for image, names in lost.items()},
        readers={
            image: {name: len(who) for name, who in found.items()}
            for image, found in readers.items()
        },
        num_readers=max(
            (len({who for by in found.values() for who in by}) for found in readers.values()),
            default=1,
        ),
    )


def merge(boxes: Iterable[Box]) -> list[Box]:
    """Boxes of one class with an IoU above `MERGE_IOU` become their hull, until none overlaps so.

    The readers of VinDr-CXR's training part worked alone, so one finding has up to three boxes.
    """
    merged = sorted(boxes, key=lambda box: (box.label, box.xyxy))
    at = 0
    while at < len(merged):
        for other in range(at + 1, len(merged)):
            a, b = merged[at], merged[other]
            if a.label == b.label and a.image == b.image and iou(a, b) > MERGE_IOU:
                hull = (
                    min(a.xyxy[0], b.xyxy[0]),
                    min(a.xyxy[1], b.xyxy[1]),
                    max(a.xyxy[2], b.xyxy[2]),
                    max(a.xyxy[3], b.xyxy[3]),
                )
                merged[at] = Box(a.label, hull, a.image)
                del merged[other]
                at = -1  # the hull may reach boxes that its parts did not
                break
        at += 1
    return sorted(merged, key=lambda box: (box.label, box.xyxy))
