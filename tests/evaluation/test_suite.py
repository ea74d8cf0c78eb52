"""Suites: what they say, what is refused, and a run on given predictions without an engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import boxes, loader, predict, storage
from chexone_ray.config import (
    EvaluateConfig,
    LearnedConfig,
    PredictConfig,
    SamplingConfig,
    SettingData,
)
from chexone_ray.config.learned import CheXbertTable
from chexone_ray.data import manifest
from chexone_ray.data.stream import read_samples
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import suite_run
from chexone_ray.evaluation.harness import in_order
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.run import evaluate
from chexone_ray.evaluation.suite import (
    SuiteSetting,
    chosen,
    load,
    names,
    place_of,
    refuse_headlines,
)
from chexone_ray.evaluation.suite_rows import Rows, prepare_config, rows_of
from chexone_ray.evaluation.suite_run import predict_config
from chexone_ray.exchange import prediction_rows
from chexone_ray.records import Box, ImageRef, Sample
from chexone_ray.systems.choice import settled
from chexone_ray.systems.table import ADAPTERS

SUITE = """
title = "Made up"
published_settings = 5
[[settings]]
name = "skills"
group = "vqa"
kinds = ["closed_vqa"]
topics = ["presence", "negation"]
max_rows = 6
headline = "accuracy"
published_rows = 1000
[[settings]]
name = "one-box"
group = "grounding"
kinds = ["grounding"]
num_boxes = 1
headline = "IoU >= 0.5"
[[settings]]
name = "elsewhere"
group = "report"
adapter = "rexgradient"
kinds = ["findings"]
headline = "label F1 (micro)"
"""


def sample(number: int, **changes: Any) -> Sample:
    return replace(
        Sample(
            id=f"q{number:02}",
            dataset="d",
            task="Close-Ended VQA",
            kind="closed_vqa",
            split="test",
            patient=f"p{number // 2}",
            study="s",
            images=(ImageRef("x.png"),),
            question="Which?",
            answer="(A)",
            options=("(A) yes", "(B) no"),
            topic=("presence", "negation", "location")[number % 3],
        ),
        **changes,
    )


def boxed(number: int, num_boxes: int) -> Sample:
    places = tuple(Box("nodule", (0.1 * i, 0.1, 0.1 * i + 0.1, 0.3)) for i in range(num_boxes))
    return sample(
        number, kind="grounding", boxes=places, answer=boxes.encode(places), options=(), topic=""
    )


def rows() -> list[Sample]:
    train = [sample(i, id=f"t{i}", split="train", patient=f"t{i}") for i in range(4)]
    asked = [sample(i) for i in range(12)]
    return [*train, *asked, boxed(12, 1), boxed(13, 2), boxed(14, 1)]


def suite_file(tmp_path: Path, text: str = SUITE) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def given(tmp_path: Path, **changes: Any) -> EvaluateConfig:
    """A suite of which two settings have data, and two models that have answered already."""
    source = str(tmp_path / "all")
    if not storage.exists(source):
        manifest.write_samples(source, rows(), {"kind": "manifest"})
    values: dict[str, Any] = {
        "output_uri": str(tmp_path / "out"),
        "suite": suite_file(tmp_path),
        "data": {name: {"manifest_uri": source} for name in ("skills", "one-box")},
        "models": {name: {"predictions_uri": str(tmp_path / name)} for name in ("right", "wrong")},
        "bootstrap": 20,
        "randomisations": 20,
    }
    return EvaluateConfig(**values | changes)


def answer(config: EvaluateConfig, setting: str, model: str, say: Any) -> None:
    """Predictions of a model for the rows of a setting."""
    manifest_uri = storage.join(config.output_uri, "manifests", setting)
    uri = storage.join(config.models[model].predictions_uri or "", setting)
    found = (
        prediction_rows.said(s, f"\\boxed{{{say(s)}}}", "reasoning")
        for s in read_samples(manifest_uri, "test")
    )
    prediction_rows.write(uri, found, "test")


def asked(config: EvaluateConfig) -> dict[str, Rows]:
    found = {}
    for setting in load(config.suite or "").settings:
        data = place_of(setting, config.data)
        if data:
            found[setting.name] = rows_of(setting, data, config)
    return found


def test_the_suites_of_the_package() -> None:
    assert names() == ["chexone17", "phantom"]
    suite = load("chexone17")
    assert suite.published_settings == 17 and len(suite.settings) == 12
    files = {setting.file for setting in suite.settings}
    assert len(files) == 12 and all(files), "every setting stands for a named test file"
    assert {s.group for s in suite.settings} == {"vqa", "report", "grounding", "reasoning"}
    assert {s.name for s in suite.settings if s.adapter is None} == {"axis_all_normal"}
    sizes = {s.name: s.published_rows for s in suite.settings if s.published_rows}
    assert sizes["rexvqa"] == 41_007 and sizes["grounding_one_box"] == 1_826
    assert all(s.max_rows in (None, s.published_rows) for s in suite.settings)
    assert [s.name for s in load("phantom").settings] == [
        "presence", "view", "findings", "grounding",
    ]  # fmt: skip


def test_the_page_tells_what_the_suite_is(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    (block,) = re.findall(r"^```toml\n(# mine.*?)^```", text, re.M | re.S)
    path = tmp_path / "mine.toml"
    path.write_text(block)
    config = loader.load(EvaluateConfig, loader.Arguments(config=(path,)))
    suite = load(config.suite or "")
    configured = {s.name for s in chosen(suite, config) if place_of(s, config.data)}
    assert configured == {
        "rexvqa", "view_mimic", "axis_all_normal", "reasoning_factuality", "reasoning_consistency",
    }  # fmt: skip
    for one in suite.settings:
        adapter = f"`{one.adapter}`" if one.adapter else "none: a manifest"
        assert f"| `{one.name}` | {one.group} | {adapter} | `{one.file}`" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("accuracy", "F-score"), "headline 'F-score' is no metric of its kinds: use accuracy"),
        (('"closed_vqa"', '"vqa"'), "setting skills: kind 'vqa' is not known"),
        (('"one-box"', '"skills"'), "2 settings are called skills"),
        (("max_rows = 6", "num_answers = 8"), "num_answers above 1 and temperature go together"),
        (("max_rows = 6", 'whole = true\nsplit = "validate"'), "whole=true is of split test"),
        (("max_rows = 6", "max_row = 6"), "unknown key settings.0.max_row; did you mean max_rows"),
        (('"skills"', '"a/b"'), "settings.0.name='a/b'"),
        (('"rexgradient"', '"rexgradien"'), "did you mean rexgradient"),
    ],
)
def test_a_suite_that_is_wrong(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ChexoneError) as caught:
        load(suite_file(tmp_path, SUITE.replace(*change, 1)))
    assert message in str(caught.value)


def test_the_headline_stands_first() -> None:
    metrics = METRICS["grounding"]
    found = [m.name for m in in_order(metrics, "IoU >= 0.5")]
    assert found[:3] == ["IoU >= 0.5", "mean IoU (matched)", "specificity"]
    assert sorted(found) == sorted(m.name for m in metrics)
    assert in_order(metrics, "") == in_order(metrics, "accuracy") == list(metrics)


def test_a_headline_by_a_model_has_to_be_computed(tmp_path: Path) -> None:
    changed = SUITE.replace("label F1 (micro)", "CheXbert F1-14 (weighted)")
    suite = load(suite_file(tmp_path, changed))
    config = given(tmp_path)
    with pytest.raises(ChexoneError) as caught:
        refuse_headlines(suite.settings, config)
    assert (
        "setting elsewhere: headline 'CheXbert F1-14 (weighted)' is not computed without "
        in str(caught.value)
    )
    assert "learned.chexbert: give what is missing" in str(caught.value)
    tables = LearnedConfig(chexbert=CheXbertTable(weights_uri="w", bert="b"))
    config = config.model_copy(update={"learned": tables})
    refuse_headlines(suite.settings, config)
    metrics = [replace(METRICS["findings"][0], name=name) for name in ("SembScore", "B")]
    with pytest.raises(ChexoneError, match=r"not computed: evaluate\.learned gives SembScore, B"):
        refuse_headlines(suite.settings, config, metrics)
    metrics.append(replace(metrics[0], name="CheXbert F1-14 (weighted)"))
    refuse_headlines(suite.settings, config, metrics)
    with pytest.raises(ChexoneError, match="'SembScore' is no metric of its kinds"):  # of no report
        load(suite_file(tmp_path, SUITE.replace('"accuracy"', '"SembScore"')))


def test_a_suite_on_given_predictions(tmp_path: Path) -> None:
    config = given(tmp_path)
    found = asked(config)
    skills = read_samples(found["skills"].manifest_uri, "test")
    assert [s.id for s in skills] == ["q00", "q01", "q03", "q04", "q06", "q07"], "two topics, six"
    assert found["one-box"].num_rows == 2
    answer(config, "skills", "right", lambda s: s.answer)
    answer(config, "skills", "wrong", lambda s: "(B)" if s.topic == "presence" else "(A)")
    answer(config, "one-box", "right", lambda s: s.answer)
    assert evaluate(config) == config.output_uri
    out = Path(config.output_uri)
    figures = json.loads((out / "table.json").read_text())
    values = {
        (f["setting"], f["topic"], f["metric"], f["model"]): f["value"]
        for f in figures
        if not f["baseline"]
    }
    assert values["skills", "", "accuracy", "wrong"] == 0.5
    assert values["skills", "presence", "accuracy", "wrong"] == 0.0
    assert values["skills", "negation", "accuracy", "wrong"] == 1.0
    heads = {(f["setting"], f["metric"]) for f in figures if f["headline"]}
    assert heads == {("skills", "accuracy"), ("one-box", "IoU >= 0.5")}
    blind = {f["setting"] for f in figures if f["baseline"]}
    assert blind >= {"skills"}, "baselines are of the train part of the given manifest"
    told = json.loads((out / "suite.json").read_text())
    assert told["published_settings"] == 5
    assert {s["setting"]: (s["status"], s["num_rows"], s["models"]) for s in told["settings"]} == {
        "skills": ("evaluated", 6, ["right", "wrong"]),
        "one-box": ("evaluated", 2, ["right"]),
        "elsewhere": ("not configured", None, []),
    }
    page = (out / "table.md").read_text()
    assert "Settings without figures (not configured): elsewhere." in page
    assert "skills (6 of 1,000)" in page and "has 5 settings; 3 are known" in page
    assert storage.committed(str(out)) is not None
    evaluate(config)  # the same again goes on with what is there


def test_settings_without_predictions_are_listed(tmp_path: Path) -> None:
    config = given(tmp_path, settings=("skills", "one-box"))
    with pytest.raises(ChexoneError, match="no model has predictions of a configured setting"):
        evaluate(config)
    answer(config, "one-box", "wrong", lambda s: "No nodule detected.")
    evaluate(config)
    told = json.loads((Path(config.output_uri) / "suite.json").read_text())["settings"]
    assert [(s["setting"], s["status"]) for s in told] == [
        ("skills", "no predictions"),
        ("one-box", "evaluated"),
    ]


def test_predictions_of_other_rows_are_refused(tmp_path: Path) -> None:
    config = given(tmp_path)
    asked(config)
    said = (prediction_rows.said(sample(i), "\\boxed{(A)}", "reasoning") for i in range(5))
    prediction_rows.write(str(tmp_path / "right" / "skills"), said, "test")
    with pytest.raises(ChexoneError, match="2 of the 6 rows of the setting are not in"):
        evaluate(config)


def test_predictions_of_other_answers_are_refused(tmp_path: Path) -> None:
    config = given(tmp_path)
    found = read_samples(asked(config)["skills"].manifest_uri, "test")
    changed = [replace(found[0], answer="(C)"), *found[1:]]
    said = (prediction_rows.said(s, "\\boxed{(A)}", "reasoning") for s in changed)
    prediction_rows.write(str(tmp_path / "right" / "skills"), said, "test")
    with pytest.raises(ChexoneError, match=r"1 of 6 rows differ under the same id \(answer of 1\)"):
        evaluate(config)


def test_a_changed_setting_does_not_reuse_its_rows(tmp_path: Path) -> None:
    config = given(tmp_path)
    asked(config)
    suite_file(tmp_path, SUITE.replace("max_rows = 6", "max_rows = 4"))
    with pytest.raises(ChexoneError, match="holds a manifest of other settings"):
        asked(config)
    none = SUITE.replace('"negation"]', '"x"]').replace('["presence", ', "[")
    (tmp_path / "none").mkdir()
    out = str(tmp_path / "none" / "out")
    fresh = given(tmp_path, output_uri=out, suite=suite_file(tmp_path / "none", none))
    with pytest.raises(ChexoneError, match=r"setting skills: .* has no row of it in split test"):
        asked(fresh)


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
    config = EvaluateConfig(output_uri="out", suite="x", models={"a": model}, predict=predict)
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
    assert (served.adapter, served.mode) == ("chexone", "reasoning")
    assert "engine" not in served.model_fields_set, "that of the models beside it"


def test_a_setting_that_an_adapter_cannot_be_asked_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    maira = SUITE_MODELS["maira_2"] | {"model_uri": str(model)}
    config = given(tmp_path, models={"phrases": maira})
    asked_of: list[str] = []

    def predicted(of: PredictConfig, pool: Any = None) -> str:
        assert pool is None, "what engines an adapter needs is known to predict"
        asked_of.append(of.output_uri.rpartition("/")[2])
        found = read_samples(of.manifest_uri or "", of.split)
        said = (prediction_rows.said(s, s.answer, "instruct") for s in found)
        prediction_rows.write(of.output_uri, said, "test")
        return of.output_uri

    monkeypatch.setattr(predict, "predict", predicted)
    evaluate(config)
    assert asked_of == ["one-box"], "closed questions cannot be asked"
    told = json.loads((Path(config.output_uri) / "suite.json").read_text())["settings"]
    assert [(s["setting"], s["status"]) for s in told[:2]] == [
        ("skills", "no predictions"),
        ("one-box", "evaluated"),
    ]


def test_one_pool_a_model_and_none_where_all_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    config = given(tmp_path, models={"a": {"model_uri": str(model)}})
    pools: list[str] = []

    @contextmanager
    def leased(of: PredictConfig, pool: Any) -> Iterator[str]:
        pools.append(of.model_uri)
        yield "the pool"

    def predicted(of: PredictConfig, pool: Any = None) -> str:
        if storage.committed(of.output_uri) is None:
            assert pool == "the pool"
            found = read_samples(of.manifest_uri or "", of.split)
            said = (prediction_rows.said(s, f"\\boxed{{{s.answer}}}", of.mode) for s in found)
            prediction_rows.write(of.output_uri, said, "test")
        return of.output_uri

    monkeypatch.setattr(suite_run, "leased_pool", leased)
    monkeypatch.setattr(predict, "predict", predicted)
    evaluate(config)
    assert pools == [str(model)], "two settings, one pool"
    evaluate(config)
    assert pools == [str(model)]
    storage.delete(storage.join(config.output_uri, "predictions", "a", "one-box"))
    evaluate(config)
    assert len(pools) == 2
