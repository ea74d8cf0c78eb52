"""Report reward: label F1, finding F1, token overlap, polarity guard, and what does not pay."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import fmean

import pytest

from chexone_ray.answers import Answer
from chexone_ray.data.phantom import random_history
from chexone_ray.data.phantom_report import write_report
from chexone_ray.metrics.labeller import LABELS, Mention
from chexone_ray.metrics.tokens import rouge_l
from chexone_ray.records import Sample
from chexone_ray.rewards.report import label_f1, polarity, reward
from tests import samples

REFERENCE = "There is a small left pleural effusion. The heart is enlarged. No pneumothorax."


def sample(answer: str, kind: str = "findings", reference: str = "") -> Sample:
    task = "Findings Generation"
    return samples.sample(kind, answer, task=task, reference=reference)


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
    assert label_f1({"edema": absent}, {"edema": absent}) is None
    # Unsure weighs half: right, half right against present (3/4 of 3/2), missed, made up.
    unsure = Mention(-1)
    assert label_f1({"edema": unsure}, {"edema": unsure}) == 1.0
    assert label_f1({"edema": unsure}, {"edema": Mention(1)}) == 0.5
    assert label_f1({"edema": absent}, {"edema": unsure}) == 0.0
    assert label_f1(two | {"edema": unsure}, two) == pytest.approx(4 / 4.5)


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
    # Of the two findings one is said, with its side and size: 2/3 too.
    assert value(text) == pytest.approx(0.5 * 2 / 3 + 0.25 * 2 / 3 + 0.25 * words)
    # Without its size: 1 + 1/3 + 1/6 of 1 + 2/3, so 0.9 of a finding.
    smaller = text.replace("small ", "")
    words = 2 * 8 / (8 + 13)
    assert value(smaller) == pytest.approx(0.5 * 2 / 3 + 0.25 * 2 * 0.9 / 3 + 0.25 * words)
    assert value(REFERENCE) == 1.0


def test_what_does_not_apply_leaves_its_share_to_the_others() -> None:
    normal = "The lungs are clear. The heart is normal."
    said = "The lungs are clear."
    # Neither states a finding, both "no finding": labels and words alone, 4 to 1. Of lungs and
    # heart one is told, half of what there is, 5/8 of what is enough.
    assert value(said, normal) == pytest.approx(0.8 * 5 / 8 + 0.2 * 2 * 4 / (4 + 8))
    # Neither label nor finding: words alone.
    assert value("Frontal view.", "Lateral view.") == pytest.approx(1 / 2)


def test_a_flipped_polarity_costs_more_than_its_words() -> None:
    flipped = REFERENCE.replace("There is a small", "There is no")
    assert rouge_l(flipped, REFERENCE) > 0.8
    # One of three shared labels contradicts; F1 2/3 of labels and findings.
    overlap = rouge_l(flipped, REFERENCE)
    assert value(flipped) == pytest.approx(2 / 3 * (0.75 * 2 / 3 + 0.25 * overlap))
    assert value(flipped) < 0.5


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


def test_synonyms_keep_most_of_it() -> None:
    said = "Cardiac enlargement. Mild left pleural fluid. Pneumothorax is not seen."
    assert value(said) > 0.75


def test_a_swapped_side_and_another_size_or_place_cost() -> None:
    swapped, larger = REFERENCE.replace("left", "right"), REFERENCE.replace("small", "large")
    assert value(swapped) < 0.65
    assert value(swapped) < value(larger) < 1.0
    reference = "There is a consolidation in the right upper zone."
    assert value(reference.replace("upper", "lower"), reference) < 0.95


def test_stuffing_does_not_pay() -> None:
    everything = ", ".join(label for label in LABELS[1:])
    assert value(everything + ".") < 0.3
    denied = ". ".join(f"No {label}" for label in LABELS[1:])
    assert value(denied + ".") < 0.15
    both = f"{REFERENCE} There is no pleural effusion. The heart is normal."
    assert value(both) < value(REFERENCE)


def test_repetition_and_padding_do_not_pay() -> None:
    for times in (2, 3, 6):
        assert value(" ".join([REFERENCE] * times)) < value(" ".join([REFERENCE] * (times - 1)))
    padding = " The film is of good quality and the patient is well positioned."
    assert value(REFERENCE + 3 * padding) < value(REFERENCE + padding) < value(REFERENCE)


def test_every_phantom_report_earns_1_and_a_blank_or_foreign_one_less() -> None:
    texts = [write_report(v).findings for seed in range(60) for v in random_history(seed)]
    values = [value(text, other) for text, other in pairwise(texts) if text != other]
    assert all(value(text, text) == 1.0 and value("", text) == 0.0 for text in texts)
    # Informative: other reports spread over the range instead of clinging to an end.
    assert 0.0 <= min(values) < 0.1 and 0.9 < max(values) <= 1.0
    assert 0.25 < fmean(values) < 0.6 and len(set(values)) > len(values) / 2


def test_radcliq_takes_the_place_of_the_rules_where_a_scorer_is_given() -> None:
    seen = []

    def scorer(said: str, meant: str) -> tuple[float, float, float]:
        seen.append((said, meant))
        return (1.0, 1.0, 1.0) if said == meant else (0.0, 0.0, 0.0)

    row = sample("Clear lungs.")
    assert reward(Answer("t", "Clear lungs.", 1), row, scorer) == 1.0
    worst = reward(Answer("t", "Edema.", 1), row, scorer)
    assert worst == pytest.approx(0.1589 / 1.6171, abs=1e-4)
    assert reward(Answer("t", None, 0), row, scorer) == 0.0
    assert seen == [("Clear lungs.", "Clear lungs."), ("Edema.", "Clear lungs.")]
    # Free text and entities are scored by rules all the same.
    assert reward(Answer("t", "edema", 1), sample("edema", kind="open_vqa"), scorer) == 1.0
    assert len(seen) == 2


def test_it_applies_to_reports_only_and_prefers_the_reference_text() -> None:
    answer = Answer("trace", "Clear lungs.", 1)
    assert reward(answer, sample("yes", kind="presence")) is None
    assert reward(answer, sample("something else", reference="Clear lungs.")) == 1.0
