"""JSRT: films with one lung nodule each and films without, one study an image.

`CLNDAT_EN.txt` (nodules: tab separated, lines end in a carriage return: file, subtlety, size in mm,
age, sex, x, y, malignant or benign, place, diagnosis) and optionally `CNNDAT_EN.TXT` (films
without: file, age, sex). Films `JPCLN001.IMG` and `JPCNN001.IMG` anywhere below the root: raw
2048 x 2048 pixels of 0.175 mm, or the same converted to PNG. The set gives a nodule's centre in
pixels and its size, so the box is a square around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Box, ImageRef, Study

DATASET = "jsrt"
NODULES = Table(("CLNDAT_EN.txt", "Clinical_Information/CLNDAT_EN.txt"), ())
OTHERS = Table(("CNNDAT_EN.TXT", "Clinical_Information/CNNDAT_EN.TXT"), (), True)
LABEL = "nodule"
MM_PER_PIXEL = 0.175
_NAME = re.compile(r"(JPC[LN]N\d{3})\.IMG")
_FILM = re.compile(r"(JPC[LN]N\d{3})\.(?:IMG|png|jpg|dcm)")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All films as studies, by name, and what was left out by reason.

    Raises ChexoneError where the table of nodules is missing.
    """
    root = source.uri
    places = {
        name[1]: uri
        for uri in storage.list_files(root)
        if (name := _FILM.fullmatch(uri.rpartition("/")[2]))
    }
    losses = Losses()
    found: dict[str, PendingStudy] = {}
    for state, cells, place in _rows(root):
        name = _NAME.fullmatch(cells[0].strip())
        if name is None:
            losses.lose("row_without_id", place)
        elif name[1] in found:
            losses.lose("duplicate_row", place)
        else:
            box = _box(cells) if state else None
            if state and box is None:
                losses.lose("box_row", place)
            uri = places.get(name[1], storage.join(root, f"{name[1]}.IMG"))
            study = Study(
                dataset=DATASET,
                patient=name[1],
                study=name[1],
                images=(ImageRef(uri),),
                labels={LABEL: state, "no finding": 1 - state},
                boxes_complete=not state or box is not None,
            )
            found[name[1]] = PendingStudy(study, (box,) if box else (), default_view="PA")
    return [found[name] for name in sorted(found)], losses


def _rows(root: str) -> Iterator[tuple[int, list[str], str]]:
    """1 for a film with a nodule or 0, the cells of its line and its place."""
    for place, line in tables.lines(tables.require(root, NODULES.names, CSV_STEP)):
        yield 1, line.split("\t"), place
    for place, line in tables.lines(tables.find(root, OTHERS.names)):
        yield 0, line.split(), place


def _box(cells: list[str]) -> Box | None:
    """The square around a nodule; None where its place or size is unknown."""
    try:
        size, x, y = (number(cells[at]) for at in (2, 5, 6))
    except IndexError:
        return None
    side = size / MM_PER_PIXEL
    return box_of_size(LABEL, x - side / 2, y - side / 2, side, side)


SPEC = Spec(
    title="JSRT",
    access="registration",
    images="{JPCLN,JPCNN}<n>.IMG in any folder below the root, raw or converted to PNG",
    labels="one nodule or none, by CT and radiologists; place and size of the nodule",
    tables=(NODULES, OTHERS),
    read=studies,
    split_unit="film",
)
