"""Vision pretraining of the tiny model on phantoms: image tokens learn to tell what a film shows.

Supervision is dense and position-aware. Three linear maps, thrown away afterwards, read the 16
merged tokens of an image at unit root mean square, as the language model's first norm sees them:

- `film`, from their mean: visible findings by side with their grade, heart class, view, and the box
  of each finding as bins of 5 %. A random language model that spreads its attention over an image
  sees this mean, so whatever it holds can be asked for from the first step on;
- `cell`, from each token: which cell of the grid it is, and which findings' masks lie in it. The
  tower has relative positions only; this makes it tell left from right;
- `flat`, from all tokens in order: findings and heart class again. It finds local signs soonest
  (each token has weights of its own) and draws the features that the other two need.

Shapes: N images, T = 16 merged tokens, P = 64 patches, D = 128 features.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexone_ray.data.phantom import Phantom, random_phantom
from chexone_ray.data.phantom_anatomy import SIDED

logger = logging.getLogger(__name__)

SIZE = 112
GRID = 4
BINS = 20
"""Classes of a box coordinate, 5 % of the film each."""
SIDED_NAMES = tuple(f"{side} {label}" for label in SIDED for side in ("right", "left"))
NAMES = (*SIDED_NAMES, "pacemaker", "tube", "heart")
"""Keys of `Phantom.masks` that are learned."""
HEARTS = ("normal", "borderline", "enlarged")
VIEWS = ("PA", "AP", "LATERAL")
GRADES = (0.0, 1 / 3, 2 / 3)
IGNORE = -100
LOG_STEPS = 50
SHIFT = 3
"""Largest shift of the augmentation, pixels."""
DRAW_SHARE = 0.3
"""Films drawn per film trained on: each is seen three or four times, shifted differently."""


@dataclass(frozen=True)
class Films:
    """N drawn films with what is learned from them."""

    pixels: NDArray[np.uint8]
    """(N, SIZE, SIZE)."""
    present: NDArray[np.float32]
    """(N, names, grades): visible, and above each grade limit. Unsided ones have equal grades."""
    boxes: NDArray[np.float32]
    """(N, names, 4) in 0-1, NaN where there is none."""
    cover: NDArray[np.float32]
    """(N, T, names): 1 where the mask takes a tenth of the token's cell, or lies mostly there."""
    heart: NDArray[np.int64]
    """(N,), `IGNORE` where the view does not show it."""
    view: NDArray[np.int64]

    @classmethod
    def join(cls, parts: list[Films]) -> Films:
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )


def describe(film: Phantom) -> dict[str, Any]:
    """One film's row of `Films`."""
    present: NDArray[np.float32] = np.zeros((len(NAMES), len(GRADES)), np.float32)
    boxes: NDArray[np.float32] = np.full((len(NAMES), 4), np.nan, np.float32)
    cover: NDArray[np.float32] = np.zeros((GRID * GRID, len(NAMES)), np.float32)
    severity = {spec.name: spec.severity for spec in film.specs if spec.label in SIDED}
    for index, name in enumerate(NAMES):
        mask = film.masks.get(name)
        if mask is None or not mask.any():
            continue
        present[index] = [severity.get(name, 1.0) >= limit for limit in GRADES]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes[index] = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / SIZE
        cell = SIZE // GRID
        share = mask.reshape(GRID, cell, GRID, cell).mean((1, 3)).reshape(-1)
        cover[:, index] = (share > 0.1) | (share > 0.25 * share.sum()) | (share == share.max())
    frontal = film.view != "LATERAL"
    return {
        "pixels": film.pixels.reshape(SIZE, SIZE, -1)[..., 0],
        "present": present,
        "boxes": boxes,
        "cover": cover,
        "heart": HEARTS.index(film.heart_size) if frontal else IGNORE,
        "view": VIEWS.index(film.view),
    }


def draw_films(seed: int, start: int, count: int) -> Films:
    """Films number `start` to `start + count` of the endless row that `seed` defines."""
    rows = [
        describe(random_phantom((seed + 1) * 10_000_000 + start + i, SIZE)) for i in range(count)
    ]
    return Films(**{name: np.stack([row[name] for row in rows]) for name in rows[0]})


def draw_all(seed: int, count: int, processes: int | None = None) -> Films:
    """`count` films drawn by spawned processes; the same films for any number of them."""
    chunk = 250
    starts = list(range(0, count, chunk))
    if processes == 1:
        return Films.join([draw_films(seed, start, min(chunk, count - start)) for start in starts])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes or min(4, os.cpu_count() or 1), mp_context=context) as pool:
        sizes = [min(chunk, count - start) for start in starts]
        return Films.join(list(pool.map(partial(draw_films, seed), starts, sizes)))


