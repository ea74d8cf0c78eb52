"""A text encoder of the BERT family from a folder, URI or hub name; torch is imported inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chexone_ray.checkpoints import is_hub_name, model_folder
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned.packages import no_model

_PREFIXED = ("roberta", "xlm-roberta", "gpt2")
"""Model types whose tokenizers tell the first word of a text from later ones; it gets the space of
the later ones, and of their positions two are no tokens."""
_MOST = 512


def load_tokenizer(metric: str, model: str) -> tuple[Any, Any]:
    """(configuration, tokenizer) of a model.

    Raises ChexoneError where they cannot be had.
    """
    from transformers import AutoConfig, AutoTokenizer

    folder = _folder(metric, model)
    try:
        config = AutoConfig.from_pretrained(folder)
        more = {"add_prefix_space": True} if config.model_type in _PREFIXED else {}
        return config, AutoTokenizer.from_pretrained(folder, **more)
    except (OSError, ValueError) as error:
        raise no_model(metric, model, error) from None


def load_encoder(metric: str, model: str, device: str) -> Any:
    """The model in float32 for inference.

    Raises ChexoneError where it cannot be had.
    """
    import torch
    from transformers import AutoModel

    try:
        encoder = AutoModel.from_pretrained(_folder(metric, model), dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise no_model(metric, model, error) from None
    return encoder.eval().to(device)


def max_tokens(config: Any, tokenizer: Any) -> int:
    """Tokens of a text that are read, special ones included; the rest is cut off."""
    positions = getattr(config, "max_position_embeddings", _MOST)
    if config.model_type in _PREFIXED[:2]:
        positions -= 2
    return int(min(positions, tokenizer.model_max_length))


def batches(
    tokenizer: Any, texts: Sequence[str], limit: int, size: int, device: str
) -> Iterator[tuple[list[int], Any]]:
    """(places in `texts`, padded input) of similar lengths, longest first."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        encoded = tokenizer(
            [texts[i] for i in places],
            padding=True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
        )
        yield places, encoded.to(device)


def short_name(model: str) -> str:
    """The name of a model in a signature: a hub name whole, of a folder its last part."""
    return model if is_hub_name(model) else model.rstrip("/").rsplit("/", 1)[-1]


def revision(config: Any) -> str:
    """Which state of a hub's model was loaded; "folder" for one that is a folder here."""
    return str(getattr(config, "_commit_hash", None) or "folder")[:8]


def _folder(metric: str, model: str) -> str:
    try:
        return model_folder(model)
    except ChexoneError as error:
        raise ChexoneError(
            f"{metric} needs the weights of a model: {error} (a hub name has its organisation: "
            "google-bert/bert-base-uncased)"
        ) from None
