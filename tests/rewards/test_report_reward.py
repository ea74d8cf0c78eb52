"""Report reward: label F1, token overlap, polarity guard, and their product."""

from __future__ import annotations

import random

import pytest

from chexone_ray.answers import Answer
from chexone_ray.metrics.labeller import Mention
from chexone_ray.metrics.tokens import rouge_l
from chexone_ray.records import Sample
from chexone_ray.rewards.report import label_f1, polarity, reward

REFERENCE = "There is a small left pleural effusion. The heart is enlarged. No pneumothorax."


def sample(answer: str, kind: str = "findings", reference: str = "") -> Sample:
    return Sample(
        id="s",
        dataset="d",
        task="Findings Generation",
        kind=kind,
        split="train",
        patient="p",
        study="s",
        images=(),
        question="q",
        answer=answer,
        reference=reference,
    )


def value(text: str | None, reference: str = REFERENCE) -> float:
    found = reward(Answer("trace", text, 1), sample(reference))
    assert found is not None and 0.0 <= found <= 1.0
    return found


def test_rouge_l_by_hand() -> None:
    # Common subsequence "the heart is": 3 of 4 and 5 words: 2 * 3 / 9.
    assert rouge_l("The heart is normal.", "the heart is very large") == pytest.approx(6 / 9)
    assert rouge_l("a b c", "c b a") == pytest.approx(2 / 6)
    assert rouge_l("same words", "Same, words!") == 1.0
    assert rouge_l("", "words") == rouge_l("words", "...") == 0.0


def test_common_subsequence_equals_the_textbook_table() -> None:
    draw = random.Random(0)
    for _ in range(300):
        a, b = ([draw.choice("abcde") for _ in range(draw.randrange(1, 40))] for _ in range(2))
        table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, left in enumerate(a):
            for j, right in enumerate(b):
                best = max(table[i][j + 1], table[i + 1][j])
                table[i + 1][j + 1] = table[i][j] + 1 if left == right else best
        expected = 2 * table[-1][-1] / (len(a) + len(b))
        assert rouge_l(" ".join(a), " ".join(b)) == pytest.approx(expected)


def test_label_f1_by_hand() -> None:
    left, right, no_side = (Mention(1, frozenset(s)) for s in ({"left"}, {"right"}, set()))
    absent = Mention(0)
    two = {"pleural effusion": left, "cardiomegaly": no_side}
    assert label_f1(two, two) == 1.0
    assert label_f1({"pleural effusion": left}, two) == pytest.approx(2 / 3)
    assert label_f1({"pleural effusion": no_side}, {"pleural effusion": left}) == 1.0
    assert label_f1({"pleural effusion": right}, {"pleural effusion": left}) == 0.0
    assert label_f1({"edema": absent}, two) == 0.0
    assert label_f1({"edema": absent}, {"edema": Mention(-1)}) is None


def test_polarity_by_hand() -> None:
    present, absent, unsure = Mention(1), Mention(0), Mention(-1)
    reference = {"edema": present, "pneumothorax": absent, "fracture": unsure}
    assert polarity(reference, reference) == 1.0
    assert polarity({"edema": absent, "pneumothorax": absent}, reference) == 0.5
    assert polarity({"edema": absent}, reference) == 0.0
    assert polarity({"fracture": absent, "edema": unsure}, reference) == 1.0
    assert polarity({}, reference) == 1.0
    assert polarity({"no finding": present}, {"no finding": absent}) == 1.0


def test_the_whole_by_hand() -> None:
    # Present: effusion and cardiomegaly against effusion alone: F1 2/3. Both deny pneumothorax and
    # state effusion, and only one speaks of the heart: no contradiction.
    text = "There is a small left pleural effusion. No pneumothorax."
    words = 2 * 9 / (9 + 13)
    assert value(text) == pytest.approx(0.75 * 2 / 3 + 0.25 * words)
    assert value(REFERENCE) == 1.0


def test_a_flipped_polarity_costs_more_than_its_words() -> None:
    flipped = REFERENCE.replace("There is a small", "There is no")
    assert rouge_l(flipped, REFERENCE) > 0.8
    # One of three shared labels contradicts; F1 2/3.
    overlap = rouge_l(flipped, REFERENCE)
    assert value(flipped) == pytest.approx(2 / 3 * (0.75 * 2 / 3 + 0.25 * overlap))
    assert value(flipped) < 0.55


def test_order_of_worth() -> None:
    paraphrase = "Cardiomegaly. Slight effusion on the left. Pneumothorax is not seen."
    wrong_side = REFERENCE.replace("left", "right")
    normal = "The lungs are clear. The heart size is normal. No effusion or pneumothorax."
    assert value(REFERENCE) > value(paraphrase) > value(wrong_side) > value(normal)
    assert value("pleural effusion cardiomegaly") < value(paraphrase)
    assert value("") == value(None) == 0.0
    assert value("the the the the") < 0.1


def test_a_normal_report_can_be_right() -> None:
    normal = "The lungs are clear. The heart size is normal. No effusion or pneumothorax."
    assert value(normal, normal) == 1.0
    assert value("Lungs clear. No effusion. No pneumothorax. Normal heart size.", normal) > 0.75
    assert value("Large right pneumothorax.", normal) < 0.1


def test_repeating_does_not_pay() -> None:
    assert value(f"{REFERENCE} {REFERENCE}") < value(REFERENCE)


def test_it_applies_to_reports_only_and_prefers_the_reference_text() -> None:
    answer = Answer("trace", "Clear lungs.", 1)
    assert reward(answer, sample("yes", kind="presence")) is None
    assert reward(answer, sample("something else", reference="Clear lungs.")) == 1.0
