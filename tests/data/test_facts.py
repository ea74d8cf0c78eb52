"""Which sentences compare with an earlier film."""

from __future__ import annotations

import pytest

from chexone_ray.data.facts import speaks_of_prior


@pytest.mark.parametrize(
    "sentence",
    [
        "Compared with the prior film, the effusion is larger.",
        "Redemonstrated is a left effusion.",
        "Re-demonstration of the nodule.",
        "The left chest tube was removed.",
        "Status post removal of the line.",
        "Recurrent right effusion.",
        "Recurrence of the pneumothorax.",
        "Little change in the basal opacities.",
        "Slight change in the position of the tube.",
        "There is no significant change.",
        "The appearance has changed.",
        "The opacities have markedly changed.",
        "The heart has not changed.",
        "The film of yesterday showed an effusion.",
        "The left lung has re-expanded.",
        "Reexpansion of the right lung.",
        "The pleural fluid has reaccumulated.",
        "The patient was extubated.",
        "The tube has been advanced.",
        "The line has been slightly retracted.",
        "The catheter was withdrawn by 2 cm.",
        "The tube has been repositioned.",
        "In the interim, a line was placed.",
        "The last film showed no effusion.",
        "No effusion, as on the last examination.",
    ],
)
def test_comparisons(sentence: str) -> None:
    assert speaks_of_prior(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Degenerative changes of the spine.",
        "Mild degenerative change of the shoulders.",
        "Postsurgical changes in the left hemithorax.",
        "Emphysematous changes at both apices.",
        "Slight changes of the ribs.",
        "Advanced emphysema.",
        "The lungs are well expanded.",
        "Accumulated fluid at the left base.",
        "The patient is intubated.",
        "The last rib is broken.",
        "The mitral valve has been replaced.",
        "Interstitial markings are prominent.",
        "The position of the tube is good.",
        "Demonstrated is a left effusion.",
    ],
)
def test_no_comparisons(sentence: str) -> None:
    assert not speaks_of_prior(sentence)
