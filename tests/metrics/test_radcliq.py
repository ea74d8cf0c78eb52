"""RadCliQ against published rows: none of this needs a model or a report.

Published columns have three decimals, so a component is known to 0.0005. The sums of the weights'
sizes, 3.89 for v1 and 7.19 for v0, make that 0.0020 and 0.0036, plus 0.0005 for the published value
itself. For 1/RadCliQ = y the error grows with its square: 0.0020 y^2 + 0.0005.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from chexone_ray.metrics.radcliq import (
    V0_BIAS,
    V0_WEIGHTS,
    bounded,
    inverse_value,
    radcliq,
    radcliq_row,
    radcliq_signature,
)
from chexone_ray.metrics.summable import mean_value

# BLEU-2, BERTScore, SembScore, RadGraph, 1/RadCliQ-v1: the board of September 2025.
BOARD = {
    "ReXGradient UniRG-CXR": (0.291, 0.538, 0.576, 0.298, 1.621),
    "ReXGradient MoERad-IU": (0.227, 0.434, 0.446, 0.247, 1.018),
    "ReXGradient MedGemma": (0.200, 0.427, 0.479, 0.223, 1.008),
    "ReXGradient MedVersa": (0.210, 0.431, 0.498, 0.202, 1.008),
    "ReXGradient MAIRA-2": (0.205, 0.436, 0.462, 0.187, 0.963),
    "ReXGradient RadPhi3.5V": (0.209, 0.383, 0.488, 0.169, 0.891),
    "ReXGradient CheXagent": (0.093, 0.305, 0.366, 0.080, 0.674),
    "ReXGradient GPT-4V": (0.075, 0.214, 0.337, 0.138, 0.629),
    "MIMIC-CXR UniRG-CXR": (0.248, 0.493, 0.487, 0.265, 1.217),
    "MIMIC-CXR MedVersa": (0.209, 0.448, 0.466, 0.273, 1.103),
    "MIMIC-CXR Libra": (0.232, 0.402, 0.403, 0.218, 0.898),
    "MIMIC-CXR MedGemma": (0.165, 0.346, 0.339, 0.159, 0.744),
    "MIMIC-CXR CheXagent": (0.113, 0.346, 0.347, 0.148, 0.741),
    "MIMIC-CXR MAIRA-2": (0.088, 0.308, 0.339, 0.131, 0.694),
    "MIMIC-CXR RadPhi3.5V": (0.223, 0.386, 0.431, 0.207, 0.888),
    "MIMIC-CXR GPT-4V": (0.068, 0.207, 0.214, 0.084, 0.558),
    "IU X-ray UniRG-CXR": (0.265, 0.565, 0.659, 0.286, 1.977),
    "IU X-ray MedGemma": (0.217, 0.475, 0.600, 0.260, 1.340),
    "IU X-ray MedVersa": (0.206, 0.527, 0.606, 0.235, 1.460),
    "IU X-ray CXRMate-RRG24": (0.245, 0.456, 0.638, 0.302, 1.458),
    "IU X-ray MAIRA-2": (0.219, 0.477, 0.604, 0.233, 1.298),
    "IU X-ray CheXagent": (0.116, 0.353, 0.488, 0.139, 0.827),
    "CheXpert Plus UniRG-CXR": (0.190, 0.428, 0.460, 0.236, 1.008),
    "CheXpert Plus CheX-MIMIC": (0.153, 0.335, 0.404, 0.207, 0.808),
    "CheXpert Plus CXRMate-RRG24": (0.157, 0.315, 0.411, 0.218, 0.801),
    "CheXpert Plus MAIRA-2": (0.163, 0.359, 0.355, 0.189, 0.788),
    "CheXpert Plus MedGemma": (0.147, 0.328, 0.325, 0.137, 0.706),
    "CheXpert Plus CheXagent": (0.123, 0.278, 0.269, 0.125, 0.638),
    "both sections, IU X-ray UniRG-CXR": (0.295, 0.574, 0.653, 0.285, 2.007),
    "both sections, MIMIC-CXR MedVersa": (0.193, 0.430, 0.315, 0.273, 0.919),
    "both sections, CheXpert Plus UniRG-CXR": (0.130, 0.026, 0.433, 0.072, 0.530),
}
# BLEU-2, BERTScore, SembScore, RadGraph, RadCliQ-v0, RadCliQ-v1: MIMIC-CXR, 2024.
OLDER = {
    "MedVersa": (0.193, 0.430, 0.315, 0.273, 3.337, 1.088),
    "CheXagent": (0.094, 0.304, 0.331, 0.146, 3.816, 1.437),
    "CheXpertPlus-MIMIC": (0.128, 0.308, 0.365, 0.168, 3.729, 1.369),
    "RaDialog": (0.112, 0.322, 0.381, 0.168, 3.647, 1.330),
    "GPT-4V": (0.065, 0.204, 0.190, 0.085, 4.457, 1.819),
    "MoERad-IU": (0.2704, 0.5421, 0.6355, 0.3397, 2.3472, 0.5000),
    "MoERad-MIMIC": (0.1607, 0.3613, 0.3347, 0.1414, 3.6917, 1.3447),
}
# The same columns for further systems and sets of the board of 2024, which v0 was fitted to.
FITTED = """
0.077,-0.056,0.284,0.039,5.147,2.213 0.103,0.002,0.318,0.049,4.912,2.07
0.142,0.02,0.38,0.07,4.736,1.953 0.14,0.011,0.388,0.071,4.745,1.958
0.083,-0.052,0.288,0.038,5.132,2.202 0.061,-0.064,0.16,0.035,5.396,2.352
0.09,0.013,0.337,0.05,4.831,2.031 0.067,-0.038,0.229,0.027,5.206,2.251
0.086,-0.035,0.348,0.041,4.967,2.111 0.103,-0.039,0.263,0.047,5.139,2.194
0.084,-0.092,0.248,0.032,5.34,2.317 0.065,-0.098,0.165,0.032,5.496,2.407
0.032,-0.082,0.201,0.013,5.388,2.369 0.055,-0.065,0.208,0.028,5.318,2.316
0.084,0.353,0.405,0.13,3.548,1.302 0.169,0.342,0.534,0.156,3.361,1.161
0.192,0.377,0.556,0.191,3.175,1.037 0.184,0.497,0.546,0.226,2.768,0.804
0.187,0.463,0.507,0.227,2.944,0.898 0.16,0.403,0.509,0.197,3.151,1.034
0.232,0.436,0.541,0.238,2.977,0.896 0.113,0.325,0.481,0.209,3.386,1.175
0.042,0.178,0.071,0.027,4.833,2.051 0.083,0.233,0.414,0.157,3.849,1.458
0.136,0.362,0.43,0.196,3.407,1.181 0.14,0.339,0.462,0.181,3.443,1.206
0.133,0.318,0.428,0.17,3.582,1.287 0.159,0.432,0.504,0.259,2.972,0.912
0.119,0.354,0.379,0.172,3.554,1.276 0.13,0.364,0.448,0.198,3.358,1.156
0.165,0.381,0.462,0.237,3.246,1.067 0.141,0.295,0.422,0.168,3.671,1.334
0.034,0.171,0.127,0.04,4.725,1.992 0.067,0.226,0.244,0.112,4.25,1.696
0.102,0.38,0.494,0.157,3.272,1.137 0.227,0.449,0.594,0.187,2.916,0.884
0.198,0.394,0.55,0.211,3.105,0.989 0.244,0.476,0.598,0.232,2.769,0.78
0.192,0.39,0.605,0.2,3.029,0.956 0.222,0.43,0.543,0.273,2.931,0.861
0.195,0.518,0.601,0.244,2.581,0.692 0.196,0.479,0.556,0.234,2.8,0.815
0.175,0.419,0.545,0.198,3.044,0.97 0.24,0.447,0.603,0.248,2.818,0.803
0.115,0.332,0.472,0.203,3.393,1.18 0.242,0.404,0.609,0.283,2.882,0.825
0.035,0.175,0.061,0.023,4.863,2.072 0.079,0.235,0.403,0.16,3.856,1.462
0.165,0.353,0.382,0.193,3.549,1.247 0.127,0.3,0.342,0.173,3.787,1.399
0.166,0.362,0.391,0.203,3.491,1.211 0.109,0.278,0.315,0.145,3.939,1.498
0.042,0.246,0.168,0.1,4.331,1.752 0.081,0.281,0.245,0.111,4.093,1.604
0.125,0.323,0.337,0.176,3.723,1.363 0.124,0.252,0.293,0.136,4.081,1.573
0.061,0.211,0.19,0.107,4.398,1.78 0.036,0.158,0.15,0.047,4.712,1.983
0.07,0.281,0.349,0.091,3.922,1.526 0.177,0.364,0.431,0.139,3.52,1.248
0.165,0.333,0.395,0.148,3.656,1.323 0.196,0.389,0.429,0.166,3.419,1.175
0.163,0.318,0.44,0.163,3.592,1.284 0.146,0.328,0.373,0.163,3.676,1.335
0.203,0.504,0.553,0.215,2.769,0.801 0.132,0.338,0.375,0.131,3.683,1.356
0.148,0.342,0.437,0.147,3.54,1.268 0.175,0.358,0.448,0.172,3.451,1.199
0.14,0.257,0.384,0.115,3.94,1.501 0.174,0.297,0.433,0.197,3.622,1.283
0.072,0.214,0.364,0.175,3.963,1.516
"""


def _fitted() -> np.ndarray:
    return np.array([[float(v) for v in row.split(",")] for row in FITTED.split()])


def _v1(bleu: float, bert: float, semb: float, radgraph: float) -> float:
    return float(radcliq(radgraph, bert, semb, bleu))


@pytest.mark.parametrize("name", BOARD)
def test_the_board_is_the_inverse_of_the_mean(name: str) -> None:
    *components, published = BOARD[name]
    assert 1 / _v1(*components) == pytest.approx(published, abs=0.003)


def test_a_row_whose_rounding_alone_makes_more_than_that() -> None:
    """IU X-ray MoERad-IU, published 1.922."""
    error = abs(1 / _v1(0.277, 0.525, 0.641, 0.341) - 1.922)
    assert 0.003 < error < 0.0035 < 0.0020 * 1.922**2 + 0.0005


def test_a_row_that_contradicts_itself() -> None:
    """IU X-ray MedVersa, both sections: published 0.692 in 2024 and 1.452 as its inverse later.

    The columns give the first; no rounding of them gives the second.
    """
    value = _v1(0.195, 0.518, 0.601, 0.244)
    assert value == pytest.approx(0.692, abs=0.0025)
    assert abs(1 / value - 1.452) > 0.0020 * 1.452**2 + 0.0005


@pytest.mark.parametrize("name", OLDER)
def test_both_versions_of_older_rows(name: str) -> None:
    bleu, bert, semb, radgraph, v0, v1 = OLDER[name]
    assert radcliq(radgraph, bert, semb, bleu) == pytest.approx(v1, abs=0.0015)
    assert radcliq(radgraph, bert, semb, bleu, "v0") == pytest.approx(v0, abs=0.0025)


def test_rows_of_more_sets() -> None:
    rows = _fitted()
    assert len(rows) == 71
    bleu, bert, semb, radgraph, v0, v1 = rows.T
    assert np.abs(radcliq(radgraph, bert, semb, bleu) - v1).max() < 0.0020
    assert np.abs(radcliq(radgraph, bert, semb, bleu, "v0") - v0).max() < 0.0025


def test_the_constants_of_v0_are_the_fit_of_those_rows() -> None:
    bleu, bert, semb, radgraph, v0, _ = _fitted().T
    columns = np.stack([radgraph, bert, semb, bleu, np.ones(len(v0))], axis=1)
    solved = np.linalg.lstsq(columns, v0, rcond=None)[0]
    np.testing.assert_allclose(solved, [*V0_WEIGHTS, V0_BIAS], atol=1e-4)


@pytest.mark.parametrize(
    ("components", "reward"),
    [
        ((1.0, 1.0, 1.0, 1.0), 1.617),
        ((0.53792312, 0.61757256, 0.76479421, 0.0), 1.000),
        ((0.25, 0.45, 0.45, 0.0), 0.558),
        ((0.0, 0.0, 0.0, 0.0), 0.159),
    ],
)
def test_anchors_of_the_published_reward(
    components: tuple[float, float, float, float], reward: float
) -> None:
    assert bounded(radcliq(*components)) == pytest.approx(reward, abs=0.0005)


def test_the_inverse_is_that_of_the_mean_and_turns_negative() -> None:
    rows = [radcliq_row((0.3, 0.5, 0.5, 0.2)), radcliq_row((0.6, 0.8, 0.8, 0.4))]
    sums = np.sum(rows, axis=0)
    mean = radcliq(0.45, 0.65, 0.65)
    assert mean_value(sums) == pytest.approx(mean)
    assert inverse_value(sums) == pytest.approx(1 / float(mean))
    # The caveat: better and better means, but the inverse jumps from large to negative.
    means = np.stack([[1.0, 1.0], [0.1, 1.0], [-0.1, 1.0], [-1.44, 1.0], [0.0, 0.0], [0.0, 3.0]])
    values = inverse_value(means).tolist()
    assert values[:4] == pytest.approx([1, 10, -10, 1 / -1.44])
    assert math.isnan(values[4]) and math.isnan(values[5])


def test_the_signature_names_all_four_components_and_the_constants() -> None:
    names = ("g|model:xl", "b|model:roberta|idf:no", "s|weights:12", "BLEU-2|tok:rexrank")
    components = [f"{name}|v:1" for name in names]
    assert radcliq_signature("v0", components).startswith(
        "RadCliQ-v0|of:mean|constants:fitted to 71 published rows|radgraph:model:xl"
        "|bertscore:model:roberta,idf:no|semb:weights:12|bleu:tok:rexrank|v:"
    )
    assert radcliq_signature("v1", components, inverse=True).startswith(
        "1/RadCliQ-v1|of:mean|constants:published|radgraph:"
    )
