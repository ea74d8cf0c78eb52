"""ROCO: chest X-rays of publications with their captions, one study an image.

`{train,validation,test}/radiology/captions.txt` at the root (or under `data/` or `all_data/`): a
name, a tab and the caption. Images `{train,validation,test}/radiology/images/<name>.jpg`. The set
holds radiology of all kinds and does not say which image is what, so the caption decides: it must
name a chest X-ray and no other kind of imaging (`is_chest_film`).
"""

from __future__ import annotations

import re

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "roco"
FOLDERS = ("", "data/", "all_data/")
TABLES = {
    part: Table(tuple(f"{folder}{part}/radiology/captions.txt" for folder in FOLDERS), (), True)
    for part in ("train", "validation", "test")
}
_FILM = re.compile(
    r"\b(?:x-?rays?|x ray|radiographs?|radiography|radiogram|roentgenograms?|film)\b"
)
_CHEST = re.compile(r"\b(?:chest|thora\w+|lungs?|pulmonary)\b")
_SHORT = re.compile(r"\bcxr\b")
_OTHER = re.compile(
    r"\b(?:ct|cta|cect|hrct|mdct|computed|tomogra\w+|mri|magnetic|mra|t[12]|ultraso\w+|sonogra\w+"
    r"|echo\w*|doppler|pet|spect|scintigra\w+|angiogra\w+|fluorosco\w+|mammogra\w+|barium"
    r"|swallow|esophagogra\w+|spine|abdom\w+|panoramic|micrograph\w*|photograph\w*)\b"
)


def is_chest_film(caption: str) -> bool:
    """True for a caption that names an X-ray of the chest and no other kind of imaging."""
    text = caption.lower()
    named = _SHORT.search(text) or (_FILM.search(text) and _CHEST.search(text))
    return bool(named) and not _OTHER.search(text)


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """The chest X-rays as studies, by name, and what was left out by reason.

    Raises ChexoneError where no part has its captions.
    """
    root = source.uri
    losses = Losses()
    found: dict[str, PendingStudy] = {}
    read = False
    for part, spec in TABLES.items():
        uri = tables.find(root, spec.names)
        read |= uri is not None
        for place, line in tables.lines(uri):
            name, _, caption = (" ".join(cell.split()) for cell in line.partition("\t"))
            if not name or not caption:
                losses.lose("unparsable_row", place)
            elif name in found:
                losses.lose("duplicate_row", place)
            elif not is_chest_film(caption):
                losses.lose("caption_of_another_image", place)
            else:
                folder = str(uri).rpartition("/")[0]
                study = Study(
                    dataset=DATASET,
                    patient=name,
                    study=name,
                    images=(ImageRef(storage.join(folder, "images", f"{name}.jpg")),),
                    archive_split=part if archive_splits else "",
                    caption=caption,
                )
                found[name] = PendingStudy(study)
    if not read:
        uri = storage.join(root, "train/radiology/captions.txt")
        raise ChexoneError(f"{uri} is missing: {CSV_STEP}")
    return [found[name] for name in sorted(found)], losses


SPEC = Spec(
    title="ROCO",
    access="open",
    images="{train,validation,test}/radiology/images/<name>.jpg",
    labels="none; captions of publications, chest X-rays by the words of the caption",
    tables=tuple(TABLES.values()),
    read=studies,
    split_unit="film",
)
