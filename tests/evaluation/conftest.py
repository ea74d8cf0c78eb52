"""Tiny models and stand-ins of packages, for the metrics that need them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

STAND_IN = '''
class RadGraph:
    """Each word is an entity; the first modifies the last."""
    def __init__(self, model_type):
        if model_type != "stand-in":
            raise OSError("no such weights")
    def __call__(self, texts):
        found = {}
        for number, text in enumerate(texts):
            words = text.strip(".").split()
            entities = {
                str(i): {"tokens": word, "label": "OBS-DP", "relations": []}
                for i, word in enumerate(words)
            }
            entities["0"]["relations"] = [["modify", str(len(words) - 1)]]
            found[str(number)] = {"entities": entities}
        return found
'''
OTHERS = {
    "RaTEScore": """
class RaTEScore:
    def __init__(self, bert_model, eval_model, affinity_matrix, use_gpu):
        assert (bert_model, eval_model, affinity_matrix, use_gpu) == ("a/b", "c/d", "long", False)
    def compute_score(self, predicted, reference):
        return [0.5 for _ in predicted]
""",
    "radeval": """
class RadEval:
    def __init__(self, metrics, per_sample, show_progress):
        assert (metrics, per_sample) == (["temporal"], True)
    def __call__(self, refs, hyps):
        return {"temporal_f1": [0.25 if text else 0.0 for text in hyps], "version": "2"}
""",
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tests.metrics.learned import tiny_bert

    return str(tiny_bert.write(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module")
def weights(bert: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    import torch
    from transformers import AutoModel

    torch.manual_seed(1)
    tensors = {f"bert.{k}": v for k, v in AutoModel.from_pretrained(bert).state_dict().items()}
    for number in range(14):
        head = torch.nn.Linear(16, 2 if number == 13 else 4)
        tensors[f"linear_heads.{number}.weight"] = head.weight.detach()
        tensors[f"linear_heads.{number}.bias"] = head.bias.detach()
    path = tmp_path_factory.mktemp("weights") / "chexbert.pth"
    torch.save(tensors, path)
    return str(path)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packages").mkdir()
    for name, text in {"radgraph": STAND_IN, **OTHERS}.items():
        (tmp_path / "packages" / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path / "packages")
