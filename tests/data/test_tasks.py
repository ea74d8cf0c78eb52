"""Questions from hand-made studies, and from phantom studies with known truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from chexone_ray.boxes import decode
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.facts import facts, side_of, zone_of
from chexone_ray.data.questions import places, wordings
from chexone_ray.data.tasks import MAKERS, balance_group, samples
from chexone_ray.kinds import KINDS
from chexone_ray.records import Box, ImageRef, Sample, Study

SOURCE = SourceConfig(adapter="mimic_cxr_jpg", uri="unused")
CONFIG = PrepareConfig(
    output_uri="unused-output", sources=(SOURCE,), instruct_share=0.0, traces="schematic"
)
EFFUSION = Box("pleural effusion", (0.6, 0.55, 0.9, 0.75))
FINDINGS = (
    "The heart is normal in size. There is a small left pleural effusion. No pneumothorax. "
    "No consolidation or nodule. No pacemaker or tube."
)
LABELS = {"pleural effusion": 1, "cardiomegaly": 0, "pneumothorax": 0, "consolidation": 0}


def study(**changes: object) -> Study:
    base = Study(
        dataset="made_up",
        patient="p1",
        study="s1",
        images=(
            ImageRef("a.jpg", "lateral", "current", 100, 100),
            ImageRef("b.jpg", "PA", "current", 9, 9),
        ),
        date="2",
        archive_split="train",
        findings=FINDINGS,
        impression="Small left pleural effusion.",
        labels=LABELS,
        boxes=(replace(EFFUSION, image=1),),
        boxes_complete=True,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def by_kind(found: list[Sample], kind: str) -> list[Sample]:
    return [sample for sample in found if sample.kind == kind]


def test_equal_arguments_give_equal_samples_and_the_seed_matters() -> None:
    assert samples(study(), None, 3, CONFIG) == samples(study(), None, 3, CONFIG)
    texts = {tuple(s.question for s in samples(study(), None, seed, CONFIG)) for seed in range(8)}
    assert len(texts) > 1


def test_every_kind_of_one_study() -> None:
    found = samples(study(), None, 0, CONFIG)
    assert {sample.kind for sample in found} == {
        *("presence", "heart_size", "side", "choice", "multi_choice", "view", "grounding"),
        *("detection", "grounded_diagnosis", "findings", "impression", "report", "summary"),
        *("local_findings", "local_impression"),
    }
    assert len({sample.id for sample in found}) == len(found)
    assert {sample.split for sample in found} == {"train"}
    assert by_kind(found, "heart_size")[0].answer == "normal"
    assert [sample.answer for sample in by_kind(found, "side")] == ["left"]
    assert {sample.answer for sample in by_kind(found, "view")} == {"lateral", "PA"}
    lateral, frontal = study().images
    shown = {kind: {s.images for s in by_kind(found, kind)} for kind in KINDS}
    assert shown["presence"] == shown["grounding"] == shown["choice"] == {(frontal,)}
    assert shown["findings"] == shown["local_findings"] == {(frontal, lateral)}
    assert shown["summary"] == {()}
    one = samples(study(), None, 0, CONFIG.model_copy(update={"max_views": 1}))
    assert {s.images for s in by_kind(one, "findings")} == {(frontal,)}


def test_presence_answers_are_true_and_have_the_matching_sign() -> None:
    found = by_kind(samples(study(), None, 0, CONFIG), "presence")
    answers = {sample.id.rsplit("/", 1)[1]: sample.answer for sample in found}
    assert answers.pop("pleural effusion") == "yes"
    assert answers and set(answers.values()) == {"no"}
    positive = next(sample for sample in found if sample.answer == "yes")
    assert "left" in positive.reasoning and "costophrenic" in positive.reasoning


def test_choice_has_one_option_that_is_present() -> None:
    letters: Counter[str] = Counter()
    for seed in range(60):
        found = by_kind(samples(study(), None, seed, CONFIG), "choice")
        assert len({sample.id for sample in found}) == 3
        for sample in found:
            assert len(sample.options) == 4
            right = [option for option in sample.options if option.endswith("pleural effusion")]
            assert len(right) == 1
            assert sample.answer == right[0][:3]
            assert all(option in sample.question.splitlines() for option in sample.options)
            letters[sample.answer] += 1
    assert set(letters) == {"(A)", "(B)", "(C)", "(D)"}


def test_grounding_gives_the_box_and_a_trace_with_its_place() -> None:
    positive = next(s for s in by_kind(samples(study(), None, 0, CONFIG), "grounding") if s.boxes)
    assert positive.boxes == (EFFUSION,)
    (box,) = decode(positive.answer)
    assert box.label == "pleural effusion"
    assert box.xyxy == pytest.approx(EFFUSION.xyxy, abs=0.006)
    assert positive.reasoning == "There is a pleural effusion in the left lower zone."


def test_grounding_negatives_only_where_all_findings_are_boxed() -> None:
    def negatives(item: Study) -> list[Sample]:
        found = [s for seed in range(40) for s in samples(item, None, seed, CONFIG)]
        return [s for s in by_kind(found, "grounding") if not s.boxes]

    with_negatives = negatives(study())
    assert with_negatives
    assert all(
        s.answer.startswith("No ") and s.answer.endswith(" detected.") for s in with_negatives
    )
    assert not negatives(study(boxes_complete=False))
    one = study(boxes_complete=False, boxed=("pneumothorax", "pleural effusion"))
    assert {s.id.rsplit("/", 1)[1] for s in negatives(one)} == {"pneumothorax"}


def test_side_and_zone_of_boxes() -> None:
    assert (side_of(EFFUSION), zone_of(EFFUSION)) == ("left", "lower")
    assert side_of(Box("x", (0.1, 0.1, 0.3, 0.2))) == "right"
    assert side_of(Box("x", (0.4, 0.1, 0.6, 0.2))) == ""
    assert zone_of(Box("x", (0.1, 0.1, 0.3, 0.2))) == "upper"


def test_both_sides_from_two_boxes() -> None:
    boxes = (Box("pleural effusion", (0.1, 0.6, 0.3, 0.8), 1), replace(EFFUSION, image=1))
    text = FINDINGS.replace(
        "a small left pleural effusion", "a small right and a small left pleural effusion"
    )
    found = samples(study(boxes=boxes, findings=text), None, 0, CONFIG)
    assert [sample.answer for sample in by_kind(found, "side")] == ["both"]


def test_no_question_tells_its_answer() -> None:
    for seed in range(20):
        for sample in samples(study(), None, seed, CONFIG):
            if sample.kind in ("presence", "findings", "grounding"):
                assert sample.answer.lower() not in sample.question.lower().split()
                assert "left" not in sample.question.split("left, right")[0].lower()


def test_findings_leave_out_sentences_about_the_prior_film() -> None:
    text = FINDINGS + " The left pleural effusion has increased since the prior study."
    (sample,) = by_kind(samples(study(findings=text), None, 0, CONFIG), "findings")
    assert sample.answer == FINDINGS
    assert sample.reference == FINDINGS


def test_no_findings_question_where_the_prior_sentence_alone_tells_a_finding() -> None:
    text = "The heart is normal in size. The left effusion has increased since the prior study."
    assert not by_kind(samples(study(findings=text), None, 0, CONFIG), "findings")
    assert not by_kind(samples(study(findings="Nothing seen at ___."), None, 0, CONFIG), "findings")


def test_progression_takes_the_same_view_prior_first() -> None:
    text = FINDINGS + " The left pleural effusion has increased since the prior study."
    before = study(
        study="s0",
        date="1",
        images=(ImageRef("c.jpg", "AP"), ImageRef("d.jpg", "PA", "current", 8, 8)),
    )
    (sample,) = by_kind(samples(study(findings=text), before, 0, CONFIG), "progression")
    assert [image.uri for image in sample.images] == ["d.jpg", "b.jpg"]
    assert [image.role for image in sample.images] == ["prior", "current"]
    assert sample.answer == "worse"
    assert "left pleural effusion" in sample.question
    only_ap = replace(before, images=before.images[:1])
    assert not by_kind(samples(study(findings=text), only_ap, 0, CONFIG), "progression")
    assert not by_kind(samples(study(findings=text), None, 0, CONFIG), "progression")


def test_instruct_share_touches_training_rows_only() -> None:
    config = CONFIG.model_copy(update={"instruct_share": 1.0})
    assert {s.mode for s in samples(study(), None, 0, config)} == {"instruct"}
    assert {s.reasoning for s in samples(study(), None, 0, config)} == {""}
    held_out = samples(study(archive_split="test"), None, 0, config)
    assert {s.mode for s in held_out} == {"reasoning"}
    assert {s.split for s in held_out} == {"test"}


def test_contradicting_sources_ask_nothing() -> None:
    found = facts(study(labels=LABELS | {"pneumothorax": 1}), 1)
    assert "pneumothorax" not in found
    assert found["pleural effusion"].state == 1


def test_coarse_box_class_takes_the_name_that_the_report_gives() -> None:
    text = FINDINGS.replace("No consolidation or nodule.", "A nodule in the right upper zone.")
    boxes = (Box("nodule or mass", (0.2, 0.2, 0.3, 0.3), 1),)
    found = facts(study(findings=text, boxes=boxes, labels={"lung lesion": 1}), 1)
    assert found["nodule"].state == 1
    assert found["nodule"].boxes == boxes
    assert "lung lesion" not in found and "nodule or mass" not in found


def test_lateral_film_alone_gives_only_its_view() -> None:
    alone = study(images=study().images[:1], boxes=())
    assert {sample.kind for sample in samples(alone, None, 0, CONFIG)} == {"view", "summary"}


def test_kinds_are_limited_by_the_configuration() -> None:
    config = CONFIG.model_copy(update={"kinds": ("view",)})
    assert {sample.kind for sample in samples(study(), None, 0, config)} == {"view"}


def test_balance_groups() -> None:
    assert balance_group("d/s/presence/nodule", "presence", "yes") == ("presence/d/nodule", "yes")
    assert balance_group("e/s/presence/nodule", "presence", "no") == ("presence/e/nodule", "no")
    assert balance_group("d/s/view/0", "view", "PA") is None
    assert balance_group("d/s/view_matching/pair", "view_matching", "no") == (
        "view_matching/d",
        "no",
    )


def test_every_kind_has_a_maker_and_five_wordings_of_its_own() -> None:
    posed = {"closed_vqa", "open_vqa", "difference", "explanation", "text_qa", "entities"}
    assert list(MAKERS) and set(MAKERS) == set(KINDS)
    assert set(wordings.QUESTIONS) == set(KINDS) - posed
    assert all(len(set(texts)) >= 5 for texts in wordings.QUESTIONS.values())


def test_kinds_and_tables_of_masks_cover_the_36_tasks() -> None:
    tasks = {kind.task for kind in KINDS.values()} | set(places.TASKS.values())
    assert len(tasks) == 36


def test_fewer_wordings_are_the_first_ones() -> None:
    config = CONFIG.model_copy(update={"num_wordings": 1})
    (sample,) = by_kind(samples(study(), None, 5, config), "findings")
    assert sample.question == wordings.QUESTIONS["findings"][0]