def patches(pixels: Any) -> Any:
    """(N, SIZE, SIZE) grey 0-255 -> (N, P, 1176), as the processor lays out RGB copies of it."""
    import torch
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    mean = torch.tensor(OPENAI_CLIP_MEAN)[:, None, None, None]
    std = torch.tensor(OPENAI_CLIP_STD)[:, None, None, None]
    cells = pixels.float().reshape(-1, GRID, 2, 14, GRID, 2, 14).permute(0, 1, 4, 2, 5, 3, 6)
    cells = cells.reshape(len(pixels), GRID * GRID * 4, 1, 1, 14, 14) / 255
    return (
        ((cells - mean) / std)
        .expand(-1, -1, -1, 2, -1, -1)
        .reshape(len(pixels), GRID * GRID * 4, -1)
    )


def encode(visual: Any, values: Any) -> Any:
    """Merged tokens (N, T, D) of images of `SIZE`: the library's forward in one batch."""
    import torch
    from torch.nn import functional
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        apply_rotary_pos_emb_vision,
        get_vision_position_ids,
    )

    count, places, _ = values.shape
    state = visual.patch_embed(values.reshape(count * places, -1)).reshape(count, places, -1)
    grid = torch.tensor([[1, 2 * GRID, 2 * GRID]])
    rotation = visual.rotary_pos_emb(
        state, get_vision_position_ids(grid, visual.spatial_merge_size)
    )
    for block in visual.blocks:
        attention = block.attn
        qkv = attention.qkv(block.norm1(state)).reshape(count, places, 3, attention.num_heads, -1)
        query, key = apply_rotary_pos_emb_vision(qkv[:, :, 0], qkv[:, :, 1], *rotation)
        mixed = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), qkv[:, :, 2].transpose(1, 2)
        )
        state = state + attention.proj(mixed.transpose(1, 2).reshape(count, places, -1))
        state = state + block.mlp(block.norm2(state))
    return visual.merger(state).reshape(count, places // 4, -1)


def batch(
    films: Films, chosen: NDArray[np.int64], rng: np.random.Generator | None
) -> dict[str, Any]:
    """Tensors of the chosen films; with `rng` shifted and of changed brightness."""
    import torch

    pixels = films.pixels[chosen].astype(np.float32)
    boxes = films.boxes[chosen].copy()
    if rng is not None:
        padded = np.pad(pixels, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)), mode="edge")
        moves = rng.integers(-SHIFT, SHIFT + 1, (len(chosen), 2))
        for i, (dy, dx) in enumerate(moves):
            pixels[i] = padded[i, SHIFT - dy : SHIFT - dy + SIZE, SHIFT - dx : SHIFT - dx + SIZE]
        boxes += np.tile(moves[:, ::-1], 2)[:, None, :] / SIZE
        gain, offset = rng.normal(1, 0.04, (2, len(chosen), 1, 1)).astype(np.float32)
        pixels = np.clip(pixels * gain + (offset - 1) * 128, 0, 255)
    bins = np.floor(np.clip(np.nan_to_num(boxes, nan=-9), -9, 0.9999) * BINS)
    bins = np.where(np.isnan(boxes), IGNORE, np.maximum(bins, 0)).astype(np.int64)
    return {
        "pixels": torch.from_numpy(pixels),
        "present": torch.from_numpy(films.present[chosen]),
        "cover": torch.from_numpy(films.cover[chosen]),
        "heart": torch.from_numpy(films.heart[chosen]),
        "view": torch.from_numpy(films.view[chosen]),
        "bins": torch.from_numpy(bins),
    }


FILM = {
    "present": len(NAMES) * len(GRADES),
    "heart": len(HEARTS),
    "view": len(VIEWS),
    "bins": len(NAMES) * 4 * BINS,
}
CELL = {"cell": GRID * GRID, "cover": len(NAMES)}
FLAT = {"flat_present": FILM["present"], "flat_heart": FILM["heart"]}
"""Outputs of the three maps, in order."""
WEIGHTS = {
    "present": 8.0,
    "heart": 1.0,
    "view": 0.3,
    "bins": 0.5,
    "cell": 0.3,
    "cover": 4.0,
    "flat_present": 6.0,
    "flat_heart": 0.3,
}
"""Loss weights."""
NODULE_WEIGHT = 3.0
"""Weight of the nodules among the findings: small and rare, they are learned last."""
COVER_WEIGHT = 4.0
"""Weight of a positive cell: masks cover few of them."""
FILM_RATE = 5.0
"""Learning rate of `film` and `cell` over the tower's: the mean of 16 tokens is small."""


