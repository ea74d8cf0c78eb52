"""BERTScore on a tiny BERT against the definition written out token by token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, __version__

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned import bertscore
from chexone_ray.metrics.learned.bertscore import BertScore, BertScoreSettings
from tests.metrics.learned import tiny_bert

SAID = ["Small left pleural effusion.", "The heart is normal.", "no edema", ""]
MEANT = ["There is a large right effusion.", "The heart is normal.", "edema of the lung", "edema"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bert.write(tmp_path_factory.mktemp("tiny-bert")))


@lru_cache
def _loaded(model: str) -> tuple[Any, Any]:
    return AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()


def _tokens(model: str, layer: int, text: str) -> list[tuple[int, list[float]]]:
    """(id, vector) of each token, one text at a time and without padding."""
    tokenizer, encoder = _loaded(model)
    given = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        states = encoder(
            given["input_ids"], given["attention_mask"], output_hidden_states=True
        ).hidden_states[layer][0]
    return list(zip(given["input_ids"][0].tolist(), states.tolist(), strict=True))


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def _plain(
    model: str, layer: int, said: str, meant: str, idf: dict[int, float] | None
) -> tuple[float, float, float]:
    first, second = _tokens(model, layer, said), _tokens(model, layer, meant)

    def weight(token: int) -> float:
        if token in (2, 3):  # [CLS] and [SEP]
            return 0.0
        return 1.0 if idf is None else idf.get(token, math.log(len(MEANT) + 1))

    def mean_best(
        tokens: list[tuple[int, list[float]]], others: list[tuple[int, list[float]]]
    ) -> float:
        best = [max(_cosine(vector, other) for _, other in others) for _, vector in tokens]
        weights = [weight(token) for token, _ in tokens]
        return sum(w * b for w, b in zip(weights, best, strict=True)) / sum(weights)

    precision, recall = mean_best(first, second), mean_best(second, first)
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("layer", [0, 2, 3])
def test_it_is_the_definition(model: str, layer: int) -> None:
    scores = BertScore(BertScoreSettings(model, layer, batch_size=2)).scores(SAID, MEANT)
    assert scores.shape == (4, 3)
    for row, said, meant in zip(scores[:3], SAID, MEANT, strict=False):
        assert row == pytest.approx(_plain(model, layer, said, meant, None), abs=1e-5)
    assert scores[1] == pytest.approx([1, 1, 1], abs=1e-6)
    assert scores[3].tolist() == [0, 0, 0]


def test_idf_counts_the_references_that_hold_a_token(model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    documents = [set(tokenizer(text)["input_ids"]) for text in MEANT]
    idf = {
        token: math.log((len(MEANT) + 1) / (sum(token in d for d in documents) + 1))
        for token in set().union(*documents)
    }
    scores = BertScore(BertScoreSettings(model, 2, idf=True)).scores(SAID, MEANT)
    for row, said, meant in zip(scores[:3], SAID, MEANT, strict=False):
        assert row == pytest.approx(_plain(model, 2, said, meant, idf), abs=1e-5)
    plain = BertScore(BertScoreSettings(model, 2)).scores(SAID, MEANT)
    assert np.abs(scores[0] - plain[0]).max() > 1e-3


def test_scores_are_rescaled_only_with_a_baseline(model: str) -> None:
    plain = BertScore(BertScoreSettings(model, 2)).scores(SAID, MEANT)
    base = (0.2, 0.3, 0.25)
    scaled = BertScore(BertScoreSettings(model, 2, baseline=base)).scores(SAID, MEANT)
    np.testing.assert_allclose(scaled, (plain - base) / (1 - np.array(base)))


def test_batches_and_chunks_change_nothing(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = BertScore(BertScoreSettings(model, 3)).scores(SAID, MEANT)
    monkeypatch.setattr(bertscore, "_PAIRS", 3)
    cut = BertScore(BertScoreSettings(model, 3, batch_size=1)).scores(SAID, MEANT)
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert BertScore(BertScoreSettings(model, 3)).scores([], []).shape == (0, 3)


def test_long_texts_are_cut(model: str) -> None:
    scorer = BertScore(BertScoreSettings(model, 1))
    start = "edema of the lung . " * 8  # 40 words: 38 are read
    assert scorer.scores([start + "pneumonia"], [start]) == pytest.approx(np.ones((1, 3)), abs=1e-6)


def test_the_signature_says_all_of_it(model: str) -> None:
    name = Path(model).name
    plain = BertScore(BertScoreSettings(model, 2)).signature
    assert plain.startswith(
        f"BERTScore F1|model:{name}|revision:folder|layer:2|idf:no|rescale:no|max_tokens:40"
        f"|transformers:{__version__}|v:"
    )
    full = BertScore(BertScoreSettings(model, 2, True, (0.2, 0.3, 0.25))).signature
    assert "|idf:references|rescale:0.2/0.3/0.25|" in full


def test_what_is_missing_is_one_line(model: str, tmp_path: Path) -> None:
    def refusal(settings: BertScoreSettings) -> str:
        with pytest.raises(ChexoneError) as caught:
            BertScore(settings)
        message = str(caught.value)
        assert "\n" not in message and message.startswith("BERTScore ")
        return message

    assert "is not a folder: check the path" in refusal(BertScoreSettings(str(tmp_path / "no"), 2))
    assert "holds no config.json" in refusal(BertScoreSettings(str(tmp_path), 2))
    assert "has 3 layers" in refusal(BertScoreSettings(model, 4))
    assert "a baseline is below 1" in refusal(BertScoreSettings(model, 2, False, (0.9, 0.9, 1.0)))
    (tmp_path / "config.json").write_text((Path(model) / "config.json").read_text())
    assert "cannot load" in refusal(BertScoreSettings(str(tmp_path), 2))
    scorer = BertScore(BertScoreSettings(model, 2))
    with pytest.raises(ValueError, match="1 predicted and 2 reference texts are no pairs"):
        scorer.scores(["edema"], ["edema", "no edema"])
