"""RadCliQ from its four components: RadGraph F1 (mean of entities and relations), BERTScore,
SembScore (cosine of CheXbert's vectors) and BLEU-2. Lower is better.

Both versions are linear, so the mean over reports is the value of the components' means, and a
leaderboard's columns give its RadCliQ back. Which BERTScore goes in decides the scale: the public
leaderboard takes distilroberta-base, rescaled, without idf; CheXOne's reward takes
distilbert-base-uncased, layer 5, rescaled, and leaves BLEU at 0. The signature has to name it.

The leaderboard ranks by 1/RadCliQ of the mean, not by the mean of inverses. A caveat: a perfect
report has RadCliQ-v1 -1.44, so the inverse passes through infinity at 0 and is negative beyond it;
it orders systems only while all their means are well above 0. State the raw mean beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array, mean_value

Version = Literal["v0", "v1"]

_MEANS = (0.53792312, 0.61757256, 0.76479421, 0.44738335)
_SCALES = (0.30282584, 0.22430938, 0.25394391, 0.29892717)
_WEIGHTS = (-0.377083683, -0.3703001, -0.252616218, 4.31504841e-12)
_BIAS = 2.46655256e-10
"""Published constants of v1: components are standardised, then weighted, in the order RadGraph,
BERTScore, SembScore, BLEU-2."""
V0_WEIGHTS = (-1.5967, -3.0102, -1.8696, 0.7142)
V0_BIAS = 5.5160
"""Of v0 only a pickled model is published. These are least squares over 71 published rows of means
with their RadCliQ-v0 (standard errors 0.005, 0.002, 0.002, 0.005 and 0.0004); they give those
and 7 further rows back to 0.0025, where the rounding of the rows' columns alone allows 0.004."""


def radcliq(
    radgraph: Array | float,
    bertscore: Array | float,
    semb: Array | float,
    bleu: Array | float = 0.0,
    version: Version = "v1",
) -> Array | float:
    """RadCliQ of one report, or of arrays of components, or of the components' means."""
    parts = (radgraph, bertscore, semb, bleu)
    if version == "v0":
        return sum((w * part for w, part in zip(V0_WEIGHTS, parts, strict=True)), start=V0_BIAS)
    standardised = [(p - m) / s for p, m, s in zip(parts, _MEANS, _SCALES, strict=True)]
    return sum((w * part for w, part in zip(_WEIGHTS, standardised, strict=True)), start=_BIAS)


def radcliq_row(components: Sequence[float], version: Version = "v1") -> tuple[float, float]:
    """(RadCliQ, 1) of (RadGraph, BERTScore, SembScore, BLEU-2), for `mean_value` and
    `inverse_value`."""
    radgraph, bertscore, semb, bleu = components
    return float(radcliq(radgraph, bertscore, semb, bleu, version)), 1.0


def inverse_value(sums: Array) -> Array:
    """Sums (..., 2) of `radcliq_row` -> 1 / mean RadCliQ; NaN where the mean is 0 or nothing is.

    The leaderboard's headline, higher is better while positive: see the caveat above.
    """
    mean = mean_value(sums)
    zero = mean == 0
    return np.where(zero, np.nan, 1 / np.where(zero, 1.0, mean))


def bounded(value: Array | float) -> Array | float:
    """2 x sigmoid(-RadCliQ), in (0, 2): what the published reward makes of it."""
    return 2 / (1 + np.exp(value))


def radcliq_signature(version: Version, components: Sequence[str], inverse: bool = False) -> str:
    """`components` are the signatures of the four that went in, in the order of `radcliq`; what
    each says of its models and settings is in this one."""
    names = ("radgraph", "bertscore", "semb", "bleu")
    told = [",".join(signed.split("|")[1:-1]) for signed in components]
    return signature(
        f"1/RadCliQ-{version}" if inverse else f"RadCliQ-{version}",
        of="mean",
        constants="published" if version == "v1" else "fitted to 71 published rows",
        **dict(zip(names, told, strict=True)),
    )
