"""MS-CXR: phrases of MIMIC-CXR's reports with the boxes that radiologists drew for them.

`MS_CXR_Local_Alignment_v1.1.0.csv` (or v1.0.0, which has no `split` column) at the root, one row a
box; rows of one film and one text are one phrase. The images are those of MIMIC-CXR-JPG, under
`images_uri`. Every study counts as test, whatever the table's own split and `archive_splits` say:
others test on this set as a whole.
"""

from __future__ import annotations

from collections import defaultdict

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import mimic_films, tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.mimic_films import Film
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Box, ImageRef, Phrase, Study

DATASET = "ms_cxr"
TABLE = Table(
    ("MS_CXR_Local_Alignment_v1.1.0.csv", "MS_CXR_Local_Alignment_v1.0.0.csv"),
    ("category_name", "label_text", "path", "x", "y", "w", "h", "dicom_id"),
)
Texts = dict[str, list[Box]]
"""A phrase's text -> its boxes, in the table's order."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies with a phrase, by patient and number, and what was left out by reason.

    A phrase of which a box cannot be used goes as a whole. Raises ChexoneError where the table, a
    column or `images_uri` is missing.
    """
    root = mimic_films.films_root(source)
    losses = Losses()
    phrases: dict[tuple[str, str], dict[Film, Texts]] = defaultdict(lambda: defaultdict(dict))
    places: dict[tuple[Film, str], list[str]] = defaultdict(list)
    """Phrase -> the rows of its usable boxes."""
    first: dict[str, str] = {}
    unusable: set[tuple[Film, str]] = set()
    for row in tables.rows(source.uri, TABLE):
        film = mimic_films.film_of_path(row["path"])
        text = " ".join(row["label_text"].split())
        if film is None or film.dicom_id != row["dicom_id"] or not text:
            losses.lose("row_without_id", row.place)
            continue
        label = row["category_name"].lower()
        box = box_of_size(label, *(number(row[name]) for name in ("x", "y", "w", "h")))
        boxes = phrases[film.subject, film.study][film].setdefault(text, [])
        if box is None:
            losses.lose("box_row", row.place)
            unusable.add((film, text))
        elif box in boxes:
            losses.lose("duplicate_row", row.place)
        else:
            boxes.append(box)
            places[film, text].append(row.place)
        first.setdefault(film.study, row.place)
    for film, text in unusable:
        del phrases[film.subject, film.study][film][text]
        for place in places[film, text]:
            losses.lose("box_of_lost_phrase", place)
    views = mimic_films.known_films(root)
    found = []
    for (subject, name), films in sorted(phrases.items()):
        films = {film: texts for film, texts in films.items() if texts}
        if films:
            images, placed = _places(root, films, views)
            study = Study(
                dataset=DATASET,
                patient=subject,
                study=name,
                images=images,
                archive_split="test",
            )
            found.append(PendingStudy(study, pixel_phrases=placed, default_view="frontal"))
        else:
            losses.lose("study_without_phrase", first[name])
    return found, losses


def _places(
    root: str, films: dict[Film, Texts], known: dict[str, Film]
) -> tuple[tuple[ImageRef, ...], tuple[Phrase, ...]]:
    """The images in the order of their names, and the phrases with boxes that number them."""
    ordered = sorted(films, key=lambda film: film.dicom_id)
    images = tuple(
        ImageRef(film.uri(root), known.get(film.dicom_id, film).view) for film in ordered
    )
    phrases = tuple(
        Phrase(text, tuple(Box(box.label, box.xyxy, at) for box in boxes), boxes[0].label)
        for at, film in enumerate(ordered)
        for text, boxes in films[film].items()
    )
    return images, phrases


SPEC = Spec(
    title="MS-CXR",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="phrases of 8 findings, boxed by radiologists",
    tables=(TABLE,),
    read=studies,
    images_elsewhere=True,
    patients="mimic",
)
