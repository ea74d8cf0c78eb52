"""Suites: what is prepared for a setting, and how each model is asked it, over which pool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import answering, predict, storage
from chexone_ray.config import EvaluateConfig, PredictConfig, SamplingConfig, SettingData
from chexone_ray.data.stream import read_samples
from chexone_ray.evaluation.run import evaluate
from chexone_ray.evaluation.suite import SuiteSetting
from chexone_ray.evaluation.suite_rows import Rows, prepare_config
from chexone_ray.evaluation.suite_run import predict_config
from chexone_ray.exchange import prediction_rows
from chexone_ray.systems.choice import settled
from chexone_ray.systems.table import ADAPTERS
from tests.evaluation.test_suite import given


def setting(**changes: Any) -> SuiteSetting:
    values = {"name": "s", "group": "vqa", "kinds": ("view",), "headline": "accuracy"}
    return SuiteSetting(**values | changes)


def test_only_the_held_out_split_is_prepared() -> None:
    config = EvaluateConfig(output_uri="out", suite="x", models={"a": {"model_uri": "m"}}, seed=7)
    data = SettingData(uri="archive", images_uri="films", max_drop_share=0.3)
    one = prepare_config(setting(adapter="cxr_lt", uncertain="u-zeros"), data, config)
    assert (one.splits, one.kinds, one.seed, one.max_drop_share) == (("test",), ("view",), 7, 0.3)
    source = one.sources[0]
    assert (source.adapter, source.uri, source.images_uri, source.uncertain) == (
        "cxr_lt", "archive", "films", "u-zeros",
    )  # fmt: skip
    same = prepare_config(
        setting(name="t", adapter="cxr_lt", uncertain="u-zeros", max_rows=3), data, config
    )
    assert same.output_uri == one.output_uri, "settings of the same rows share an archive"
    whole = prepare_config(setting(adapter="cxr_lt", whole=True), data, config)
    assert (whole.archive_splits, whole.test_share, whole.validate_share) == (False, 1.0, 0.0)
    assert whole.output_uri != one.output_uri


def test_how_a_model_is_asked() -> None:
    config = EvaluateConfig(
        output_uri="out",
        suite="x",
        models={"a": {"model_uri": "m", "mode": "instruct"}},
        predict={"sampling": {"max_tokens": 64}, "rows_per_part": 8},
    )
    made = predict_config("a", config.models["a"], setting(), Rows("rows", "all", 3), config)
    assert (made.output_uri, made.manifest_uri) == ("out/predictions/a/s", "rows")
    assert (made.mode, made.rows_per_part, made.sampling.max_tokens) == ("instruct", 8, 64)
    assert not {"images", "prompts"} & made.model_fields_set, "so those of the checkpoint are taken"
    eight = setting(num_answers=8, temperature=0.7)
    made = predict_config("a", config.models["a"], eight, Rows("rows", "all", 3), config)
    assert made.sampling == SamplingConfig(n=8, temperature=0.7, max_tokens=64)


def settled_in_a_suite(model: dict[str, Any], of: SuiteSetting, **predict: Any) -> PredictConfig:
    models = {"a": model, "b": {"model_uri": "m"}}
    config = EvaluateConfig(output_uri="out", suite="x", models=models, predict=predict)
    return settled(predict_config("a", config.models["a"], of, Rows("rows", "all", 3), config))


ENDPOINT = {"url": "http://127.0.0.1:1/v1", "model": "served"}
SUITE_MODELS: dict[str, dict[str, Any]] = {
    name: {"adapter": name, "model_uri": "/weights"}
    | ({"trust_remote_code": True} if ADAPTERS[name].runs_code else {})
    for name in ADAPTERS
} | {"endpoint": {"adapter": "endpoint", "endpoint": ENDPOINT}}


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapters_own_settings_count_in_a_suite(name: str) -> None:
    adapter = ADAPTERS[name]
    alone = {"output_uri": "o", "manifest_uri": "rows", **SUITE_MODELS[name]}
    by_predict = settled(PredictConfig(**alone))
    kinds = adapter.kinds or ("view",)
    found = settled_in_a_suite(SUITE_MODELS[name], setting(kinds=kinds[:1]))
    assert found.mode == adapter.modes[0]
    assert found.sampling == adapter.sampling == by_predict.sampling
    for field in ("images", "prompts", "engine", "kinds", "trust_remote_code", "endpoint"):
        assert getattr(found, field) == getattr(by_predict, field), field


def test_what_is_given_goes_before_an_adapters_settings() -> None:
    eight = setting(num_answers=8, temperature=0.7)
    found = settled_in_a_suite(SUITE_MODELS["medgemma"], eight, engine={"max_num_seqs": 3})
    assert found.sampling == SamplingConfig(n=8, temperature=0.7, max_tokens=1024)
    assert (found.engine.max_num_seqs, found.mode) == (3, "instruct")
    cut = settled_in_a_suite(SUITE_MODELS["maira_2"], eight, sampling={"max_tokens": 9})
    assert cut.sampling == SamplingConfig(n=8, temperature=0.7, max_tokens=9)
    served = settled_in_a_suite({"endpoint": ENDPOINT}, eight, engine={"max_num_seqs": 3})
    assert served.endpoint is not None and served.endpoint.model == "served"
    assert (served.adapter, served.mode) == ("endpoint", "instruct")
    ours = settled_in_a_suite({"endpoint": ENDPOINT, "adapter": "chexone"}, eight)
    assert (ours.adapter, ours.mode, ours.prompts.suffix) == ("chexone", "reasoning", "")
    assert "engine" not in served.model_fields_set, "that of the models beside it"


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The pools that are started: (checkpoint, whether of engines by a factory of their own). In
    place of engines, `predict` finds the right answers, where it is given a pool."""
    started: list[tuple[str, bool]] = []

    @contextmanager
    def leased(of: PredictConfig, pool: Any, **own: Any) -> Iterator[str]:
        assert pool is None
        started.append((of.model_uri, "factory" in own))
        yield "the pool"

    def predicted(of: PredictConfig, pool: Any = None) -> str:
        if storage.committed(of.output_uri) is None:
            assert pool == "the pool"
            found = read_samples(of.manifest_uri or "", of.split)
            said = (prediction_rows.said(s, f"\\boxed{{{s.answer}}}", of.mode) for s in found)
            prediction_rows.write(of.output_uri, said, "test")
        return of.output_uri

    monkeypatch.setattr(answering, "leased_pool", leased)
    monkeypatch.setattr(predict, "predict", predicted)
    return started


