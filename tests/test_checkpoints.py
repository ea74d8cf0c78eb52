"""Where a model lies and how it says it wants to be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray import checkpoints
from chexone_ray.config import ImageConfig, PredictConfig, PromptConfig, loader
from chexone_ray.errors import ChexoneError


def test_hub_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert checkpoints.is_hub_name("StanfordAIMI/CheXOne")
    assert not checkpoints.is_hub_name("s3://bucket/model")
    assert not checkpoints.is_hub_name("/models/chexone")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert not checkpoints.is_hub_name("models/mine")
    assert checkpoints.model_folder("StanfordAIMI/CheXOne") == "StanfordAIMI/CheXOne"
    assert not checkpoints.is_hub_name("models/mistyped")
    with pytest.raises(ChexoneError, match=r"models/mistyped holds no config\.json"):
        checkpoints.check(
            PredictConfig(model_uri="models/mistyped", output_uri="x", images_uri="y")
        )


def test_a_stage_asks_as_the_checkpoint_was_trained_unless_it_is_told(tmp_path: Path) -> None:
    trained = PromptConfig(system="", suffix="Think."), ImageConfig(max_pixels=12_544)
    checkpoints.write_settings(tmp_path, *trained)
    config = PredictConfig(model_uri=str(tmp_path), output_uri="x", images_uri="y")
    asked = checkpoints.as_trained(config)
    assert (asked.prompts, asked.images) == trained
    given = PredictConfig(
        model_uri=str(tmp_path), output_uri="x", images_uri="y", prompts=PromptConfig()
    )
    asked = checkpoints.as_trained(given)
    assert (asked.prompts, asked.images) == (PromptConfig(), trained[1])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match=r"config\.json"):
        checkpoints.model_folder(str(tmp_path))


def test_settings_travel_with_the_checkpoint(tmp_path: Path) -> None:
    published = checkpoints.read_settings(str(tmp_path))
    assert published.prompts.system and published.images.max_pixels == 262_144
    assert published.prompts.suffix == "original"
    assert checkpoints.read_settings("StanfordAIMI/CheXOne") == published
    prompts = PromptConfig(system="", suffix="Think.")
    images = ImageConfig(max_pixels=12_544, min_pixels=3_136)
    checkpoints.write_settings(tmp_path, prompts, images)
    found = checkpoints.read_settings(str(tmp_path))
    assert (found.prompts, found.images) == (prompts, images)


def test_digest_is_of_the_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = checkpoints.model_digest(str(tmp_path))
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert checkpoints.model_digest(str(tmp_path)) == before
    (tmp_path / "model.safetensors").write_bytes(b"others!")
    assert checkpoints.model_digest(str(tmp_path)) != before
    assert checkpoints.model_digest("StanfordAIMI/CheXOne") == "hub:StanfordAIMI/CheXOne"


def test_the_command_line_leaves_to_the_checkpoint_what_it_does_not_give(tmp_path: Path) -> None:
    checkpoints.write_settings(tmp_path, PromptConfig(suffix="Think."), ImageConfig())
    words = ["--model_uri", str(tmp_path), "--output_uri", "x", "--images_uri", "y"]
    config = loader.load(PredictConfig, loader.parse([*words, "--engine.num_gpus", "0"]))
    assert checkpoints.as_trained(config).prompts.suffix == "Think."
    config = loader.load(PredictConfig, loader.parse([*words, "--prompts.suffix", "Mine."]))
    assert checkpoints.as_trained(config).prompts.suffix == "Mine."
    assert config.engine.max_engines == 2, "a stage's own default stays"
