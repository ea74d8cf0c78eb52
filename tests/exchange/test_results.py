"""Results of the original's scripts, in both of their shapes; all records are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import EvaluateConfig, ResultsImportConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import unread
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.evaluation.predictions import read_predictions, read_rows
from chexone_ray.evaluation.same_rows import digests_of, unlike
from chexone_ray.exchange import prediction_rows
from chexone_ray.exchange.records import kind_of, options_of
from chexone_ray.exchange.results import import_results
from chexone_ray.figures.answered import choose
from chexone_ray.figures.runs import find
from chexone_ray.prompts import ORIGINAL_SUFFIX
from chexone_ray.records import ImageRef, Sample

CHOICE = "<image>Which is it? Options:\n(q) Edema\n(c) Rib fracture"
BOX = "<|ref|>nodule<|/ref|><|box|>(10,20),(30,40)<|/box|>"


def swift(question: str, labels: str, response: str, **more: Any) -> dict[str, Any]:
    """A line of ms-swift: the generated turn is in the messages."""
    return {
        "response": response,
        "labels": labels,
        "logprobs": None,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": f"{question} {ORIGINAL_SUFFIX}"},
            {"role": "assistant", "content": response},
        ],
        "images": [{"bytes": None, "path": "mimic/p10/p10000001/s1/a.jpg"}],
    } | more


def imported(tmp_path: Path, text: str, **changes: Any) -> str:
    file = tmp_path / "results.json"
    file.write_text(text)
    out = str(tmp_path / "predictions")
    import_results(ResultsImportConfig(results_uri=str(file), output_uri=out, **changes))
    return out


def lines(*records: dict[str, Any]) -> str:
    return "\n".join(json.dumps(record) for record in records) + "\n"


def test_json_lines_named_json(tmp_path: Path) -> None:
    text = lines(
        swift(
            CHOICE,
            "q",
            "I see. \\boxed{q}",
            unique_id="[Image Classification] [CheXpert] [patient7/s1]",
        ),
        swift("Locate it.", BOX, f"\\boxed{{{BOX}}}", task_name="Abnormality Grounding"),
        swift(
            "Write.", "Clear.", "I was cut off", unique_id="[MIMIC-CXR] [Findings Generation] [s5]"
        ),
    )
    out = imported(tmp_path, text)
    choice, box, report = read_rows(out)
    assert (choice["kind"], choice["options"]) == (
        "closed_vqa",
        ["(q) Edema", "(c) Rib fracture"],
    )
    assert choice["question"] == "Which is it? Options:\n(q) Edema\n(c) Rib fracture"
    assert (choice["dataset"], choice["study"], choice["patient"]) == (
        "CheXpert", "patient7/s1", "p10000001",
    )  # fmt: skip
    assert (choice["predicted_reasoning"], choice["predicted_answer"]) == ("I see.", "q")
    assert box["boxes"][0]["label"] == "nodule"
    assert box["boxes"][0]["xyxy"] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert (report["kind"], report["dataset"], report["parsed"]) == ("findings", "MIMIC-CXR", False)
    assert report["reference"] == "Clear." and report["mode"] == "reasoning"
    evaluation = str(tmp_path / "evaluation")
    evaluate(
        EvaluateConfig(
            output_uri=evaluation, predictions_uri={"x": out}, baselines=False, bootstrap=10
        )
    )
    values = {
        (f["kind"], f["metric"]): f["value"]
        for f in json.loads(Path(evaluation, "table.json").read_text())
    }
    assert values["closed_vqa", "accuracy"] == 1.0
    assert values["grounding", "mean IoU (matched)"] == pytest.approx(1.0)
    assert values["findings", "ROUGE-L (no stemming)"] == 0.0, "cut off counts as wrong"


def test_an_array_with_failures_and_the_gold_turn(tmp_path: Path) -> None:
    record = {
        "unique_id": "x",
        "task_name": "Open-Ended VQA",
        "image_path": "a/patient00012/study1/v.jpg",
        "messages": [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "a pacemaker"}],
    }
    text = json.dumps(
        [
            {**record, "response": "a pacemaker"} | {"solution": "a pacemaker"},
            {**record, "response": "<think>So.</think><answer>a clip</answer>"},
            {**record, "response": "ERROR: CUDA out of memory"},
            {**record, "response": None},
        ],
        indent=1,
    )
    out = imported(tmp_path, text, mode="instruct", rules="tags")
    judged = read_predictions(out)["open_vqa"]
    assert judged.answers == ("a pacemaker", "a clip", None, None)
    assert judged.statuses == ("answered", "answered", "failed", "failed")
    assert [sample.id for sample in judged.samples] == ["x", "x (2)", "x (3)", "x (4)"]
    assert {(s.patient, s.answer) for s in judged.samples} == {("patient00012", "a pacemaker")}


def test_repeats_are_completions_of_one_question(tmp_path: Path) -> None:
    records = [
        swift(CHOICE, "c", f"\\boxed{{{said}}}", unique_id=f"n1 [repeat{i}]")
        for i, said in enumerate("ccq")
    ]
    rows = read_rows(imported(tmp_path, lines(*records)))
    assert [(row["id"], row["completion"], row["predicted_answer"]) for row in rows] == [
        ("n1", 0, "c"), ("n1", 1, "c"), ("n1", 2, "q"),
    ]  # fmt: skip


def test_a_repeat_that_failed_is_no_further_row(tmp_path: Path) -> None:
    said = ["\\boxed{c}", "ERROR: oom", "", "\\boxed{q}"]
    records = [swift(CHOICE, "c", text, unique_id=f"n1 [repeat{i}]") for i, text in enumerate(said)]
    out = imported(tmp_path, lines(*records))
    judged = read_predictions(out)["closed_vqa"]
    assert judged.answers == ("c",)
    assert judged.completions == (("c", None, None, "q"),)


def test_a_repeat_twice_and_one_without_its_first_are_refused(tmp_path: Path) -> None:
    def repeat(number: int) -> dict[str, Any]:
        return swift(CHOICE, "c", "\\boxed{c}", unique_id=f"n1 [repeat{number}]")

    with pytest.raises(ChexoneError, match="repeat 1 of n1 is there twice"):
        imported(tmp_path, lines(repeat(0), repeat(1), repeat(1)))
    with pytest.raises(ChexoneError, match=r"row n1 has no first answer \(\[repeat0\]\)"):
        imported(tmp_path, lines(repeat(1)))
    assert not list((tmp_path / "predictions").rglob("*.parquet"))


def test_rows_of_a_manifest_are_answered_and_what_is_missing_fails(tmp_path: Path) -> None:
    rows = [
        Sample(
            id=name,
            dataset="d",
            task="Close-Ended VQA",
            kind="presence",
            split="test",
            patient="p",
            study="s",
            images=(ImageRef("a"),),
            question="?",
            answer="yes",
        )
        for name in ("a", "b")
    ]
    manifest_uri = str(tmp_path / "manifest")
    manifest.write_samples(manifest_uri, rows, {"kind": "manifest"})
    text = lines({"id": "b", "response": "\\boxed{no}"})
    out = imported(tmp_path, text, manifest_uri=manifest_uri, mode="instruct")
    judged = read_predictions(out)["presence"]
    assert judged.statuses == ("failed", "answered") and judged.answers == (None, "no")
    assert {row["mode"] for row in read_rows(out)} == {"instruct"}
    assert judged.reading["mode"] == "instruct"
    for record, message in (
        ([{"id": "c", "response": "x"}], "c is no row of"),
        ([{"id": "b", "response": "x"}] * 2, "b is there twice"),
    ):
        with pytest.raises(ChexoneError, match=message):
            file = tmp_path / "more.json"
            file.write_text(json.dumps(record))
            import_results(
                ResultsImportConfig(
                    results_uri=str(file),
                    output_uri=str(tmp_path / message[0]),
                    manifest_uri=manifest_uri,
                )
            )

    part = str(tmp_path / "part")
    prediction_rows.write(part, [prediction_rows.answered(rows[1], "yes", "yes")], "test")
    (tmp_path / "all.jsonl").write_text(lines(*({"id": i, "response": "no"} for i in "ab")))
    theirs = ResultsImportConfig(
        results_uri=str(tmp_path / "all.jsonl"),
        output_uri=str(tmp_path / "theirs"),
        rows_of_uri=part,
        mode="instruct",
    )
    found = import_results(theirs)
    assert [(row["id"], row["predicted_answer"]) for row in read_rows(found)] == [("b", "no")]
    assert not unlike(digests_of(part), digests_of(found), ("ours", "theirs"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"response": "x"}\n{', "line 2 is no JSON"),
        ("[1, 2]", "entries that are no objects"),
        ("[]", "holds no answer"),
        ('{"a": "B"}', "needs manifest_uri and questions_uri"),
        (lines({"response": "x"}), "record 1 has no user turn"),
        (
            lines({"response": "x", "messages": [{"role": "user", "content": "?"}]}),
            "record 1 has no labels, solution, correct_answer or",
        ),
        (lines(swift(CHOICE, "\\boxed{c", "x")), "record 1: no answer could be read"),
        (lines(swift("What?", "x", "x", task_name="Poetry")), "task_name 'Poetry' is not known"),
        (lines(swift("What?", "x", "x")), "no task_name tells the kind: give kind"),
        (lines(swift(CHOICE, "c", 3)), "record 1: response is no text"),  # type: ignore[arg-type]
        (lines({"id": "a", "answer": "yes"}), "no record has a `response`"),
    ],
)
def test_files_that_are_no_results(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ChexoneError, match=message):
        imported(tmp_path, text)
    assert not [file for file in (tmp_path / "predictions").rglob("*") if file.is_file()]


def test_settings_without_effect_are_refused() -> None:
    with pytest.raises(ValueError, match="split has no effect"):
        ResultsImportConfig(results_uri="a", output_uri="b", split="train")
    with pytest.raises(ValueError, match="kind has no effect"):
        ResultsImportConfig(results_uri="a", output_uri="b", manifest_uri="m", kind="choice")
    with pytest.raises(ValueError, match="rows_of and manifest_uri both give rows"):
        ResultsImportConfig(results_uri="a", output_uri="b", manifest_uri="m", rows_of_uri="p")


def test_kinds_of_tasks_and_options() -> None:
    assert kind_of("Phrase_Grounding", "x", ()) == "phrase_grounding"
    assert kind_of("Image Classification", "A , C", ("(A) a", "(C) c")) == "multi_choice"
    lesions = ("(A) 3 cm, left", "(B) Pneumonia, bilateral", "(C) Edema")
    for one in ("(B) Pneumonia, bilateral", "A. 3 cm, left", "3 cm, left", "B", "B. 3 cm, left"):
        assert kind_of("Image Classification", one, lesions) == "closed_vqa"
    for two in ("(A) 3 cm, left\n(C) Edema", "B and C", "(B), (C)", "A/C"):
        assert kind_of("Image Classification", two, lesions) == "multi_choice"
    assert kind_of("Disease Classification", "Edema", ()) == "choice"
    assert options_of("Which? Options:\nA. one\nB. two two") == ("(A) one", "(B) two two")
    assert options_of("Which of the choices: p. 4 shows it?") == ()
    assert options_of("Which? A. one") == options_of("Sum up.\n1. Clear.\n2. Normal.") == ()


@pytest.mark.parametrize(
    "question",
    [
        "Which?\n(A) PA view\n(B) AP, 3 cm",  # as `prepare` writes it
        "Treatment options: none.\nWhich?\nA) PA view\nB) AP, 3 cm",
        "Which? Options: (A) PA view, (B) AP, 3 cm",
        "Which? Choices: A. PA view B. AP, 3 cm",
        "Options:\n(A) PA view\n(B) AP, 3 cm\nAnswer with the letter.",
    ],
)
def test_options_are_found_where_prompts_show_them(question: str) -> None:
    assert options_of(question) == ("(A) PA view", "(B) AP, 3 cm")


@pytest.mark.parametrize(
    "options", [["PA", "AP"], ["A. PA", "B. AP"], ["(A) PA", "(B) AP"], {"A": "PA", "B": "AP"}]
)
def test_options_of_a_field_of_the_record(tmp_path: Path, options: Any) -> None:
    record = {"question": "Which?", "options": options, "correct_answer": "B", "response": "B"}
    (row,) = read_rows(imported(tmp_path, lines(record), mode="instruct"))
    assert (row["options"], row["kind"]) == (["(A) PA", "(B) AP"], "closed_vqa")


def test_more_options_than_letters_are_refused(tmp_path: Path) -> None:
    record = {"question": "Which?", "options": [*map(str, range(27))], "correct_answer": "B"}
    with pytest.raises(ChexoneError, match="record 1 has 27 options, more than there are letters"):
        imported(tmp_path, lines(record | {"response": "B"}))


@pytest.mark.parametrize(
    "told",
    [
        "\\boxed{c}",
        "I see. \\boxed{c}",
        "<think>So.</think>c",
        "<think>q</think><answer>c</answer>",
    ],
)
def test_a_right_answer_is_read_out_of_its_box_or_tags(tmp_path: Path, told: str) -> None:
    (row,) = read_rows(imported(tmp_path, lines(swift(CHOICE, told, "\\boxed{c}"))))
    assert row["answer"] == "c"


def test_closed_questions_without_options_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    open_, closed = swift("Which side?", "left", "x"), swift("Is it?", "yes", "x")
    imported(tmp_path, lines(open_, closed, swift(CHOICE, "c", "x")), kind="closed_vqa")
    assert "1 of 3 closed questions show no options" in caplog.text


def test_an_import_leaves_what_figures_read(tmp_path: Path) -> None:
    said = ("\\boxed{c}", "ERROR: oom", "no box")
    records = [
        swift(CHOICE, "c", text, unique_id=f"n{i} [repeat{j}]")
        for i in range(2)
        for j, text in enumerate(said)
    ]
    out = imported(tmp_path, lines(*records), rules="tags")
    summary = json.loads(Path(out, "predictions.json").read_text())
    told = {name: summary[name] for name in ("mode", "parser", "samples", "rows", "failed")}
    assert told == {"mode": "reasoning", "parser": "tags", "samples": 2, "rows": 6, "failed": 2}
    assert summary["kinds"] == {"closed_vqa": {"rows": 6, "unparsed": 2}}
    (run,) = find([out]).items
    assert (run.sort, run.settings()["rules"]) == ("predictions", "tags")
    asked, _ = choose(find([out]), 2)
    assert len(asked) == 2


def test_an_import_in_the_wrong_mode_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    said = ("\\boxed{c}", "c", "c", "", None)
    records = [swift(CHOICE, "c", text, unique_id=f"n{i}") for i, text in enumerate(said)]  # type: ignore[arg-type]
    out = imported(tmp_path, lines(*records))
    assert "import: 5 rows, 1 with an answer, 2 failed" in caplog.text
    assert "2 of 3 texts have no box: is this --mode instruct or --rules tags?" in caplog.text
    evaluation = tmp_path / "evaluation"
    evaluate(
        EvaluateConfig(
            output_uri=str(evaluation), predictions_uri={"x": out}, baselines=False, bootstrap=10
        )
    )
    note = "x: 2 of 3 texts have no box, and count as wrong: if they were imported, is this"
    assert note in (evaluation / "table.md").read_text() and note in caplog.text


def test_few_unread_texts_are_no_news() -> None:
    assert not unread.told(1, 5) and not unread.told(0, 0)
    assert unread.told(2, 9) == "2 of 9 texts have no answer that could be read"
