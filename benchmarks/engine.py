"""Tokens a second: our pool of two engines against one engine and against transformers' generate.

All three answer the same questions about drawn films with the same settings; start-up is reported
apart. A trained model ends its answers at different lengths, a random one writes on to the limit.
The last lines are JSON; a ratio above 1 is in our favour. Run on an idle machine:
`python benchmarks/engine.py --model URI --prompts 256`.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import time
from typing import Any

from chexone_ray import checkpoints, images, log, prompts, runtime
from chexone_ray.config import EngineConfig, ImageConfig, PromptConfig, RayConfig, SamplingConfig
from chexone_ray.data.phantom import random_phantom
from chexone_ray.engine.pool import EnginePool
from chexone_ray.records import Request, Rollout

logger = logging.getLogger(__name__)

IMAGES = ImageConfig(max_pixels=12_544, min_pixels=3_136)
PROMPTS = PromptConfig(system="", suffix="Reason step by step.")
QUESTIONS = (
    "Is there a pleural effusion?",
    "How large is the heart: normal, borderline or enlarged?",
    "Describe the findings.",
    "Locate the nodule.",
)


def engine_config(num_engines: int) -> EngineConfig:
    """Lean engines of the CPU build, one thread each."""
    return EngineConfig(
        num_gpus=0,
        threads=1,
        dtype="float32",
        max_model_len=512,
        max_num_seqs=256,
        kv_cache_mb=128,
        enforce_eager=True,
        lean=True,
        min_engines=num_engines,
        max_engines=num_engines,
    )


def make_requests(model: str, count: int) -> list[Request]:
    """Prompts with one drawn film each, the questions in turn."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoints.model_folder(model))
    texts = [
        prompts.render(tokenizer, prompts.messages(question, 1, "reasoning", PROMPTS))
        for question in QUESTIONS
    ]
    films = (images.decode(images.to_png(random_phantom(i).pixels), IMAGES) for i in range(count))
    return [
        Request(str(i), texts[i % len(texts)], (images.to_png(film.pixels),))
        for i, film in enumerate(films)
    ]


def pool_run(
    model: str, requests: list[Request], sampling: SamplingConfig, num_engines: int
) -> dict[str, Any]:
    """Start-up and steady seconds of a pool."""
    start = time.monotonic()
    with EnginePool(engine_config(num_engines), model, IMAGES) as pool:
        pool.wait_ready()
        ready = time.monotonic()
        pool.generate(requests[:8], sampling)
        warm = time.monotonic()
        rollouts = pool.generate(requests, sampling)
        done = time.monotonic()
    return figures(rollouts, done - warm) | {
        "engines": num_engines,
        "start_s": round(ready - start, 1),
    }


def figures(rollouts: list[Rollout], seconds: float) -> dict[str, Any]:
    """Rates of finished work."""
    tokens = sum(len(c.token_ids) for r in rollouts for c in r.completions)
    return {
        "seconds": round(seconds, 2),
        "completions_per_s": round(sum(len(r.completions) for r in rollouts) / seconds, 1),
        "tokens_per_s": round(tokens / seconds, 1),
    }


def transformers_run(
    model: str, requests: list[Request], sampling: SamplingConfig, batch: int, threads: int
) -> dict[str, Any]:
    """The obvious way: the model's own `generate` on padded batches in one process."""
    start = time.monotonic()
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = checkpoints.model_folder(model)
    processor: Any = AutoProcessor.from_pretrained(folder, padding_side="left")
    network: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    ready = time.monotonic()
    tokens = rows = 0
    for place in range(0, len(requests), batch):
        part = requests[place : place + batch]
        inputs = processor(
            text=[r.prompt for r in part],
            images=[Image.open(io.BytesIO(r.images[0])).convert("RGB") for r in part],
            images_kwargs={"min_pixels": IMAGES.min_pixels, "max_pixels": IMAGES.max_pixels},
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            out = network.generate(
                **inputs,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                num_return_sequences=sampling.n,
                max_new_tokens=sampling.max_tokens,
            )
        new = out[:, inputs["input_ids"].shape[1] :]
        rows += len(new)
        tokens += int((new != processor.tokenizer.pad_token_id).sum())
    seconds = time.monotonic() - ready
    return {
        "seconds": round(seconds, 2),
        "completions_per_s": round(rows / seconds, 1),
        "tokens_per_s": round(tokens / seconds, 1),
        "threads": torch.get_num_threads(),
        "batch": batch,
        "start_s": round(ready - start, 1),
    }


def main() -> None:
    """Run the three, log what each did, write the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a tiny model folder or URI")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16, help="prompts a batch of transformers")
    parser.add_argument("--threads", type=int, default=2, help="threads of transformers")
    given = parser.parse_args()
    log.configure()
    requests = make_requests(given.model, given.prompts)
    sampling = SamplingConfig(n=given.samples, temperature=1.0, max_tokens=given.tokens, seed=0)
    plain = transformers_run(given.model, requests, sampling, given.batch, given.threads)
    runtime.join(RayConfig(address="local", num_cpus=4, object_store_gb=0.5))
    one = pool_run(given.model, requests, sampling, 1)
    two = pool_run(given.model, requests, sampling, 2)
    runtime.leave()
    for name, found in (("transformers", plain), ("one engine", one), ("pool of two", two)):
        logger.info("%s: %s", name, json.dumps(found))
    for name, other in (("transformers' generate", plain), ("one engine", one)):
        line = {
            "benchmark": f"engine: pool of two against {name}",
            "ours": two["tokens_per_s"],
            "other": other["tokens_per_s"],
            "ratio": round(two["tokens_per_s"] / other["tokens_per_s"], 2),
            "unit": "tokens/s",
        }
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
