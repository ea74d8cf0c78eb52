"""Samples a second of an SFT step: ours, a bare torch loop on the same packs, TRL's SFTTrainer.

Two CPU processes of one thread, the tiny model, 112 x 112 pictures with four questions each, all in
memory. Ours and TRL run DeepSpeed ZeRO-2; the bare loop all-reduces one flat gradient. The last
lines are JSON; a ratio above 1 is in our favour. Run on an idle machine:
`python benchmarks/sft_step.py --model FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chexone_ray import checkpoints, log
from chexone_ray.config import OptimConfig, TrainerConfig

logger = logging.getLogger(__name__)

WARM_STEPS = 5
QUESTIONS = (
    ("Is there a pleural effusion?", "The costophrenic angle is blunted. \\boxed{yes}"),
    ("How large is the heart?", "The ratio is near one half. \\boxed{borderline}"),
    ("Which side shows the effusion?", "The left angle is blunted. \\boxed{left}"),
    (
        "Write the findings of this film.",
        "The heart is of normal size. There is a small left effusion. No pneumothorax is seen.",
    ),
)
OPTIM = OptimConfig(lr=1e-4, schedule="constant", warmup_ratio=0.0)


Moment = tuple[float, float]
"""Wall-clock and own CPU seconds."""


def now() -> Moment:
    """The end of a step."""
    return time.perf_counter(), time.process_time()


def trainer_config() -> TrainerConfig:
    """One pack a step and rank, which is the fastest on a CPU."""
    return TrainerConfig(
        num_workers=2,
        use_gpu=False,
        threads=1,
        dtype="float32",
        attention="sdpa",
        zero_stage=2,
        gradient_checkpointing=False,
        pack_tokens=4096,
        max_length=512,
        packs_per_step=1,
        save_steps=10**6,
        log_steps=10,
    )


def rows(rank: int, step: int, batch: int) -> list[tuple[np.ndarray, str, str, str]]:
    """(picture, key, question, answer) of one step; four questions a picture."""
    rng = np.random.default_rng([rank, step])
    found = []
    for number in range(batch // 4):
        picture = rng.integers(0, 256, (112, 112, 3), dtype=np.uint8)
        questions = list(QUESTIONS)
        random.Random(number).shuffle(questions)
        found += [(picture, f"{step}-{number}", question, answer) for question, answer in questions]
    return found


class Packs:
    """One pack a step, tokenised and collated when asked for, as in training."""

    def __init__(self, processor: Any, rank: int, batch: int) -> None:
        self.processor, self.rank, self.batch = processor, rank, batch

    def __iter__(self) -> Any:
        from chexone_ray import prompts
        from chexone_ray.config import PromptConfig
        from chexone_ray.training import packing

        layout = packing.VisionLayout.of(self.processor)
        wording = PromptConfig(system="", suffix="Reason step by step.")
        step = 0
        while True:
            documents = [
                packing.document(
                    self.processor,
                    prompts.render(
                        self.processor.tokenizer,
                        prompts.messages(question, 1, "reasoning", wording),
                    ),
                    target_text=answer,
                    images=[picture],
                    keys=[key],
                )
                for picture, key, question, answer in rows(self.rank, step, self.batch)
            ]
            yield packing.collate(packing.Pack(tuple(documents)), layout)
            step += 1

    def state(self) -> dict[str, Any]:
        """Nothing to resume."""
        return {}


def ours(folder: str, rank: int, steps: int, batch: int) -> list[Moment]:
    """Ends of the steps of `PackedTrainer`."""
    from transformers import AutoProcessor

    from chexone_ray.training import forward
    from chexone_ray.training.trainer import PackedTrainer, negative_log_likelihood

    ends: list[Moment] = []
    with tempfile.TemporaryDirectory() as scratch:
        PackedTrainer(
            forward.load_model(folder, dtype="float32", attention="sdpa"),
            Packs(AutoProcessor.from_pretrained(folder), rank, batch),
            negative_log_likelihood,
            stage="sft",
            config=trainer_config(),
            optim=OPTIM,
            max_steps=steps,
            seed=0,
            folder=Path(scratch),
            after_step=lambda step: ends.append(now()),
        ).train()
    return ends


def bare(folder: str, rank: int, steps: int, batch: int) -> list[Moment]:
    """Ends of the steps of twenty lines of torch on the same packs."""
    import torch
    import torch.distributed as dist
    from transformers import AutoProcessor

    from chexone_ray.training import forward, schedule
    from chexone_ray.training.trainer import MODEL_INPUTS

    model = forward.load_model(folder, dtype="float32", attention="sdpa").train()
    groups = schedule.parameter_groups(model.named_parameters(), OPTIM)
    adam = torch.optim.AdamW(groups, lr=OPTIM.lr, betas=OPTIM.betas, fused=True)
    parameters = list(model.parameters())
    ends = []
    packs = iter(Packs(AutoProcessor.from_pretrained(folder), rank, batch))
    for _ in range(steps):
        pack = next(packs)
        scored = model(**{name: pack[name] for name in MODEL_INPUTS})
        loss = -scored.log_probs.sum() / (pack["labels"] >= 0).sum()
        loss.backward()
        flat = torch.cat([p.grad.flatten() for p in parameters])
        dist.all_reduce(flat)
        place = 0
        for p in parameters:
            p.grad.copy_(flat[place : place + p.numel()].view_as(p) / 2)
            place += p.numel()
        torch.nn.utils.clip_grad_norm_(parameters, OPTIM.max_grad_norm)
        adam.step()
        adam.zero_grad()
        ends.append(now())
    return ends


def trl(folder: str, rank: int, steps: int, batch: int) -> list[Moment]:
    """Ends of the steps of TRL's SFTTrainer: padded rows, every picture encoded for every row."""
    from datasets import Dataset
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
    from trl import SFTConfig as TrlConfig
    from trl import SFTTrainer

    from chexone_ray.training.trainer import deepspeed_config

    ends: list[Moment] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *unused: Any, **also_unused: Any) -> None:
            ends.append(now())

    dataset = Dataset.from_list(
        [
            {
                "images": [Image.fromarray(picture)],
                "prompt": [{"role": "user", "content": f"{question} Reason step by step."}],
                "completion": [{"role": "assistant", "content": answer}],
            }
            for step in range(steps)
            for picture, _, question, answer in rows(0, step, 2 * batch)
        ]
    )
    settings = deepspeed_config(trainer_config(), OPTIM)
    settings["train_micro_batch_size_per_gpu"] = batch
    with tempfile.TemporaryDirectory() as scratch:
        SFTTrainer(
            AutoModelForImageTextToText.from_pretrained(folder, dtype="float32"),
            args=TrlConfig(
                output_dir=scratch,
                per_device_train_batch_size=batch,
                max_steps=steps,
                learning_rate=OPTIM.lr,
                use_cpu=True,
                bf16=False,
                deepspeed=settings,
                max_length=None,
                completion_only_loss=True,
                gradient_checkpointing=False,
                report_to=[],
                disable_tqdm=True,
                logging_steps=10,
                save_strategy="no",
            ),
            train_dataset=dataset,
            processing_class=AutoProcessor.from_pretrained(folder),
            callbacks=[Clock()],
        ).train()
    return ends


