"""RaTEScore: soft match of typed entities (package `RaTEScore`, two models from the hub)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned import packages
from chexone_ray.metrics.learned.encoder import short_name
from chexone_ray.metrics.signature import signature

NAME = "RaTEScore"
REMEDY = (
    "run `pip install RaTEScore medspacy` in an environment of its own (the package does not "
    "declare what it needs) and compute it there, or leave the metric out"
)


class RaTEScore:
    """Holds the package's models; `scores` compares pairs of texts.

    `entities_model` finds the entities, `embedding_model` compares them; hub names or folders.
    Raises ChexoneError where the package or a model is missing.
    """

    def __init__(
        self, entities_model: str, embedding_model: str, *, affinity: str = "long", use_gpu: bool
    ) -> None:
        package = packages.load(NAME, "RaTEScore", "RaTEScore", REMEDY)
        self._names = (entities_model, embedding_model, affinity)
        try:
            self._scorer: Any = package.RaTEScore(
                bert_model=entities_model,
                eval_model=embedding_model,
                affinity_matrix=affinity,
                use_gpu=use_gpu,
            )
        except Exception as error:
            # What the package raises for weights that it cannot fetch is not stated.
            raise packages.no_model(NAME, f"{entities_model}, {embedding_model}", error) from None

    def scores(self, predicted: Sequence[str], reference: Sequence[str]) -> list[float]:
        """One a pair, in 0-1; 0 for an empty text, which the package is not asked about."""
        packages.check_pairs(NAME, predicted, reference)
        pairs = zip(predicted, reference, strict=True)
        asked = [i for i, (said, meant) in enumerate(pairs) if said.strip() and meant.strip()]
        found = [0.0] * len(predicted)
        if asked:
            given = [predicted[i] for i in asked], [reference[i] for i in asked]
            values = list(self._scorer.compute_score(*given))
            if len(values) != len(asked):
                raise ChexoneError(
                    f"{NAME} gave {len(values)} scores for {len(asked)} pairs: this version of the "
                    "package is not the one that the adapter knows (0.6)"
                )
            for place, value in zip(asked, values, strict=True):
                found[place] = float(value)
        return found

    @property
    def signature(self) -> str:
        """Both models, the weights of types and the package's version."""
        entities, embedding, affinity = self._names
        return signature(
            NAME,
            entities=short_name(entities),
            embedding=short_name(embedding),
            affinity=affinity,
            ratescore=packages.version("RaTEScore"),
        )
