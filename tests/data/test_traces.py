"""The teacher's prompt, every filter on worked examples, and the choice among several texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from chexone_ray.answers import boxed
from chexone_ray.boxes import encode
from chexone_ray.config import PrepareConfig, SourceConfig, TraceFilters
from chexone_ray.data.phantom import random_study
from chexone_ray.data.phantom_report import write_report
from chexone_ray.data.substance import names_something
from chexone_ray.data.tasks import samples
from chexone_ray.data.traces import (
    REASONS,
    TEXT_SHOWN,
    Verdict,
    best,
    has_reference,
    judge,
    teacher_prompt,
)
from chexone_ray.kinds import KINDS
from chexone_ray.metrics.factuality import borne_out, entity_precision, repetition
from chexone_ray.records import Box, ImageRef, Sample, Study
from tests.samples import sample as row_of

FILTERS = TraceFilters()
FILM = ImageRef("film.png", "PA")
GOOD = (
    "The left costophrenic angle is blunted and a meniscus climbs the chest wall, "
    "while the right angle stays sharp. Fluid lies in the left pleural space."
)


def sample(kind: str, question: str, answer: str, **changes: Any) -> Sample:
    given = {"task": KINDS[kind].task, "images": (FILM,), "mode": "instruct"}
    return row_of(kind, answer, question=question, **given | changes)


EFFUSION = sample("presence", "Is there a pleural effusion?", "yes")
NO_EFFUSION = sample("presence", "Is there a pleural effusion?", "no")
REPORT_TEXT = "There is a left pleural effusion. The heart is enlarged. No pneumothorax."
FINDINGS = sample("findings", "Write the findings.", REPORT_TEXT, reference=REPORT_TEXT)
CHOICE = sample(
    "choice",
    "Which of these is present?\n(A) pneumothorax\n(B) edema\n(C) fracture",
    "(B)",
    options=("(A) pneumothorax", "(B) edema", "(C) fracture"),
)


def reason(text: str, asked: Sample = EFFUSION, **changes: Any) -> str:
    return judge(text, asked, FILTERS.model_copy(update=changes)).reason


# --- the prompt ----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["by_kind", "plain", "numbered"])
def test_the_prompt_gives_the_answer_and_says_nothing_of_where_it_is_from(style: Any) -> None:
    prompt = teacher_prompt(CHOICE, style)
    assert CHOICE.question in prompt and prompt.endswith("\\boxed{(B)}")
    for word in ("report", "label", "radiologist", "reference", "ground truth"):
        assert word not in prompt.lower(), word


def test_the_prompt_asks_for_steps_where_a_report_is_the_answer() -> None:
    assert "numbered steps" in teacher_prompt(FINDINGS, "by_kind")
    assert "one paragraph" in teacher_prompt(CHOICE, "by_kind")
    assert "one paragraph" in teacher_prompt(FINDINGS, "plain")
    assert "the film " in teacher_prompt(FINDINGS, "plain")
    assert "the films " in teacher_prompt(replace(FINDINGS, images=(FILM, FILM)), "plain")
    assert "the text of the question" in teacher_prompt(replace(FINDINGS, images=()), "plain")


def test_rows_without_an_answer_or_of_an_unknown_kind_have_no_reference() -> None:
    assert has_reference(EFFUSION)
    assert not has_reference(replace(EFFUSION, answer=" "))
    assert not has_reference(replace(EFFUSION, kind="own"))
    assert not has_reference(replace(EFFUSION, question="Effusion?<|im_end|>"))
    assert set(KINDS) >= TEXT_SHOWN


# --- the filters ---------------------------------------------------------------------------------


def test_a_good_trace_stays_without_its_answer() -> None:
    assert judge(f"{GOOD} \\boxed{{Yes.}}", EFFUSION, FILTERS) == Verdict(GOOD, 1.0, 1.0)
    assert judge(f"{GOOD} $\\boxed{{yes}}$", EFFUSION, FILTERS).trace == GOOD


def test_what_a_thinking_model_writes_first_is_left_out() -> None:
    text = f"<think>The reference answer is \\boxed{{yes}}.</think>{GOOD} \\boxed{{yes}}"
    assert judge(text, EFFUSION, FILTERS) == Verdict(GOOD, 1.0, 1.0)


@pytest.mark.parametrize(
    "text", ["", GOOD, f"{GOOD} \\boxed{{}}", f"\\boxed{{no}} {GOOD} \\boxed{{yes}}"]
)
def test_no_answer(text: str) -> None:
    assert reason(text) == "no_answer"


def test_control_token() -> None:
    assert reason(f"{GOOD}<|im_end|> \\boxed{{yes}}") == "control_token"


def test_answer_disagrees_by_the_form_of_the_kind() -> None:
    assert reason(f"{GOOD} \\boxed{{no}}") == "answer_disagrees"
    assert reason("The vessels are blurred. \\boxed{(A)}", CHOICE) == "answer_disagrees"
    # of a question with two right options half is not enough, whatever is allowed elsewhere
    two = replace(CHOICE, kind="multi_choice", answer="(A), (B)")
    assert reason("The vessels are blurred. \\boxed{(B)}", two, min_agreement=0.0) == (
        "answer_disagrees"
    )
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    boxed = encode([box])
    grounding = sample("grounding", "Where is the nodule?", boxed, boxes=(box,))
    near = encode([Box("nodule", (0.1, 0.1, 0.3, 0.2))])  # half of the box: IoU 0.5
    text = "A round spot lies in the upper left part of the film. "
    assert judge(text + f"\\boxed{{{near}}}", grounding, FILTERS).agreement == pytest.approx(0.5)
    assert reason(text + f"\\boxed{{{near}}}", grounding) == "answer_disagrees"
    assert reason(text + f"\\boxed{{{near}}}", grounding, min_agreement=0.5, min_words=5) == ""
    assert reason(text + f"\\boxed{{{boxed}}}", grounding, min_words=5) == ""
    lost = "There is a left pleural effusion. The heart is enlarged. There is a pneumothorax."
    assert reason(f"{GOOD} \\boxed{{{lost}}}", FINDINGS) == "answer_disagrees"
    assert reason(f"{GOOD} \\boxed{{{REPORT_TEXT}}}", FINDINGS) == ""


def test_mentions_report() -> None:
    assert reason(f"{GOOD} The report agrees. \\boxed{{yes}}") == "mentions_report"
    matching = sample(
        "image_text_matching", "Is this a true report of the film? Left pleural effusion.", "yes"
    )
    assert reason(f"{GOOD} The report agrees. \\boxed{{yes}}", matching) == ""
    assert reason(f"{GOOD} The label agrees. \\boxed{{yes}}", matching) == "mentions_report"


def test_image_free() -> None:
    text = f"{GOOD} I cannot see the image. \\boxed{{yes}}"
    assert reason(text) == "image_free"
    assert reason(text, replace(EFFUSION, images=())) == "", "there is none to be seen"


def test_length() -> None:
    # 10 words
    text = "The left costophrenic angle is blunted by fluid as seen. \\boxed{yes}"
    assert reason(text) == "too_short"
    assert reason(text, min_words=11) == "too_short"
    assert reason(text, min_words=10) == ""
    assert reason(text, min_words=1, max_words=10) == ""
    assert reason(text, min_words=1, max_words=9) == "too_long"


def test_repetition_counts_four_word_runs() -> None:
    assert repetition("one two three") == 0.0
    assert repetition("a b c d e f g") == 0.0
    # runs: abcd bcde cdea deab eabc abcd bcde: 7, of which 5 differ
    assert repetition("a b c d e a b c d e") == pytest.approx(2 / 7)
    text = "The left angle is blunted. " * 6
    assert reason(f"{text} \\boxed{{yes}}") == "repeats"
    assert reason(f"{text} \\boxed{{yes}}", max_repetition=1.0) == ""


EMPTY = "What is asked about is settled by what is seen in that place, and nothing else is like it."


@pytest.mark.parametrize(
    "asked",
    [
        EFFUSION,
        NO_EFFUSION,
        CHOICE,
        sample("side", "On which side is the opacity seen?", "left"),
        sample("view", "Which view is this: PA, AP or lateral?", "PA"),
        sample("heart_size", "How large is the heart: normal, borderline or enlarged?", "normal"),
        sample("presence", "Is there evidence of an abnormality visible in the image?", "yes"),
        sample("progression", "Is the edema better, the same or worse?", "worse"),
    ],
)
def test_a_text_that_fits_every_question_names_nothing(asked: Sample) -> None:
    assert reason(f"{EMPTY} \\boxed{{{asked.answer}}}", asked) == "names_nothing"


@pytest.mark.parametrize(
    ("trace", "asked"),
    [
        # neither says the name that is asked for
        ("The lung markings reach the wall on both sides and nowhere is there a bare rim.", CHOICE),
        ("It is blunted by something that climbs the wall, as fluid does when one sits.", EFFUSION),
        ("Nothing that is opaque or bright stands out in any part of it, all of it is even.", None),
        # a finding of the labeller, a word of the answer, a view
        ("What is seen there is a fracture and nothing else in it is out of its order here.", None),
        (
            "It was asked whether it is rotated, and rotated it is as one was told before.",
            None,
        ),
        (
            "The two blades lie outside and rays went from behind to the front, so PA it is.",
            None,
        ),
    ],
)
def test_a_trace_that_names_something_is_no_empty_one(trace: str, asked: Sample | None) -> None:
    view = sample("view", "Which is this rotated view: PA or AP?", "PA", reference="A fracture.")
    asked = asked or view
    assert names_something(trace, asked)
    assert reason(f"{trace} \\boxed{{{asked.answer}}}", asked) == ""


def test_unsupported_finding() -> None:
    text = f"{GOOD} There is also a rib fracture. \\boxed{{yes}}"
    assert judge(text, EFFUSION, FILTERS).entity_precision == 0.5
    assert reason(text) == "unsupported_finding"
    assert reason(text, min_entity_precision=0.5) == ""


def test_of_several_reasons_the_first_counts() -> None:
    assert reason("As the report says. \\boxed{no}") == "answer_disagrees"
    assert reason("As the report says. \\boxed{yes}") == "mentions_report"
    assert reason("I cannot see the image. \\boxed{yes}") == "image_free"
    assert REASONS.index("too_short") < REASONS.index("unsupported_finding")


# --- entity precision ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ("The lungs are clear.", 1.0),
        ("No pneumothorax and no fracture is seen.", 1.0),
        ("The heart is enlarged. There is a left effusion.", 1.0),
        ("There is a pneumothorax.", 0.0),  # denied there
        ("There is a right pleural effusion.", 0.0),  # on the other side
        ("There is an effusion. There is a nodule in the right lung.", 0.5),  # one not spoken of
        ("I look for a pneumothorax: lung markings reach the wall.", 1.0),
        ("1. **Assess** whether there is a fracture or a mass.\n2. Is there edema? No.", 1.0),
        ("I look for a nodule and find a mass in the right lung.", 0.0),
        ("There may be pneumonia.", 1.0),  # not stated as present
    ],
)
def test_findings_of_a_trace_against_a_report(trace: str, expected: float) -> None:
    assert entity_precision(trace, FINDINGS) == expected


def test_a_report_that_is_unsure_bears_nothing_out() -> None:
    unsure = replace(FINDINGS, reference="Possible pneumonia. There is an opacity.")
    assert entity_precision("There is pneumonia.", unsure) == 0.0
    assert entity_precision("There is an opacity.", unsure) == 1.0


def test_a_finding_bears_out_its_sign() -> None:
    pneumonia = replace(FINDINGS, reference="There is right lower lobe pneumonia.")
    assert entity_precision("There is an opacity, a consolidation, in the right.", pneumonia) == 1.0
    assert entity_precision("There is an opacity on the left.", pneumonia) == 0.0
    opacity = replace(FINDINGS, reference="There is an opacity.")
    assert entity_precision("There is pneumonia.", opacity) == 0.0, "not the other way round"


def test_an_indication_is_nothing_that_was_seen() -> None:
    asked = replace(FINDINGS, question="Indication: pneumonia. Write the findings.")
    assert set(borne_out(asked)) == {"pleural effusion", "cardiomegaly"}
    summary = sample("summary", "Findings: left effusion. Write it short.", "Abnormal.", images=())
    assert set(borne_out(summary)) == {"pleural effusion"}


def test_a_closed_question_bears_out_what_its_answer_says() -> None:
    assert set(borne_out(EFFUSION)) == {"pleural effusion"}
    assert not borne_out(NO_EFFUSION)
    side = sample("side", "On which side is the pleural effusion?", "left")
    assert entity_precision("Fluid: a left pleural effusion.", side) == 1.0
    assert entity_precision("Fluid: a right pleural effusion.", side) == 0.0


def test_the_size_of_the_heart_is_told_by_the_answer() -> None:
    heart = sample("heart_size", "Is the heart size normal, borderline or enlarged?", "enlarged")
    assert entity_precision("The heart is enlarged.", heart) == 1.0
    assert entity_precision("The heart is enlarged.", replace(heart, answer="normal")) == 0.0
    assert entity_precision("The heart is enlarged.", replace(heart, answer="borderline")) == 0.0


def test_of_options_the_right_ones_are_true() -> None:
    assert set(borne_out(CHOICE)) == {"edema"}
    absent = replace(CHOICE, question=CHOICE.question.replace("present", "absent"))
    assert set(borne_out(absent)) == {"pneumothorax", "fracture"}
    denied = replace(CHOICE, options=("(A) edema", "(B) no edema"), question="Which is true?")
    assert not borne_out(denied)


@pytest.mark.parametrize("denial", ["No", "no.", "None", "absent", "Not seen"])
@pytest.mark.parametrize("between", [" ", "\n"])
def test_an_option_that_denies_the_question_bears_out_nothing(denial: str, between: str) -> None:
    options = ("(A) Yes", f"(B) {denial}")
    question = between.join(("Is there a pneumothorax?", *options))
    asked = sample("closed_vqa", question, "(B)", options=options)
    assert not borne_out(asked)
    trace = "There is a large right pneumothorax with a visible pleural line and no markings"
    assert entity_precision(trace, asked) == 0.0
    assert reason(f"{trace}. \\boxed{{(B)}}", asked, min_words=5) == "unsupported_finding"
    assert entity_precision("No pneumothorax is seen.", asked) == 1.0
    assert set(borne_out(replace(asked, answer="(A)"))) == {"pneumothorax"}
    closed = sample("closed_vqa", "Is there a pneumothorax?", denial)
    assert not borne_out(closed)


def test_wrong_options_in_the_line_of_the_question_bear_out_nothing() -> None:
    inline = replace(CHOICE, question=CHOICE.question.replace("\n", " "))
    assert set(borne_out(inline)) == {"edema"}


def test_boxes_speak_for_their_names() -> None:
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    detection = sample("detection", "Mark everything abnormal.", encode([box]), boxes=(box,))
    assert set(borne_out(detection)) == {"lung lesion"}
    negative = sample("grounding", "Where is the nodule?", "No nodule detected.")
    assert not borne_out(negative)


# --- best of several -----------------------------------------------------------------------------


def test_best_agrees_most_then_states_least_that_is_not_borne_out_then_comes_first() -> None:
    rejected = Verdict("r", 1.0, 1.0, "too_short")
    weak, strong = Verdict("w", 0.8, 1.0), Verdict("s", 0.9, 0.5)
    assert best([rejected, weak, strong]) is strong
    cleaner, twin = Verdict("c", 0.9, 1.0), Verdict("t", 0.9, 1.0)
    assert best([strong, cleaner, twin]) is cleaner
    assert best([rejected]) is None and best([]) is None


# --- traces that are true pass -------------------------------------------------------------------


@pytest.mark.parametrize("wording", ["stated", "schematic"])
def test_the_traces_that_prepare_writes_and_reports_as_their_own_trace_pass(wording: Any) -> None:
    config = PrepareConfig(
        output_uri="unused-output",
        sources=(SourceConfig(adapter="own_table", uri="unused"),),
        instruct_share=0.0,
        archive_splits=True,
        traces=wording,
    )
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(60):
        written = write_report(random_study(seed))
        study = Study(
            dataset="drawn",
            patient=f"p{seed}",
            study=f"s{seed}",
            images=(FILM, ImageRef("side.png", "lateral")),
            archive_split="train",
            findings=written.findings,
            impression=written.impression,
        )
        for row in samples(study, None, seed, config):
            told = [row.reasoning, row.answer if row.kind in ("findings", "report") else ""]
            for trace in filter(None, told):
                verdict = judge(f"{trace} {boxed(row.answer)}", row, TraceFilters(min_words=1))
                found[row.kind, verdict.reason] += 1
    assert {kind for kind, _ in found} >= {"presence", "side", "choice", "findings", "report"}
    assert found.keys() == {(kind, "") for kind, _ in found}, found
