"""ReXVQA's letters out and in, where our rows have the options in another order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import PrepareConfig, ResultsImportConfig, RexvqaExportConfig, SourceConfig
from chexone_ray.data import manifest
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.tasks import samples
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.predictions import read_predictions
from chexone_ray.exchange import prediction_rows, results, rexvqa
from chexone_ray.exchange.rexvqa import letter, question_of, read_questions
from chexone_ray.records import Sample

OPTIONS = ["A. Left lung", "B. Right lung", "C. Both", "D. Neither"]
RIGHT = {"q1": "B", "q2": "C", "dir/q3": "A"}


def questions(tmp_path: Path, **changes: Any) -> str:
    uri = tmp_path / "archive" / "metadata" / "test_vqa_data.json"
    uri.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        name: {
            "question": f"Where, in {name}?",
            "options": OPTIONS,
            "correct_answer": right,
            "task_name": "location",
            "study_id": "s1",
            "PatientID": "p1",
            "ImagePath": ["../deid_png/p1/a.png"],
        }
        | changes
        for name, right in RIGHT.items()
    }
    uri.write_text(json.dumps(rows))
    return str(uri)


def asked(tmp_path: Path) -> list[Sample]:
    """The rows that `prepare` asks, through the adapter."""
    questions(tmp_path)
    source = SourceConfig(adapter="rexvqa", uri=str(tmp_path / "archive"), images_uri=str(tmp_path))
    found, _ = SOURCES["rexvqa"].read(source, True)
    config = PrepareConfig(output_uri="x", sources=(source,))
    return [row for item in found for row in samples(item.study, None, 3, config)]


def test_the_letters_are_those_of_the_data_set(tmp_path: Path) -> None:
    rows = asked(tmp_path)
    assert {question_of(row.id) for row in rows} == set(RIGHT)
    moved = [row.answer.strip("()") != RIGHT[question_of(row.id)] for row in rows]
    assert any(moved), "the options were shuffled, or this tests nothing"
    uri = str(tmp_path / "predictions")
    said = (prediction_rows.said(row, f"\\boxed{{{row.answer}}}", "reasoning") for row in rows)
    prediction_rows.write(uri, said, "test")
    out = str(tmp_path / "answers.json")
    config = RexvqaExportConfig(
        predictions_uri=uri, questions_uri=questions(tmp_path), output_uri=out
    )
    rexvqa.export(config)
    assert list(json.loads(Path(out).read_text()).items()) == list(RIGHT.items())
    manifest_uri = str(tmp_path / "manifest")
    manifest.write_samples(manifest_uri, rows, {"kind": "manifest"})
    more = dict.fromkeys(["q4"], "A")  # of the file, but no row of the manifest
    known = json.loads(Path(config.questions_uri).read_text())
    Path(config.questions_uri).write_text(json.dumps(known | {"q4": known["q1"]}))
    Path(out).write_text(json.dumps({"q1": "B", "q2": "D", "dir/q3": "", **more}, indent=2))
    back = str(tmp_path / "back")
    results.import_results(
        ResultsImportConfig(
            results_uri=out,
            output_uri=back,
            manifest_uri=manifest_uri,
            questions_uri=config.questions_uri,
        )
    )
    judged = read_predictions(back)["closed_vqa"]
    right = {
        question_of(sample.id): (status, answer == sample.answer.strip("()"))
        for sample, answer, status in zip(
            judged.samples, judged.answers, judged.statuses, strict=True
        )
    }
    assert right == {
        "q1": ("answered", True),
        "q2": ("answered", False),
        "dir/q3": ("failed", False),
    }


def test_an_answer_without_an_option_is_told(tmp_path: Path) -> None:
    rows = asked(tmp_path)
    uri = str(tmp_path / "predictions")
    said = (prediction_rows.said(row, "\\boxed{Perhaps.}", "reasoning") for row in rows[1:])
    prediction_rows.write(uri, said, "test")
    config = RexvqaExportConfig(
        predictions_uri=uri,
        questions_uri=questions(tmp_path),
        output_uri=str(tmp_path / "a.json"),
    )
    with pytest.raises(ChexoneError, match="3 of 3 questions have no option"):
        rexvqa.export(config)
    rexvqa.export(config.model_copy(update={"unanswered": "empty"}))
    assert json.loads(Path(config.output_uri).read_text()) == dict.fromkeys(RIGHT, "")
    fewer = tmp_path / "fewer.json"
    fewer.write_text(json.dumps({"q9": {"options": OPTIONS}}))
    with pytest.raises(ChexoneError, match="is of no question of"):
        rexvqa.export(config.model_copy(update={"questions_uri": str(fewer)}))


def test_letters_by_text() -> None:
    own = {"A": "Left lung", "B": "Right lung"}
    shown = ("(A) Right lung", "(B) Left lung")
    assert [letter(a, shown, own) for a in ("(A)", "B", "left lung", "A, B", "", "C")] == [
        "B", "A", "A", "", "", "",
    ]  # fmt: skip


def test_questions_need_different_options(tmp_path: Path) -> None:
    for options in (["A. x", "B. X"], ["A. x"], None, [str(n) for n in range(11)]):
        with pytest.raises(ChexoneError, match="has no question with different options"):
            read_questions(questions(tmp_path, options=options))
    uri = questions(tmp_path)
    rows = json.loads(Path(uri).read_text())
    rows["q2"]["options"] = ["A. x", "B. X"]
    Path(uri).write_text(json.dumps(rows))
    assert {name: len(options) for name, options in read_questions(uri).items()} == {
        "q1": 4, "q2": 0, "dir/q3": 4,
    }  # fmt: skip
