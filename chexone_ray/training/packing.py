"""Samples -> packed rows: several documents behind one another in one row, images encoded once.

Shape legend: T tokens of a pack, t tokens of one document, N distinct images of a pack, M image
places of a pack (M >= N), P patches of all distinct images, D values of a patch.

A track is one float a token, aligned with `input_ids`: the value at place t belongs to token t
(the loss shifts labels and tracks together). Prompt tokens hold 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chexone_ray.errors import ChexoneError

IGNORE = -100
"""Label of a token that is not trained on."""

Track = float | Sequence[float]


@dataclass(frozen=True)
class VisionLayout:
    """What a Qwen2.5-VL processor says about pixels and image tokens. Picklable."""

    image_token_id: int
    video_token_id: int
    patch_size: int
    merge_size: int
    temporal_patch_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """Mean and standard deviation of a channel in 0-255 units."""

    @classmethod
    def of(cls, processor: Any) -> VisionLayout:
        """The layout of a Hugging Face Qwen2.5-VL processor."""
        image = processor.image_processor
        scale = 1.0 / image.rescale_factor
        return cls(
            image_token_id=int(processor.image_token_id),
            video_token_id=int(processor.video_token_id),
            patch_size=int(image.patch_size),
            merge_size=int(image.merge_size),
            temporal_patch_size=int(image.temporal_patch_size),
            mean=tuple(float(value) * scale for value in image.image_mean),  # type: ignore[arg-type]
            std=tuple(float(value) * scale for value in image.image_std),  # type: ignore[arg-type]
        )

    def grid(self, pixels: np.ndarray) -> tuple[int, int, int]:
        """(1, rows, columns) in patches of an image (H, W, 3). Raises where it is off the grid."""
        height, width = pixels.shape[:2]
        factor = self.patch_size * self.merge_size
        if height % factor or width % factor:
            raise ChexoneError(
                f"image of {width}x{height} pixels is not on the {factor}-pixel grid: "
                "decode it with chexone_ray.images first"
            )
        return 1, height // self.patch_size, width // self.patch_size

    def num_tokens(self, pixels: np.ndarray) -> int:
        """Image tokens of an image (H, W, 3)."""
        _, rows, columns = self.grid(pixels)
        return rows * columns // self.merge_size**2


@dataclass(frozen=True)
class Document:
    """One prompt with its answer. Arrays are (t,); `input_ids` hold the expanded image tokens."""

    input_ids: np.ndarray
    labels: np.ndarray
    """The id where the token is trained on, else -100; the first is always -100."""
    images: tuple[np.ndarray, ...] = ()
    """uint8 (H, W, 3) on the 28-pixel grid, in the order of their places."""
    keys: tuple[str, ...] = ()
    """One a image: equal keys mean equal pixels, which a pack encodes once."""
    tracks: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Name -> float32 (t,)."""
    weight: float = 1.0
    """Factor on the loss of every token of this document."""
    kind: str = ""
    """Losses are reported by this name."""
    position: tuple[Any, ...] = ()
    """Where the reader stood, for exact resume; empty where it does not matter."""

    @property
    def num_tokens(self) -> int:
        """t."""
        return len(self.input_ids)


@dataclass(frozen=True)
class Pack:
    """Documents that share one row, in order."""

    documents: tuple[Document, ...]

    @property
    def num_tokens(self) -> int:
        """T."""
        return sum(document.num_tokens for document in self.documents)


# --- documents -----------------------------------------------------------------------------------


def expand(
    token_ids: Sequence[int], images: Sequence[np.ndarray], layout: VisionLayout
) -> list[int]:
    """Prompt ids with every image placeholder repeated once a token of its image.

    Raises ChexoneError where placeholders and images differ in number.
    """
    places = [i for i, token in enumerate(token_ids) if token == layout.image_token_id]
    if len(places) != len(images):
        raise ChexoneError(
            f"prompt has {len(places)} image places but {len(images)} images came with it: "
            "render the prompt with one place an image"
        )
    expanded: list[int] = []
    start = 0
    for place, pixels in zip(places, images, strict=True):
        expanded += token_ids[start:place]
        expanded += [layout.image_token_id] * layout.num_tokens(pixels)
        start = place + 1
    expanded += token_ids[start:]
    return expanded


