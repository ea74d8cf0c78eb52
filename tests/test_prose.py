"""Options and classes that running text names. Every answer was judged by hand."""

from __future__ import annotations

import time

import pytest

from chexone_ray.answers import Answer, choice_of, chosen_options
from chexone_ray.evaluation.kinds import is_correct
from chexone_ray.records import Sample
from chexone_ray.rewards.options import reward
from tests.samples import sample

OPTIONS = ("(A) pleural effusion", "(B) pneumonia", "(C) edema", "(D) a rib fracture")
OTHER = {"yes": "no", "no": "yes", "worse": "better", "better": "worse", "same": "better"}
LESIONS = ("(A) mass", "(B) edema", "(C) right pneumonia", "(D) right")


def _keys(answer: str, options: tuple[str, ...] = OPTIONS) -> str:
    return "".join(sorted(chosen_options(answer, options)))


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("I would choose B", "B"),
        ("I'd go with option C because of the lines", "C"),
        ("I would rather choose D than A.", "D"),
        ("I think it's B", "B"),
        ("Definitely C.", "C"),
        ("C is the answer", "C"),
        ("C would be the best choice", "C"),
        ("The image shows edema, so C.", "C"),
        ("The heart is big.\nC", "C"),
        ("The heart is big.\n\nC. edema", "C"),
        ("The answer is B \u2014 the lung is dense.", "B"),
        ("The lungs are dense. The answer = B, because", "B"),
        ("1. The lungs are white.\n2. The heart is big.\nAnswer: C", "C"),
        ("A large pneumonia is seen, so the answer is B.", "B"),
        ("Considering all, the correct option is C.", "C"),
        ("The answer is A. A large effusion is seen.", "A"),
        ("So, A and C.", "AC"),
        ("I choose A, C", "AC"),
    ],
)
def test_a_key_at_the_end_of_a_sentence(answer: str, keys: str) -> None:
    assert _keys(answer) == keys


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("The most likely finding is edema.", "C"),
        ("The most likely findings are edema and pneumonia.", "BC"),
        ("The most likely diagnosis is a rib fracture (D).", "D"),
        ("Edema.\n\nReasoning: (A) is not seen.", "C"),
        ("Edema. Pneumonia.", "BC"),
        ("The most likely finding is edema or pneumonia.", ""),
        ("The most likely finding is edema pneumonia.", ""),
        ("edema pneumonia", ""),
        ("The findings could be pneumonia or edema.", ""),
        ("The image shows an enlarged heart and edema.", ""),
        ("No pneumonia", ""),
    ],
)
def test_the_text_of_an_option(answer: str, keys: str) -> None:
    assert _keys(answer) == keys


def test_the_longest_text_that_fits_is_meant() -> None:
    assert _keys("The most likely finding is right pneumonia.", LESIONS) == "C"
    assert _keys("The most likely finding is mass, because", LESIONS) == "A"


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        *[(text, "C") for text in ("Correct: C", "Final: C", "Final answer - C", "C is correct")],
        *[(text, "C") for text in ("My final choice: C", "The film is hazy.\nFinal: C")],
        *[(text, "C") for text in ("Neither A nor B; C", "Neither (A) nor (B), but (C).")],
        *[(text, "C") for text in ("Diagnosis: edema", "The findings are consistent with edema.")],
        ("The answer cannot be A, it must be B", "B"),
        ("Between A and B, A is more likely", "A"),
        ("Between edema and pneumonia, edema is more likely.", "C"),
        ("The most likely finding is pneumonia (B), the haze is consistent with edema.", "B"),
        ("B. The haze is consistent with edema.", "B"),
        ("Diagnosis: edema. The answer is B.", "B"),
        ("Correct: A, C; incorrect: B", "AC"),
        *[(text, "") for text in ("Incorrect: C", "Not the final choice: C", "Neither A nor B")],
        *[(text, "") for text in ("Neither A nor B; C or D", "Neither A nor B; C is wrong too")],
        *[(text, "") for text in ("Between A and B, A is less likely", "It must be A or B")],
        *[(f"{of}consistent with edema", "") for of in ("not ", "in", "It isn't ", "less ")],
        ("consistent with edema or pneumonia", ""),
        ("Between (A) and (B), (A) is possible.", ""),
        ("Differential diagnosis: edema, pneumonia", ""),
    ],
)
def test_what_is_concluded_in_other_words(answer: str, keys: str) -> None:
    assert _keys(answer) == keys


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("C. edema\n\nReasoning: (A) pleural effusion would need a meniscus.", "C"),
        ("B\n\nExplanation: (A) would need a meniscus.", "B"),
        ("Explanation: (A) pleural effusion is blunting.\n\nAnswer: C", "C"),
        ("(B) pneumonia. (A) pleural effusion may be there.", "B"),
        ("Correct answer: (B) pneumonia\nIncorrect: (A), (C)", "B"),
        ("The correct answer is B, since option A is not seen", "B"),
        ("Answer: A, C\nBecause both are seen", "AC"),
    ],
)
def test_what_is_stated_goes_before_its_explanation(answer: str, keys: str) -> None:
    assert _keys(answer) == keys


