"""What became of a row: answered, unparsed, refused or failed."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest

from chexone_ray import storage
from chexone_ray.answering import failed_row
from chexone_ray.answers import parse
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.predictions import read_predictions, status_of
from chexone_ray.evaluation.refusals import refused
from chexone_ray.evaluation.same_rows import digests_of
from chexone_ray.exchange import prediction_rows
from chexone_ray.metrics.factuality import stated_text
from chexone_ray.parts import to_parquet
from chexone_ray.predict import result_schema
from chexone_ray.records import ImageRef, Sample
from tests.evaluation import refusal_texts


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't provide a diagnosis from this image.",
        "I\u2019m unable to interpret medical images.",
        "I am not able to analyze X-rays.",
        "I cannot answer this question.",
        "As an AI language model, I would advise to see a radiologist.",
        "Unable to provide a diagnosis without clinical context.",
        "I do not have access to the image that you mention.",
        "I cannot view the attached images.",
        "Sorry, I cannot\nassist with that.",
    ],
)
def test_refusals(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot exclude a small left effusion.",
        "A pneumothorax cannot be excluded.",
        "Unable to assess the left base due to overlying devices.",
        "The costophrenic angle cannot be seen.",
        "No acute cardiopulmonary process.",
        "I see a nodule, and I will provide the location: upper left.",
    ],
)
def test_answers_that_hedge_are_none(text: str) -> None:
    assert not refused(text)


OPTIONS = ("(A) mass", "(B) edema")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "findings",
            "FINDINGS: The heart is normal. Small left effusion.\n\n"
            "Disclaimer: I am an AI and cannot provide medical advice.",
        ),
        (
            "findings",
            "**Disclaimer:** I am an AI assistant and not a medical professional.\n\n"
            "**Findings:** There is a right pneumothorax.",
        ),
        ("choice", "The most likely answer is **(B) edema**.\n\nDisclaimer: I am an AI chatbot."),
        ("choice", "I cannot provide a diagnosis, but the answer is (B)."),
        ("findings", "The lungs are clear. I cannot determine the cause of the opacity."),
        ("findings", "The lungs are clear and I cannot determine the cause of the opacity."),
        ("findings", "I cannot provide a diagnosis. The chest is normal."),
        ("findings", "I'm sorry, but I can't diagnose. However, there is a left effusion."),
        (
            "impression",
            "Chest X-ray shows cardiomegaly.\n\n"
            "*Please note: I'm just an AI and this should be reviewed by a radiologist.*",
        ),
        ("presence", "I am an AI and cannot diagnose. Yes, there is an effusion."),
        *(
            ("grounding", f"I cannot provide a diagnosis. {said}")
            for said in ("No nodule detected.", "There is no nodule.", "No nodule seen.", "None.")
        ),
        (
            "grounding",
            "I cannot view images directly. <|ref|>nodule<|/ref|><|box|>(1,2),(30,40)<|/box|>",
        ),
        ("open_vqa", "As an AI, I see an effusion."),
        ("open_vqa", "I cannot provide medical advice. The tube ends above the carina."),
        ("open_vqa", "The heart is enlarged; please consult your doctor."),
    ],
)
def test_an_answer_with_a_disclaimer_is_an_answer(kind: str, text: str) -> None:
    assert not refused(text, kind, OPTIONS if kind == "choice" else ())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("findings", "I'm sorry, but I can't help with that. Please consult a radiologist."),
        ("findings", "I can't assist with this X-ray. A trained physician has to look at it."),
        ("impression", "I am just an AI language model. I cannot provide a diagnosis."),
        ("grounding", "I cannot provide a box. Interpreting films needs training."),
        ("grounding", "Sorry, I cannot help with that. No diagnosis is given."),
        ("presence", "I'm unable to determine whether there is a pleural effusion."),
        ("choice", "I cannot determine whether (A) or (B) is right."),
        ("open_vqa", "Unfortunately, I cannot analyze medical images. Could you describe it?"),
        ("closed_vqa", "As an AI, I am not able to interpret films. Please seek medical advice."),
    ],
)
def test_refusals_that_name_what_was_asked(kind: str, text: str) -> None:
    assert refused(text, kind, OPTIONS if kind == "choice" else ())


@pytest.mark.parametrize(
    "text",
    [
        *(mark * 20_000 for mark in (" ", "\n", ",", "(", ".")),
        *(f"{lead}{gap * 10_000}x" for lead in ("a", "I cannot") for gap in ("  ", "\n\n", " \n")),
        *(word * 1500 for word in ("consult ", "see a, ", "I cannot ", "but ", "is there ")),
    ],
)
def test_no_text_makes_it_slow(text: str) -> None:
    start = time.process_time()
    refused(text, "grounding")
    refused(text, "choice", OPTIONS)
    stated_text(text)
    assert time.process_time() - start < 1.0


KEYED = {
    **{"choice": OPTIONS, "closed_vqa": ("(A) yes", "(B) no")},
    **{"side": ("(A) left", "(B) right"), "view": ("(A) PA", "(B) AP")},
}
NOT_READ = "I cannot see the film well enough; likely PA."
"""No option is read out of "likely PA" either."""


@pytest.mark.parametrize("name", ["FIRST", "LATER", "LAST"])
def test_refusals_and_answers_that_come_near(name: str) -> None:
    for said, expected in ((f"{name}_REFUSALS", True), (f"{name}_NEAR", False)):
        lines = [line.split("|", 1) for line in getattr(refusal_texts, said).split("\n") if line]
        found = {t: refused(t, kind, KEYED.get(kind, ())) for kind, t in lines}
        assert len(found) >= 25
        assert {t for t, told in found.items() if told != expected} <= {NOT_READ}


def test_the_figures_of_the_page_are_those_of_texts_that_no_rule_was_mended_on() -> None:
    right = []
    for said in (refusal_texts.MEASURED_REFUSALS, refusal_texts.MEASURED_NEAR):
        lines = [line.split("|", 1) for line in said.split("\n") if line]
        right.append(sum(refused(text, kind, KEYED.get(kind, ())) for kind, text in lines))
        assert len(lines) == 30
    assert right == [23, 0]


def test_an_option_or_class_in_words_of_a_refusal_is_an_answer() -> None:
    single = ("(A) Present", "(B) Absent", "(C) Cannot determine from a single view")
    assert not refused("Cannot determine from a single view.", "closed_vqa", single)
    assert not refused("(C) Cannot determine from a single view", "closed_vqa", single)
    assert not refused("I can not determine this. The answer is A.", "closed_vqa", single)
    assert refused("I cannot determine this.", "closed_vqa", single)
    plain = ("unable to determine", "left")
    assert not refused("Unable to determine", "side", plain)
    assert not refused("I cannot provide a diagnosis: yes", "presence")
    assert refused("I cannot answer, as there is no image.", "presence")
    assert status("I cannot read X-rays.") == status("I cannot read X-rays.", "instruct")


def status(text: str, mode: str = "reasoning", finish: str = "stop", error: str = "") -> str:
    answer = parse(text, mode).answer  # type: ignore[arg-type]
    return status_of(
        {
            "text": text,
            "mode": mode,
            "predicted_answer": answer,
            "finish_reason": finish,
            "error": error,
        }
    )


def test_status() -> None:
    declined = "I cannot provide a diagnosis."
    assert status("\\boxed{yes}") == "answered"
    assert status("The heart is large.") == "unparsed"
    assert status(declined) == "refused"
    assert status(declined, finish="length") == "unparsed", "cut off before its answer"
    assert status("", error="engine: dead") == "failed"
    # A box is an answer, whatever was said before it; a whole text that declines is none.
    assert status(f"{declined} If I had to: \\boxed{{yes}}") == "answered"
    assert status(declined, "instruct") == "refused"
    assert status("The heart is large.", "instruct") == "answered"
    assert status(f"The heart is large. {declined}", "instruct") == "answered"


def test_status_asks_the_kind_of_the_row() -> None:
    row = {"mode": "instruct", "finish_reason": "stop", "error": ""}
    row["text"] = row["predicted_answer"] = "I cannot diagnose this. I believe that it is unclear."
    assert status_of(row | {"kind": "open_vqa"}) == "answered"
    assert status_of(row | {"kind": "findings"}) == "refused"
    assert status_of(row | {"kind": "choice", "options": list(OPTIONS)}) == "refused"


def test_what_an_adapter_read_out_of_a_text_is_what_may_refuse() -> None:
    row = {"mode": "reasoning", "finish_reason": "stop", "error": ""}
    doubt = "<think>I cannot determine the side.</think><answer>{}</answer>"
    right = row | {"text": doubt.format("left"), "predicted_answer": "left"}
    assert status_of(right) == "answered"
    declined = "I cannot provide a diagnosis."
    wrong = row | {"text": doubt.format(declined), "predicted_answer": declined}
    assert status_of(wrong) == "refused"


SAMPLE = Sample("r", "d", "t", "presence", "test", "p", "s", (ImageRef("x"),), "Is it?", "yes")


def test_one_completion_twice_is_refused(tmp_path: Path) -> None:
    rows = [failed_row(SAMPLE, "engine: x", number) for number in (0, 1, 0)]
    table = pa.Table.from_pylist(rows, result_schema())
    storage.write_bytes(str(tmp_path / "part-00000.parquet"), to_parquet(table))
    storage.commit(str(tmp_path), {})
    with pytest.raises(ChexoneError, match="completion 0 of row r is there twice"):
        read_predictions(str(tmp_path))


@pytest.mark.parametrize("column", ["finish_reason", "dataset"])
def test_a_column_that_is_not_there_is_named(tmp_path: Path, column: str) -> None:
    table = pa.Table.from_pylist([failed_row(SAMPLE, "engine: x")], result_schema())
    part = to_parquet(table.drop_columns([column]))
    storage.write_bytes(str(tmp_path / "part-00000.parquet"), part)
    storage.commit(str(tmp_path), {})
    with pytest.raises(ChexoneError, match=f"has no column {column}: give the output_uri of"):
        read_predictions(str(tmp_path))


def test_what_is_no_finished_prediction_is_told_apart(tmp_path: Path) -> None:
    uri = str(tmp_path / "a")

    def refused(told: str) -> None:
        with pytest.raises(ChexoneError, match=f"predictions {uri}:? {told}"):
            read_predictions(uri)

    refused("the folder does not exist: give the output_uri of `chexone predict`")
    Path(uri).mkdir()
    refused("the folder is empty")
    storage.write_bytes(f"{uri}/setting/part-00000.parquet", b"")
    refused("the folder holds no predictions")
    storage.write_bytes(f"{uri}/part-00000.parquet", b"")
    refused("are not complete: run `chexone predict` again")


def test_a_folder_of_no_predictions_is_told_in_a_line(tmp_path: Path) -> None:
    rows, empty = str(tmp_path / "rows"), str(tmp_path / "empty")
    manifest.write_samples(rows, [SAMPLE], {"seed": 0})
    prediction_rows.write(str(tmp_path / "said"), [failed_row(SAMPLE, "x")], "test")
    with pytest.raises(ChexoneError, match="said holds predictions, not a manifest: give the"):
        manifest.load(str(tmp_path / "said"))
    storage.write_bytes(storage.join(empty, "part-00000.parquet"), b"")
    storage.commit(empty, {})
    for read in (read_predictions, digests_of):
        with pytest.raises(ChexoneError, match="has no column completion: give the output_uri of"):
            read(rows)
        with pytest.raises(ChexoneError, match=r"part-00000\.parquet is no Parquet file: delete"):
            read(empty)
        storage.commit(str(tmp_path / "figures"), {})
        with pytest.raises(ChexoneError, match="holds no predictions"):
            read(str(tmp_path / "figures"))


@pytest.mark.parametrize("told", [{"parts": 2, "rows": 1}, {"parts": 1, "rows": 2}])
def test_a_part_that_is_not_there_is_refused(tmp_path: Path, told: dict[str, int]) -> None:
    table = pa.Table.from_pylist([failed_row(SAMPLE, "engine: x")], result_schema())
    storage.write_bytes(str(tmp_path / "part-00000.parquet"), to_parquet(table))
    storage.commit(str(tmp_path), told)
    for read in (read_predictions, digests_of):
        with pytest.raises(ChexoneError, match=r"1 (parts|rows) are there, 2 were committed: copy"):
            read(str(tmp_path))
