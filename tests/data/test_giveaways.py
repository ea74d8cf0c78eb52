"""What a trace must not say, and what it may although the words are near."""

from __future__ import annotations

import pytest

from chexone_ray.data.giveaways import image_free, mentions_report


@pytest.mark.parametrize(
    "sentence",
    [
        "The report describes a small effusion.",
        "This agrees with the radiology report.",
        "According to the report, there is no pneumothorax.",
        "According to the report a small effusion is present.",
        "The patient's report is normal.",
        "Per report, the lungs are clear.",
        "The accompanying chest x-ray report notes edema.",
        "As the original radiology reports say, the heart is large.",
        "The final report speaks of edema.",
        "The findings section is normal.",
        "The impression states mild edema.",
        "The radiologist's impression is edema.",
        "The radiologist noted clear lungs.",
        "This matches the reference answer.",
        "The angle is blunted,\nconsistent with the reference.",
        "The provided answer is yes.",
        "The given information points to edema.",
        "The ground truth is left.",
        "That is the ground-truth side.",
        "As stated, the heart is large.",
        "The heart is large, as given.",
        "No fracture is reported.",
        "I was told that it is the left side.",
        "The label says pneumonia.",
        "The image labels are positive.",
        "It is labelled as cardiomegaly.",
        "According to the labels the lungs are clear.",
    ],
)
def test_talk_of_a_report_or_of_a_known_answer(sentence: str) -> None:
    assert mentions_report(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no report of trauma.",  # a history, made up as it may be, but no report
        "The patient reports pain.",
        "This is a patient that reports no pain.",
        "I would report a nodule.",
        "The reference line through the carina lies in the midline.",
        "The hilar reference points are level.",
        "The reference film shows the same effusion.",
        "Findings: the lungs are clear. Impression: no acute disease.",
        "The impression is of mild congestion.",
        "From these findings I conclude that the heart is large.",
        "The correct answer is B.",
        "Of the given options, edema fits.",
        "The provided image shows clear lungs.",
        "As described above, the angle is blunted.",
        "The film is labelled L on its left.",
        "The film is labelled as AP.",
        "The label on the film reads PA.",
        "The label 'L' marks the left side.",
        "Radiologists look for a pleural line.",
        "A mass of the stated size cannot be missed.",
    ],
)
def test_words_that_are_near_but_harmless(sentence: str) -> None:
    assert not mentions_report(sentence)


def test_a_question_that_quotes_a_text_lets_the_trace_speak_of_it() -> None:
    said = "The report mentions an effusion, and the left angle is blunted."
    assert mentions_report(said)
    assert not mentions_report(said, text_shown=True)
    assert mentions_report("The ground truth is yes.", text_shown=True)


@pytest.mark.parametrize(
    "sentence",
    [
        "I cannot see the image.",
        "I can\u2019t view this film directly.",
        "I am unable to view images.",
        "The image was not provided.",
        "The image isn't available.",
        "No image is provided, so this is general.",
        "There is no image.",
        "Without seeing the image, this stays open.",
        "As an AI language model, I go by rules.",
        "Based on the text, there is an effusion.",
        "Based solely on the question, it is the left side.",
        "Based on the provided information, the heart is large.",
        "Assuming a large heart, this is edema.",
        "We assume that it is a PA film.",
        "Hypothetically the angle is blunted.",
        "The film would show a blunted angle.",
        "The X-ray could typically show a meniscus.",
    ],
)
def test_talk_of_one_without_a_film(sentence: str) -> None:
    assert image_free(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "I cannot see an effusion on the image.",
        "The right heart border cannot be seen on the film.",
        "The heart assumes a globular shape.",
        "The vessel is seen assuming a vertical course.",
        "As an aid, I follow the ribs.",
        "Based on the provided image, the lungs are clear.",
        "Based on the available views, the heart is normal.",
        "Based on the information in the image, it is AP.",
        "The film shows no pneumothorax.",
        "There is no image artefact.",
        "The image is not rotated.",
        "The film cannot exclude a small effusion.",
    ],
)
def test_words_of_one_who_looks(sentence: str) -> None:
    assert not image_free(sentence)
