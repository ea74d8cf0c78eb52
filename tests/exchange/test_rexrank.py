"""ReXrank's files on a made-up board: in, answered, out, checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import storage
from chexone_ray.answering import failed_row
from chexone_ray.config import (
    EvaluateConfig,
    RexrankExportConfig,
    RexrankImportConfig,
    RexrankValidateConfig,
)
from chexone_ray.data.stream import read_samples
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.exchange import prediction_rows, rexrank
from chexone_ray.exchange.json_text import same
from chexone_ray.records import Sample

NAN = float("nan")


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """A study as the board writes it; all of it is made up."""
    return {
        "image_path": [f"../films/{number}_lat.png", f"../films/{number}_front.png"],
        "key_image_path": f"../films/{number}_front.png",
        "context": "Age: 50. Gender: F. Indication: Cough for a week. Comparison: None.",
        "frontal_lateral": ["lateral", "frontal"],
        "section_findings": f"The lungs are clear in study {number}.",
        "section_impression": "Nothing acute.",
        "report": "x",
        "split": "valid",
        "subject_id": number,
    } | changes


BOARD = {
    "z9": entry(3, race=NAN, ap_pa="PA"),
    "a1/2": entry(1),
    "größe": entry(1, section_impression=NAN, context=None, frontal_lateral="Frontal"),
}


def write(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def board_file(tmp_path: Path) -> str:
    return write(tmp_path / "board.json", BOARD)


def samples_of(tmp_path: Path, **changes: Any) -> list[Sample]:
    out = str(tmp_path / "manifest")
    config = RexrankImportConfig(board_uri=board_file(tmp_path), output_uri=out, **changes)
    assert rexrank.import_board(config) == out
    return read_samples(out, "test")


def predicted(tmp_path: Path, samples: list[Sample], say: Callable[[Sample], str]) -> str:
    uri = str(tmp_path / "predictions")
    rows = (prediction_rows.said(sample, say(sample), "reasoning") for sample in samples)
    prediction_rows.write(uri, rows, "test")
    return uri


def test_studies_become_questions(tmp_path: Path) -> None:
    first, second, third = samples_of(tmp_path)
    assert [s.study for s in (first, second, third)] == list(BOARD)
    assert [s.patient for s in (first, second, third)] == ["3", "1", "1"]
    assert [(i.uri, i.view) for i in first.images] == [
        (str(tmp_path / "films/3_front.png"), "frontal"),
        (str(tmp_path / "films/3_lat.png"), "lateral"),
    ], "the key image first, the leading ../ is a prefix"
    assert first.question == "Indication: Cough for a week. Write the findings with this in mind."
    assert third.question == "Write the findings of this film.", "no context"
    assert (first.kind, first.answer) == ("findings", "The lungs are clear in study 3.")
    assert [i.view for i in third.images] == ["", "frontal"], (
        "one view for all paths is the first's"
    )


def test_the_track_of_both_and_its_settings(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "films").mkdir(parents=True)
    (root / "films" / "3_front.png").write_bytes(b"")
    first, _, third = samples_of(
        tmp_path, track="both", context=False, max_views=1, images_uri=str(root)
    )
    assert first.answer == "Findings: The lungs are clear in study 3. Impression: Nothing acute."
    assert third.answer == "Findings: The lungs are clear in study 1.", "NaN is no section"
    assert first.images[0].uri == f"{root}/films/3_front.png" and len(first.images) == 1
    assert (first.kind, "Indication" in first.question) == ("report", False)


def test_round_trip_changes_nothing_but_the_prediction(tmp_path: Path) -> None:
    samples = samples_of(tmp_path, track="both")
    text = "It is clear. \\boxed{FINDINGS: Clear.\nIMPRESSION: Normal film.}"
    uri = predicted(tmp_path, samples, lambda sample: text)
    out = str(tmp_path / "out.json")
    board_uri = board_file(tmp_path)
    rexrank.export(
        RexrankExportConfig(predictions_uri=uri, board_uri=board_uri, output_uri=out, track="both")
    )
    written = json.loads(Path(out).read_text())
    assert list(written) == list(BOARD)
    for key, study in written.items():
        assert study.pop("model_prediction") == "Findings: Clear. Impression: Normal film."
        assert same(study, BOARD[key]), "NaN and the order of fields are kept"
    rexrank.validate_files(RexrankValidateConfig(board_uri=board_uri, submission_uri=out))
    again = str(tmp_path / "again")
    rexrank.import_board(
        RexrankImportConfig(board_uri=out, output_uri=again, track="both", what="predictions")
    )
    evaluation = str(tmp_path / "evaluation")
    evaluate(
        EvaluateConfig(
            output_uri=evaluation, predictions_uri={"theirs": again}, baselines=False, bootstrap=10
        )
    )
    figures = json.loads(Path(evaluation, "table.json").read_text())
    assert {figure["kind"] for figure in figures} == {"report"}
    assert {(f["num_rows"], f["num_patients"], f["num_failed"]) for f in figures} == {(3, 2, 0)}


def test_the_findings_track_submits_findings_alone(tmp_path: Path) -> None:
    uri = predicted(
        tmp_path, samples_of(tmp_path), lambda s: "\\boxed{Findings: Clear. Impression: Normal.}"
    )
    config = RexrankExportConfig(
        predictions_uri=uri, board_uri=board_file(tmp_path), output_uri=str(tmp_path / "o.json")
    )
    rexrank.export(config)
    written = json.loads(Path(config.output_uri).read_text())
    assert {s["model_prediction"] for s in written.values()} == {"Findings: Clear."}
    with pytest.raises(ChexoneError, match=r"kind 'findings', track both needs 'report'"):
        rexrank.export(config.model_copy(update={"track": "both"}))


def test_an_unparsed_or_missing_prediction_names_the_study(tmp_path: Path) -> None:
    samples = samples_of(tmp_path)
    uri = predicted(
        tmp_path, samples, lambda s: "no box" if s.study == "a1/2" else "\\boxed{Clear.}"
    )
    config = RexrankExportConfig(
        predictions_uri=uri, board_uri=board_file(tmp_path), output_uri=str(tmp_path / "o.json")
    )
    with pytest.raises(ChexoneError, match="1 of 3 studies have a text without an answer, the"):
        rexrank.export(config)
    rexrank.export(config.model_copy(update={"unparsed": "text"}))
    written = json.loads(Path(config.output_uri).read_text())
    assert written["a1/2"]["model_prediction"] == "Findings: no box"
    assert not (tmp_path / "o.missing.json").exists(), "no text was stood for"
    larger = write(tmp_path / "larger.json", BOARD | {"new": entry(7)})
    told = config.model_copy(update={"unparsed": "text", "board_uri": larger})
    with pytest.raises(ChexoneError, match="1 of 4 studies have no prediction, the first is new"):
        rexrank.export(told)
    smaller = write(tmp_path / "smaller.json", {"z9": BOARD["z9"]})
    with pytest.raises(ChexoneError, match="a1/2 is not a study of"):
        rexrank.export(told.model_copy(update={"board_uri": smaller}))


def test_a_text_stands_for_what_failed_was_refused_or_is_of_the_other_track(
    tmp_path: Path,
) -> None:
    samples = {sample.study: sample for sample in samples_of(tmp_path)}
    whole = [prediction_rows.said(sample, "Clear.", "instruct") for sample in samples.values()]
    config = RexrankExportConfig(
        predictions_uri="p", board_uri=board_file(tmp_path), output_uri=str(tmp_path / "o.json")
    )
    cases = {
        "failed": failed_row(samples["a1/2"], "image: not readable"),
        "were declined by the model": prediction_rows.said(
            samples["a1/2"], "I cannot describe this image.", "instruct"
        ),
        "have a text without an answer": prediction_rows.said(
            samples["a1/2"], "The lungs", "reasoning"
        ),
        "have nothing on this track": prediction_rows.said(
            samples["a1/2"], "IMPRESSION: No acute disease.", "instruct"
        ),
    }
    for number, (cause, row) in enumerate(cases.items()):
        uri = str(tmp_path / f"p{number}")
        prediction_rows.write(uri, [w if w["study"] != "a1/2" else row for w in whole], "x")
        asked = config.model_copy(update={"predictions_uri": uri})
        with pytest.raises(ChexoneError, match=f"1 of 3 studies {cause}, the first is a1/2.*miss"):
            rexrank.export(asked)
        rexrank.export(asked.model_copy(update={"missing": "No report."}))
        written = json.loads(Path(config.output_uri).read_text())
        assert written["a1/2"]["model_prediction"] == "Findings: No report."
        assert json.loads((tmp_path / "o.missing.json").read_text()) == {cause: ["a1/2"]}
    with pytest.raises(ChexoneError, match="missing='Impression: x' is no text on track findings"):
        rexrank.export(config.model_copy(update={"missing": "Impression: x"}))


def edited(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    whole = {key: {**study, "model_prediction": "Findings: x"} for key, study in BOARD.items()}
    return change(whole) or whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("a1/2") and None, "a1/2 is missing"),
        (lambda s: s.update(more=entry(5)), "more is not a study of the board"),
        (lambda s: s["z9"].update(model_prediction=" "), "z9 has no text in model_prediction"),
        (lambda s: s["z9"].update(model_prediction="Findings: Impression: "), "z9 has headers"),
        (lambda s: s["z9"].update(split="test"), "z9: split is changed"),
        (lambda s: s["z9"].pop("race") and None, "z9: race is changed"),
        (lambda s: s["z9"].update(race=None), "z9: race is changed"),
        (lambda s: {**s, "z9": dict(reversed(s["z9"].items()))}, "z9: its fields are in another"),
        (lambda s: dict(reversed(s.items())), "größe is not at the board's place"),
    ],
)
def test_what_a_submission_may_not_do(change: Any, message: str) -> None:
    rexrank.validate(BOARD, edited(lambda s: None), "out.json")
    with pytest.raises(ChexoneError, match=message):
        rexrank.validate(BOARD, edited(change), "out.json")


def test_files_that_are_no_board(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    for text, message in (
        ("[1]", "no JSON object of studies"),
        ("{}", "no JSON object of studies"),
        ("{", "is no JSON"),
        ('{"k": {"image_path": ["a"]}, "k": {"image_path": ["b"]}}', "k is there twice"),
        ('{"k": 3}', "k is no object"),
        ('{"k": {"image_path": "a"}}', "k has no list of image_path"),
        ('{"k": {"image_path": []}}', "k has an empty image_path"),
    ):
        path.write_text(text)
        with pytest.raises(ChexoneError, match=message):
            rexrank.read_board(str(path))
    path.write_text(json.dumps(BOARD))
    config = RexrankImportConfig(
        board_uri=str(path), output_uri=str(tmp_path / "o"), what="predictions"
    )
    with pytest.raises(
        ChexoneError, match=f"{len(BOARD)} of {len(BOARD)} studies have no model_prediction"
    ):
        rexrank.import_board(config)
    assert not storage.exists(config.output_uri)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("Clear lungs.", ("Clear lungs.", "")),
        ("Findings: A. Impression: B.", ("A.", "B.")),
        ("**Findings:** A.\n\n**Impression:** B.", ("A.", "B.")),
        ("Impression: B.", ("", "B.")),
        ("A effusion IMPRESSION: B", ("A effusion", "B")),
        ("No other findings: none.", ("No other findings: none.", "")),
        ("findings: A. Impression: B. Findings: C.", ("A. C.", "B.")),
    ],
)
def test_sections(report: str, expected: tuple[str, str]) -> None:
    assert rexrank.sections(report) == expected


def test_context_is_cut_at_its_tags() -> None:
    told = "Age:50-60.\nGender: M. Indication: Pain; sex: n/a Comparison: "
    assert rexrank.context_of({"context": told}) == {
        "age": "50-60", "gender": "M", "indication": "Pain", "sex": "n/a",
    }  # fmt: skip
    assert rexrank.context_of({"context": NAN}) == {}


def test_missing_films_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ChexoneError, match="holds none of the 4 films of"):
        samples_of(tmp_path, images_uri=str(tmp_path / "nowhere"))
    assert not (tmp_path / "manifest").exists()
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "1_lat.png").write_bytes(b"")
    with caplog.at_level("WARNING", "chexone_ray"):
        samples_of(tmp_path, images_uri=str(tmp_path))
    assert f"3 of 4 films are not under {tmp_path}" in caplog.text


def test_an_export_overwrites_an_earlier_one_alone(tmp_path: Path) -> None:
    uri = predicted(tmp_path, samples_of(tmp_path), lambda s: "\\boxed{Findings: Clear.}")
    board_uri, out = board_file(tmp_path), tmp_path / "o.json"
    config = RexrankExportConfig(predictions_uri=uri, board_uri=board_uri, output_uri=str(out))
    rexrank.export(config)
    first = out.read_bytes()
    out.write_bytes(first.replace(b"Clear.", b"Dense."))
    rexrank.export(config)
    assert out.read_bytes() == first
    for text in ("notes", json.dumps(BOARD), "{}"):
        out.write_text(text)
        with pytest.raises(ChexoneError, match="something that is no submission to this board"):
            rexrank.export(config)
        assert out.read_text() == text
    with pytest.raises(ChexoneError, match="is the board's own file"):
        rexrank.export(config.model_copy(update={"output_uri": f"file://{board_uri}"}))
    assert json.loads(Path(board_uri).read_text()).keys() == BOARD.keys()
