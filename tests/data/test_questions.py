"""The kinds beyond one film and its findings, on hand-made studies."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from chexone_ray.boxes import decode, encode
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.ask import _chunk_rows
from chexone_ray.data.questions.reports import by_region
from chexone_ray.data.questions.scene import indication_of, tellable
from chexone_ray.data.tasks import samples
from chexone_ray.evaluation.kinds import is_correct
from chexone_ray.records import Box, ImageRef, Phrase, Question, Sample, Study

SOURCE = SourceConfig(adapter="mimic_cxr_jpg", uri="unused")
CONFIG = PrepareConfig(
    output_uri="unused-output", sources=(SOURCE,), instruct_share=0.0, traces="schematic"
)
PA = ImageRef("pa.jpg", "PA", "current", 100, 100)
SIDE = ImageRef("side.jpg", "lateral", "current", 100, 100)
EFFUSION = Study(
    dataset="made_up",
    patient="p1",
    study="s1",
    images=(SIDE, PA),
    date="2",
    archive_split="train",
    findings="The heart is normal in size. There is a left pleural effusion. No pneumothorax.",
    impression="Left pleural effusion.",
    indication="___ year old man with cough.",
)
CLEAR = Study(
    dataset="made_up",
    patient="p2",
    study="s2",
    images=(replace(PA, uri="pa2.jpg"), replace(SIDE, uri="side2.jpg")),
    archive_split="train",
    findings="The heart is enlarged. No pleural effusion. No pneumothorax.",
    impression="No pleural effusion.",
)


def ask(
    kind: str, study: Study, *, seed: int = 0, prior: Any = None, **changes: Any
) -> list[Sample]:
    others = changes.pop("others", ())
    config = CONFIG.model_copy(update={"kinds": (kind,), **changes})
    return samples(study, prior, seed, config, others)


def test_multi_choice_names_every_right_option() -> None:
    study = replace(
        EFFUSION,
        labels={"nodule": 1, "edema": 1, "fracture": 0, "pneumonia": 0},
        findings="",
        impression="",
    )
    counts: Counter[int] = Counter()
    for seed in range(40):
        (sample,) = ask("multi_choice", study, seed=seed)
        right = {option for option in sample.options if option[4:] in ("nodule", "edema")}
        assert sample.answer == ", ".join(
            option[:3] for option in sample.options if option in right
        )
        assert is_correct(sample, sample.answer)
        counts[len(right)] += 1
    assert set(counts) == {1, 2}


def test_indication_is_told_without_its_redacted_age() -> None:
    (sample,) = ask("findings_indication", EFFUSION)
    assert sample.question.startswith("Indication: Man with cough. ")
    assert sample.answer == EFFUSION.findings
    assert not ask("impression_indication", replace(EFFUSION, indication=""))
    assert not ask("impression_indication", replace(EFFUSION, indication="Seen by Dr. ___."))


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("___F with fever", ""),
        ("___ y/o with fever", "With fever"),
        ("___-year-old woman, chest pain", "Woman, chest pain"),
        ("  pneumonia?", "Pneumonia?"),
    ],
)
def test_indications(told: str, kept: str) -> None:
    assert indication_of(replace(EFFUSION, indication=told)) == kept


@pytest.mark.parametrize("text", ["Told to ___.", "Seen at 3:45.", "Seen at 4 pm.", "XXXX"])
def test_what_no_film_tells_is_not_an_answer(text: str) -> None:
    assert tellable(text) == ""
    assert not ask("impression", replace(EFFUSION, impression=text))
    assert not ask("summary", replace(EFFUSION, impression=text))


def test_report_has_both_sections_and_summary_no_image() -> None:
    (report,) = ask("report", EFFUSION)
    assert report.answer == f"Findings: {EFFUSION.findings} Impression: {EFFUSION.impression}"
    (summary,) = ask("summary", EFFUSION)
    assert summary.images == () and EFFUSION.findings in summary.question
    assert summary.answer == EFFUSION.impression
    assert summary.mode == "instruct", "a training row without a trace teaches no reasoning"


def test_regions_take_the_sentences_that_are_about_them_alone() -> None:
    text = (
        "The heart is large. The lungs are clear. No nodule. No pleural effusion or consolidation. "
        "Old rib fracture."
    )
    assert by_region(text) == {
        "heart and mediastinum": ["The heart is large."],
        "bones": ["Old rib fracture."],
    }, "lungs and pleura share a sentence, so neither answer would be whole"
    local = ask("local_findings", replace(EFFUSION, findings=text))
    assert {s.id.rsplit("/", 1)[1]: s.answer for s in local} == {
        "heart and mediastinum": "The heart is large.",
        "bones": "Old rib fracture.",
    }
    assert all("heart and mediastinum" in s.question or "bones" in s.question for s in local)


def test_progression_reports_need_a_comparison_and_the_prior_film() -> None:
    prior = replace(EFFUSION, study="s0", date="1", images=(replace(PA, uri="before.jpg"),))
    compared = replace(EFFUSION, findings="The left effusion is larger. The lungs are clear.")
    (sample,) = ask("progression_findings", compared, prior=prior)
    assert [image.uri for image in sample.images] == ["before.jpg", "pa.jpg"]
    assert [image.role for image in sample.images] == ["prior", "current"]
    assert sample.answer == compared.findings, "untouched"
    assert not ask("progression_findings", compared)
    assert not ask("progression_findings", EFFUSION, prior=prior)
    (local,) = ask("local_progression_findings", compared, prior=prior)
    assert local.answer == "The left effusion is larger."
    assert [s.id.rsplit("/", 1)[1] for s in ask("local_findings", compared)] == ["lungs"]


def test_text_matching_takes_texts_that_contradict() -> None:
    answers: Counter[str] = Counter()
    for seed in range(40):
        (sample,) = ask("image_text_matching", EFFUSION, seed=seed, others=(CLEAR,))
        text = EFFUSION.impression if sample.answer == "yes" else CLEAR.impression
        assert text in sample.question and sample.images == (PA,)
        answers[sample.answer] += 1
    assert set(answers) == {"yes", "no"} and min(answers.values()) > 8
    alike = replace(EFFUSION, patient="p3", study="s3", impression="Effusion on the left.")
    assert not ask("image_text_matching", EFFUSION, others=(alike,))


def test_text_selection_has_one_true_text() -> None:
    (sample,) = ask("image_text_selection", EFFUSION, others=(CLEAR,))
    right = next(option for option in sample.options if option.startswith(sample.answer))
    assert right[4:] == EFFUSION.impression
    assert sorted(option[4:] for option in sample.options) == sorted(
        (EFFUSION.impression, CLEAR.impression)
    )


def test_view_matching_shows_the_same_pair_of_views_either_way() -> None:
    found = [ask("view_matching", EFFUSION, seed=n, others=(CLEAR,))[0] for n in range(30)]
    assert {s.answer for s in found} == {"yes", "no"}
    assert {tuple(i.view for i in s.images) for s in found} == {("PA", "lateral")}
    assert {s.images[1].uri for s in found if s.answer == "no"} == {"side2.jpg"}
    assert not ask("view_matching", EFFUSION, others=(replace(CLEAR, images=CLEAR.images[:1]),))


BOXED = replace(
    EFFUSION,
    boxes=(
        Box("pleural effusion", (0.6, 0.6, 0.9, 0.9), 1),
        Box("nodule", (0.2, 0.2, 0.3, 0.3), 1),
    ),
    boxes_complete=True,
)


NORMAL = replace(CLEAR, findings="No pneumothorax.", boxes_complete=True)
SEED = next(seed for seed in range(99) if ask("detection", NORMAL, seed=seed))
"""One with which this film is among the normal ones that are asked about."""


def test_detection_asks_about_a_share_of_the_normal_films() -> None:
    asked = [bool(ask("detection", NORMAL, seed=seed)) for seed in range(400)]
    assert 0.28 < sum(asked) / len(asked) < 0.42, "a seeded 35 %"
    assert all(ask("detection", BOXED, seed=seed) for seed in range(20))


@pytest.mark.parametrize(
    "labels",
    [{"no finding": 0}, {"no finding": -1}, {"pneumonia": 1, "no finding": 0}, {"pneumonia": 1}],
)
def test_detection_denies_nothing_that_is_labelled_without_a_box(labels: dict[str, int]) -> None:
    denied = {"no finding": 1, "pneumonia": 0}
    assert not ask("detection", replace(NORMAL, labels=labels), seed=SEED)
    assert ask("detection", replace(NORMAL, labels=denied), seed=SEED)
    assert not ask("detection", replace(BOXED, labels={"pneumonia": 1})), "not all the answer"
    assert ask("detection", replace(BOXED, labels={"no finding": 0}))


def test_detection_gives_all_boxes_or_the_negative_sentence() -> None:
    (sample,) = ask("detection", BOXED)
    assert [(box.label, box.xyxy) for box in decode(sample.answer)] == [
        ("nodule", (0.2, 0.2, 0.3, 0.3)),
        ("pleural effusion", (0.6, 0.6, 0.9, 0.9)),
    ]
    assert sample.reasoning == (
        "There is a nodule in the right upper zone and a pleural effusion in the left lower zone."
    )
    (clear,) = ask("detection", NORMAL, seed=SEED)
    assert clear.answer == "No abnormality detected." and clear.boxes == ()
    assert not ask("detection", replace(BOXED, boxes_complete=False))
    one = replace(BOXED, boxes_complete=False, boxed=("nodule",))
    assert not ask("detection", one), "other abnormalities are not boxed"
    denied = replace(BOXED, labels={"nodule": 0})  # the box and the label contradict each other
    assert not ask("detection", denied)
    many = tuple(Box("nodule", (i / 10, 0.1, i / 10 + 0.05, 0.2), 1) for i in range(6))
    assert not ask("detection", replace(BOXED, boxes=many))


def test_a_region_is_named_without_its_label_in_the_question() -> None:
    nodule, effusion = ask("grounded_diagnosis", BOXED)
    assert (nodule.answer, effusion.answer) == ("nodule", "pleural effusion")
    assert encode([Box("region", (0.2, 0.2, 0.3, 0.3))]) in nodule.question
    assert "nodule" not in nodule.question
    twice = (*BOXED.boxes, Box("pneumonia", (0.21, 0.2, 0.3, 0.3), 1))
    assert [s.answer for s in ask("grounded_diagnosis", replace(BOXED, boxes=twice))] == [
        "pleural effusion"
    ]


def test_masks_of_a_data_set_give_the_original_task_names() -> None:
    boxes = (Box("chest tube", (0.6, 0.5, 0.9, 0.6), 1),)
    tube = replace(BOXED, dataset="candid_ptx", boxes=boxes)
    (sample,) = (s for s in ask("grounding", tube) if s.boxes)
    assert sample.task == "Chest Tube Segmentation"
    assert sample.reasoning == "A tube that enters from the side lies in the left lower zone."
    assert {s.task for s in ask("grounding", replace(tube, dataset="x"))} >= {
        "Abnormality Grounding"
    }


def test_a_film_without_a_chest_tube_may_show_another_tube() -> None:
    report = "An endotracheal tube is in place."
    study = replace(
        EFFUSION,
        dataset="candid_ptx",
        findings=report,
        impression="",
        labels={"chest tube": 0},
        boxed=("chest tube",),
    )
    asked = [s for seed in range(20) for s in ask("grounding", study, seed=seed)]
    assert {s.answer for s in asked} == {"No chest tube detected."}
    assert {s.reasoning for s in asked} == {"No tube enters the chest from the side."}
    (sample,) = ask("presence", study)
    assert (sample.answer, sample.reasoning) == ("no", "No tube enters the chest from the side.")
    (sample,) = ask("presence", replace(study, labels={}))
    assert sample.reasoning == "A thin tube runs down the midline."


PHRASED = replace(
    EFFUSION,
    findings="",
    phrases=(
        Phrase("small <left> effusion", (Box("", (0.6, 0.6, 0.9, 0.9), 1),), "pleural effusion"),
        Phrase("two nodules", (Box("", (0.5, 0.2, 0.6, 0.3), 1), Box("", (0.2, 0.2, 0.3, 0.3), 1))),
        Phrase("no pneumothorax"),
    ),
)


def test_phrases_are_located() -> None:
    first, second = ask("phrase_grounding", PHRASED)
    assert "small <left> effusion" in first.question and first.images == (PA,)
    assert [box.label for box in first.boxes] == ["pleural effusion"]
    assert [box.xyxy for box in second.boxes] == [(0.2, 0.2, 0.3, 0.3), (0.5, 0.2, 0.6, 0.3)]
    assert second.reasoning == "It is in the right upper zone and left upper zone."


def test_phrases_are_extracted_with_and_without_boxes() -> None:
    (whole,) = ask("phrases", PHRASED)
    assert "two nodules. no pneumothorax." in whole.question
    assert Counter(box.label for box in decode(whole.answer)) == {
        "small left effusion": 1,
        "two nodules": 2,
    }
    assert Counter(box.label for box in whole.boxes) == Counter(
        box.label for box in decode(whole.answer)
    )
    extracted = ask("phrase_extraction", PHRASED)
    assert [s.answer for s in extracted] == ["small <left> effusion", "two nodules"]
    captions = ask("grounded_caption", PHRASED)
    assert [s.answer for s in captions] == [s.answer for s in extracted]
    assert all("nodules" not in s.question for s in captions)


def test_a_phrase_that_is_told_twice_is_located_with_all_its_boxes() -> None:
    one, two, none = PHRASED.phrases
    elsewhere = replace(one, boxes=(Box("", (0.1, 0.6, 0.4, 0.9), 1),))
    study = replace(PHRASED, phrases=(one, elsewhere, two, replace(two, boxes=()), none))
    (sample,) = ask("phrase_grounding", study)
    assert one.text in sample.question
    assert [box.xyxy[0] for box in sample.boxes] == [0.1, 0.6]


def test_a_place_of_several_phrases_names_none_of_them() -> None:
    both, two, none = PHRASED.phrases
    study = replace(PHRASED, phrases=(both, replace(both, text="heart large"), two, two, none))
    for kind in ("phrase_extraction", "grounded_caption"):
        assert {s.answer for s in ask(kind, study)} == {"two nodules"}
    (whole,) = ask("phrases", study)
    assert whole.question.count("two nodules.") == 1, "a report says nothing twice"


def test_the_data_sets_own_questions() -> None:
    study = replace(
        EFFUSION,
        questions=(
            Question(
                "q1", "closed_vqa", "Which?", ("edema",), ("mass", "edema"), (1,), "Seen.", "skill"
            ),
            Question("q2", "closed_vqa", "Is it large?", ("no",)),
            Question("q3", "open_vqa", "Where is it?", ("left",), topic="place"),
            Question("q4", "text_qa", "Text: all well. Who is ill?", ("nobody",)),
        ),
        caption="Chest radiograph with an effusion.",
    )
    option, plain = ask("closed_vqa", study)
    assert option.id == "made_up/s1/closed_vqa/q1" and option.images == (PA,)
    assert option.question == "Which?\n" + "\n".join(option.options)
    assert sorted(o[4:] for o in option.options) == ["edema", "mass"]
    assert is_correct(option, "edema") and (option.reasoning, option.mode) == ("Seen.", "reasoning")
    assert (plain.answer, plain.images, plain.mode) == ("no", (SIDE, PA), "instruct")
    assert [(s.answer, s.topic) for s in ask("open_vqa", study)] == [("left", "place")]
    assert (option.topic, plain.topic) == ("skill", "")
    assert [(s.answer, s.images) for s in ask("text_qa", study)] == [("nobody", ())]
    (caption,) = ask("caption", study, max_views=1)
    assert (caption.answer, caption.images) == (study.caption, (SIDE,))


def test_pairs_that_the_data_set_makes_have_a_progression() -> None:
    before = replace(PA, uri="before.jpg", role="prior")
    study = replace(
        EFFUSION,
        images=(before, PA),
        findings="",
        impression="",
        phrases=(Phrase("", (), "consolidation", change="worse"), Phrase("", (), "edema")),
    )
    (sample,) = ask("progression", study)
    assert (sample.answer, sample.images) == ("worse", (before, PA))
    assert "consolidation" in sample.question


@pytest.mark.parametrize(
    ("told", "change"),
    [
        (("same", "worse", "worse"), "worse"),
        (("worse", "worse", "better"), "worse"),
        (("worse", "better"), None),
        (("worse", "same", "better"), None),
        (("worse", "worse", "same", "better"), None),
    ],
)
def test_a_change_is_what_most_regions_say(told: tuple[Any, ...], change: str | None) -> None:
    phrases = tuple(Phrase("", (), "edema", f"region {n}", c) for n, c in enumerate(told))
    study = replace(EFFUSION, images=(replace(PA, role="prior"), PA), phrases=phrases)
    assert [s.answer for s in ask("progression", study)] == ([change] if change else [])


def test_others_are_of_the_same_data_set_and_split_and_priors_of_the_same_data_set() -> None:
    config = CONFIG.model_copy(update={"kinds": ("image_text_matching", "progression_findings")})
    compared = replace(EFFUSION, findings=EFFUSION.findings + " The effusion is larger.")
    elsewhere = replace(EFFUSION, dataset="other", study="s0", date="1")
    held_out = replace(CLEAR, archive_split="test")
    assert not list(_chunk_rows([[read(elsewhere), read(compared)], [read(held_out)]], config))
    rows = list(_chunk_rows([[read(compared)], [read(CLEAR)]], config))
    assert [row["kind"] for row in rows] == ["image_text_matching"] * 2
    assert {row["group"] for row in rows} == {f"image_text_matching/{EFFUSION.dataset}"}


def read(study: Study) -> tuple[Study, Study | None]:
    return study, study


def test_a_lost_prior_is_not_replaced_by_the_one_before_it() -> None:
    config = CONFIG.model_copy(update={"kinds": ("progression_findings",)})
    now = replace(EFFUSION, findings=EFFUSION.findings + " The effusion is larger.", date="3")
    first, second = (
        replace(CLEAR, patient=now.patient, study=f"before {date}", date=date) for date in "12"
    )
    (row,) = _chunk_rows([[read(first), read(second), read(now)]], config)
    assert row["images"][0]["uri"] == second.images[0].uri
    assert not list(_chunk_rows([[read(first), (second, None), read(now)]], config))
