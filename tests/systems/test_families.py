"""Tiny random models of each family through their adapter: asked, batched, drawn, read."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray import images, prompts
from chexone_ray.config import EngineConfig, SamplingConfig
from chexone_ray.engine.transformers_engine import TransformersEngine
from chexone_ray.records import ImageRef, Request, Sample
from chexone_ray.systems import asking, reading, sight
from chexone_ray.systems.adapter import posed
from chexone_ray.systems.table import ADAPTERS
from tests.systems.families import FAMILIES, build

torch = pytest.importorskip("torch")

CONFIG = EngineConfig(num_gpus=0, dtype="float32", threads=1, max_num_seqs=4, max_model_len=512)
GREEDY = SamplingConfig(max_tokens=10)
ADAPTER_OF = {"llava": "radvlm"}  # asked in the same way; MAIRA-2's own processor is not here


def asked() -> list[Sample]:
    """Questions of unequal length about films of unequal shape."""
    kinds = ("presence", "grounding", "findings", "view_matching")
    return [
        Sample(
            *(f"s{number}", "d", "t", kind, "test", "p", "s"),
            (ImageRef("a"),) * (2 if kind == "view_matching" else 1),
            "Where is the effusion? Give its box. " * (number + 1),
            "",
            mode="instruct",
        )
        for number, kind in enumerate(kinds)
    ]


def film(number: int) -> bytes:
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 255, (2, 1 + number % 2, 3), dtype=np.uint8)
    return images.to_png(np.kron(coarse, np.ones((28, 56, 1), dtype=np.uint8)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_says_what_each_says_alone_in_transformers(name: str, tmp_path: Path) -> None:
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    adapter = ADAPTERS[ADAPTER_OF.get(name, name)]
    folder = build(name, tmp_path)
    processor: Any = AutoProcessor.from_pretrained(folder)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    engine = TransformersEngine(CONFIG, folder, adapter.protocol)
    engine._load(folder)
    assert adapter.prompts is not None
    requests, geometries = [], []
    for number, sample in enumerate(asked()):
        pngs = tuple(film(number + place) for place in range(len(sample.images)))
        seen = sight.geometry(adapter, sample.images, pngs)
        turns = asking.turns(adapter, posed(sample), adapter.prompts, seen)
        geometries.append(seen)
        requests.append(
            Request(sample.id, prompts.render(processor, turns), sight.sent(adapter, pngs))
        )
    together = asyncio.run(engine.generate(requests, GREEDY))
    assert not [rollout.error for rollout in together if rollout.error]
    assert len({rollout.completions[0].token_ids for rollout in together}) > 1
    numbered = list(enumerate(requests))
    others = [replace(one, images=(*one.images[:-1], film(90 + at))) for at, one in numbered]
    seen_others = asyncio.run(engine.generate(others, GREEDY))
    assert any(
        one.completions != other.completions
        for one, other in zip(together, seen_others, strict=True)
    ), "the films play a part"
    assert len({len(rollout.prompt_token_ids) for rollout in together}) == 4, "they are padded"
    for request, sample, rollout, seen in zip(requests, asked(), together, geometries, strict=True):
        # Their own way from messages to tokens, where the processor sees no text of ours.
        films = [Image.open(io.BytesIO(png)).convert("RGB") for png in request.images]
        parts = iter(films)
        turns = asking.turns(adapter, posed(sample), adapter.prompts, seen)
        for turn in turns:
            for part in turn["content"]:
                if part["type"] == "image":
                    part["image"] = next(parts)
        inputs = processor.apply_chat_template(
            turns,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        assert rollout.prompt_token_ids == tuple(inputs["input_ids"][0].tolist())
        with torch.no_grad():
            ids = model.generate(**inputs, max_new_tokens=10, do_sample=False)
        (completion,) = rollout.completions
        new = ids[0, inputs["input_ids"].shape[1] :].tolist()
        assert list(completion.token_ids) == new[: len(completion.token_ids)]
        assert len(completion.token_ids) == len(new) or completion.finish_reason == "stop"
        reading.read(adapter, posed(sample), completion.text, seen)
