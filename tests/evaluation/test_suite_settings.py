"""What of the settings of a suite is refused: by themselves, and before anything starts."""

from __future__ import annotations

import pytest

from chexone_ray.config import EvaluateConfig, loader
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.run import check

OUT = ["--out", "o"]
MODEL = ["--models.A.model_uri", "m"]
REXVQA = ["--suite", "chexone17", "--settings", "rexvqa", "--data.rexvqa.uri", "u"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give predictions_uri, or a suite with models"),
        (["--predictions_uri.a", "p"], "manifest_uri is needed for the baselines"),
        (["--predictions_uri.a", "p", "--manifest", "m", *MODEL], "models has no effect without"),
        (
            ["--predictions_uri.a", "p", "--manifest", "m", "--predict.sampling.max_tokens", "9"],
            "predict has no effect without evaluate.suite",
        ),
        (["--suite", "phantom"], "evaluate.suite needs evaluate.models"),
        (
            ["--suite", "phantom", *MODEL, "--predictions_uri.a", "p"],
            "evaluate.predictions_uri and evaluate.suite exclude each other",
        ),
        (
            ["--suite", "phantom", *MODEL, "--manifest", "m"],
            "evaluate.manifest_uri and evaluate.suite exclude each other",
        ),
        (
            ["--suite", "phantom", *MODEL, "--models.A.predictions_uri", "p"],
            "models.A: give exactly one of model_uri, predictions_uri and endpoint",
        ),
        (
            [
                "--suite", "phantom", "--models.A.predictions_uri", "p",
                "--models.A.mode", "instruct",
            ],
            "mode has no effect with predictions_uri",
        ),
        (
            [
                "--suite", "phantom", *MODEL, "--models.A.endpoint.url", "http://127.0.0.1:1/v1",
                "--models.A.endpoint.model", "m",
            ],
            "models.A: give exactly one of model_uri, predictions_uri and endpoint",
        ),
        (["--suite", "phantom", "--models.A.mode", "instruct"], "models.A: give exactly one of"),
        (
            [
                "--suite", "phantom", "--models.A.predictions_uri", "p",
                "--models.A.trust_remote_code", "true",
            ],
            "trust_remote_code has no effect with predictions_uri",
        ),
        (
            ["--suite", "phantom", "--models", "{'a/b' = {model_uri = 'm'}}"],
            "'a/b' cannot be a folder",
        ),
        (
            [
                "--suite", "phantom", "--models.A.predictions_uri", "p",
                "--predict.rows_per_part", "9",
            ],
            "evaluate.predict has no effect: no model of the suite is asked",
        ),
        (
            [
                "--suite", "phantom", "--models.A.predictions_uri", "p",
                "--models.B.endpoint.url", "http://127.0.0.1:1/v1",
                "--models.B.endpoint.model", "m", "--predict.engine.max_engines", "9",
            ],
            "evaluate.predict.engine has no effect: every model that is asked is an endpoint",
        ),
        (
            ["--suite", "phantom", *MODEL, "--data.view.uri", "u", "--data.view.manifest_uri", "m"],
            "data.view: give exactly one of uri and manifest_uri",
        ),
        (
            [
                "--suite", "phantom", *MODEL, "--data.view.manifest_uri", "m",
                "--data.view.images_uri", "i",
            ],
            "images_uri has no effect with manifest_uri",
        ),
        (["--suite", "phantom", "--models.A.weights", "m"], "unknown setting"),
    ],
)  # fmt: skip
def test_settings_that_contradict(words: list[str], message: str) -> None:
    with pytest.raises(ChexoneError) as caught:
        loader.load(EvaluateConfig, loader.parse([*OUT, *words]))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--suite", "nope", *MODEL], "suite nope: not known: use chexone17 or phantom"),
        (["--suite", "phantom", *MODEL], "no setting is configured"),
        (["--suite", "phantom", *MODEL, "--settings", "x"], "evaluate.settings: x is not in suite"),
        (["--suite", "phantom", *MODEL, "--data.x.uri", "u"], "evaluate.data: x is not in suite"),
        (
            ["--suite", "chexone17", *MODEL, "--data.axis_all_normal.uri", "u"],
            "no adapter reads this data set: give manifest_uri",
        ),
        (
            ["--suite", "phantom", *MODEL, "--data.mimic_cxr_jpg.uri", "/u"],
            "m holds no config.json",
        ),
        (
            [
                "--suite", "chexone17", "--models.A.model_uri", "x/y", "--models.A.adapter", "z",
                "--data.rexvqa.uri", "u",
            ],
            r"models\.A, setting rexvqa: adapter: ",
        ),
        (
            [*REXVQA, "--models.A.adapter", "radvlm"],
            r"models\.A: predict\.adapter=radvlm has no public weights",
        ),
        (
            [
                *REXVQA, "--models.A.adapter", "chestx_reasoner", "--models.A.model_uri", "/m",
                "--models.A.mode", "instruct",
            ],
            r"models\.A: predict\.mode=instruct is not a mode of predict\.adapter=chestx_reasoner",
        ),
        (
            [*REXVQA, "--models.A.adapter", "chexagent_2"],
            r"models\.A: predict\.adapter=chexagent_2 runs the Python code",
        ),
        (
            [*REXVQA, "--models.A.adapter", "maira_2", "--models.A.trust_remote_code", "true"],
            r"models\.A: its adapter maira_2 can be asked nothing of the configured settings",
        ),
        (
            [
                *REXVQA, "--models.A.adapter", "endpoint", "--models.A.model_uri", "m",
            ],
            r"models\.A, setting rexvqa: .*predict\.adapter=endpoint needs an endpoint",
        ),
    ],
)  # fmt: skip
def test_what_is_told_before_anything_starts(words: list[str], message: str) -> None:
    config = loader.load(EvaluateConfig, loader.parse([*OUT, *words]))
    with pytest.raises(ChexoneError, match=message):
        check(config)
