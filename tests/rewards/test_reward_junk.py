"""What must not pay: junk on a normal film, contradictions, inventions, questions, keywords."""

from __future__ import annotations

import random

import pytest

from chexone_ray.answers import Answer
from chexone_ray.data.phantom import random_history
from chexone_ray.data.phantom_report import write_report
from chexone_ray.metrics.factuality import stated_text
from chexone_ray.metrics.tokens import rouge_l
from chexone_ray.rewards.reading import read
from chexone_ray.rewards.reasoning import agreement
from chexone_ray.rewards.report import reward
from tests.samples import sample

NORMAL = "The lungs are clear. The heart size is normal. No effusion or pneumothorax."
SICK = (
    "The heart is enlarged. There is a small left pleural effusion. "
    "There is atelectasis at the left base."
)
JUNK = ("x", "yes", "no", "left", "the the the the", "I cannot see the image.", "banana")
SHORT = ("open_vqa", "text_qa")
PROSE = ("difference", "explanation")


def value(text: str, reference: str, kind: str = "findings") -> float:
    found = reward(Answer("trace", text, 1), sample(kind, reference))
    assert found is not None and 0.0 <= found <= 1.0
    return found


@pytest.mark.parametrize("kind", ["findings", "impression", "caption", "difference", "open_vqa"])
def test_junk_earns_nothing_on_a_normal_film(kind: str) -> None:
    for reference in (NORMAL, "Normal chest.", "No acute cardiopulmonary process."):
        worst = max(value(text, reference, kind) for text in JUNK)
        assert worst <= 0.2, (reference, worst)  # the "no" of five words
        assert value(reference, reference, kind) == 1.0


def test_what_says_that_a_film_is_normal_earns_the_label() -> None:
    # Lungs 1, heart 1, effusion 1/2 and pneumothorax 1/2 are called normal: the whole of it in one
    # word is half of that, clear lungs a third, and 4/5 of the four would be enough.
    for text, told in (
        ("Normal chest.", 1 / 2),
        ("No acute cardiopulmonary process.", 1 / 2),
        ("The lungs are clear.", 1 / 3 / 0.8),
        ("No pneumothorax.", 1 / 6 / 0.8),
        ("No pneumothorax. Clear lungs. Normal heart size.", 1.0),
    ):
        assert value(text, NORMAL) == pytest.approx(0.8 * told + 0.2 * rouge_l(text, NORMAL))
    # A reference that says it in one word is answered by another, or by heart, lungs and pleura.
    whole = "No acute cardiopulmonary process."
    assert value("Normal chest.", whole) == pytest.approx(0.8)
    assert value("No pneumothorax.", whole) < 0.3 < 0.8 <= value(NORMAL, whole)
    assert "no finding" not in read("No pacemaker or tube.").labels
    assert "no finding" not in read("Is there a pneumothorax? No film was given.").labels
    assert "no finding" in read("A pacemaker. The heart size is normal.").labels


@pytest.mark.parametrize("kind", [*SHORT, *PROSE])
def test_free_text_counts_by_its_words(kind: str) -> None:
    turned = "The patient is rotated to the left"
    assert value("yes", "no", kind) == value("left", "right", kind) == 0.0
    assert value("banana", turned, kind) == 0.0
    # "left" alone: 1 of 1 and 7 words. The other side: 6 of 7, halved.
    assert value("left", turned, kind) == pytest.approx(2 / 8)
    assert value(turned.replace("left", "right"), turned, kind) == pytest.approx(6 / 7 / 2)
    assert value("The patient is not rotated.", "The patient is rotated.", kind) < 0.5
    assert value("An apical view.", "apical view", kind) == 1.0


def test_free_text_counts_by_its_statements_where_the_reference_has_some() -> None:
    # One label of one and two, one word of one and three.
    assert value("edema", "edema, pleural effusion", "open_vqa") == pytest.approx(
        (2 / 3 + 1 / 2) / 2
    )
    # The order of a list plays no part in a short answer.
    assert value("pleural effusion, edema", "edema, pleural effusion", "open_vqa") == 1.0
    assert value("pleural effusion, edema", "edema, pleural effusion", "difference") < 0.9
    # Another denial is no right one: words alone, 1 of 2 and 5, halved.
    denial = value("No pneumothorax.", "No pleural effusion is seen.", "open_vqa")
    assert denial == pytest.approx(2 / 7 / 2)
    assert value("No pleural effusion", "pleural effusion", "open_vqa") == 0.0
    assert value("right pleural effusion", "left pleural effusion", "open_vqa") < 0.4
    everything = "edema, pneumonia, pneumothorax, atelectasis, fracture, pleural effusion"
    assert value(everything, "pleural effusion", "open_vqa") < 0.2


