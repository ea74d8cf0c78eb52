"""Metrics by models in `evaluate`, on a tiny BERT; packages that tests do not have are
stand-ins that answer in the form of the package."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chexone_ray import storage
from chexone_ray.config import EvaluateConfig, LearnedConfig, RadcliqModels, RewardConfig, loader
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import learned, text_rows
from chexone_ray.evaluation.harness import SettingRuns, evaluate, evaluate_settings
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.learned import tables_of
from chexone_ray.evaluation.refusals import READING
from chexone_ray.exchange.prediction_rows import answered, said, write
from chexone_ray.metrics.labels import stated
from chexone_ray.metrics.learned import radcliq as components
from chexone_ray.metrics.learned.bertscore import BertScore, BertScoreSettings
from chexone_ray.metrics.learned.chexbert import CheXbert
from chexone_ray.metrics.learned.green import ERRORS
from chexone_ray.metrics.learned.radgraph import RadGraph
from chexone_ray.metrics.radcliq import radcliq
from chexone_ray.metrics.signature import extended
from chexone_ray.metrics.text import figures, text_statistics
from chexone_ray.records import ImageRef, Sample
from chexone_ray.rewards.score import refuse_unscored, score, score_group
from tests.chat_server import ChatServer, Reply, completion

BASELINE = (0.2, 0.3, 0.25)
REFERENCES = ("Small left effusion.", "No edema.", "The heart is normal.")
ANSWERS = ("Small right effusion.", None, "The heart is normal.")
SAMPLE = Sample(
    *("0", "d", "Findings Generation", "findings", "test", "p0", "s"),
    (ImageRef("x"),),
    "Write the findings.",
    "",
)


def _tables(bert: str, weights: str, **more: Any) -> dict[str, Any]:
    return {
        "bertscore": {"model": bert, "layer": 2, "baseline": BASELINE},
        "chexbert": {"weights_uri": weights, "bert": bert},
        **more,
    }


def _predictions(folder: Path, answers: Sequence[str | None] = ANSWERS) -> str:
    rows = []
    for number, (reference, answer) in enumerate(zip(REFERENCES, answers, strict=True)):
        sample = replace(SAMPLE, id=str(number), patient=f"p{number}", answer=reference)
        rows.append(answered(sample, answer, answer) if answer else said(sample, "", "instruct"))
    write(str(folder), rows, "made up")
    return str(folder)


def _config(tmp_path: Path, tables: dict[str, Any]) -> EvaluateConfig:
    return EvaluateConfig(
        output_uri=str(tmp_path / "out"),
        predictions_uri={"m": str(tmp_path / "predictions")},
        baselines=False,
        bootstrap=20,
        randomisations=0,
        learned=LearnedConfig(**tables),
    )


def _names(kind: str) -> set[str]:
    return {metric.name for metric in METRICS[kind]}


def _table(tmp_path: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    return {row["metric"]: row for row in rows}


def test_the_table_has_what_the_adapters_give(bert: str, weights: str, tmp_path: Path) -> None:
    _predictions(tmp_path / "predictions")
    evaluate(_config(tmp_path, _tables(bert, weights)))
    found = _table(tmp_path)
    texts = [answer or "" for answer in ANSWERS]
    model = BertScore(BertScoreSettings(bert, 2, baseline=BASELINE))
    f1 = model.scores(texts, REFERENCES)[:, 2]
    assert found["BERTScore F1"]["value"] == pytest.approx(f1.mean())
    reading = {"parse": f"given, {READING}", "mode": "instruct"}
    assert found["BERTScore F1"]["signature"] == extended(model.signature, reading)
    assert found["BERTScore F1"]["num_failed"] == 1, "counts as an empty text"
    reader = CheXbert(weights, bert)
    semb = reader.semb_scores(texts, REFERENCES)
    assert found["SembScore"]["value"] == pytest.approx(semb.mean())
    sets = [[stated(one) for one in reader.states(list(t))] for t in (texts, REFERENCES)]
    assert sets[0][1], "the model reads labels in no text"
    sets[0][1] = frozenset()
    shared = sum(len(a & b) for a, b in zip(*sets, strict=True))
    sizes = sum(len(one) for of_texts in sets for one in of_texts)
    assert found["CheXbert F1-14 (micro)"]["value"] == pytest.approx(2 * shared / sizes)
    assert 0 < shared < sizes / 2, "or the figure would say nothing"
    assert (
        f"labeller:CheXbert,model:{Path(weights).name}"
        in (found["CheXbert F1-14 (micro)"]["signature"])
    )
    assert "RadCliQ-v1" not in found and found["label F1 (micro)"]["headline"]


def test_what_chexbert_reads_in_no_text_is_no_answer(
    bert: str, weights: str, tmp_path: Path
) -> None:
    """Heads that read "no finding" in every text, the empty one of the failed row too."""
    tensors = torch.load(weights)
    for number in range(14):
        tensors[f"linear_heads.{number}.weight"] *= 0
        at = int(number == 13)
        size = 2 if number == 13 else 4
        tensors[f"linear_heads.{number}.bias"] = torch.eye(size)[at]
    path = str(tmp_path / "normal.pth")
    torch.save(tensors, path)
    _predictions(tmp_path / "predictions")
    evaluate(_config(tmp_path, {"chexbert": {"weights_uri": path, "bert": bert}}))
    found = {name: row["value"] for name, row in _table(tmp_path).items() if "CheXbert" in name}
    # Two right, one missed: 4 / (4 + 1). None of the five is meant: one false positive, F1 0.
    expected = {
        "F1-14 (macro, labels with support)": 4 / 5,
        "F1-14 (macro, all labels)": 4 / 5 / 14,
        "F1-14 (micro)": 4 / 5,
        "F1-14 (weighted)": 4 / 5,
        "F1-14 (samples)": 2 / 3,
        "F1-5 (macro, all labels)": 0,
        "F1-5 (micro)": 0,
        "F1-5 (weighted)": 0,
    }
    for name, value in expected.items():
        assert found.pop(f"CheXbert {name}") == pytest.approx(value), name
    assert set(found.values()) <= {None}, "F1 of labels or rows that no reference has"


@pytest.mark.usefixtures("package")
def test_radcliq_comes_with_its_three_components(bert: str, weights: str, tmp_path: Path) -> None:
    given = {"m": _predictions(tmp_path / "predictions")}
    tables = _tables(bert, weights, radgraph={"model_type": "stand-in"})
    evaluate_settings(
        str(tmp_path / "out"),
        {"": SettingRuns("", given, headline="RadCliQ-v1")},
        bootstrap=20,
        baselines=False,
        randomisations=0,
        of_reports=learned.metrics_of(LearnedConfig(**tables)),
    )
    found = _table(tmp_path)
    assert [name for name in found if found[name]["headline"]] == ["RadCliQ-v1"]
    assert all(tables_of(name) for name in found if name not in _names("findings"))
    # Small and effusion of three, and the relation: (2/3 + 1) / 2. Nothing said: 0. The same: 1.
    graphs = [(2 / 3 + 1) / 2, 0.0, 1.0]
    assert found["RadGraph F1 (radcliq)"]["value"] == pytest.approx(np.mean(graphs))
    assert found["RadGraph F1 (simple)"]["value"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    graph, bertscore, semb = (
        found[name]["value"] for name in ("RadGraph F1 (radcliq)", "BERTScore F1", "SembScore")
    )
    sums = text_statistics([(a or "", b) for a, b in zip(ANSWERS, REFERENCES, strict=True)])
    bleu = figures(sums.sum(axis=0))["BLEU-2 (mean of pairs, rexrank)"]
    assert bleu > 0.3
    first = radcliq(graph, bertscore, semb, bleu, "v0")
    assert found["RadCliQ-v0"]["value"] == pytest.approx(first)
    mean = radcliq(graph, bertscore, semb)  # linear: of the means
    assert found["RadCliQ-v1"]["value"] == pytest.approx(mean)
    assert not found["RadCliQ-v1"]["higher_is_better"]
    assert found["1/RadCliQ-v1"]["value"] == pytest.approx(1 / mean)
    assert found["1/RadCliQ-v1"]["higher_is_better"]
    assert (
        f"bertscore:model:{Path(bert).name},revision:folder,layer:2,idf:no,rescale:0.2"
        in (found["RadCliQ-v1"]["signature"])
    )
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]
    for name in ("RadCliQ-v0", "RadCliQ-v1", "1/RadCliQ-v1"):
        signed = found[name]["signature"]
        assert "|radgraph:level:radcliq,model:stand-in,radgraph:" in signed
        assert f"|semb:model:{Path(weights).name},weights:{digest}," in signed
        assert "|bleu:level:mean-of-pairs,eff:no,case:lower,tok:rexrank,smooth:method1|" in signed
        assert ("constants:fitted" in signed) == (name == "RadCliQ-v0")


@pytest.mark.usefixtures("package")
def test_reports_are_rewarded_by_the_shipped_scorer(bert: str, weights: str) -> None:
    models = RadcliqModels(
        radgraph_model="stand-in",
        bertscore_model=bert,
        bertscore_layer=2,
        bertscore_baseline=BASELINE,
        chexbert_uri=weights,
        chexbert_bert=bert,
    )
    graph, bertscore, semb = components.scorer("Small right effusion.", REFERENCES[0], models)
    pair = ["Small right effusion."], [REFERENCES[0]]
    assert graph == pytest.approx((2 / 3 + 1) / 2)
    settings = BertScoreSettings(bert, 2, baseline=BASELINE)
    assert bertscore == pytest.approx(BertScore(settings).scores(*pair)[0, 2])
    assert semb == pytest.approx(CheXbert(weights, bert).semb_scores(*pair)[0])
    rewards = RewardConfig(
        rules="original",
        format=0,
        radcliq_scorer="chexone_ray.metrics.learned.radcliq:scorer",
        radcliq=models,
    )
    row = replace(SAMPLE, answer=REFERENCES[0])
    expected = 2 / (1 + np.exp(radcliq(graph, bertscore, semb)))
    said_so = score(r"Seen. \boxed{Small right effusion.}", row, rewards)
    assert said_so.total == pytest.approx(expected)


def _counted(whole: Any, sizes: list[int]) -> Any:
    """A method of a network that notes how many pairs it is given."""

    def counted(self: Any, *pair: Sequence[str]) -> Any:
        sizes.append(len(pair[0]))
        return whole(self, *pair)

    return counted


@pytest.mark.usefixtures("package")
def test_the_completions_of_a_prompt_go_through_each_network_at_once(
    bert: str, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = RadcliqModels(
        radgraph_model="stand-in",
        bertscore_model=bert,
        bertscore_layer=2,
        bertscore_baseline="none",
        chexbert_uri=weights,
        chexbert_bert=bert,
    )
    named = {"radcliq_scorer": components.__name__ + ":scorer", "radcliq": models}
    sizes: list[int] = []
    for network, name in ((RadGraph, "scores"), (BertScore, "scores"), (CheXbert, "score")):
        monkeypatch.setattr(network, name, _counted(getattr(network, name), sizes))
    row = replace(SAMPLE, answer=REFERENCES[0], reference="")
    texts = [rf"Seen. \boxed{{{told}}}" for told in ("Left edema.", "A mass.", "A mass.")]
    for rules in ("original", "strict"):
        by_rules: dict[str, Any] = {"rules": rules} if rules == "original" else {}
        rewards = RewardConfig(format=0, report_by="radcliq", **by_rules, **named)
        values = [scored.total for scored in score_group([*texts, "No box."], row, rewards)]
        assert sizes == [2, 2, 2] and values[1] == values[2] != values[0] and values[3] == 0
    alone = components.scorer("A mass.", f"{REFERENCES[0]} ", models)
    assert alone == pytest.approx(components.scorer("A mass.", REFERENCES[0], models), abs=1e-5)


@pytest.mark.usefixtures("package")
def test_scores_of_packages_and_judges_become_figures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        judged = {"matched": 3, **dict.fromkeys(ERRORS, 0), "missed_finding": 1}
        return completion([json.dumps(judged) if row == 0 else "I would rather not."])

    _predictions(tmp_path / "predictions", ("Row 0. Small effusion.", None, "Row 1. Normal."))
    with ChatServer(script) as server, caplog.at_level("WARNING", "chexone_ray"):
        tables: dict[str, Any] = {
            "ratescore": {"entities_model": "a/b", "embedding_model": "c/d"},
            "radeval": {"metrics": ("temporal",), "figures": ("temporal_f1",)},
            "green": {"endpoint": {"url": server.url, "model": "judge"}},
        }
        with pytest.raises(ChexoneError, match="GREEN: the judge gave no score to 1 of 3 rows of"):
            evaluate(_config(tmp_path, tables))
        monkeypatch.setattr("chexone_ray.evaluation.measures.MAX_UNJUDGED", 0.5)
        evaluate(_config(tmp_path, tables))
        figures = _table(tmp_path)
        found = {name: row["value"] for name, row in _table(tmp_path).items()}
        noted = (tmp_path / "out" / "table.md").read_text()
        tables["radeval"]["figures"] = ("temporal",)
        storage.delete(str(tmp_path / "out"))  # of other settings
        with pytest.raises(ChexoneError, match="temporal is not in the package's result, which ha"):
            evaluate(_config(tmp_path, tables))
    # The row that failed has an empty text: 0 without being asked about.
    assert found["GREEN"] == pytest.approx((3 / 4 + 0) / 2)
    assert (figures["GREEN"]["num_rows"], figures["GREEN"]["num_unjudged"]) == (3, 1)
    assert noted.count("GREEN: the judge gave no score to 1 of 3 rows of") == 1
    assert "GREEN: 1 of 3 pairs not judged: answer: no counts (1)" in caplog.text
    assert found["RaTEScore"] == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert found["RadEval temporal_f1"] == pytest.approx((0.25 + 0 + 0.25) / 3)


def test_what_is_missing_ends_in_one_line_before_anything_is_computed(
    bert: str, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("something was computed")

    _predictions(tmp_path / "predictions")
    monkeypatch.setitem(sys.modules, "radgraph", None)
    monkeypatch.setattr("chexone_ray.evaluation.harness.read_predictions", never)
    judge = {"url": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": "NO_SUCH_KEY"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"radgraph": {"model_type": "x"}}, "RadGraph F1 needs the package radgraph"),
        ({"chexbert": {"weights_uri": "/no/chexbert.pth", "bert": bert}}, "CheXbert needs its pub"),
        ({"green": {"endpoint": judge}}, "endpoint.api_key_env=NO_SUCH_KEY"),
        ({"bertscore": {"model": bert, "layer": 9}}, "BERTScore layer=9: .* has 3 layers"),
    ]
    for tables, message in cases:
        with pytest.raises(ChexoneError, match=message) as caught:
            evaluate(_config(tmp_path, tables))
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    rewards = RewardConfig(
        report_by="radcliq",
        radcliq_scorer="chexone_ray.metrics.learned.radcliq:scorer",
        radcliq=RadcliqModels(
            radgraph_model="x", bertscore_model=bert, chexbert_uri=weights, chexbert_bert=bert
        ),
    )
    with pytest.raises(ChexoneError, match="RadGraph F1 needs the package radgraph"):
        refuse_unscored([SAMPLE], rewards)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"report_by": "radcliq", "radcliq_scorer": components.__name__ + ":scorer"}, "needs its"),
        ({"radcliq": {"radgraph_model": "x", "bertscore_model": "x", "chexbert_uri": "x",
                      "chexbert_bert": "x"}}, "no effect without rewards.radcliq_scorer"),
        ({"rules": "original", "radcliq_scorer": components.__name__ + ":scorer",
          "radcliq": {"radgraph_model": "x", "bertscore_model": "x", "chexbert_uri": "x",
                      "chexbert_bert": "x"}}, "bertscore_baseline is not set"),
    ],
)  # fmt: skip
def test_rewards_name_the_models_of_the_shipped_scorer(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RewardConfig(**values)


def test_the_page_shows_tables_that_load(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    (block,) = re.findall(r"^```toml\n(\[learned\].*?)^```", text, re.M | re.S)
    path = tmp_path / "a.toml"
    path.write_text(f"output_uri = 'o'\nbaselines = false\npredictions_uri = {{m = 'p'}}\n{block}")
    config = loader.load(EvaluateConfig, loader.Arguments(config=(path,))).learned
    assert config.bertscore and config.chexbert and config.radgraph and not config.green


def test_settings_come_from_flags_and_nothing_is_loaded_without_them(bert: str) -> None:
    flags = ["--predictions_uri.m", "p", "--output_uri", "o", "--baselines", "false"]
    plain = loader.load(EvaluateConfig, loader.parse(flags))
    assert learned.metrics_of(plain.learned) == ()
    flags += ["--learned.bertscore.model", bert, "--learned.bertscore.layer", "2"]
    config = loader.load(EvaluateConfig, loader.parse(flags))
    metrics = learned.metrics_of(config.learned)
    assert [metric.name for metric in metrics] == ["BERTScore F1"]
    assert "rescale:no" in metrics[0].signature
    assert text_rows.computed(metrics, {}).rows == {}
