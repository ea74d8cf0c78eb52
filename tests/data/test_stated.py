"""Rule-made traces restate what the row's source says; drawn signs are for drawn films."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data import stated, wording
from chexone_ray.data.tasks import samples
from chexone_ray.demo.recipe import load
from chexone_ray.metrics.labeller import read_report
from chexone_ray.records import Box, ImageRef, Sample, Study

SOURCE = SourceConfig(adapter="own_table", uri="unused")
FILM = ImageRef("a.png", "PA", width=100, height=100)
STUDY = Study(
    dataset="own_table",
    patient="p",
    study="s",
    images=(FILM,),
    archive_split="train",
    labels={"cardiomegaly": 1, "edema": 0, "fracture": 0, "mass": 0},
)
DRAWN = re.compile(
    r"costophrenic|half of|shoulder blades|both lungs are clear|dark air|wide heart", re.I
)


def ask(study: Study, kind: str, traces: Any = "stated", prior: Any = None) -> list[Sample]:
    config = PrepareConfig(
        output_uri="unused-output",
        sources=(SOURCE,),
        instruct_share=0.0,
        kinds=(kind,),
        traces=traces,
    )
    return samples(study, prior, 0, config)


def trace(study: Study, kind: str, **changes: Any) -> str:
    (sample,) = ask(study, kind, **changes)
    return sample.reasoning


def test_a_label_gives_no_sign_that_it_does_not_state() -> None:
    found = {s.id.rsplit("/", 1)[1]: s.reasoning for s in ask(STUDY, "presence")}
    assert found["cardiomegaly"] == "The heart is enlarged."
    assert found["edema"] == "No edema is seen."
    assert {s.reasoning for s in ask(STUDY, "choice")} == {"The heart is enlarged."}
    drawn = {s.reasoning for s in ask(STUDY, "choice", "schematic")}
    assert all(DRAWN.search(text) for text in drawn), "which was written before"


def test_a_view_has_no_reason_that_its_tag_states() -> None:
    (sample,) = ask(STUDY, "view")
    assert (sample.answer, sample.reasoning, sample.mode) == ("PA", "", "instruct")
    assert DRAWN.search(trace(STUDY, "view", traces="schematic"))


@pytest.mark.parametrize("kind", ["findings", "impression"])
def test_a_report_is_restated_and_no_label_beside_it(kind: str) -> None:
    told: Any = {kind: "The heart is mildly enlarged. Left nodule."}
    study = replace(STUDY, labels={"pleural effusion": 1, "nodule": 1}, **told)
    assert trace(study, kind) in (
        "The heart is enlarged. A nodule is seen on the left.",
        "The heart is enlarged. There is a nodule on the left.",
    )
    assert "costophrenic" not in trace(study, kind, traces="schematic")


def test_a_report_without_a_finding_is_restated_by_what_it_denies() -> None:
    study = replace(STUDY, labels={}, findings="No pleural effusion. Normal lateral film.")
    assert trace(study, "findings") == "No pleural effusion is seen."
    more = replace(study, findings="No edema, effusion or nodule. The heart is normal in size.")
    assert trace(more, "findings") == (
        "The heart is normal in size. No edema, nodule or pleural effusion is seen."
    )
    nothing = replace(study, findings="Rotated film.")
    (sample,) = ask(nothing, "findings")
    assert (sample.reasoning, sample.mode) == ("", "instruct")


def test_boxes_are_restated_as_places() -> None:
    boxes = (Box("cardiomegaly", (0.3, 0.5, 0.7, 0.8)), Box("nodule", (0.1, 0.1, 0.2, 0.2)))
    study = replace(STUDY, labels={}, boxes=boxes, boxes_complete=True)
    found = {s.id.rsplit("/", 1)[1]: s.reasoning for s in ask(study, "grounding")}
    assert found["cardiomegaly"] == "The heart is enlarged."
    assert found["nodule"] == "There is a nodule in the right upper zone."
    assert trace(study, "detection") == (
        "There is a nodule in the right upper zone and an enlarged heart."
    )


def test_a_change_is_restated() -> None:
    prior = replace(STUDY, study="s0", labels={})
    study = replace(STUDY, labels={}, findings="The left pleural effusion has increased.")
    assert trace(study, "progression", prior=prior) == (
        "The left pleural effusion is worse on the second film."
    )


@pytest.mark.parametrize("name", ["nodule", "edema", "pleural effusion", "pneumothorax"])
@pytest.mark.parametrize("side", ["left", "right", "both", ""])
def test_a_sentence_says_what_it_was_made_from(name: str, side: str) -> None:
    for seed in range(4):
        rng = random.Random(seed)
        read = read_report(stated.sign(name, side, "", rng))
        (mention,) = (read[label] for label in read if label != "no finding")
        assert (mention.state, mention.name) == (1, name)
        assert mention.sides == ({"left", "right"} if side == "both" else {side} - {""})
        denied = read_report(stated.no_sign(name, rng))
        assert {denied[label].state for label in denied if label != "no finding"} == {0}
    assert stated.sign("mass", "", "mid", random.Random(0)).endswith("in the mid zone.")
    told = stated.nothing(["cardiomegaly", name, "fracture"], random.Random(0))
    assert told == f"No {name} or fracture is seen. The heart is not enlarged."


def test_both_wordings_have_the_same_functions_and_the_demo_keeps_its_own() -> None:
    ours = {n for n, v in vars(stated).items() if callable(v) and v.__module__ == stated.__name__}
    theirs = {
        n for n, v in vars(wording).items() if callable(v) and v.__module__ == wording.__name__
    }
    assert {n for n in ours if n[0] != "_"} == theirs - {"with_article"}
    assert load(False).prepare["traces"] == load(True).prepare["traces"] == "schematic"
    assert PrepareConfig(output_uri="unused-output", sources=(SOURCE,)).traces == "stated"
