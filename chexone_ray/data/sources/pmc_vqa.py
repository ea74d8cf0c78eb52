"""PMC-VQA: multiple-choice questions about figures of articles, of which chest X-rays are read.

`train_2.csv` and `test_2.csv` (single images), or `train.csv` and `test.csv` of the first version,
at the root; images anywhere below it by `Figure_path`. The second version adds a `Caption`, and its
`Answer` may be a letter.

The set has no field for chest X-rays. A figure counts as one where the question, the caption or the
right answer of one of its rows names a chest X-ray, and none of its questions or captions names
another technique.
"""

from __future__ import annotations

import re
from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, chosen, text_name
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Question, Study

DATASET = "pmc_vqa"
CHOICES = ("Choice A", "Choice B", "Choice C", "Choice D")
COLUMNS = ("Figure_path", "Question", "Answer", *CHOICES)
TABLES = {
    "train": Table(("train_2.csv", "train.csv"), COLUMNS),
    "test": Table(("test_2.csv", "test.csv"), COLUMNS),
}
_FILM = r"(?:x[- ]?rays?|radiographs?|radiographic|roentgenograms?|skiagrams?)"
_CHEST_FILM = re.compile(
    rf"\bchest\s+{_FILM}\b|\b{_FILM}\s+(?:image\s+)?of\s+(?:the\s+)?(?:chest|thorax|lungs?)\b"
    rf"|\bcxrs?\b|\bthoracic\s+{_FILM}\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:ct|cta|hrct|mri|mra|pet|spect|scintigra\w+|tomogra\w+|magnetic\s+resonance|ultraso\w+"
    r"|echocardio\w+|angiogra\w+|histolog\w+|microscop\w+|stain(?:ed|ing)|endoscop\w+|mammogra\w+)\b",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"PMC\d+")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All figures that count as chest X-rays, by name, and what was left out by reason.

    Figures of one article are one patient: they may show the same one. Raises ChexoneError where a
    table or a column is missing.
    """
    losses = Losses()
    rows: dict[str, list[tuple[str, Row[str]]]] = defaultdict(list)
    for part, table in TABLES.items():
        for row in tables.rows(source.uri, table):
            if row["Figure_path"]:
                rows[row["Figure_path"]].append((part if archive_splits else "", row))
            else:
                losses.lose("row_without_id", row.place)
    book = QuestionBook(losses)
    for figure, asked in rows.items():
        if not _is_chest_film([row for _, row in asked]):
            for _, row in asked:
                losses.lose("question_not_about_a_chest_film", row.place)
            continue
        for part, row in asked:
            options = [row[name] for name in CHOICES]
            name = text_name(row["Question"], *options)
            right = row.get("Answer_label") or row["Answer"]
            question = chosen(name, row["Question"], options, right, losses, row.place)
            if question:
                book.add(figure, part, question, row.place)
    places = tables.files_by_name(source.uri, ".jpg")
    return [_study(source.uri, places, *item) for item in book], losses


def _study(
    root: str, places: dict[str, str], figure: str, split: str, questions: tuple[Question, ...]
) -> PendingStudy:
    article = _ARTICLE.match(figure)
    uri = places.get(figure.rpartition("/")[2], storage.join(root, "images", figure))
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=article[0] if article else figure,
            study=figure.rpartition(".")[0] or figure,
            images=(ImageRef(uri),),
            archive_split=split,
            questions=questions,
        )
    )


def _is_chest_film(rows: list[Row[str]]) -> bool:
    shown = " \n".join(f"{row['Question']} \n{row.get('Caption', '')}" for row in rows)
    # an answer that is a letter stands for its choice
    answers = " \n".join(row.get(f"Choice {row['Answer']}", row["Answer"]) for row in rows)
    return bool(_CHEST_FILM.search(f"{shown} \n{answers}")) and not _OTHER.search(shown)


SPEC = Spec(
    title="PMC-VQA",
    access="open",
    images="<Figure_path> in any folder below the root, JPEG",
    labels="multiple-choice questions that a language model made from captions",
    tables=tuple(TABLES.values()),
    read=studies,
    split_unit="article",
)
