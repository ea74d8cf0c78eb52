"""Documents and packs against the processor and the model of transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chexone_ray.errors import ChexoneError
from chexone_ray.training.packing import (
    IGNORE,
    Document,
    Pack,
    VisionLayout,
    collate,
    document,
    from_ids,
    pack,
    patchify,
    rope_positions,
)

from .conftest import chat


def sized(*lengths: int) -> list[Document]:
    """Text documents of the given lengths, numbered by their first token."""
    layout = VisionLayout(5, 6, 14, 2, 2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return [from_ids(layout, [100 + n], [7] * (t - 1)) for n, t in enumerate(lengths)]


def numbers(item: Pack) -> list[int]:
    """Which of `sized`'s documents a pack holds."""
    return [int(d.input_ids[0]) - 100 for d in item.documents]


def test_prompt_ids_equal_the_processor(processor: Any, films: list[np.ndarray]) -> None:
    for places in ([0], [1], [2], [1, 2], []):
        images = [films[i] for i in places]
        text = chat("Is there an effusion?", len(images))
        theirs = processor(text=[text], images=images or None, return_tensors="pt")
        ours = document(processor, text, target_text="yes", images=images)
        length = theirs["input_ids"].shape[1]
        assert ours.input_ids[:length].tolist() == theirs["input_ids"][0].tolist()
        assert ours.input_ids[-1] == processor.tokenizer.eos_token_id


def test_patches_equal_the_processor(processor: Any, films: list[np.ndarray]) -> None:
    layout = VisionLayout.of(processor)
    for pixels in films:
        theirs = processor.image_processor(images=[pixels], do_resize=False, return_tensors="pt")
        ours = patchify(pixels, layout)
        assert theirs["image_grid_thw"].tolist() == [list(layout.grid(pixels))]
        np.testing.assert_allclose(ours, theirs["pixel_values"].numpy(), atol=1e-6, rtol=0)


def test_positions_equal_the_model(model: Any, processor: Any, documents: list[Document]) -> None:
    layout = VisionLayout.of(processor)
    for item in documents:
        ids = torch.from_numpy(item.input_ids)[None]
        grids = [layout.grid(pixels) for pixels in item.images]
        theirs, _ = model.model.get_rope_index(
            ids, (ids == layout.image_token_id).int(), torch.tensor(grids) if grids else None
        )
        np.testing.assert_array_equal(
            rope_positions(item.input_ids, grids, layout), theirs[:, 0].numpy()
        )


def test_labels_and_tracks_cover_the_completion_only(processor: Any) -> None:
    item = document(
        processor,
        chat("Which side?", 0),
        completion_ids=[40, 41, 42],
        tracks={"behaviour": [-0.5, -0.25, -1.0], "advantages": 2.0},
    )
    assert item.labels[-3:].tolist() == [40, 41, 42]
    assert (item.labels[:-3] == IGNORE).all()
    assert item.tracks["behaviour"][-3:].tolist() == [-0.5, -0.25, -1.0]
    assert item.tracks["advantages"][-4:].tolist() == [0.0, 2.0, 2.0, 2.0]


def test_refuses_what_cannot_be_trained_on(processor: Any, films: list[np.ndarray]) -> None:
    pad = processor.image_token_id
    with pytest.raises(ChexoneError, match="image or video token"):
        document(processor, chat("Which side?", 0), completion_ids=[40, pad])
    with pytest.raises(ChexoneError, match="0 image places but 1 images"):
        document(processor, chat("Which side?", 0), target_text="left", images=films[:1])
    with pytest.raises(ChexoneError, match="grid"):
        document(
            processor,
            chat("Which side?", 1),
            target_text="left",
            images=[np.zeros((100, 112, 3), np.uint8)],
        )
    with pytest.raises(ValueError, match="track advantages"):
        document(
            processor, chat("?", 0), completion_ids=[40, 41], tracks={"advantages": [1.0, 2.0, 3.0]}
        )


def test_a_document_of_weight_zero_has_no_labels(processor: Any) -> None:
    item = document(processor, chat("Which side?", 0), target_text="left", weight=0.0)
    assert (item.labels == IGNORE).all()


def test_greedy_packing_keeps_the_order() -> None:
    packs = list(pack(sized(4, 5, 6, 3, 9, 2), max_tokens=10))
    assert [numbers(p) for p in packs] == [[0, 1], [2, 3], [4], [5]]
    with pytest.raises(ValueError, match="document of 12 tokens"):
        list(pack(sized(12), max_tokens=10))


def test_collate_encodes_shared_images_once(processor: Any, documents: list[Document]) -> None:
    batch = collate(Pack(tuple(documents)), VisionLayout.of(processor))
    assert batch["image_grid_thw"].tolist() == [[1, 8, 8], [1, 6, 10], [1, 4, 6]]
    assert batch["image_index"] == [0, 0, 1, 0, 2]
    assert batch["pixel_values"].shape[0] == 64 + 60 + 24
    assert batch["lengths"] == [d.num_tokens for d in documents]
    total = sum(batch["lengths"])
    assert batch["position_ids"].shape == (4, 1, total)
    starts = np.cumsum([0, *batch["lengths"][:-1]])
    assert batch["position_ids"][0, 0, starts].tolist() == [0] * len(documents)
    assert (batch["labels"][0, starts] == IGNORE).all()
