"""Where a model's files are and how it was trained to be asked.

A checkpoint of ours carries `chexone.json`: the prompt wording and pixel limits of its training, so
that serving and library use ask it in the same way without being told. Torch-free.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, TypeVar

from chexone_ray import storage
from chexone_ray.config import ImageConfig, PromptConfig, Settings
from chexone_ray.downloads import download
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY

SETTINGS_FILE = "chexone.json"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class ModelSettings(Settings):
    """How a checkpoint is asked; the defaults are those of the published CheXOne.

    It was trained with one fixed suffix, doubled braces included, so it is asked with that.
    """

    prompts: PromptConfig = PromptConfig(suffix="original")
    images: ImageConfig = ImageConfig()
    notice: str = RESEARCH_USE_ONLY


def is_hub_name(model: str) -> bool:
    """True for "organisation/name" where neither it nor "organisation" is a folder here: a path
    that was mistyped is no name of the hub."""
    organisation = Path(model.partition("/")[0])
    return bool(_HUB_NAME.fullmatch(model)) and not organisation.is_dir()


def model_folder(model: str) -> str:
    """A local folder of the checkpoint at a URI (downloaded once a node), or a hub name unchanged.

    Raises:
        ChexoneError: the folder holds no Hugging Face model.
    """
    if is_hub_name(model):
        return model
    folder = download(model)
    if not (folder / "config.json").is_file():
        raise _no_model(model)
    return str(folder)


def read_config(model: str) -> dict[str, Any]:
    """The model's config.json without its weights; empty for a hub name.

    Raises:
        ChexoneError: the folder holds no Hugging Face model.
    """
    if is_hub_name(model):
        return {}
    uri = storage.join(model, "config.json")
    if not storage.exists(uri):
        raise _no_model(model)
    config: dict[str, Any] = storage.read_json(uri)
    return config


def max_length(model: str) -> int | None:
    """Tokens of prompt and completion that the model was made for; None for a hub name."""
    config = read_config(model)
    text = config.get("text_config", config)
    limit = text.get("max_position_embeddings", config.get("max_position_embeddings"))
    return None if limit is None else int(limit)


def _no_model(model: str) -> ChexoneError:
    return ChexoneError(
        f"{model} holds no config.json: give the folder of a Hugging Face model, "
        "such as the `model` folder that `chexone sft` writes"
    )


def read_settings(model: str) -> ModelSettings:
    """The settings beside a checkpoint; the published model's where there are none."""
    if is_hub_name(model):
        return ModelSettings()
    uri = storage.join(model, SETTINGS_FILE)
    return ModelSettings(**storage.read_json(uri)) if storage.exists(uri) else ModelSettings()


def check(config: Settings) -> None:
    """Raise ChexoneError where `config.model_uri` is no model, before anything is started."""
    read_config(config.model_uri)  # type: ignore[attr-defined]


Asking = TypeVar("Asking", bound=Settings)


def as_trained(config: Asking) -> Asking:
    """The settings of a stage that asks `config.model_uri`, with `images` and `prompts` those of
    the checkpoint where they were not given."""
    model = config.model_uri  # type: ignore[attr-defined]
    if model is None:
        return config
    missing = {"images", "prompts"} - config.model_fields_set
    given = read_settings(model) if missing else None
    return config.model_copy(update={name: getattr(given, name) for name in missing})


def write_settings(folder: Path, prompts: PromptConfig, images: ImageConfig) -> None:
    """Put the settings into a local checkpoint folder, before it is uploaded."""
    settings = ModelSettings(prompts=prompts, images=images)
    (folder / SETTINGS_FILE).write_text(settings.model_dump_json(indent=1) + "\n")


def inputs(model: str, manifest_uri: str) -> dict[str, Any]:
    """What a training run reads, by content: the model's digest and the manifest's commit file.

    Part of a run's identity, so that another model or manifest at the same URI is another run.
    """
    return {"model_digest": model_digest(model), "manifest": storage.committed(manifest_uri)}


def model_digest(model: str) -> str:
    """SHA-256 over the weight files of a checkpoint, "hub:<name>" for a hub name."""
    if is_hub_name(model):
        return f"hub:{model}"
    digest = hashlib.sha256()
    for file in sorted(Path(model_folder(model)).glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