SYSTEMS = {"ours": ours, "bare torch": bare, "trl": trl}


def work(rank: int, system: str, folder: str, steps: int, batch: int, port: int, out: str) -> None:
    """One process of one system; rank 0 writes wall-clock and CPU seconds of every step."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        DS_ACCELERATOR="cpu",
    )
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    ends = SYSTEMS[system](folder, rank, steps, batch)
    if rank == 0:
        steps_taken = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(ends)]
        Path(out).write_text(json.dumps(steps_taken[WARM_STEPS:]))
    dist.barrier()


def measure(system: str, folder: str, steps: int, batch: int) -> dict[str, Any]:
    """Median step of one system in two fresh processes."""
    import torch.multiprocessing

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        torch.multiprocessing.spawn(
            work, (system, folder, steps, batch, port, out.name), nprocs=2, join=True
        )
        wall, busy = zip(*json.loads(Path(out.name).read_text()), strict=True)
    median = statistics.median(wall)
    return {
        "system": system,
        "step_ms": round(1000 * median, 1),
        "cpu_ms": round(1000 * statistics.median(busy), 1),
        "samples_per_s": round(2 * batch / median, 1),
    }


def main() -> None:
    """Run the systems, log the median step of each, write the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a tiny model folder or URI")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=16, help="samples a process and step")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    given = parser.parse_args()
    log.configure()
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")
    folder = checkpoints.model_folder(given.model)
    found = {name: measure(name, folder, given.steps, given.batch) for name in given.systems}
    for line in found.values():
        logger.info("%s", json.dumps(line))
    for name, line in found.items():
        if name == "ours" or "ours" not in found:
            continue
        mine, other = found["ours"]["samples_per_s"], line["samples_per_s"]
        figure = {
            "benchmark": f"sft_step: {name}",
            "ours": mine,
            "other": other,
            "ratio": round(mine / other, 2),
            "unit": "samples/s, two processes",
        }
        sys.stdout.write(json.dumps(figure) + "\n")


if __name__ == "__main__":
    main()
