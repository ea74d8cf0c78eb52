"""A random tiny model, its processor and a few documents, built once for this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray.training import packing


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local Hugging Face folder of a random tiny Qwen2.5-VL."""
    from chexone_ray import tiny_model
    from chexone_ray.config import TinyModelConfig

    folder: Path = tmp_path_factory.mktemp("tiny")
    return tiny_model.build(TinyModelConfig(output_uri=str(folder), random=True))


@pytest.fixture(scope="session")
def processor(tiny_folder: str) -> Any:
    """The tiny model's processor."""
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(tiny_folder)


@pytest.fixture
def model(tiny_folder: str) -> Any:
    """The tiny model with the packed forward; a fresh one for every test."""
    import torch

    from chexone_ray.training import forward

    torch.set_num_threads(1)
    return forward.load_model(tiny_folder, dtype="float32", attention="sdpa").train()


@pytest.fixture(scope="session")
def films() -> list[np.ndarray]:
    """Three noise images of three shapes on the grid."""
    rng = np.random.default_rng(0)
    shapes = [(112, 112), (84, 140), (56, 84)]
    return [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in shapes]


PLACE = "<|vision_start|><|image_pad|><|vision_end|>"


def chat(question: str, num_images: int) -> str:
    """A rendered prompt of the tiny model's template."""
    return f"<|im_start|>user\n{PLACE * num_images}{question}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="session")
def documents(processor: Any, films: list[np.ndarray]) -> list[packing.Document]:
    """Five documents: two share an image, one has two images, one has none."""
    rows = [
        ("Is there an effusion?", "The angle is blunted. \\boxed{yes}", [0], "presence"),
        ("How large is the heart?", "\\boxed{normal}", [0], "heart_size"),
        ("Is it worse than before?", "It grew. \\boxed{worse}", [1, 0], "progression"),
        ("What is a chest film?", "A picture.", [], "text"),
        ("Which side?", "\\boxed{left}", [2], "side"),
    ]
    return [
        packing.document(
            processor,
            chat(question, len(places)),
            target_text=answer,
            images=[films[i] for i in places],
            keys=[f"film-{i}" for i in places],
            kind=kind,
        )
        for question, answer, places, kind in rows
    ]
