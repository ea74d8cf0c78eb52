"""Which settings an adapter brings, which the user overrides, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.boxes import Geometry
from chexone_ray.config import (
    EndpointConfig,
    EngineConfig,
    ImageConfig,
    PredictConfig,
    PromptConfig,
)
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef
from chexone_ray.systems import sight
from chexone_ray.systems.choice import settled
from chexone_ray.systems.table import ADAPTERS, TAGS

ENDPOINT = {"url": "http://127.0.0.1:1/v1", "model": "m"}


def config(**given: Any) -> PredictConfig:
    return PredictConfig(**{"output_uri": "o", "manifest_uri": "n"} | given)


def test_an_adapter_fills_what_was_not_given() -> None:
    found = settled(config(adapter="medgemma"))
    assert (found.model_uri, found.mode) == ("google/medgemma-4b-it", "instruct")
    assert found.prompts.system == "You are an expert radiologist."
    assert (found.sampling.max_tokens, found.sampling.temperature) == (1024, 0.0)
    assert found.images.max_pixels == 1_003_520
    assert (found.engine.max_num_seqs, found.engine.max_engines) == (8, 2)
    assert settled(found) == found


def test_what_was_given_stays() -> None:
    found = settled(
        config(
            adapter="chestx_reasoner",
            model_uri="org/mine",
            sampling={"max_tokens": 77},
            images={"max_pixels": 100_352},
            prompts={"system": "Mine."},
            engine={"max_num_seqs": 64},
        )
    )
    assert (found.model_uri, found.mode) == ("org/mine", "reasoning")
    assert (found.sampling.max_tokens, found.engine.max_num_seqs) == (77, 64)
    assert found.images.max_pixels == 100_352
    assert found.prompts == PromptConfig(system="Mine.", suffix=TAGS)


def test_ours_is_settled_as_it_was_before_there_were_adapters() -> None:
    found = settled(config(model_uri="StanfordAIMI/CheXOne", engine={"num_gpus": 0}))
    assert found == config(
        model_uri="StanfordAIMI/CheXOne",
        mode="reasoning",
        prompts={"suffix": "original"},
        images={},
        engine=EngineConfig(num_gpus=0),
        sampling={},
    )
    given = config(model_uri="StanfordAIMI/CheXOne", images={"max_pixels": 50_176})
    assert settled(given).images == ImageConfig(max_pixels=50_176)


def test_a_model_of_its_own_code_runs_alone_and_with_consent() -> None:
    with pytest.raises(ChexoneError, match="trust_remote_code=true"):
        settled(config(adapter="maira_2"))
    found = settled(config(adapter="maira_2", trust_remote_code=True, engine={"max_num_seqs": 64}))
    assert found.engine.max_num_seqs == 1
    assert found.kinds == ADAPTERS["maira_2"].kinds
    folder = config(
        adapter="maira_2", trust_remote_code=True, manifest_uri=None, images_uri="films"
    )
    assert settled(folder).kinds == ()


def test_an_endpoint_is_asked_as_ours_only_where_that_is_said() -> None:
    found = settled(config(endpoint=ENDPOINT))
    adapter = ADAPTERS["endpoint"]
    assert (found.adapter, found.mode, found.prompts) == ("endpoint", "instruct", adapter.prompts)
    ours = settled(config(endpoint=ENDPOINT, adapter="chexone"))
    assert (ours.adapter, ours.mode) == ("chexone", "reasoning")
    assert ours.prompts == PromptConfig(system="", suffix="")
    assert settled(found) == found and settled(ours) == ours
    chat = settled(config(endpoint=ENDPOINT, adapter="qwen3_vl"))
    assert chat.prompts == PromptConfig()
    assert chat.model_uri == ""


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("https://LOCALHOST/v1", "https://localhost:443/v1"),
        ("http://localhost", "http://localhost:80"),
    ],
)
def test_an_endpoint_is_known_by_its_address_however_it_is_written(url: str, place: str) -> None:
    assert EndpointConfig(url=url, model="m").place == place


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"adapter": "radvlm"}, "no public weights"),
        ({"adapter": "medgemma", "mode": "instruct"}, ""),
        ({"adapter": "chestx_reasoner", "mode": "instruct"}, "not a mode of"),
        (
            {"adapter": "maira_2", "trust_remote_code": True, "kinds": ["view"]},
            "cannot be asked of",
        ),
        ({"adapter": "medgemma", "trust_remote_code": True}, "trust_remote_code has no effect"),
    ],
)
def test_what_a_model_cannot_take_is_refused(given: dict[str, Any], message: str) -> None:
    if not message:
        settled(config(**given))
        return
    with pytest.raises(ChexoneError, match=message):
        settled(config(**given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "model_uri is missing"),
        ({"adapter": "endpoint"}, "needs an endpoint"),
        ({"endpoint": ENDPOINT, "model_uri": "m"}, r"predict\.model_uri has no effect"),
        ({"endpoint": ENDPOINT, "engine": {"num_gpus": 0}}, r"predict\.engine has no effect"),
        ({"endpoint": ENDPOINT, "adapter": "maira_2"}, "takes no chat"),
        ({"endpoint": ENDPOINT | {"timeout_s": float("inf")}}, "finite number"),
        (
            {"endpoint": ENDPOINT, "manifest_uri": None, "images_uri": "i", "split": "train"},
            r"predict\.split has no effect with images_uri",
        ),
        ({"endpoint": ENDPOINT, "sampling": {"top_k": 5}}, r"predict\.sampling\.top_k"),
        ({"adapter": "endpoint", "endpoint": ENDPOINT | {"url": "http://a.org"}}, "send_reports"),
        ({"adapter": "gpt"}, "adapter"),
    ],
)
def test_settings_without_effect_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**given)


def test_a_suite_leaves_the_mode_to_the_adapter() -> None:
    from chexone_ray.config import EvaluateConfig
    from chexone_ray.evaluation import suite
    from chexone_ray.evaluation.suite_rows import Rows
    from chexone_ray.evaluation.suite_run import predict_config

    model = {"model_uri": "google/medgemma-4b-it", "adapter": "medgemma"}
    models = {"A": model, "B": model | {"mode": "reasoning"}, "C": {"model_uri": "org/ours"}}
    given = EvaluateConfig(output_uri="o", suite="chexone17", models=models)
    setting = suite.load("chexone17").settings[0]
    found = [
        settled(predict_config(name, one, setting, Rows("n", "n", 1), given))
        for name, one in given.models.items()
    ]
    assert [one.mode for one in found] == ["instruct", "reasoning", "reasoning"]
    assert [one.adapter for one in found] == ["medgemma", "medgemma", "chexone"]
    assert [one.engine.max_num_seqs for one in found] == [8, 8, 256]


# --- what a model sees ----------------------------------------------------------------------------


def test_the_geometry_of_every_shape() -> None:
    png = images.to_png(np.full((56, 112, 3), 200, dtype=np.uint8))
    known, unknown = (ImageRef("a", width=1000, height=500),), (ImageRef("a"),)
    whole, squash, pad, crop = (
        ADAPTERS[name] for name in ("qwen2_5_vl", "medgemma", "medgemma_1_5", "maira_2")
    )
    assert sight.geometry(whole, known, (png,)) == Geometry(1000, 500, 112, 56)
    assert sight.geometry(whole, unknown, (png,)) == Geometry(112, 56, 112, 56)
    assert sight.geometry(squash, known, (png,)) == Geometry(1000, 500, 896, 896)
    assert sight.geometry(pad, known, (png,)) == Geometry.padded(1000, 500, 896)
    assert sight.geometry(crop, known, (png,)) == Geometry.cropped(1000, 500, 518)
    assert sight.geometry(whole, (), ()) is None


@pytest.mark.parametrize("grey", [True, False])
def test_a_padded_film_lies_where_its_geometry_says(grey: bool) -> None:
    from PIL import Image

    film = np.full((56, 112, 3), 200, dtype=np.uint8)
    film[..., 1] = 200 if grey else 100
    adapter = ADAPTERS["medgemma_1_5"]
    (sent,) = sight.sent(adapter, (images.to_png(film),))
    square = np.asarray(Image.open(io.BytesIO(sent)).convert("RGB"))
    assert square.shape == (896, 896, 3)
    seen = Geometry.padded(1000, 500, 896).to_seen((0.0, 0.0, 1.0, 1.0))
    assert seen == (0.0, 224 / 896, 1.0, 672 / 896)
    assert (square[224:672, :, 0] == 200).all()
    assert not square[:224].any() and not square[672:].any()
    (same,) = sight.sent(ADAPTERS["medgemma"], (images.to_png(film),))
    assert same == images.to_png(film)


def test_docs_name_every_adapter_and_its_licence() -> None:
    text = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text()
    for adapter in ADAPTERS.values():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{adapter.name}` |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2] == adapter.licence + (", gated" if adapter.gated else "")
        assert cells[3] == adapter.runner
        assert cells[4] == ", ".join(adapter.modes)
        assert str(adapter.sampling.max_tokens) in cells[5]
        assert cells[6] == adapter.rules
        assert cells[7].startswith(f"`{adapter.codec}`")
