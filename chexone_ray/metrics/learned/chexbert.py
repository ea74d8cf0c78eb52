"""CheXbert (Smit et al. 2020): 14 labels of a report by a BERT, and SembScore by its vectors.

Needs the published weights (a file `chexbert.pth`) and, for words and sizes, a folder or hub name
of bert-base-uncased, which they were made from. `states` gives what `labels.stated` takes, and the
sets of that are what `label_f1` counts.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from chexone_ray import storage
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.labeller.terms import LABELS
from chexone_ray.metrics.learned import encoder, packages
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array

NAME = "CheXbert"
HEADS = (*LABELS[1:], LABELS[0])
"""The labels in the order of the weights. The last has the classes blank and positive only."""
CLASSES = ("blank", "positive", "negative", "uncertain")
_STATES = (None, 1, 0, -1)


class CheXbert:
    """Holds the model; reads reports.

    Raises ChexoneError where weights or vocabulary are missing, or are those of something else.
    """

    def __init__(
        self, weights_uri: str, bert: str, *, batch_size: int = 32, device: str = "cpu"
    ) -> None:
        self._names = (weights_uri, bert)
        self._batch_size, self._device = batch_size, device
        config, self._tokenizer = encoder.load_tokenizer(NAME, bert)
        if config.model_type != "bert":
            raise _other_weights(weights_uri, f"{bert} is of type {config.model_type}")
        self._limit = encoder.max_tokens(config, self._tokenizer)
        tensors, self._digest = _read(weights_uri)
        self._bert, self._heads = _build(config, tensors, weights_uri)
        self._bert.to(device)
        self._heads.to(device)

    def classes(self, reports: Sequence[str]) -> Array:
        """Index into CLASSES of each label (N, 14)."""
        return self._run(reports)[0]

    def states(self, reports: Sequence[str]) -> list[dict[str, int]]:
        """Label -> 1 present, 0 absent, -1 uncertain; blank ones are left out."""
        return _states_of(self.classes(reports))

    def semb_scores(self, predicted: Sequence[str], reference: Sequence[str]) -> Array:
        """`score` without the states."""
        return self.score(predicted, reference)[0]

    def score(
        self, predicted: Sequence[str], reference: Sequence[str]
    ) -> tuple[Array, list[dict[str, int]], list[dict[str, int]]]:
        """SembScore (N,) and the `states` of both sides, each text read once.

        SembScore is the cosine of the vectors of a pair, in -1 to 1. 0 where the prediction is
        blank: the vector of no text is like that of some report."""
        packages.check_pairs("SembScore", predicted, reference)
        classes, vectors = self._run([*predicted, *reference])
        count = len(predicted)
        said, meant = vectors[:count], vectors[count:]
        lengths = np.linalg.norm(said, axis=1) * np.linalg.norm(meant, axis=1)
        cosines = (said * meant).sum(axis=1) / np.maximum(lengths, 1e-12)
        semb = np.where([bool(text.strip()) for text in predicted], cosines, 0.0)
        return semb, _states_of(classes[:count]), _states_of(classes[count:])

    def signature(self) -> str:
        """Of SembScore: file and digest of the weights, vocabulary, tokens read, version of
        transformers."""
        return signature("SembScore", **self._settings(), no_answer=0)

    @property
    def labeller(self) -> str:
        """The model as signatures of label figures name it."""
        return ",".join([NAME, *(f"{key}:{value}" for key, value in self._settings().items())])

    def _settings(self) -> dict[str, str | int]:
        weights, bert = self._names
        return {
            "model": encoder.short_name(weights),
            "weights": self._digest,
            "bert": encoder.short_name(bert),
            "layer": "last CLS",
            "max_tokens": self._limit,
            "transformers": packages.version("transformers"),
        }

    def _run(self, reports: Sequence[str]) -> tuple[Array, Array]:
        """Classes (N, 14) and CLS vectors (N, H). Line breaks count as spaces, as in training."""
        import torch

        texts = [" ".join(report.split()) for report in reports]
        classes = np.zeros((len(texts), len(HEADS)), dtype=int)
        vectors = np.zeros((len(texts), self._bert.config.hidden_size))
        with torch.inference_mode():
            for places, batch in encoder.batches(
                self._tokenizer, texts, self._limit, self._batch_size, self._device
            ):
                given = {key: batch[key] for key in ("input_ids", "attention_mask")}
                first = self._bert(**given).last_hidden_state[:, 0]
                vectors[places] = first.cpu().numpy()
                for column, head in enumerate(self._heads):
                    classes[places, column] = head(first).argmax(dim=-1).cpu().numpy()
        return classes, vectors


def _states_of(classes: Array) -> list[dict[str, int]]:
    return [
        {
            label: state
            for label, at in zip(HEADS, row, strict=True)
            if (state := _STATES[int(at)]) is not None
        }
        for row in classes
    ]


def _read(uri: str) -> tuple[dict[str, Any], str]:
    """The tensors of a checkpoint, with the prefix of a data-parallel module taken off, and a
    digest of the file."""
    import torch

    try:
        data = storage.read_bytes(uri)
    except ChexoneError as error:
        raise ChexoneError(
            f"{NAME} needs its published weights: {error}; download chexbert.pth and give its place"
        ) from None
    try:
        held = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        tensors = held.get("model_state_dict", held)
        named = {name.removeprefix("module."): value for name, value in tensors.items()}
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError, ValueError) as error:
        raise _other_weights(uri, packages.one_line(error)) from None
    return named, hashlib.sha256(data).hexdigest()[:8]


def _build(config: Any, tensors: dict[str, Any], uri: str) -> tuple[Any, Any]:
    """The encoder and the 14 heads with the weights in them, for inference."""
    import torch
    from transformers import BertModel

    bert = BertModel(config)
    sizes = [len(CLASSES)] * (len(HEADS) - 1) + [2]
    heads = torch.nn.ModuleList(torch.nn.Linear(config.hidden_size, size) for size in sizes)
    parts = torch.nn.ModuleDict({"bert": bert, "linear_heads": heads})
    try:
        missing, surplus = parts.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise _other_weights(uri, packages.one_line(error)) from None
    # Old checkpoints hold the numbers of the positions too, which are no weights.
    surplus = [name for name in surplus if not name.endswith("position_ids")]
    if missing or surplus:
        raise _other_weights(
            uri, f"{len(missing)} tensors are missing and {len(surplus)} are unknown"
        )
    return bert.eval(), heads.eval()


def _other_weights(uri: str, problem: str) -> ChexoneError:
    return ChexoneError(
        f"{NAME} cannot use {uri} ({problem}): give the published chexbert.pth and the BERT that "
        "it was made from, bert-base-uncased"
    )