def prompt_ids(processor: Any, prompt_text: str, images: Sequence[np.ndarray]) -> list[int]:
    """Expanded ids of a rendered prompt: those of the processor and of the engine."""
    token_ids = processor.tokenizer(prompt_text, add_special_tokens=False)["input_ids"]
    return expand(token_ids, images, VisionLayout.of(processor))


def target_ids(processor: Any, target_text: str) -> list[int]:
    """Ids of an answer, closed by the end-of-turn token at which the engine stops."""
    tokenizer = processor.tokenizer
    return [*tokenizer(target_text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


def document(
    processor: Any,
    prompt_text: str,
    *,
    target_text: str | None = None,
    completion_ids: Sequence[int] | None = None,
    images: Sequence[np.ndarray] = (),
    keys: Sequence[str] = (),
    tracks: Mapping[str, Track] | None = None,
    weight: float = 1.0,
    kind: str = "",
    position: tuple[Any, ...] = (),
) -> Document:
    """One document from a rendered prompt and either an answer text or sampled token ids.

    `prompt_text` holds one unexpanded image placeholder an image. `tracks` are one float a
    completion token, or one float for all of them. `completion_ids` are taken as they are
    (including the end-of-turn token if it was sampled). Raises ChexoneError for a completion
    that holds an image token: its features do not exist; drop such completions.
    """
    if (target_text is None) == (completion_ids is None):
        raise ValueError("document: give exactly one of target_text and completion_ids")
    prompt = prompt_ids(processor, prompt_text, images)
    answer = (
        target_ids(processor, target_text)
        if target_text is not None
        else list(completion_ids or ())
    )
    return from_ids(
        VisionLayout.of(processor),
        prompt,
        answer,
        images=images,
        keys=keys,
        tracks=tracks,
        weight=weight,
        kind=kind,
        position=position,
    )


def from_ids(
    layout: VisionLayout,
    prompt: Sequence[int],
    answer: Sequence[int],
    *,
    images: Sequence[np.ndarray] = (),
    keys: Sequence[str] = (),
    tracks: Mapping[str, Track] | None = None,
    weight: float = 1.0,
    kind: str = "",
    position: tuple[Any, ...] = (),
) -> Document:
    """One document from expanded prompt ids and answer ids; see `document`."""
    if layout.image_token_id in answer or layout.video_token_id in answer:
        raise ChexoneError("completion holds an image or video token: drop it, it has no pixels")
    if keys and len(keys) != len(images):
        raise ValueError(f"document: {len(keys)} keys for {len(images)} images")
    if not prompt:
        raise ValueError("document: the prompt is empty, so the first answer token has no context")
    input_ids = np.asarray([*prompt, *answer], dtype=np.int64)
    labels: np.ndarray = np.full(len(input_ids), IGNORE, dtype=np.int64)
    if weight:
        labels[len(prompt) :] = input_ids[len(prompt) :]
    values: dict[str, np.ndarray] = {}
    for name, track in (tracks or {}).items():
        values[name] = np.zeros(len(input_ids), dtype=np.float32)
        if np.ndim(track) and len(track) != len(answer):  # type: ignore[arg-type]
            raise ValueError(f"track {name}: {len(track)} values for {len(answer)} tokens")  # type: ignore[arg-type]
        values[name][len(prompt) :] = track
    return Document(
        input_ids=input_ids,
        labels=labels,
        images=tuple(images),
        keys=tuple(keys) if keys else tuple(str(id(image)) for image in images),
        tracks=values,
        weight=weight,
        kind=kind,
        position=position,
    )


# --- packs ---------------------------------------------------------------------------------------


def pack(documents: Iterable[Document], max_tokens: int) -> Iterator[Pack]:
    """Fill rows greedily in the order given: a row closes when the next document does not fit.

    Streams: holds one row. A longer document than `max_tokens` is the caller's mistake.
    """
    row: list[Document] = []
    used = 0
    for item in documents:
        if item.num_tokens > max_tokens:
            raise ValueError(
                f"document of {item.num_tokens} tokens in packs of {max_tokens}: drop it before"
            )
        if used + item.num_tokens > max_tokens:
            yield Pack(tuple(row))
            row, used = [], 0
        row.append(item)
        used += item.num_tokens
    if row:
        yield Pack(tuple(row))


# --- tensors -------------------------------------------------------------------------------------


def patchify(pixels: np.ndarray, layout: VisionLayout) -> np.ndarray:
    """uint8 (H, W, 3) -> float32 (patches, D), equal to the processor with do_resize=False."""
    _, rows, columns = layout.grid(pixels)
    size, merge = layout.patch_size, layout.merge_size
    values: np.ndarray = pixels.astype(np.float32)
    values -= np.asarray(layout.mean, dtype=np.float32)
    values /= np.asarray(layout.std, dtype=np.float32)
    blocks = values.reshape(rows // merge, merge, size, columns // merge, merge, size, 3)
    # (row block, column block, row in block, column in block, channel, y, x)
    blocks = blocks.transpose(0, 3, 1, 4, 6, 2, 5)
    frames = np.repeat(blocks[:, :, :, :, :, None], layout.temporal_patch_size, axis=5)
    return frames.reshape(rows * columns, -1)


def rope_positions(
    input_ids: np.ndarray, grids: Sequence[tuple[int, int, int]], layout: VisionLayout
) -> np.ndarray:
    """int64 (3, t): temporal, height and width positions of one document.

    Equal to Qwen2_5_VLModel.get_rope_index for still images.
    """
    positions: np.ndarray = np.empty((3, len(input_ids)), dtype=np.int64)
    places = np.flatnonzero(input_ids == layout.image_token_id)
    token = value = used = 0
    for _, grid_rows, grid_columns in grids:
        rows, columns = grid_rows // layout.merge_size, grid_columns // layout.merge_size
        start = int(places[used])
        positions[:, token:start] = np.arange(value, value + start - token)
        value += start - token
        end = start + rows * columns
        positions[0, start:end] = value
        positions[1, start:end] = value + np.repeat(np.arange(rows), columns)
        positions[2, start:end] = value + np.tile(np.arange(columns), rows)
        value += max(rows, columns)
        used += rows * columns
        token = end
    if used != len(places):
        raise ValueError(f"document has {len(places)} image tokens, its images make {used}")
    positions[:, token:] = np.arange(value, value + len(input_ids) - token)
    return positions


def collate(packed: Pack, layout: VisionLayout) -> dict[str, Any]:
    """Tensors of one pack, the argument of the trainer's loss and of `model.packed_forward`.

    input_ids (1, T), labels (1, T), position_ids (4, 1, T) (row 0 restarts at 0 with every
    document, which is what separates them; rows 1-3 rope), weight (1, T) and every track of the
    documents (1, T; 0 where a document has none); pixel_values (P, D) and image_grid_thw (N, 3)
    of the distinct images, absent without images; image_index: list of M places into the N
    images; lengths: list of t; kinds: list of str.
    """
    import torch

    documents = packed.documents
    total = packed.num_tokens
    distinct: dict[str, np.ndarray] = {}
    image_index: list[int] = []
    order: dict[str, int] = {}
    positions: np.ndarray = np.empty((4, 1, total), dtype=np.int64)
    names = sorted({name for item in documents for name in item.tracks})
    tracks: dict[str, np.ndarray] = {
        name: np.zeros((1, total), dtype=np.float32) for name in ("weight", *names)
    }
    start = 0
    for item in documents:
        stop = start + item.num_tokens
        positions[0, 0, start:stop] = np.arange(item.num_tokens)
        grids = [layout.grid(pixels) for pixels in item.images]
        positions[1:, 0, start:stop] = rope_positions(item.input_ids, grids, layout)
        tracks["weight"][0, start:stop] = item.weight
        for name, values in item.tracks.items():
            tracks[name][0, start:stop] = values
        for key, pixels in zip(item.keys, item.images, strict=True):
            if key not in order:
                order[key] = len(order)
                distinct[key] = pixels
            image_index.append(order[key])
        start = stop
    batch: dict[str, Any] = {
        "input_ids": torch.from_numpy(np.concatenate([item.input_ids for item in documents])[None]),
        "labels": torch.from_numpy(np.concatenate([item.labels for item in documents])[None]),
        "position_ids": torch.from_numpy(positions),
        **{name: torch.from_numpy(values) for name, values in tracks.items()},
        "image_index": image_index,
        "lengths": [item.num_tokens for item in documents],
        "kinds": [item.kind for item in documents],
    }
    if distinct:
        patches = [patchify(pixels, layout) for pixels in distinct.values()]
        batch["pixel_values"] = torch.from_numpy(np.concatenate(patches))
        batch["image_grid_thw"] = torch.tensor(
            [layout.grid(pixels) for pixels in distinct.values()]
        )
    return batch
