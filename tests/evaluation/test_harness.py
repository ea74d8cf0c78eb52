"""Predictions -> table and differences, with failures counted as wrong."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chexone_ray import boxes, storage
from chexone_ray.config import EvaluateConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.blind import by_chance
from chexone_ray.evaluation.harness import SettingRuns, evaluate, evaluate_settings
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.measures import (
    Draws,
    Part,
    corrected,
    counted,
    measure,
)
from chexone_ray.evaluation.metric import row_value
from chexone_ray.evaluation.predictions import Judged, all_answered
from chexone_ray.evaluation.refusals import READING
from chexone_ray.evaluation.rows import rows_schema, rows_table
from chexone_ray.evaluation.same_rows import unlike
from chexone_ray.evaluation.text_rows import computed, row_statistics
from chexone_ray.exchange import prediction_rows
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.predict import result_schema
from chexone_ray.records import Box, ImageRef, Sample, sample_to_row
from chexone_ray.systems.table import ADAPTERS

SAMPLE = Sample(
    id="0",
    dataset="d",
    task="Close-Ended VQA",
    kind="heart_size",
    split="test",
    patient="p0",
    study="s",
    images=(ImageRef("x"),),
    question="How large is the heart?",
    answer="normal",
)


def write(
    folder: Path,
    answers: Sequence[str | None],
    errors: Mapping[int, str] = MappingProxyType({}),
    unparsed: str = "",
    topics: Sequence[str] = ("",),
) -> str:
    """A committed predictions folder: row i of patient i // 2 with answer i (None: `unparsed` was
    said), topics in turn."""
    rows: list[dict[str, Any]] = []
    for i, answer in enumerate(answers):
        topic = topics[i % len(topics)]
        sample = replace(SAMPLE, id=f"{i:03}", patient=f"p{i // 2}", topic=topic)
        rows.append(
            sample_to_row(sample)
            | {
                "completion": 0,
                "text": unparsed if answer is None else f"\\boxed{{{answer}}}",
                "predicted_reasoning": "",
                "predicted_answer": answer,
                "parsed": answer is not None,
                "finish_reason": "stop",
                "num_tokens": 1,
                "mean_logprob": 0.0,
                "error": errors.get(i, ""),
            }
        )
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, result_schema()), sink)
    storage.write_bytes(str(folder / "part-00000.parquet"), sink.getvalue())
    storage.commit(str(folder), {})
    return str(folder)


def run(tmp_path: Path, predictions: dict[str, str]) -> Path:
    out = tmp_path / "evaluation"
    evaluate(
        EvaluateConfig(
            output_uri=str(out),
            predictions_uri=predictions,
            baselines=False,
            bootstrap=200,
        )
    )
    return out


def test_table_counts_what_failed_as_wrong(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ["normal", None, "enlarged", "Normal."], {2: "engine: x"})
    second = write(tmp_path / "b", ["normal"] * 4)
    out = run(tmp_path, {"a": first, "b": second})
    a, b = json.loads((out / "table.json").read_text())
    assert (a["model"], a["value"], a["num_rows"], a["num_patients"]) == ("a", 0.5, 4, 2)
    assert (a["num_unparsed"], a["num_failed"]) == (1, 1)
    # Two patients tell nothing of the spread.
    assert a["low"] is a["high"] is None and a["undefined_draws"] == 0
    assert "0.500 (n/a)" in (out / "table.md").read_text()
    assert (a["setting"], a["topic"], a["headline"], a["baseline"]) == ("", "", True, False)
    assert a["signature"].startswith("accuracy|match:exact set of options|")
    assert (b["value"], b["num_unparsed"]) == (1.0, 0)
    (difference,) = json.loads((out / "differences.json").read_text())
    assert (difference["first"], difference["second"], difference["value"]) == ("a", "b", 0.5)
    # Both patients gain one row: all or none of the swaps are as large, 2 of 4.
    assert difference["p_value"] == pytest.approx(0.5, abs=0.03)
    assert difference["p_holm"] == difference["p_value"], "one test is a family of one"
    assert (difference["mcnemar_p"], difference["mcnemar_test"]) == (0.5, "McNemar, exact binomial")
    for name in ("table.md", "table.tex", "table.html"):
        assert RESEARCH_USE_ONLY in (out / name).read_text()


def test_rows_hold_what_was_said_and_scored(tmp_path: Path) -> None:
    declined = "I'm sorry, but I cannot provide a diagnosis."
    first = write(tmp_path / "a", ["normal", None, None, "Normal."], {2: "engine: x"}, declined)
    out = run(tmp_path, {"a": first})
    rows = pq.read_table(out / "rows.parquet").to_pylist()
    assert [row["status"] for row in rows] == ["answered", "refused", "failed", "answered"]
    assert [row["predicted_answer"] for row in rows] == ["normal", None, None, "Normal."]
    assert [dict(row["scores"]) for row in rows] == [
        {"accuracy": score} for score in (1.0, 0.0, 0.0, 1.0)
    ]
    said = [(row["text"], row["error"]) for row in rows[1:3]]
    assert said == [(declined, ""), (declined, "engine: x")]
    assert rows[0]["completions"] == ["normal"] and rows[0]["reference"] == "normal"
    assert rows[0]["question"] == SAMPLE.question and rows[0]["answer"] == "normal"
    assert rows[0]["images"][0]["uri"] == "x" and rows[0]["setting"] == ""
    (figure,) = json.loads((out / "table.json").read_text())
    assert (figure["num_refused"], figure["num_unparsed"], figure["num_failed"]) == (1, 0, 1)
    (outcome,) = json.loads((out / "outcomes.json").read_text())
    assert outcome == {
        "setting": "", "model": "a", "num_rows": 4, "num_unparsed": 0, "num_refused": 1,
        "num_failed": 1,
    }  # fmt: skip


def test_boxes_are_in_the_rows(tmp_path: Path) -> None:
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    sample = replace(SAMPLE, kind="grounding", boxes=(box,), answer=boxes.encode([box]))
    judged = all_answered([sample, sample], [boxes.encode([box]), "No nodule detected."])
    statistics = {("s", "grounding"): computed(METRICS["grounding"], {"m": judged})}
    file = rows_table({"s": {"m": {"grounding": judged}}}, statistics)
    table = pq.read_table(io.BytesIO(file))
    first, second = table.to_pylist()
    assert first["predicted_boxes"] == first["boxes"] and second["predicted_boxes"] == []
    assert first["boxes"][0]["xyxy"] == pytest.approx([0.1, 0.1, 0.3, 0.3])
    assert dict(first["scores"]) == {
        **{"mean IoU (matched)": 1.0, "IoU >= 0.5": 1.0, "mean IoU (mask)": 1.0},
        **{f"box F1 at IoU {at}": 1.0 for at in (0.3, 0.5, 0.75)},
    }
    assert table.schema.names == rows_schema().names


def test_a_report_without_a_label_has_no_f1_of_its_own() -> None:
    f1, rouge, *_ = METRICS["findings"]
    sample = replace(SAMPLE, kind="findings", answer="The lungs are clear.")
    assert row_value(f1, f1.row(sample, sample.answer)) is None
    assert row_value(rouge, rouge.row(sample, sample.answer)) == 1.0
    assert row_value(f1, f1.row(sample, "There is a pneumothorax.")) == 0.0


def test_settings_topics_baselines_and_families(tmp_path: Path) -> None:
    """Two settings; topics "x" and "y" take turns; 40 patients with two rows each."""
    right, wrong = ["normal"] * 80, ["enlarged"] * 80
    half = ["normal", "enlarged"] * 40
    uris = {
        name: write(tmp_path / name, answers, topics=("x", "y"))
        for name, answers in (("right", right), ("wrong", wrong), ("half", half))
    }
    manifest_uri = str(tmp_path / "manifest")
    train = [replace(SAMPLE, id=f"t{i}", split="train", answer=a) for i, a in enumerate("nnm")]
    manifest.write_samples(manifest_uri, train, {"seed": 0})
    settings = {
        "first": SettingRuns(manifest_uri, {"wrong": uris["wrong"], "right": uris["right"]}),
        "second": SettingRuns(manifest_uri, {"wrong": uris["wrong"], "half": uris["half"]}),
    }
    out = tmp_path / "out"
    evaluate_settings(str(out), settings, bootstrap=100, randomisations=999)
    figures = json.loads((out / "table.json").read_text())
    assert [f["topic"] for f in figures if f["setting"] == "second" and f["model"] == "half"] == [
        "", "x", "y",
    ]  # fmt: skip
    values = {(f["setting"], f["topic"], f["model"]): f["value"] for f in figures}
    assert values["second", "x", "half"] == 1.0 and values["second", "y", "half"] == 0.0
    assert values["second", "", "half"] == 0.5 and values["first", "y", "right"] == 1.0
    blind = {f["model"] for f in figures if f["baseline"]}
    assert blind == {"majority", "random", "majority of the question"}
    found = json.loads((out / "differences.json").read_text())
    models = [d for d in found if not d["baseline"]]
    assert [(d["setting"], d["first"], d["second"]) for d in models] == [
        ("first", "wrong", "right"),
        ("second", "wrong", "half"),
    ]
    # Two tests at the smallest p of 999 draws: both corrected by 2.
    assert [d["p_value"] for d in models] == [0.001, 0.001]
    assert [d["p_holm"] for d in models] == pytest.approx([0.002, 0.002])
    against = {(d["first"], d["second"]) for d in found if d["baseline"]}
    assert against == {(b, m) for b in ("majority", "random") for m in ("wrong", "right", "half")}
    assert "family of all 2 headline tests" in (out / "table.md").read_text()


def test_tests_can_be_left_out(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, ["normal"] * 4) for name in "ab")
    out = tmp_path / "out"
    runs = SettingRuns("", {"a": first, "b": second})
    evaluate_settings(str(out), {"": runs}, bootstrap=10, baselines=False, randomisations=0)
    (difference,) = json.loads((out / "differences.json").read_text())
    assert (difference["p_value"], difference["p_holm"], difference["test"]) == (None, None, "")
    assert "McNemar" not in (out / "table.md").read_text()


def test_unparsed_and_failed_are_counted_among_the_rows_of_the_metric() -> None:
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    boxed = replace(SAMPLE, kind="grounding", boxes=(box,))
    empty = replace(SAMPLE, kind="grounding", boxes=())
    rows = Judged(
        (boxed, boxed, boxed, empty, empty),
        (None, None, boxes.encode([box]), None, "No nodule detected."),
        ("unparsed", "failed", "answered", "unparsed", "answered"),
        ("",) * 5,
    )
    found = {m.name: counted(rows, row_statistics(m, rows)) for m in METRICS["grounding"]}
    counts = {name: (len(c.rows), c.num_unparsed, c.num_failed) for name, c in found.items()}
    assert counts == {
        "mean IoU (matched)": (3, 1, 1),
        "IoU >= 0.5": (3, 1, 1),
        "specificity": (2, 1, 0),
        "mean IoU (mask)": (3, 1, 1),
        **{f"box F1 at IoU {at}": (5, 2, 1) for at in (0.3, 0.5, 0.75)},
        "mAP at IoU 0.1-0.75 (any label)": (5, 2, 1),
        "mAP at IoU 0.4 (mean of labels)": (5, 2, 1),
    }


def test_always_drawing_a_box_is_seen_by_a_second_headline_test() -> None:
    """The mean IoU of both systems is 1; one of them draws on the negatives too."""
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    some = replace(SAMPLE, kind="grounding", answer=boxes.encode([box]), boxes=(box,))
    none = replace(some, answer="No nodule detected.", boxes=())
    samples = [
        replace(s, id=f"{i}{s.answer}", patient=f"p{i}") for i in range(8) for s in (some, none)
    ]
    models = {
        "careful": all_answered(samples, [s.answer for s in samples]),
        "eager": all_answered(samples, [some.answer] * len(samples)),
    }
    draws = Draws(20, 999, 0)
    statistics = computed(METRICS["grounding"], models)
    figures, found = measure(Part("", "grounding"), statistics, models, {}, draws)
    assert {f.metric for f in figures if f.headline} == {"mean IoU (matched)"}
    tested = {d.metric: d for d in corrected(found) if d.p_holm is not None}
    assert list(tested) == ["mean IoU (matched)", "specificity"]
    assert (tested["mean IoU (matched)"].value, tested["specificity"].value) == (0, -1)
    # 2 of 2^8 swaps are as large: p near 1/128, doubled as the second of a family of two.
    assert tested["mean IoU (matched)"].p_holm == 1
    assert tested["specificity"].p_holm == pytest.approx(2 / 128, abs=0.012)


def test_models_must_have_answered_the_same_rows(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ["normal"] * 4)
    second = write(tmp_path / "b", ["normal"] * 3)
    with pytest.raises(ChexoneError, match="different rows") as caught:
        run(tmp_path, {"a": first, "b": second})
    assert "1 of the 4 rows of 'a' are not in 'b': '003'): let both answer" in str(caught.value)


def test_rows_of_one_system_are_counted_and_the_first_are_named() -> None:
    a, b = ({str(i): (0,) * 9 for i in ids} for ids in ((1, 2, 3, 4, 5), (5, 6)))
    assert unlike(a, b, ("a", "b")) == (
        "4 of the 5 rows of a are not in b: '1', '2', '3' and 1 more; "
        "1 of the 2 rows of b are not in a: '6'"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer": "enlarged"}, "answer of 2"),
        ({"boxes": (Box("heart", (0.1, 0.1, 0.3, 0.3)),)}, "boxes of 2"),
        ({"options": ("(A) normal",), "answer": "(A)"}, "options of 2, answer of 2"),
        ({"question": "Is the heart large?"}, "question of 2"),
        ({"reference": "The heart is large."}, "reference of 2"),
        ({"topic": "size"}, "topic of 2"),
        ({"kind": "closed_vqa"}, "kind of 2"),
        ({"images": (ImageRef("x"), ImageRef("y"))}, "images of 2"),
        ({"patient": "q"}, "patient of 2"),
    ],
)
def test_equal_ids_of_other_rows_are_refused(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    rows = [replace(SAMPLE, id=str(i), patient=f"p{i}") for i in range(4)]
    others = rows[:2] + [replace(sample, **change) for sample in rows[2:]]
    for name, samples in (("a", rows), ("b", others)):
        said = (prediction_rows.answered(sample, "normal", "normal") for sample in samples)
        prediction_rows.write(str(tmp_path / name), said, "test")
    with pytest.raises(ChexoneError) as caught:
        run(tmp_path, {name: str(tmp_path / name) for name in "ab"})
    assert f"(2 of 4 rows differ under the same id ({told}): '2', '3')" in str(caught.value)


def test_images_may_lie_elsewhere(tmp_path: Path) -> None:
    for folder in "ab":
        moved = replace(SAMPLE, images=(ImageRef(f"s3://{folder}/films/x.png"),))
        said = [prediction_rows.answered(moved, "normal", "normal")]
        prediction_rows.write(str(tmp_path / folder), said, "test")
    out = run(tmp_path, {name: str(tmp_path / name) for name in "ab"})
    table = json.loads((out / "table.json").read_text())
    assert {row["model"] for row in table if not row["baseline"]} == {"a", "b"}


def test_figures_of_another_parse_have_another_signature(tmp_path: Path) -> None:
    read = {
        "a": ("strict", "reasoning"),
        "b": ("strict", "instruct"),
        "c": ("original", "reasoning"),
        "d": ("original", "instruct"),
        "e": ("medgemma", "instruct"),
        "f": ("strict", "reasoning"),
    }
    for name, (parser, mode) in read.items():
        said = [prediction_rows.answered(SAMPLE, "normal", "normal", mode=mode)]  # type: ignore[arg-type]
        prediction_rows.write(str(tmp_path / name), said, "test", parser=parser)
    out = run(tmp_path, {name: str(tmp_path / name) for name in read})
    table = json.loads((out / "table.json").read_text())
    signed = {row["model"]: row["signature"] for row in table}
    assert signed["a"] == signed["f"] and signed["c"] == signed["d"], "one mode of the original"
    assert len(set(signed.values())) == 4
    assert f"|parse:strict, {READING}|mode:reasoning|v:" in signed["a"]
    assert f"|parse:original, {READING}|v:" in signed["c"]
    (line,) = [x for x in (out / "table.md").read_text().splitlines() if "| accuracy [1] |" in x]
    notes = [re.findall(r"\[(\d)\]", cell) for cell in line.strip("| ").split(" | ")[-6:]]
    assert notes == [[], ["2"], ["3"], ["3"], ["4"], []]
    # Adapters that read alike share a parser's name, others do not.
    of = {a.parser: (a.rules, a.codec, a.shape, a.lists_labels) for a in ADAPTERS.values()}
    for a in ADAPTERS.values():
        assert of[a.parser] == (a.rules, a.codec, a.shape, a.lists_labels)


def test_a_metric_of_other_rows_of_one_system_is_told() -> None:
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    boxed, empty = (replace(SAMPLE, kind="grounding", boxes=found) for found in ((box,), ()))
    said = boxes.encode([box])
    systems = {
        "a": all_answered([boxed] * 2, [said] * 2),
        "b": all_answered([boxed, empty], [said] * 2),
    }
    statistics = computed(METRICS["grounding"], systems)
    with pytest.raises(ChexoneError, match=r"applies to 2 rows of 'a' and 1 of 'b'"):
        measure(Part("", "grounding"), statistics, systems, {}, Draws(10, 0, 0))


def test_a_model_cannot_be_called_like_a_baseline(tmp_path: Path) -> None:
    manifest_uri = str(tmp_path / "manifest")
    manifest.write_samples(manifest_uri, [replace(SAMPLE, split="train")], {"seed": 0})
    runs = SettingRuns(manifest_uri, {"random": write(tmp_path / "a", ["normal"])})
    with pytest.raises(ChexoneError, match="'random' like a baseline"):
        evaluate_settings(str(tmp_path / "out"), {"": runs})


def test_without_a_train_split_there_is_chance_alone(tmp_path: Path) -> None:
    manifest_uri = str(tmp_path / "manifest")
    of_options = replace(SAMPLE, id="1", kind="choice", options=("(A) x", "(B) y"), answer="(A)")
    of_classes = replace(SAMPLE, id="2", kind="presence", answer="yes")
    free = replace(SAMPLE, id="3", kind="open_vqa")
    samples = [SAMPLE, of_options, of_classes, free]
    manifest.write_samples(manifest_uri, samples, {"seed": 0})
    said = (prediction_rows.answered(s, s.answer, s.answer) for s in samples)
    prediction_rows.write(str(tmp_path / "a"), said, "test")
    runs = SettingRuns(manifest_uri, {"a": str(tmp_path / "a")})
    evaluate_settings(str(tmp_path / "out"), {"": runs}, bootstrap=10)
    figures = json.loads((tmp_path / "out" / "table.json").read_text())
    assert {(f["kind"], f["model"]) for f in figures} == {
        *((s.kind, "a") for s in samples),
        ("heart_size", "random"), ("choice", "random"), ("presence", "random"),
    }  # fmt: skip
    chance = by_chance("presence", [replace(of_classes, id=str(i)) for i in range(99)])["random"]
    assert {chance(replace(of_classes, id=str(i))) for i in range(99)} == {"yes", "no"}
    page = (tmp_path / "out/table.md").read_text()
    assert "No baselines but random, of closed questions alone, where the manifest" in page
    assert "manifest: choice, heart\\_size, open\\_vqa, presence)." in page
    evaluate_settings(str(tmp_path / "none"), {"": runs}, bootstrap=10, baselines=False)
    figures = json.loads((tmp_path / "none" / "table.json").read_text())
    assert {f["model"] for f in figures} == {"a"}