@pytest.fixture
def model_uri(tmp_path: Path) -> str:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return str(model)


def test_a_setting_that_an_adapter_cannot_be_asked_is_named(
    tmp_path: Path,
    model_uri: str,
    pools: list[tuple[str, bool]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING")
    maira = SUITE_MODELS["maira_2"] | {"model_uri": model_uri}
    config = given(tmp_path, models={"phrases": maira})
    evaluate(config)
    assert pools == [(model_uri, True)]
    told = json.loads((Path(config.output_uri) / "suite.json").read_text())["settings"]
    why = "its adapter cannot be asked this"
    assert [(s["setting"], s["status"], s["missing"]) for s in told[:2]] == [
        ("skills", "no predictions", {"phrases": why}),
        ("one-box", "evaluated", {}),
    ]
    page = (Path(config.output_uri) / "table.md").read_text()
    assert f"- No figures of phrases ({why}): skills." in page
    assert f"suite: no figures of phrases in skills: {why}" in caplog.messages


@pytest.mark.parametrize(
    ("models", "by_factory"),
    [
        ([{}], False),
        ([{}, {"mode": "instruct"}], False),
        ([{"adapter": "qwen3_vl"}, {"adapter": "qwen3_vl", "mode": "reasoning"}], False),
        ([{"adapter": "chexagent_2", "trust_remote_code": True}], True),
    ],
)
def test_one_pool_a_checkpoint_and_none_where_all_is_there(
    tmp_path: Path,
    model_uri: str,
    pools: list[tuple[str, bool]],
    models: list[dict[str, Any]],
    by_factory: bool,
) -> None:
    asked = {f"m{i}": {"model_uri": model_uri, **model} for i, model in enumerate(models)}
    config = given(tmp_path, models=asked)
    evaluate(config)
    assert pools == [(model_uri, by_factory)], "two settings, and both modes, over one pool"
    told = json.loads((Path(config.output_uri) / "suite.json").read_text())["settings"]
    assert told[0]["models"] == told[1]["models"] == list(asked)
    evaluate(config)
    assert len(pools) == 1
    storage.delete(storage.join(config.output_uri, "predictions", "m0", "one-box"))
    evaluate(config)
    assert len(pools) == 2


def test_models_of_other_engines_have_a_pool_of_their_own(
    tmp_path: Path, model_uri: str, pools: list[tuple[str, bool]]
) -> None:
    models = {
        "theirs": {"adapter": "chexagent_2", "trust_remote_code": True, "model_uri": model_uri},
        "ours": {"model_uri": model_uri},
    }
    evaluate(given(tmp_path, models=models))
    assert pools == [(model_uri, True), (model_uri, False)]
