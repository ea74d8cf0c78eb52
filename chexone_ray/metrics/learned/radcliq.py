"""The three components of RadCliQ of one pair, by models: for `rewards.radcliq_scorer`.

    [rewards]
    radcliq_scorer = "chexone_ray.metrics.learned.radcliq:scorer"

`rewards.radcliq` says which models; every process that scores loads them once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeAlias

from chexone_ray.config import RadcliqModels
from chexone_ray.metrics.learned import packages, radgraph
from chexone_ray.metrics.learned.bertscore import BertScore, BertScoreSettings
from chexone_ray.metrics.learned.chexbert import CheXbert

Components: TypeAlias = tuple[float, float, float]
CACHED_PAIRS = 4_096
_LOADING = threading.Lock()


def check(models: RadcliqModels) -> None:
    """Raises ChexoneError where the package of RadGraph is missing; loads no model."""
    packages.load(radgraph.NAME, "radgraph", "radgraph", radgraph.REMEDY)


@lru_cache(maxsize=CACHED_PAIRS)
def scorer(predicted: str, reference: str, models: RadcliqModels) -> Components:
    """(RadGraph F1, BERTScore F1, cosine of CheXbert's vectors) of a pair.

    Raises ChexoneError where a package or weights are missing.
    """
    with _LOADING:
        scores = _loaded(models)
    return scores(predicted, reference)


@cache
def _loaded(models: RadcliqModels) -> Callable[[str, str], Components]:
    graphs = radgraph.RadGraph(models.radgraph_model)
    bertscore = BertScore(
        BertScoreSettings(
            models.bertscore_model,
            models.bertscore_layer,
            baseline=models.bertscore_baseline,
            device=models.device,
        )
    )
    chexbert = CheXbert(models.chexbert_uri, models.chexbert_bert, device=models.device)

    def scores(predicted: str, reference: str) -> Components:
        pair = [predicted], [reference]
        return (
            graphs.scores(*pair)[0].radcliq,
            float(bertscore.scores(*pair)[0, 2]),
            float(chexbert.semb_scores(*pair)[0]),
        )

    return scores
