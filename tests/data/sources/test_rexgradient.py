"""ReXGradient-160K, and ReXVQA, which asks about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Question
from tests.data.sources.replicas import FILMS, read_questions, splits, write, write_json


def test_rexgradient_paths_views_and_priors(tmp_path: Path) -> None:
    def entry(**changes: object) -> dict[str, object]:
        return {
            "PatientID": "p1",
            "StudyDate": "20200102",
            "Findings": "Clear\n lungs, größer.",
            "Impression": None,
            "ImagePath": ["../deid_png/p1/a/b.png", "../deid_png/p1/a/c.png"],
            "ImageViewPosition": ["POSTERO_ANTERIOR", None],
        } | changes

    path = ["../deid_png/p1/a/b.png"] * 2
    studies = {
        "s2": entry(),
        "s1": entry(StudyDate="20190102", ImagePath=path, ImageViewPosition=["LL"]),
        "s3": entry(PatientID=""),
        "s4": None,
        "s5": entry(ImagePath="../deid_png/p1/a/b.png"),
    }
    folder = tmp_path / "metadata"
    write(folder / "train_metadata_view_position.json", json.dumps(studies))
    write(folder / "valid_metadata_view_position.json", json.dumps({"v": entry(PatientID="p2")}))
    source = SourceConfig(adapter="rexgradient", uri=str(tmp_path))
    found, dropped = SOURCES["rexgradient"].read(source, True)
    assert [item.study.study for item in found] == ["s1", "s2", "v"]
    assert dropped == {"duplicate_row": 1, "row_without_id": 3}
    earlier, later, valid = (item.study for item in found)
    assert earlier.date < later.date and earlier.images[0].view == "lateral"
    assert [image.view for image in later.images] == ["PA", ""]
    assert later.images[1].uri == str(tmp_path / "deid_png/p1/a/c.png")
    assert (later.findings, later.impression) == ("Clear lungs, größer.", "")
    assert (later.archive_split, valid.archive_split) == ("train", "valid")
    write(folder / "test_metadata_view_position.json", "[]")
    with pytest.raises(ChexoneError, match="is no JSON object by study"):
        SOURCES["rexgradient"].read(source, True)


def rex_row(**changes: object) -> dict[str, object]:
    return {
        "question": "Which is  seen?",
        "options": ["A. Größe", "B. Fracture", "C. Neither"],
        "correct_answer": "B",
        "correct_answer_explanation": "The seventh rib\nis broken.",
        "study_id": "s1",
        "PatientID": "p1",
        "ImagePath": ["../deid_png/p1/a.png", "../deid_png/p1/..b.png"],
        "ImageViewPosition": ["POSTERO_ANTERIOR", "LAO"],
    } | changes


def test_rexvqa_options_explanations_and_films(tmp_path: Path) -> None:
    write_json(
        tmp_path / "metadata" / "train_vqa_data.json",
        {
            "q1": rex_row(task_name="negation"),
            "q2": rex_row(correct_answer="D"),
            "q3": rex_row(study_id=""),
            "q4": rex_row(correct_answer=None),
            "q5": None,
            "q6": rex_row(
                ImagePath=["../deid_png/p1/a.png"], correct_answer="A", category="presence"
            ),
            "q7": rex_row(options=["A. x", "B. X"]),
            "q9": rex_row(
                ImagePath=["../deid_png/p1/..b.png", "../deid_png/p1/a.png"],
                ImageViewPosition=["AP"],
            ),
        },
    )
    other = rex_row(study_id="s2", PatientID=None, ImagePath=["../deid_png/p9/c.png"])
    write_json(tmp_path / "metadata" / "test_vqa_data.json", {"q8": other})
    studies, dropped = read_questions("rexvqa", tmp_path, FILMS)
    assert dropped == {
        "row_without_id": 2,
        "row_without_answer": 1,
        "answer_not_an_option": 1,
        "options_not_distinct": 1,
    }
    assert splits(studies) == {"s1": "train", "s2": "test"}
    assert [study.patient for study in studies] == ["p1", "p9"]
    first = studies[0]
    assert [(image.uri, image.view) for image in first.images] == [
        (f"{FILMS}/deid_png/p1/a.png", "PA"),
        (f"{FILMS}/deid_png/p1/..b.png", ""),
    ]
    assert first.questions[0] == Question(
        name="q1",
        kind="closed_vqa",
        text="Which is seen?",
        answers=("Fracture",),
        options=("Größe", "Fracture", "Neither"),
        reasoning="The seventh rib is broken.",
        topic="negation",
    )
    assert first.questions[1].topic == "presence"
    assert (first.questions[1].images, first.questions[1].answers) == ((0,), ("Größe",))
    write_json(tmp_path / "metadata" / "test_vqa_data.json", [])
    with pytest.raises(ChexoneError, match="is no JSON object by question"):
        read_questions("rexvqa", tmp_path, FILMS)
    with pytest.raises(ChexoneError, match=r"train_vqa_data\.json is missing or empty"):
        read_questions("rexvqa", tmp_path / "elsewhere", FILMS)


@pytest.mark.parametrize(
    ("told", "is_kept"),
    [
        ("The seventh rib is broken.", True),
        ("A fracture line crosses the rib. This is option no one would doubt.", True),
        ("The answer: a fracture (arrow).", True),
        ("The rib is broken, so option B is right.", False),
        ("The correct answer is (B).", False),
        ("Options A and C do not fit.", False),
        ("Choice: D fits.", False),
        ("The rib is broken (B).", False),
        ("B. The rib is broken.", False),
        ("The report describes a broken rib.", False),
        ("The findings section speaks of a rib.", False),
        ("Without access to the image, a fracture is likely.", False),
    ],
)
def test_rexvqa_explanations_that_no_film_gives(tmp_path: Path, told: str, is_kept: bool) -> None:
    row = rex_row(correct_answer_explanation=told)
    write_json(tmp_path / "metadata" / "train_vqa_data.json", {"q1": row})
    (study,), dropped = read_questions("rexvqa", tmp_path, FILMS)
    assert study.questions[0].reasoning == (told if is_kept else "")
    assert dropped == ({} if is_kept else {"explanation_not_from_film": 1})