def read_out(maps: Any, tokens: Any) -> dict[str, Any]:
    """Logits of every loss from (N, T, D) tokens; `maps` holds the linear maps by name."""
    tokens = tokens * (tokens.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
    film = maps["film"](tokens.mean(1)).split(list(FILM.values()), -1)
    cell = maps["cell"](tokens).split(list(CELL.values()), -1)
    flat = maps["flat"](tokens.flatten(1)).split(list(FLAT.values()), -1)
    return dict(zip([*FILM, *CELL, *FLAT], [*film, *cell, *flat], strict=True))


def losses(logits: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Mean loss by name. Boxes count where there is one, the heart class on frontal films."""
    import torch
    from torch.nn import functional

    weight = torch.tensor([NODULE_WEIGHT if "nodule" in name else 1.0 for name in NAMES])
    binary = functional.binary_cross_entropy_with_logits
    each = partial(binary, weight=weight.repeat_interleave(len(GRADES)))
    cross = partial(functional.cross_entropy, ignore_index=IGNORE)
    present = target["present"].flatten(1)
    cells = torch.arange(GRID * GRID).expand(len(present), -1)
    return {
        "present": each(logits["present"], present),
        "heart": cross(logits["heart"], target["heart"]),
        "view": cross(logits["view"], target["view"]),
        "bins": cross(logits["bins"].reshape(-1, BINS), target["bins"].reshape(-1)),
        "cell": cross(logits["cell"].flatten(0, 1), cells.reshape(-1)),
        "cover": binary(
            logits["cover"], target["cover"], weight, pos_weight=torch.tensor(COVER_WEIGHT)
        ),
        "flat_present": each(logits["flat_present"], present),
        "flat_heart": cross(logits["flat_heart"], target["heart"]),
    }


def linear_maps(features: int) -> Any:
    """The three maps as a `ModuleDict`."""
    import torch

    return torch.nn.ModuleDict(
        {
            "film": torch.nn.Linear(features, sum(FILM.values())),
            "cell": torch.nn.Linear(features, sum(CELL.values())),
            "flat": torch.nn.Linear(features * GRID * GRID, sum(FLAT.values())),
        }
    )


def rate(step: int, steps: int, peak: float) -> float:
    """Learning rate: warm-up over 30 steps, then a cosine to 2 %."""
    if step < 30:
        return peak * (step + 1) / 30
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - 30) / max(1, steps - 30))))


def optimizer_of(visual: Any, maps: Any) -> Any:
    """AdamW; `factor` of a group is its learning rate over the tower's."""
    import torch

    modules = [visual, maps["flat"], maps["film"], maps["cell"]]
    factors = [1.0, 1.0, FILM_RATE, FILM_RATE]
    return torch.optim.AdamW(
        [
            {"params": list(module.parameters()), "factor": factor}
            for module, factor in zip(modules, factors, strict=True)
        ],
        betas=(0.9, 0.95),
        weight_decay=0.02,
        fused=True,
    )


def pretrain(
    model: Any,
    *,
    steps: int,
    seed: int,
    size: int = 16,
    peak: float = 2e-3,
    films: Films | None = None,
) -> tuple[Any, list[dict[str, float]]]:
    """Train `model.model.visual` in place on one thread.

    Returns the maps and a row of mean losses every `LOG_STEPS` steps. `films` replaces those
    that it would draw.
    """
    import torch

    visual = model.model.visual
    start = time.monotonic()
    if films is None:
        films = draw_all(seed, max(size, int(steps * size * DRAW_SHARE)))
        logger.info("drew %d films in %.1f s", len(films.pixels), time.monotonic() - start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        maps = linear_maps(visual.config.out_hidden_size)
    parameters = [*visual.parameters(), *maps.parameters()]
    optimizer = optimizer_of(visual, maps)
    history: list[dict[str, float]] = []
    sums: dict[str, float] = {}
    for step, target in enumerate(_batches(films, steps, size, seed)):
        parts = losses(read_out(maps, encode(visual, patches(target["pixels"]))), target)
        total = torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * rate(step, steps, peak)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if (step + 1) % LOG_STEPS == 0 or step + 1 == steps:
            many = step % LOG_STEPS + 1
            row = {"step": step + 1.0, "seconds": round(time.monotonic() - start, 1)}
            row |= {f"pretrain/{name}": round(value / many, 4) for name, value in sums.items()}
            history.append(row)
            sums = {}
            logger.info(
                "pretraining %s", " ".join(f"{k.split('/')[-1]}={v:g}" for k, v in row.items())
            )
    return maps, history


def _batches(films: Films, steps: int, size: int, seed: int) -> Iterator[dict[str, Any]]:
    """One augmented batch a step, every film once before any film again."""
    rng = np.random.default_rng([seed, 0x71])
    order: list[int] = []
    for _ in range(steps):
        while len(order) < size:
            order += rng.permutation(len(films.pixels)).tolist()
        chosen, order = np.array(order[:size]), order[size:]
        yield batch(films, chosen, rng)
