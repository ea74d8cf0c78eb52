"""Form of hard_sentences.jsonl, with no scoring; its conventions are in hard_sentences.md."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

NO_FINDING = "no finding"
DEVICES = "support devices"
LABELS = (
    NO_FINDING,
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    DEVICES,
)
HALVES = ("dev", "held-out")


class Sentence(BaseModel):
    """A line of the file; other or missing keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    text: str
    labels: dict[str, int]
    topic: str
    half: str


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    path = Path(__file__).with_name("hard_sentences.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Sentence.model_validate(json.loads(line)) for line in lines]


def test_halves_are_of_200_and_each_has_every_topic(sentences: list[Sentence]) -> None:
    assert Counter(sentence.half for sentence in sentences) == dict.fromkeys(HALVES, 200)
    topics = {half: {s.topic for s in sentences if s.half == half} for half in HALVES}
    assert topics["dev"] == topics["held-out"]
    assert set(Counter(sentence.topic for sentence in sentences).values()) == {25}


def test_no_text_is_there_twice(sentences: list[Sentence]) -> None:
    texts = Counter(" ".join(sentence.text.lower().split()) for sentence in sentences)
    assert [text for text, num in texts.items() if num > 1 or not text] == []


def test_labels_and_states_are_known(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        assert set(sentence.labels) <= set(LABELS), sentence.text
        assert set(sentence.labels.values()) <= {1, 0, -1}, sentence.text


def test_no_finding_stands_where_nothing_but_devices_is_present_or_uncertain(
    sentences: list[Sentence],
) -> None:
    for sentence in sentences:
        others = [v for k, v in sentence.labels.items() if k not in (NO_FINDING, DEVICES)]
        expected = None if any(others) else 1
        assert sentence.labels.get(NO_FINDING) == expected, sentence.text


@pytest.mark.parametrize("label", LABELS)
def test_each_label_is_told_often(sentences: list[Sentence], label: str) -> None:
    assert sum(label in sentence.labels for sentence in sentences) >= 10


@pytest.fixture(scope="module")
def practice() -> list[dict[str, Any]]:
    here = Path(__file__).parent
    return [
        json.loads(line)
        for number in (1, 2, 3, 4, 5, 6)
        for line in (here / f"practice_sentences_{number}.jsonl").read_text("utf-8").splitlines()
    ]


def test_practice_lines_keep_the_form_and_are_new(
    practice: list[dict[str, Any]], sentences: list[Sentence]
) -> None:
    known = {" ".join(sentence.text.lower().split()) for sentence in sentences}
    texts = [" ".join(row["text"].lower().split()) for row in practice]
    assert len(set(texts)) == 1737
    # Nine lines came to the same words as a hard sentence (hard_sentences.md).
    assert sum(text in known for text in texts) == 9
    for row in practice:
        assert set(row) == {"text", "labels", "topic"}
        assert set(row["labels"]) <= set(LABELS)
        others = [v for k, v in row["labels"].items() if k not in (NO_FINDING, DEVICES)]
        assert row["labels"].get(NO_FINDING) == (None if any(others) else 1), row["text"]
