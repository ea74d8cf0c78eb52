"""Step batches -> packs on the trainer's side, with the tiny model's processor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.errors import ChexoneError
from chexone_ray.grpo.batches import PromptRow, StepBatch, TrainRow
from chexone_ray.grpo.rollouts import Position
from chexone_ray.grpo.worker import packs
from chexone_ray.training.packing import IGNORE, VisionLayout, collate, prompt_ids

TEXT = (
    "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Is there a nodule?<|im_end|>\n"
    "<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoProcessor

    from chexone_ray import tiny_model
    from chexone_ray.config import TinyModelConfig

    folder: Path = tmp_path_factory.mktemp("tiny")
    tiny_model.build(TinyModelConfig(output_uri=str(folder), random=True))
    return AutoProcessor.from_pretrained(str(folder))


@pytest.fixture
def batch(processor: Any) -> StepBatch:
    """Two prompts about the same film, three rows in the first pack and none in the second."""
    film = np.random.default_rng(0).integers(0, 256, (84, 112, 3), dtype=np.uint8)
    ids = tuple(prompt_ids(processor, TEXT, [film]))
    prompts = tuple(PromptRow(name, TEXT, ids, (images.to_png(film),)) for name in "ab")
    rows = (
        TrainRow(0, (30, 31, 32), (-0.5, -0.25, -1.0), 0.75),
        TrainRow(0, (40,), (-2.0,), -0.75),
        TrainRow(1, (50, 51), (-3.0, -4.0), 0.0),
    )
    return StepBatch(1, Position(), prompts, (rows, ()))


def test_tracks_lie_on_the_tokens_that_they_are_about(processor: Any, batch: StepBatch) -> None:
    layout = VisionLayout.of(processor)
    first, second = packs(batch, processor, layout)
    tensors = collate(first, layout)
    labelled = tensors["labels"][0] != IGNORE
    assert tensors["labels"][0][labelled].tolist() == [30, 31, 32, 40, 50, 51]
    assert tensors["advantages"][0][labelled].tolist() == [0.75] * 3 + [-0.75] + [0.0] * 2
    assert tensors["behaviour"][0][labelled].tolist() == [-0.5, -0.25, -1.0, -2.0, -3.0, -4.0]
    assert not tensors["behaviour"][0][~labelled].any()
    without = collate(second, layout)
    assert (without["labels"] == IGNORE).all()
    assert set(without) >= {"advantages", "behaviour"}


def test_one_film_of_several_prompts_is_encoded_once(processor: Any, batch: StepBatch) -> None:
    layout = VisionLayout.of(processor)
    first, _ = packs(batch, processor, layout)
    tensors = collate(first, layout)
    assert tensors["image_index"] == [0, 0, 0]
    assert tensors["image_grid_thw"].tolist() == [[1, 6, 8]]


def test_other_prompt_ids_than_the_engines_are_refused(processor: Any, batch: StepBatch) -> None:
    other = replace(batch.prompts[0], token_ids=batch.prompts[0].token_ids[:-1])
    with pytest.raises(ChexoneError, match="disagree"):
        list(packs(replace(batch, prompts=(other,)), processor, VisionLayout.of(processor)))
