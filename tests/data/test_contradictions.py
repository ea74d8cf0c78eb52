"""What labels, boxes and texts contradict each other on is not asked, named or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.facts import contradicts, evidence, facts
from chexone_ray.data.tasks import samples
from chexone_ray.metrics.denials import denials
from chexone_ray.records import Box, ImageRef, Sample, Study

SOURCE = SourceConfig(adapter="own_table", uri="unused")
CONFIG = PrepareConfig(output_uri="unused-output", sources=(SOURCE,), instruct_share=0.0)
FILM = ImageRef("a.png", "PA", width=100, height=100)
PNEUMONIA = Study(
    dataset="own_table",
    patient="p0",
    study="s0",
    images=(FILM,),
    archive_split="train",
    labels={"pneumonia": 1, "edema": 0, "fracture": 0},
    impression="Right lower lobe pneumonia.",
)


def other(number: int, impression: str, findings: str = "", **labels: int) -> Study:
    return replace(
        PNEUMONIA,
        patient=f"p{number}",
        study=f"s{number}",
        impression=impression,
        findings=findings,
        labels=labels,
    )


def ask(kind: str, study: Study, *others: Study, seed: int = 0) -> list[Sample]:
    return samples(study, None, seed, CONFIG.model_copy(update={"kinds": (kind,)}), others)


@pytest.mark.parametrize(
    "text",
    [
        "No acute disease.",
        "No acute cardiopulmonary disease.",
        "There is no radiographic evidence of acute cardiopulmonary process",
        "Lines as described. No acute cardiac or pulmonary abnormality.",
        "No active disease",
        "No evidence of an acute abnormality in the chest.",
        "No acute finding in the chest.",
        "No significant abnormality.",
    ],
)
def test_no_acute_disease_denies_what_is_acute(text: str) -> None:
    denied = denials(text)
    assert denied("pneumonia") and denied("pneumothorax") and denied("pleural effusion")
    assert not denied("nodule") and not denied("fracture") and not denied("cardiomegaly")


@pytest.mark.parametrize(
    "text",
    [
        "Normal chest film.",
        "Unremarkable PA and lateral views of the chest.",
        "The chest is normal.",
        "No abnormality detected.",
        "No abnormal findings.",
        "No finding.",
    ],
)
def test_normal_denies_all_but_devices(text: str) -> None:
    denied = denials(text)
    assert denied("pneumonia") and denied("nodule") and denied("cardiomegaly")
    assert not denied("pacemaker") and not denied("no finding")


@pytest.mark.parametrize(
    "text",
    [
        "No acute osseous abnormality.",
        "No acute abnormality of the bones.",
        "No acute cardiac abnormality.",
        "No acute disease other than the known pneumonia.",
        "Otherwise normal chest.",
        "No new acute abnormality.",
        "Normal heart size.",
        "The mediastinum is unremarkable.",
        "No findings to explain the pain.",
        "Acute disease.",
        "",
    ],
)
def test_what_denies_a_part_or_nothing(text: str) -> None:
    assert not denials(text)("pneumonia")


@pytest.mark.parametrize("changes", [{"impression": "No acute disease."}, {}])
def test_a_label_that_is_denied_is_not_asked(changes: dict[str, str]) -> None:
    labels = dict(PNEUMONIA.labels) | ({} if changes else {"no finding": 1})
    study = replace(PNEUMONIA, labels=labels, **changes)  # type: ignore[arg-type]
    assert evidence(study, 0)["pneumonia"] == {0, 1} and "pneumonia" not in facts(study, 0)
    assert set(facts(study, 0)) == {"edema", "fracture"}
    strangers = (other(1, "Pulmonary edema."), other(2, "Rib fracture."))
    for seed in range(8):
        assert {s.answer for s in ask("presence", study, seed=seed)} == {"no"}
    if changes:
        assert not ask("image_text_matching", study, *strangers)
        assert not ask("image_text_selection", study, *strangers)
    assert ask("image_text_matching", PNEUMONIA, *strangers)


def test_a_box_is_denied_too_and_what_a_report_names_stands_beside_its_denial() -> None:
    boxed = replace(
        PNEUMONIA, labels={}, impression="Normal chest.", boxes=(Box("nodule", (0, 0, 0.5, 0.5)),)
    )
    assert "nodule" not in facts(boxed, 0)
    both = replace(PNEUMONIA, labels={}, impression="Small left effusion. No acute disease.")
    assert facts(both, 0)["pleural effusion"].state == 1
    device = replace(PNEUMONIA, labels={"no finding": 1, "pacemaker": 1}, impression="")
    assert facts(device, 0)["pacemaker"].state == 1


def test_options_are_worded_differently_and_only_one_is_true() -> None:
    own = PNEUMONIA.impression
    strangers = (
        other(1, own, "There is pulmonary edema."),
        other(2, "right lower-lobe  Pneumonia", "There is a fracture.", pneumonia=0),
        other(3, "Pulmonary edema."),
        other(4, "Pulmonary  edema"),
        other(5, "Pneumonia of the right lower lobe.", "No pneumonia is seen. Edema."),
        other(6, "No acute disease."),
        other(7, "Follow up is advised.", "There is pulmonary edema."),
    )
    for seed in range(12):
        (sample,) = ask("image_text_selection", PNEUMONIA, *strangers, seed=seed)
        texts = [option[4:] for option in sample.options]
        assert len(texts) == 3 and {own, "No acute disease."} <= set(texts)
        assert {"Pulmonary edema.", "Pulmonary edema"} & set(texts)
        assert sample.answer == f"({'ABC'[texts.index(own)]})"
        (match,) = ask("image_text_matching", PNEUMONIA, *strangers, seed=seed)
        assert (match.answer == "yes") == (own in match.question)


def test_a_text_contradicts_by_what_it_says_itself() -> None:
    states = {"pneumonia": {1}, "edema": {0}, "mass": {-1}, "no finding": {0}}
    assert contradicts("No pneumonia.", "keep", states)
    assert contradicts("Normal chest.", "keep", states)
    assert contradicts("Pulmonary edema.", "keep", states)
    assert not contradicts("Possible edema.", "keep", states)
    assert contradicts("Possible edema.", "u-ones", states)
    assert not contradicts("Right pneumonia. No acute disease.", "keep", states)
    assert not contradicts("The mass is gone.", "keep", {"mass": {-1}})
    assert not contradicts("Degenerative changes.", "keep", states)
