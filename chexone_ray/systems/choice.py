"""The settings of `predict` with what its adapter says in place of what was not given."""

from __future__ import annotations

from typing import Any, TypeVar

from chexone_ray import checkpoints
from chexone_ray.config import PredictConfig, PromptConfig, Settings
from chexone_ray.errors import ChexoneError
from chexone_ray.systems.adapter import Adapter
from chexone_ray.systems.table import ADAPTERS

S = TypeVar("S", bound=Settings)


def settled(config: PredictConfig) -> PredictConfig:
    """The same where all has been settled already.

    Raises:
        ChexoneError: a setting that the adapter's model cannot take.
    """
    adapter = ADAPTERS[config.adapter]
    changes: dict[str, Any] = {
        "mode": _mode(config, adapter),
        "kinds": _kinds(config, adapter),
        "sampling": _filled(config, "sampling", adapter.sampling),
    }
    if config.endpoint is None:
        changes["model_uri"] = config.model_uri or adapter.model
        if not changes["model_uri"]:
            raise ChexoneError(
                f"predict.adapter={adapter.name} has no public weights: give predict.model_uri"
            )
    if adapter.runs_code and not config.trust_remote_code:
        raise ChexoneError(
            f"predict.adapter={adapter.name} runs the Python code that comes with "
            f"{changes['model_uri']}: read it, then set predict.trust_remote_code=true"
        )
    if config.trust_remote_code and not adapter.runs_code:
        raise ChexoneError(
            f"predict.trust_remote_code has no effect with predict.adapter={adapter.name}, which "
            "runs no code of its checkpoint: drop it"
        )
    if adapter.prompts is not None:
        changes["prompts"] = _filled(config, "prompts", adapter.prompts)
    elif config.endpoint is not None:  # what is served adds the wording of its checkpoint itself
        changes["prompts"] = _filled(config, "prompts", PromptConfig(system="", suffix=""))
    if adapter.images is not None:
        changes["images"] = _filled(config, "images", adapter.images)
    elif config.endpoint is not None:
        changes["images"] = config.images
    if config.endpoint is None:
        changes["engine"] = config.engine.model_copy(update=_engine(config, adapter))
    settings = config.model_copy(update=changes)
    return settings if config.endpoint is not None else checkpoints.as_trained(settings)


def _mode(config: PredictConfig, adapter: Adapter) -> str:
    if "mode" not in config.model_fields_set:
        return adapter.modes[0]
    if config.mode not in adapter.modes:
        raise ChexoneError(
            f"predict.mode={config.mode} is not a mode of predict.adapter={adapter.name}: "
            f"use {' or '.join(adapter.modes)}"
        )
    return config.mode


def _kinds(config: PredictConfig, adapter: Adapter) -> tuple[str, ...]:
    if not adapter.kinds or config.images_uri is not None:
        return config.kinds
    unknown = [kind for kind in config.kinds if kind not in adapter.kinds]
    if unknown:
        raise ChexoneError(
            f"predict.kinds={','.join(unknown)} cannot be asked of predict.adapter={adapter.name}: "
            f"choose from {', '.join(adapter.kinds)}"
        )
    return config.kinds or adapter.kinds


def _engine(config: PredictConfig, adapter: Adapter) -> dict[str, Any]:
    """What the adapter says of engines, where it was not given."""
    given = config.engine.model_fields_set
    found: dict[str, Any] = {}
    if adapter.runner == "transformers" and (adapter.batch == 1 or "max_num_seqs" not in given):
        found["max_num_seqs"] = adapter.batch
    if adapter.max_length is not None and "max_model_len" not in given:
        found["max_model_len"] = adapter.max_length
    return found


def _filled(config: PredictConfig, name: str, theirs: S) -> S:
    """The adapter's sub-tree with what the user gave of it."""
    if name not in config.model_fields_set:
        return theirs
    given: S = getattr(config, name)
    return theirs.model_copy(
        update={field: getattr(given, field) for field in given.model_fields_set}
    )
