"""BERTScore: greedy cosine of contextual token vectors (Zhang et al. 2020), by transformers alone.

The value depends on model, layer, idf and rescaling by tens of points, so all four are stated and
none has a silent default: rescaling happens with a given baseline only. Two set-ups in use, both
without idf and rescaled, are the public leaderboard's, distilroberta-base, and that of CheXOne's
reward, distilbert-base-uncased layer 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned import encoder, packages
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array

NAME = "BERTScore"
_PAIRS = 512
"""Pairs whose vectors are held at a time."""


@dataclass(frozen=True)
class BertScoreSettings:
    """What a BERTScore is made of."""

    model: str
    """Folder, URI or hub name."""
    layer: int
    """Hidden layer whose vectors are compared; 0 are the embeddings."""
    idf: bool = False
    """Weigh tokens by their rarity among the references of the call, so that the value of a pair
    depends on the others."""
    baseline: tuple[float, float, float] | None = None
    """Precision, recall and F1 of random pairs for this model and layer, as the authors publish
    them in tables: each score x becomes (x - b) / (1 - b). None leaves the scores as they are."""
    batch_size: int = 64
    device: str = "cpu"


class BertScore:
    """Holds the model; `scores` compares pairs of texts.

    Raises ChexoneError where the weights are missing or have no such layer.
    """

    def __init__(self, settings: BertScoreSettings) -> None:
        self._settings = settings
        config, self._tokenizer = encoder.load_tokenizer(NAME, settings.model)
        if not 0 <= settings.layer <= config.num_hidden_layers:
            raise ChexoneError(
                f"{NAME} layer={settings.layer}: {settings.model} has {config.num_hidden_layers} "
                "layers; give 0 to that"
            )
        if settings.baseline is not None and max(settings.baseline) >= 1:
            raise ChexoneError(
                f"{NAME} baseline={settings.baseline}: a baseline is below 1; give precision, "
                "recall and F1 of random pairs"
            )
        self._limit = encoder.max_tokens(config, self._tokenizer)
        self._revision = encoder.revision(config)
        self._model = encoder.load_encoder(NAME, settings.model, settings.device)

    def scores(self, predicted: Sequence[str], reference: Sequence[str]) -> Array:
        """Precision, recall and F1 of each pair (N, 3); 0 (before rescaling) for an empty text.

        Tokens are matched with any token of the other text, the special ones at its ends too, but
        those weigh nothing themselves, as in the authors' code.
        """
        packages.check_pairs(NAME, predicted, reference)
        said = [text.strip() for text in predicted]
        meant = [text.strip() for text in reference]
        weights = self._weights(meant)
        rows: list[tuple[float, float, float]] = []
        for start in range(0, len(said), _PAIRS):
            pairs = list(zip(said, meant, strict=True))[start : start + _PAIRS]
            different = list(dict.fromkeys(text for pair in pairs for text in pair))
            encoded = dict(zip(different, self._encode(different), strict=True))
            rows += [_greedy(encoded[first], encoded[second], weights) for first, second in pairs]
        found = np.array(rows, dtype=float).reshape(-1, 3)
        if self._settings.baseline is None:
            return found
        base = np.array(self._settings.baseline)
        return (found - base) / (1 - base)

    @property
    def signature(self) -> str:
        """Model and its revision, layer, idf, baseline, tokens read, version of transformers."""
        settings = self._settings
        base = settings.baseline
        return signature(
            f"{NAME} F1",
            model=encoder.short_name(settings.model),
            revision=self._revision,
            layer=settings.layer,
            idf="references" if settings.idf else "no",
            rescale="no" if base is None else "/".join(f"{value:g}" for value in base),
            max_tokens=self._limit,
            transformers=packages.version("transformers"),
        )

    def _encode(self, texts: Sequence[str]) -> list[tuple[list[int], Array]]:
        """Token ids and unit vectors (tokens, size) of each text."""
        import torch

        found: list[Any] = [None] * len(texts)
        with torch.inference_mode():
            for places, batch in encoder.batches(
                self._tokenizer,
                texts,
                self._limit,
                self._settings.batch_size,
                self._settings.device,
            ):
                given = {k: v for k, v in batch.items() if k != "token_type_ids"}
                states = self._model(**given, output_hidden_states=True).hidden_states
                vectors = torch.nn.functional.normalize(states[self._settings.layer], dim=-1)
                for row, place in enumerate(places):
                    kept = batch["attention_mask"][row].bool()
                    ids = batch["input_ids"][row][kept].tolist()
                    found[place] = (ids, vectors[row][kept].cpu().numpy())
        return found

    def _weights(self, references: Sequence[str]) -> _Weights:
        special = frozenset(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        if not self._settings.idf:
            return _Weights(special, {}, 1.0)
        read = self._tokenizer(list(references), truncation=True, max_length=self._limit)
        documents = Counter(token for ids in read["input_ids"] for token in set(ids))
        number = len(references)
        known = {token: log((number + 1) / (n + 1)) for token, n in documents.items()}
        return _Weights(special, known, log(number + 1))


@dataclass(frozen=True)
class _Weights:
    special: frozenset[int]
    known: dict[int, float]
    other: float

    def of(self, ids: Sequence[int]) -> Array:
        return np.array([0.0 if i in self.special else self.known.get(i, self.other) for i in ids])


def _greedy(
    said: tuple[list[int], Array], meant: tuple[list[int], Array], weights: _Weights
) -> tuple[float, float, float]:
    """Precision, recall and F1; all 0 where a side has nothing of weight."""
    cosines = said[1] @ meant[1].T
    first, second = weights.of(said[0]), weights.of(meant[0])
    if not first.sum() or not second.sum():
        return 0.0, 0.0, 0.0
    precision = float(cosines.max(axis=1) @ first / first.sum())
    recall = float(cosines.max(axis=0) @ second / second.sum())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0
