"""The three components of RadCliQ of a pair, by models: for `rewards.radcliq_scorer`.

    [rewards]
    radcliq_scorer = "chexone_ray.metrics.learned.radcliq:scorer"

`rewards.radcliq` says which models; every process that scores loads them once. The completions of
one prompt are scored by one call of each (`score.score_group`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

from chexone_ray.config import RadcliqModels
from chexone_ray.metrics.learned import packages, radgraph
from chexone_ray.metrics.learned.bertscore import BertScore, BertScoreSettings
from chexone_ray.metrics.learned.chexbert import CheXbert

Components: TypeAlias = tuple[float, float, float]
CACHED_PAIRS = 4_096
_LOCK = threading.Lock()
_known: dict[tuple[str, str, RadcliqModels], Components] = {}
"""Pairs scored in this process, the oldest first."""


def check(models: RadcliqModels) -> None:
    """Raises ChexoneError where the package of RadGraph is missing; loads no model."""
    packages.load(radgraph.NAME, "radgraph", "radgraph", radgraph.REMEDY)


def scorer(predicted: str, reference: str, models: RadcliqModels) -> Components:
    """(RadGraph F1, BERTScore F1, cosine of CheXbert's vectors) of a pair.

    Raises ChexoneError where a package or weights are missing.
    """
    return score_together([predicted], reference, models)[0]


def score_together(
    predicted: Sequence[str], reference: str, models: RadcliqModels
) -> list[Components]:
    """`scorer` of many answers to one reference, by one call of each network; known pairs are not
    scored again. Raises ChexoneError as `scorer` does."""
    with _LOCK:
        keys = [(text, reference, models) for text in predicted]
        found = {key: _known[key] for key in keys if key in _known}
        new = [key for key in dict.fromkeys(keys) if key not in found]
        if new:
            texts = [text for text, _, _ in new]
            found |= zip(new, _loaded(models)(texts, [reference] * len(texts)), strict=True)
            _known.update((key, found[key]) for key in new)
            for key in list(_known)[: max(len(_known) - CACHED_PAIRS, 0)]:
                del _known[key]
    return [found[key] for key in keys]


@cache
def _loaded(
    models: RadcliqModels,
) -> Callable[[Sequence[str], Sequence[str]], list[Components]]:
    graphs = radgraph.RadGraph(models.radgraph_model)
    baseline = models.bertscore_baseline
    bertscore = BertScore(
        BertScoreSettings(
            models.bertscore_model,
            models.bertscore_layer,
            baseline=None if baseline == "none" else baseline,
            device=models.device,
        )
    )
    chexbert = CheXbert(models.chexbert_uri, models.chexbert_bert, device=models.device)

    def scores(predicted: Sequence[str], reference: Sequence[str]) -> list[Components]:
        parts = (
            [pair.radcliq for pair in graphs.scores(predicted, reference)],
            bertscore.scores(predicted, reference)[:, 2].tolist(),
            chexbert.semb_scores(predicted, reference).tolist(),
        )
        return list(zip(*parts, strict=True))

    return scores
