"""Sentences that name one class of a closed question, and those that name none. Judged by hand."""

from __future__ import annotations

import time

import pytest

from chexone_ray.answers import Answer, choice_of
from chexone_ray.data.questions.wordings import QUESTIONS
from chexone_ray.evaluation.kinds import is_correct
from chexone_ray.records import Sample
from chexone_ray.rewards.options import reward
from tests.samples import sample

WHERE = "On which side is the pneumothorax?"
LARGE = "How large is the heart: normal, borderline or enlarged?"
CLASSES = {
    "side": ("left", "right", "both"),
    "heart_size": ("normal", "borderline", "enlarged"),
    "presence": ("yes", "no"),
}
NAMED = {
    "left": "It is the left lung.|The pneumothorax is on the left.|left lung|Left-sided|on the left"
    "|It's in the left upper lobe.|There is a left-sided pneumothorax.|The answer is on the left."
    "|The left side|**Left** lung.|The small pneumothorax is seen on the left on this film.",
    "right": "On the right side.|Right hemithorax|A right pneumothorax.|It is right-sided.",
    "both": "both sides|left and right|On both sides.|Both the left and right lungs.|Bilateral."
    "|It is on the right and on the left.|both lungs",
    "borderline": "The heart is borderline.|Borderline heart size.|It is of borderline size.",
    "enlarged": "The heart is enlarged.|The heart is mildly enlarged.|Enlarged heart"
    "|The cardiac silhouette is enlarged.|An enlarged heart.",
    "normal": "The heart size is normal.|The heart is normal in size.|Within normal limits|Normal."
    "|The heart is within normal limits.|The size of the heart is normal.",
    "yes": "There is an effusion.|There is a small left pleural effusion.|Effusion is present."
    "|The film shows a pleural effusion.|There is a pleural effusion on the right.",
    "no": "There is no effusion.|No pleural effusion.|No effusion is seen.|Effusion is absent."
    "|There is no evidence of pleural effusion.",
}
NONE = {
    "side": "not on the left|It is not on the left.|left or right|On the left, or the right."
    "|It may be on the left.|Probably the left lung|It is on the left side of the image."
    "|On the left?|The effusion is on the left.|There is a left effusion.|No left pneumothorax."
    "|neither side|The left lung is clear.|It is on the left. It is on the right."
    "|There is no pneumothorax|opposite the left|yes|The heart is left"
    "|It is on the left, with a smaller one on the right.",
    "heart_size": "The heart is not enlarged.|The heart is borderline enlarged.|normal or enlarged"
    "|The heart is larger than normal.|Upper limits of normal|The lungs are normal."
    "|The heart may be enlarged.|The aorta is enlarged.|It is neither normal nor enlarged.|No",
    "presence": "yes, no|There is a pericardial effusion.|There may be an effusion.|There is edema."
    "|There is an effusion. There is no effusion.|There is no pneumothorax.|There is an effusion?"
    "|There is no effusion or pneumothorax.|No large effusion.|There is no doubt of an effusion."
    "|There is not an effusion or there is.|There is no effusion on the left.|There is an opacity."
    "|There is a possible effusion.|No acute disease.|There was an effusion.",
}


def _row(kind: str, answer: str, options: tuple[str, ...] = (), question: str = "") -> Sample:
    asked = {"side": WHERE, "heart_size": LARGE}.get(kind, "Is there a pleural effusion?")
    return sample(kind, answer, question=question or asked, options=options)


@pytest.mark.parametrize("word", NAMED)
def test_a_sentence_names_its_class(word: str) -> None:
    kind = next(kind for kind, words in CLASSES.items() if word in words)
    for answer in NAMED[word].split("|"):
        for right in CLASSES[kind]:
            row = _row(kind, right)
            assert is_correct(row, answer) == (right == word), answer
            assert reward(Answer("r", answer, 1), row) == (right == word), answer


@pytest.mark.parametrize("kind", NONE)
def test_a_sentence_of_none_or_two_names_none(kind: str) -> None:
    for answer in NONE[kind].split("|"):
        for right in CLASSES[kind]:
            assert not is_correct(_row(kind, right), answer), answer


def test_yes_and_no_of_the_finding_that_is_asked_for() -> None:
    for wording in QUESTIONS["presence"]:
        row = _row("presence", "yes", question=wording.format(finding="a pleural effusion"))
        assert choice_of("There is an effusion.", row) == {"yes"}, wording
        assert choice_of("There is no effusion.", row) == {"no"}, wording
        assert choice_of("There is a nodule.", row) == {"there is a nodule"}
    for asked in (
        "Is there an effusion or a pneumothorax?",
        "Is there no effusion?",
        "Is the effusion larger?",
        "Does the text agree? There is an effusion.",
        "Is there an effusion? Is there a pneumothorax?",
    ):
        for answer in ("There is an effusion.", "There is no effusion."):
            found = choice_of(answer, _row("presence", "yes", question=asked))
            assert not found & {"yes", "no"}, asked
    left = _row("presence", "yes", question="Is there a left pleural effusion?")
    assert choice_of("There is a left effusion.", left) == {"yes"}
    assert not choice_of("There is a right effusion.", left) & {"yes", "no"}
    assert not choice_of("There is an effusion.", left) & {"yes", "no"}


def test_options_and_references_of_their_own() -> None:
    assert choice_of("both sides", _row("side", "left", ("left", "right"))) == frozenset()
    assert choice_of("On the left.", _row("side", "left", ("left", "right"))) == {"left"}
    assert choice_of("It is on the left.", _row("side", "B", ("(A) right", "(B) left"))) == {"B"}
    assert choice_of("There is an effusion.", _row("presence", "B", ("(A) no", "(B) yes"))) == {"B"}
    assert choice_of("left lung", _row("side", "left lung")) == {"left lung"}
    assert choice_of("The heart is enlarged.", _row("open_vqa", "enlarged")) == {
        "heart is enlarged"
    }


@pytest.mark.parametrize("kind", CLASSES)
def test_no_text_makes_it_slow(kind: str) -> None:
    start = time.process_time()
    for text in ("the left and ", "a heart is ", "there is no ", "a-", "it is "):
        for size in (10, 5000):
            for question in (WHERE, "Is there a " + text * size + "?"):
                choice_of(text * size, _row(kind, CLASSES[kind][0], question=question))
    assert time.process_time() - start < 1.0