def test_an_option_that_the_explanation_denies() -> None:
    assert _keys("(B) edema\n\nReasoning: (A) mass is not seen.", LESIONS) == "B"


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        *[(text, "") for text in ("not A", "not (A)", "It is not A.", "The answer isn't (A).")],
        *[(text, "") for text in ("neither A nor B", "neither (A) nor (B)", "I rule out (A).")],
        ("I would not choose B", ""),
        ("The answer is not (A) but (B)", "B"),
        ("The answer is not A but B.", "B"),
        ("A, not B", "A"),
        ("(A), not (B)", "A"),
        ("edema (C) rather than pneumonia (B)", "C"),
        ("(C) edema is more likely than (B) pneumonia", "C"),
        ("Option A is wrong. Option B fits.", "B"),
        ("It can't be (A), so (C).", "C"),
        ("(A) is excluded, (B) is excluded, (D) is absent, and (C) remains.", "C"),
        ("Since (A) is absent, the answer must be (C).", "C"),
    ],
)
def test_what_is_denied_is_not_named(answer: str, keys: str) -> None:
    assert _keys(answer) == keys


@pytest.mark.parametrize(
    "answer",
    [
        "(A) or (C)",
        "A, B or C",
        "The answer is (A) or (C).",
        "Not sure. (A) or (B)?",
        "(A) is possible. (B) is possible too.",
        "(A) could be seen; (B) is also possible; (C) is less likely",
        "I am not sure whether it is A or B.",
        "I would choose A small effusion",
        "The answer is A large effusion",
        "So a mass",
        "Grade A mass",
        "Vitamin C. is given",
        "hepatitis C.",
        "A chest film shows edema.",
        "There is no sign of a pleural effusion.",
        "A pleural effusion is seen.",
        "A\nlarge effusion is seen.",
        "The lungs are clear.\nA\nlarge effusion is seen.",
    ],
)
def test_texts_that_settle_on_nothing(answer: str) -> None:
    assert _keys(answer) == ""


def test_an_article_before_an_options_text_is_no_key() -> None:
    sides = ("(A) left", "(B) right", "(C) both")
    assert _keys("There is no effusion, and there is a left pneumothorax.", sides) == ""
    assert _keys("A left pleural effusion.", sides) == ""
    assert _keys("(A) left pleural effusion.", sides) == _keys("A: left.", sides) == "A"


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("A. pneumonia B. edema", "AB"),
        ("A) pneumonia B) edema", "AB"),
        ("(A) pneumonia. (B) edema.", "AB"),
        ("Both (A) pneumonia and (B) edema are seen.", "AB"),
        ("The film shows pneumonia (A) and edema (B).", "AB"),
    ],
)
def test_lists_in_one_line(answer: str, keys: str) -> None:
    assert _keys(answer, ("(A) pneumonia", "(B) edema", "(C) mass")) == keys


def _row(kind: str, answer: str, options: tuple[str, ...] = ()) -> Sample:
    question = "Is there a pleural effusion?"
    return sample(kind, answer, question=question, options=options)


