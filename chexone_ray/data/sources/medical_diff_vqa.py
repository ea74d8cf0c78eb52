"""Medical-Diff-VQA: questions about MIMIC-CXR films and about what changed between two of them.

`mimic_pair_questions.csv` (one row a question) and `mimic_all.csv` (the one film of each study, its
view and its place among the patient's studies) at the root. The films are MIMIC-CXR-JPG's, under
`images_uri`. A question about a change is asked of a pair, the film of `ref_id` first; the others
are asked of the film of `study_id` alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import mimic_films, tables
from chexone_ray.data.sources.cells import number
from chexone_ray.data.sources.losses import Losses, Places, Row, lose_strangers
from chexone_ray.data.sources.mimic_films import Film
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, answered, text_name
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import is_split_name
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Question, Study

DATASET = "medical_diff_vqa"
QUESTIONS = Table(
    ("mimic_pair_questions.csv",),
    ("study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"),
)
FILMS = Table(("mimic_all.csv",), ("study_id", "subject_id", "dicom_id", "view"))
_NEEDS_PAIR = re.compile(r"\b(?:reference|previous|prior|compared|chang\w+)\b", re.IGNORECASE)
_VIEWS = {"postero-anterior": "PA", "pa": "PA", "antero-posterior": "AP", "ap": "AP"}


@dataclass(frozen=True)
class _Placed:
    """A film and its place among those of the patient, NaN where the table does not tell it."""

    film: Film
    order: float


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All films and pairs with a question, by number, and what was left out by reason.

    Raises ChexoneError where a table, a column or `images_uri` is missing or a split has no known
    name.
    """
    root = mimic_films.films_root(source)
    losses = Losses()
    films, rows = _films(tables.rows(source.uri, FILMS), losses)
    book = QuestionBook(losses)
    shown: dict[str, tuple[Film, ...]] = {}
    for row in tables.rows(source.uri, QUESTIONS):
        if archive_splits and row["split"] and not is_split_name(row["split"]):
            raise ChexoneError(
                f'{source.uri} has split "{row["split"]}": use train, validate or test'
            )
        found = _shown(row, films, losses)
        if not found:
            continue
        name = "-".join(film.study for film in reversed(found))
        shown[name] = found
        split = row["split"] if archive_splits else ""
        book.add(name, split, _question(row, len(found) > 1), row.place)
    used = {film.study for pair in shown.values() for film in pair}
    lose_strangers(rows, used, "film_without_question", losses)
    return [_study(root, shown[name], name, split, asked) for name, split, asked in book], losses


def _films(table: tables.Rows, losses: Losses) -> tuple[dict[str, _Placed], Places]:
    """Study -> its film, and the place of its row; a table that was written with numbers has ids
    such as 50414267.0."""
    found: dict[str, _Placed] = {}
    places: Places = {}
    for row in table:
        subject, study = (_whole(row[name]) for name in ("subject_id", "study_id"))
        if not (subject and study and row["dicom_id"]):
            losses.lose("row_without_id", row.place)
        elif study in found:
            losses.lose("duplicate_row", row.place)
        else:
            film = Film(subject, study, row["dicom_id"], _VIEWS.get(row["view"].lower(), ""))
            found[study] = _Placed(film, number(row.get("study_order", "")))
            places[study] = [row.place]
    return found, places


def _shown(row: Row[str], films: dict[str, _Placed], losses: Losses) -> tuple[Film, ...]:
    """The films that a question is about, the earlier one first; empty, and counted, for none."""
    study, reference = _whole(row["study_id"]), _whole(row["ref_id"])
    if not study:
        losses.lose("row_without_id", row.place)
        return ()
    current, earlier = films.get(study), films.get(reference)
    if current is None:
        losses.lose("study_without_film", row.place)
        return ()
    if not _is_about_a_pair(row):
        return (current.film,)
    if earlier is None:
        losses.lose("study_without_film", row.place)
        return ()
    if earlier.order > current.order:  # never so of NaN
        losses.lose("reference_is_later", row.place)
        return ()
    return (earlier.film, current.film)


def _is_about_a_pair(row: dict[str, str]) -> bool:
    return row["question_type"] == "difference" or bool(_NEEDS_PAIR.search(row["question"]))


def _question(row: dict[str, str], pair: bool) -> Question | None:
    text = " ".join(row["question"].split())
    name = f"{row['question_type'] or 'other'}-{text_name(text)}"
    answer = " ".join(row["answer"].split())
    question = answered(name, text, answer, topic=row["question_type"])
    return replace(question, kind="difference") if question and pair else question


def _study(
    root: str, films: tuple[Film, ...], name: str, split: str, questions: tuple[Question, ...]
) -> PendingStudy:
    *earlier, current = films
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=current.subject,
            study=name,
            images=(
                *(ImageRef(film.uri(root), film.view, role="prior") for film in earlier),
                ImageRef(current.uri(root), current.view),
            ),
            archive_split=split,
            questions=questions,
        )
    )


def _whole(number: str) -> str:
    return number.partition(".")[0]


SPEC = Spec(
    title="Medical-Diff-VQA",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="questions and answers made by rules from reports",
    tables=(QUESTIONS, FILMS),
    read=studies,
    images_elsewhere=True,
    patients="mimic",
)
