"""CheXbert's reading on a tiny BERT with random heads, saved as the published file is."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.labels import F1_14, stated
from chexone_ray.metrics.learned.chexbert import CLASSES, HEADS, CheXbert
from tests.metrics.learned import tiny_bert

REPORTS = [
    "Small left\npleural  effusion.",
    "The heart is normal.",
    "No edema.",
    "possible pneumonia",
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bert.write(tmp_path_factory.mktemp("bert")))


def _tensors(bert: str) -> dict[str, Any]:
    """As a data-parallel module of another age saves it: a prefix, and the positions' numbers."""
    model = AutoModel.from_pretrained(bert)
    torch.manual_seed(1)
    named = {f"module.bert.{name}": value for name, value in model.state_dict().items()}
    named["module.bert.embeddings.position_ids"] = torch.arange(40)[None]
    for number in range(14):
        head = torch.nn.Linear(16, 2 if number == 13 else 4)
        named[f"module.linear_heads.{number}.weight"] = head.weight.detach()
        named[f"module.linear_heads.{number}.bias"] = head.bias.detach()
    return named


@pytest.fixture(scope="module")
def weights(bert: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "chexbert.pth"
    torch.save({"epoch": 8, "model_state_dict": _tensors(bert)}, path)
    return str(path)


@lru_cache
def _loaded(bert: str) -> tuple[dict[str, Any], Any, Any]:
    return (
        _tensors(bert),
        AutoTokenizer.from_pretrained(bert),
        AutoModel.from_pretrained(bert).eval(),
    )


def _plain(bert: str, report: str) -> tuple[list[int], np.ndarray]:
    """Classes and vector of one report, without batches and padding."""
    tensors, tokenizer, model = _loaded(bert)
    given = tokenizer(report, return_tensors="pt")
    with torch.no_grad():
        vector = model(given["input_ids"], given["attention_mask"]).last_hidden_state[0, 0]
    classes = []
    for number in range(14):
        weight = tensors[f"module.linear_heads.{number}.weight"]
        scores = weight @ vector + tensors[f"module.linear_heads.{number}.bias"]
        classes.append(int(scores.argmax()))
    return classes, vector.numpy()


def test_labels_and_vectors_are_those_of_the_weights(bert: str, weights: str) -> None:
    model = CheXbert(weights, bert, batch_size=3)
    classes = model.classes(REPORTS)
    assert classes.shape == (4, 14)
    for row, report in zip(classes, REPORTS, strict=True):
        assert row.tolist() == _plain(bert, report)[0]
    assert len({tuple(row) for row in classes.tolist()}) > 1, "the random heads tell reports apart"
    assert set(classes[:, :13].ravel().tolist()) == {0, 1, 2, 3} and classes[:, 13].max() <= 1


def test_states_are_those_of_the_classes(bert: str, weights: str) -> None:
    model = CheXbert(weights, bert)
    meaning = {"positive": 1, "negative": 0, "uncertain": -1}
    for row, states in zip(model.classes(REPORTS), model.states(REPORTS), strict=True):
        named = {label: CLASSES[int(at)] for label, at in zip(HEADS, row, strict=True)}
        assert states == {k: meaning[v] for k, v in named.items() if v != "blank"}
        ones = {k for k, v in named.items() if v in ("positive", "uncertain")}
        assert stated(states) == ones and ones <= set(F1_14)


def test_semb_score_is_the_cosine_of_the_vectors(bert: str, weights: str) -> None:
    model = CheXbert(weights, bert, batch_size=1)
    said, meant = REPORTS, [*REPORTS[1:], REPORTS[3]]
    scores = model.semb_scores(said, meant)
    for score, first, second in zip(scores, said, meant, strict=True):
        a, b = _plain(bert, first)[1], _plain(bert, second)[1]
        expected = float(a @ b / np.sqrt((a @ a) * (b @ b)))
        assert score == pytest.approx(expected, abs=1e-5)
    assert scores[3] == pytest.approx(1) and scores[0] < 0.999
    assert model.semb_scores(["", " "], [REPORTS[0], ""]).tolist() == [0, 0], "no answer"
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]
    assert model.signature().startswith(
        f"SembScore|model:chexbert.pth|weights:{digest}|bert:{Path(bert).name}|layer:last CLS"
        "|max_tokens:40|"
    )


def test_other_weights_are_refused_in_one_line(bert: str, tmp_path: Path) -> None:
    def refusal(uri: str, bert: str = bert) -> str:
        with pytest.raises(ChexoneError) as caught:
            CheXbert(uri, bert)
        message = str(caught.value)
        assert "\n" not in message and message.startswith("CheXbert ")
        return message

    absent = str(tmp_path / "chexbert.pth")
    assert re.search(r"needs its published weights: .*it does not exist.*download", refusal(absent))
    assert "is not a folder" in refusal(absent, str(tmp_path / "bert"))
    (tmp_path / "text.pth").write_text("no weights")
    assert "give the published chexbert.pth" in refusal(str(tmp_path / "text.pth"))
    tensors = _tensors(bert)
    del tensors["module.linear_heads.13.bias"]
    torch.save({"model_state_dict": tensors}, tmp_path / "less.pth")
    assert "1 tensors are missing and 0 are unknown" in refusal(str(tmp_path / "less.pth"))
    tensors["module.linear_heads.13.bias"] = torch.zeros(4)
    torch.save(tensors, tmp_path / "other.pth")
    assert "size mismatch" in refusal(str(tmp_path / "other.pth"))