@pytest.mark.parametrize(
    ("kind", "answer", "word"),
    [
        ("presence", "Yes, there is a pleural effusion.", "yes"),
        ("presence", "**No**, the lungs are clear.", "no"),
        ("presence", "No. The angles are sharp.", "no"),
        ("presence", "No there is no effusion", "no"),
        ("presence", "Yes \u2013 on the left", "yes"),
        ("presence", "The answer is yes, on the left.", "yes"),
        ("presence", "No", "no"),
        ("progression", "Worse: the effusion has grown.", "worse"),
        ("progression", "It is better.", "better"),
        ("progression", "The same.", "same"),
        ("presence", "Yes, no effusion on the right, but one on the left.", "yes"),
        ("presence", "Yes\u2014there is one, and no pneumothorax.", "yes"),
        ("presence", "No, no effusion; pneumothorax: yes.", "no"),
        ("presence", "Yes, yes.", "yes"),
        ("presence", r"\text{Yes}, there is.", "yes"),
        ("progression", "Same, not better or worse.", "same"),
        ("progression", "Worse, rather than better.", "worse"),
        ("progression", "Better, worse only in position.", "better"),
        ("view_matching", "Yes, both are frontal.", "yes"),
        # No class of the kind, but the right answer is one of yes and no.
        ("closed_vqa", "Yes, there is one.", "yes"),
    ],
)
def test_a_class_word_in_front_of_an_explanation(kind: str, answer: str, word: str) -> None:
    row = _row(kind, "yes" if kind == "closed_vqa" else word)
    assert choice_of(answer, row) == {word}
    assert is_correct(row, answer)
    assert reward(Answer("r", answer, 1), row) == 1.0
    other = _row(kind, OTHER[word])
    assert not is_correct(other, answer)
    assert reward(Answer("r", answer, 1), other) == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        "No acute disease",
        "Yes or no",
        "Yes/no",
        "No, I cannot see the image clearly.",
        "Yes. No.",
        *("yes, no", "yes,no", "No, or yes.", "Yes, maybe no.", "Yes (no)", "yes|no", "Yes: no"),
        *("Yes, there is one, no.", "yes - no", "Yes\u2014no", "yes\nno", "No, but yes, rather"),
        "There is a pleural effusion, yes.",
        "Normal",
        "Nodule",
    ],
)
def test_words_that_are_no_class(answer: str) -> None:
    for right in ("yes", "no"):
        row = _row("presence", right)
        assert not is_correct(row, answer)
        assert reward(Answer("r", answer, 1), row) == 0.0
    for said in ("Better-aerated lungs", "better, worse", "better, same, worse", "better, or same"):
        assert not is_correct(_row("progression", "better"), said)


def test_only_closed_questions_read_a_leading_word() -> None:
    row = _row("side", "left")
    assert choice_of("Left, as the angle is blunt", row) == {"left, as the angle is blunt"}


@pytest.mark.parametrize("options", [("(A) No", "(B) Yes"), ("A. no", "B. yes")])
def test_a_class_word_for_a_keyed_option(options: tuple[str, ...]) -> None:
    row = _row("closed_vqa", "(B) Yes", options)
    assert choice_of("Yes, there is.", row) == {"B"}
    assert choice_of("No, there is not.", row) == {"A"}
    assert choice_of("B", row) == choice_of("(B) Yes, on the left", row) == {"B"}
    assert choice_of("Yes, it is.", _row("closed_vqa", "yes", ("yes", "no"))) == {"yes"}


@pytest.mark.parametrize(
    "text",
    [
        "A" + " " * 20_000 + "is",
        "so edema and " * 3000,
        "(A) and " * 4000 + "zz",
        "(A) or " * 4000,
        "not a but " * 3000,
        "answer is (A) " * 3000,
        "best a b c " * 3000,
        "No, " * 5000,
        "yes" + " " * 20_000 + "x",
        "yes." + "\n" * 20_000 + "x",
        "yes" + ", or" * 5000,
        "yes" + ", \n" * 5000 + "x",
        *(word * 3000 for word in ("neither A nor ", "between A and ", "final ", "diagnosis: ")),
    ],
)
def test_no_text_makes_it_slow(text: str) -> None:
    start = time.process_time()
    chosen_options(text, OPTIONS)
    choice_of(text, _row("presence", "yes"))
    assert time.process_time() - start < 1.0
