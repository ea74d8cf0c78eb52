"""Suites: what they say, what is refused, and a run on given predictions without an engine."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import boxes, storage
from chexone_ray.config import (
    EvaluateConfig,
    LearnedConfig,
    loader,
)
from chexone_ray.config.learned import CheXbertTable
from chexone_ray.data import manifest
from chexone_ray.data.stream import read_samples
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.harness import in_order
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.run import evaluate
from chexone_ray.evaluation.suite import (
    chosen,
    load,
    names,
    place_of,
    refuse_headlines,
)
from chexone_ray.evaluation.suite_rows import Rows, rows_of
from chexone_ray.exchange import prediction_rows
from chexone_ray.records import Box, ImageRef, Sample

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
        (('["closed_vqa"]', '["closed_vqa", "closed_vqa"]'), "kinds names 'closed_vqa' twice"),
        (('"negation"]', '"presence"]'), "setting skills: topics names 'presence' twice"),
        (
            (
                '"findings"]\nheadline = "label F1 (micro)',
                '"view"]\nheadline = "reasoning: factuality',
            ),
            "view has no figure 'reasoning: factuality', as its references state no finding",
        ),
        (
            ("max_rows = 6", "max_row = 6"),
            "unknown key settings.skills.max_row; did you mean max_rows",
        ),
        (('"skills"', '"a/b"'), "settings.a/b.name='a/b'"),
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


def test_a_suite_on_given_predictions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = given(tmp_path)
    found = asked(config)
    skills = read_samples(found["skills"].manifest_uri, "test")
    assert [s.id for s in skills] == ["q00", "q01", "q03", "q04", "q06", "q07"], "two topics, six"
    assert found["one-box"].num_rows == 2
    answer(config, "skills", "right", lambda s: s.answer)
    answer(config, "skills", "wrong", lambda s: "(B)" if s.topic == "presence" else "(A)")
    answer(config, "one-box", "right", lambda s: s.answer)
    caplog.set_level("WARNING")
    assert evaluate(config) == config.output_uri
    assert "suite: no figures of wrong in one-box: no predictions" in caplog.messages
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
    names = ("status", "num_rows", "models", "missing")
    assert {s["setting"]: tuple(s[name] for name in names) for s in told["settings"]} == {
        "skills": ("evaluated", 6, ["right", "wrong"], {}),
        "one-box": ("evaluated", 2, ["right"], {"wrong": "no predictions"}),
        "elsewhere": ("not configured", None, [], {}),
    }
    page = (out / "table.md").read_text()
    assert "- No figures of wrong (no predictions): one-box." in page
    assert "Settings without figures (not configured): elsewhere." in page
    assert "skills (6 of 1,000)" in page and "has 5 settings; 3 are known" in page
    assert storage.committed(str(out)) is not None
    evaluate(config)  # the same again goes on with what is there


def test_settings_without_predictions_are_listed(tmp_path: Path) -> None:
    config = given(tmp_path, settings=("skills", "one-box"))
    with pytest.raises(ChexoneError, match="no predictions of right, wrong for a configured"):
        evaluate(config)
    answer(config, "one-box", "wrong", lambda s: "No nodule detected.")
    with pytest.raises(ChexoneError, match="no predictions of right for a configured"):
        evaluate(config)
    answer(config, "one-box", "right", lambda s: "No nodule detected.")
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"presence", "negation"', '"x"'), "has no row of it in split test"),
        (('"negation"', '"x", "location"'), "has no row of topic x in split test"),
        (('"closed_vqa"', '"closed_vqa", "view"'), "has no row of kind view in split test"),
    ],
)
def test_what_no_row_is_of_is_told(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = SUITE.replace("max_rows = 6", "max_rows = 2").replace(*change)
    config = given(tmp_path)
    suite_file(tmp_path, text)
    with pytest.raises(ChexoneError, match=f"setting skills: .* {message}"):
        asked(config)


def test_what_is_wrong_in_a_suite_names_the_setting_and_the_file(tmp_path: Path) -> None:
    def refused(text: str) -> list[str]:
        with pytest.raises(ChexoneError) as told:
            load(suite_file(tmp_path, text))
        return str(told.value).replace(str(tmp_path), "T").splitlines()

    told = refused('[[settings]]\nname = "one"\ngroup = "x"\nkinds = ["side"]\n')
    assert told == [
        "T/mine.toml: title is required: set it in the file",
        "T/mine.toml: settings.one.group='x': use vqa or report or grounding or reasoning",
        "T/mine.toml: settings.one.headline is required: set it in the file",
    ]
    assert refused("title = ")[0].startswith("--suite T/mine.toml: not valid TOML")