@pytest.mark.parametrize(
    ("added", "most"),
    [
        # All three labels of the reference, or one of three, are stated and denied.
        (" The heart is normal. No pleural effusion. No atelectasis.", 0.0),
        (" The lungs are clear. Normal chest.", 0.0),
        (" Normal chest.", 0.0),
        (" The heart is normal.", 2 / 3),
        (" There is no pleural effusion.", 2 / 3),
        (" The lungs are clear.", 2 / 3),
    ],
)
def test_a_contradiction_costs_the_label(added: str, most: float) -> None:
    assert value(SICK + added, SICK) <= most
    # A reference that speaks so itself is no reason to charge.
    assert value(SICK + added, SICK + added) == 1.0
    assert value(SICK + added + " Portable film.", SICK + added) > 0.9


def test_what_is_no_contradiction_costs_its_words_alone() -> None:
    for added in (
        " No right pleural effusion.",
        " No other effusion.",
        " No large effusion.",
        " The lungs are otherwise clear.",
        " A pacemaker is seen. There is no tube.",
        " The endotracheal tube has been removed. A feeding tube ends in the stomach.",
        " No displaced fracture. Old left rib fracture.",
        " Right basal pneumonia. The left lung is clear.",
        " The earlier pneumothorax has resolved. No pneumothorax.",
    ):
        assert not read(SICK + added).conflicts
    for added in (" No right pleural effusion.", " No pneumothorax.", " No other effusion."):
        assert value(SICK + added, SICK) > 0.95


def test_an_invented_finding_costs_beyond_its_label() -> None:
    invented = SICK + " There is a large right pneumothorax."
    # One of four stated is made up: 4/5 of F1 6/7 of labels and findings and the words.
    overlap = rouge_l(invented, SICK)
    expected = 4 / 5 * (0.75 * 6 / 7 + 0.25 * overlap)
    assert value(invented, SICK) == pytest.approx(expected) and expected < 0.7
    # A sign of the finding, or one that the reference is unsure of, is not made up.
    # "There is": 2 of 4 words each.
    assert value("There is an opacity.", "There is a pneumonia.") == pytest.approx(0.25 / 2)
    assert value("There is an edema.", "There is a pneumonia.") == pytest.approx(0.25 / 4)
    unsure = SICK + " Possible pneumonia."
    assert value(SICK + " Pneumonia.", unsure) > value(SICK + " Pneumothorax.", unsure) + 0.1


def test_questions_state_nothing() -> None:
    asked = "Is there cardiomegaly? Is there pleural effusion? Is there atelectasis?"
    assert value(asked, SICK) < 0.2
    assert value(asked.lower().replace("?", " ?"), SICK) < 0.2
    assert stated_text("Is there edema? No edema.").strip() == "No edema."
    doubt = "Opacity at the left base ?pneumonia."
    assert stated_text(doubt) == doubt and stated_text("Opacity ? pneumonia.") != ""


def test_a_bare_list_of_names_costs() -> None:
    bare = value("cardiomegaly pleural effusion atelectasis", SICK)
    invented = value("cardiomegaly pleural effusion atelectasis large right pneumothorax", SICK)
    telegram = value("Cardiomegaly, small left pleural effusion, left basal atelectasis.", SICK)
    sentence = value("Cardiomegaly with a small left effusion and left basal atelectasis.", SICK)
    assert bare < 0.45 and invented < bare - 0.03
    assert bare + 0.2 < telegram < sentence - 0.05
    # A reference that is a list asks for no more, and one name is no list.
    names = "Cardiomegaly. Pleural effusion. Atelectasis."
    assert value("Pleural effusion. Cardiomegaly. Atelectasis.", names) > 0.9
    assert value("Cardiomegaly.", "There is cardiomegaly.") > 0.85


def test_no_foreign_text_beats_the_reference() -> None:
    draw = random.Random(0)
    reports = [write_report(v) for seed in range(20) for v in random_history(seed)]
    texts = [text for both in reports for text in (both.findings, both.impression)]
    for reference in texts:
        assert not read(reference).conflicts
        assert value(reference, reference) == 1.0
        assert max(value(text, reference) for text in JUNK) < 0.2
        other = draw.choice(texts)
        assert value(f"{reference} {other}", reference) <= 1.0
        if other != reference:
            assert value(other, reference) < 1.0


def test_a_trace_agrees_with_a_normal_report_only_by_saying_so() -> None:
    row = sample("findings", "The lungs are clear.")
    for trace in ("ok", "The film is of good quality.", "Is there an effusion?"):
        assert agreement(Answer(trace, row.answer, 1), row) == 0.0
    assert agreement(Answer("No effusion is seen.", row.answer, 1), row) == 1.0
    assert agreement(Answer("ok", "x", 1), row) == 0.0
