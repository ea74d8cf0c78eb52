"""Our packed loss against TRL's `GRPOTrainer._compute_loss` on the same batch, value and gradient.

TRL pads prompts on the left and completions on the right and runs each row with its own image; we
pack rows and share images. Both see the same random weights, images, tokens and log-probs. In
double precision, so that the gradients can be held to the same tolerance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

TOLERANCE = 1e-6
TEMPERATURE, EPSILON, CAP, BETA = 0.9, 0.2, 1.3, 0.05
NUM_PROMPTS, NUM_COMPLETIONS = 3, 4
LENGTHS = (9, 4, 1, 12, 7, 7, 3, 10, 5, 2, 8, 6)
PLACE = "<|vision_start|><|image_pad|><|vision_end|>"
QUESTIONS = ("Is there a nodule?", "Which side?", "Compare the two.")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    from chexone_ray import tiny_model
    from chexone_ray.config import TinyModelConfig

    place: Path = tmp_path_factory.mktemp("tiny")
    return tiny_model.build(TinyModelConfig(output_uri=str(place), random=True))


@pytest.fixture(scope="module")
def rows(folder: str) -> list[dict[str, Any]]:
    """One entry a completion: expanded prompt ids, completion ids, images and made-up numbers."""
    from transformers import AutoProcessor

    from chexone_ray.training.packing import prompt_ids

    processor = AutoProcessor.from_pretrained(folder)
    rng = np.random.default_rng(1)
    films = [rng.integers(0, 256, (h, 112, 3), dtype=np.uint8) for h in (112, 84, 56, 140)]
    images_P = [films[:1], films[1:2], films[2:]]
    entries = []
    for number, length in enumerate(LENGTHS):
        prompt = number // NUM_COMPLETIONS
        text = f"<|im_start|>user\n{PLACE * len(images_P[prompt])}{QUESTIONS[prompt]}<|im_end|>\n"
        entries.append(
            {
                "prompt": prompt_ids(processor, text, images_P[prompt]),
                "completion": rng.integers(20, 400, length).tolist(),
                "images": images_P[prompt],
                "keys": [f"{prompt}-{i}" for i in range(len(images_P[prompt]))],
                "advantage": float(rng.normal()),
                "noise": rng.normal(scale=0.3, size=(3, length)).astype(np.float32),
            }
        )
    return entries


def trl_trainer(folder: str, scratch: Path) -> Any:
    """TRL's trainer in the configuration whose loss ours is."""
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from transformers import AutoProcessor

    arguments = trl.GRPOConfig(
        output_dir=str(scratch),
        use_cpu=True,
        per_device_train_batch_size=len(LENGTHS),
        num_generations=NUM_COMPLETIONS,
        max_steps=1,
        loss_type="dapo",
        epsilon=EPSILON,
        beta=BETA,
        temperature=TEMPERATURE,
        vllm_importance_sampling_mode="token_truncate",
        vllm_importance_sampling_clip_max=CAP,
        remove_unused_columns=False,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        model_init_kwargs={"dtype": "float32"},
    )
    trainer = trl.GRPOTrainer(
        model=folder,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": ["unused"]}),
        processing_class=AutoProcessor.from_pretrained(folder),
    )
    # Only with this flag does the loss multiply the engine correction; no engine is started.
    trainer.use_vllm = True
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.double().train()
    return trainer


def padded(rows: list[dict[str, Any]], processor: Any) -> dict[str, Any]:
    """The batch as TRL wants it, without the log-prob tracks."""
    import torch

    from chexone_ray.training.packing import VisionLayout

    longest_prompt = max(len(row["prompt"]) for row in rows)
    longest = max(len(row["completion"]) for row in rows)
    image_token = VisionLayout.of(processor).image_token_id
    prompts = torch.zeros(len(rows), longest_prompt, dtype=torch.long)
    completions = torch.zeros(len(rows), longest, dtype=torch.long)
    prompt_mask, mask = torch.zeros_like(prompts), torch.zeros_like(completions)
    for index, row in enumerate(rows):
        prompts[index, -len(row["prompt"]) :] = torch.tensor(row["prompt"])
        prompt_mask[index, -len(row["prompt"]) :] = 1
        completions[index, : len(row["completion"])] = torch.tensor(row["completion"])
        mask[index, : len(row["completion"])] = 1
    vision = processor.image_processor(
        images=[image for row in rows for image in row["images"]],
        do_resize=False,
        return_tensors="pt",
    )
    types = torch.cat([(prompts == image_token).long(), torch.zeros_like(completions)], 1)
    return {
        "prompt_ids": prompts,
        "prompt_mask": prompt_mask,
        "completion_ids": completions,
        "completion_mask": mask,
        "advantages": torch.tensor([row["advantage"] for row in rows]),
        "num_items_in_batch": mask.sum(),
        "pixel_values": vision["pixel_values"],
        "image_grid_thw": vision["image_grid_thw"],
        "mm_token_type_ids": types,
        "num_images": [len(row["images"]) for row in rows],
    }


def tracks_of(log_probs: list[np.ndarray], rows: list[dict[str, Any]], reused: bool) -> Any:
    """Made-up engine, reference and proximal log-probs a row, around the policy's own."""
    return [
        {
            "behaviour": own + row["noise"][0],
            "reference": own + row["noise"][1],
            "proximal": own + row["noise"][2] if reused else own,
        }
        for own, row in zip(log_probs, rows, strict=True)
    ]


def ours(folder: str, processor: Any, rows: list[dict[str, Any]], tracks: Any, reused: bool) -> Any:
    """(loss, model with gradients), over three packs with `grpo_loss`."""
    from chexone_ray.grpo.losses import grpo_loss
    from chexone_ray.training import forward
    from chexone_ray.training.packing import Pack, VisionLayout, collate, from_ids
    from chexone_ray.training.trainer import MODEL_INPUTS

    layout = VisionLayout.of(processor)
    model = forward.load_model(folder, dtype="float32", attention="sdpa").double().train()
    documents = [
        from_ids(
            layout,
            row["prompt"],
            row["completion"],
            images=row["images"],
            keys=row["keys"],
            tracks={"advantages": row["advantage"], **track},
        )
        for row, track in zip(rows, tracks, strict=True)
    ]
    total = 0.0
    for part in (documents[:3], documents[3:8], documents[8:]):
        batch = collate(Pack(tuple(part)), layout)
        inputs = {name: batch[name] for name in MODEL_INPUTS if name in batch}
        scored = model(**inputs, temperature=TEMPERATURE)
        track = {name: batch[name][:, 1:] for name in ("advantages", *tracks[0])}
        per_token, metrics = grpo_loss(
            scored.log_probs,
            track["advantages"],
            track["behaviour"],
            clip_epsilon=EPSILON,
            behaviour_cap=CAP,
            beta=BETA,
            reference=track["reference"],
            proximal=track["proximal"] if reused else None,
        )
        labelled = batch["labels"][:, 1:] != -100
        if reused:
            assert metrics["clip_fraction"][labelled].sum() > 0, "the clip was not exercised"
        loss = per_token[labelled].sum() / sum(LENGTHS)
        loss.backward()
        total += loss.item()
    return total, model


@pytest.mark.parametrize("reused", [False, True], ids=["one step", "reused batch"])
def test_matches_trl(folder: str, rows: list[dict[str, Any]], tmp_path: Path, reused: bool) -> None:
    import torch

    trainer = trl_trainer(folder, tmp_path)
    processor = trainer.processing_class
    inputs = padded(rows, processor)
    with torch.no_grad():
        whole, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1),
            torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1),
            inputs["completion_ids"].shape[1],
            **{
                name: inputs[name]
                for name in ("pixel_values", "image_grid_thw", "mm_token_type_ids", "num_images")
            },
        )
    log_probs = [whole[i, : len(row["completion"])].numpy() for i, row in enumerate(rows)]
    tracks = tracks_of(log_probs, rows, reused)
    for name in ("behaviour", "reference", "proximal"):
        filled = whole.clone()
        for index, track in enumerate(tracks):
            filled[index, : len(track[name])] = torch.from_numpy(track[name])
        inputs[{"reference": "ref_per_token_logps"}.get(name, name)] = filled
    behaviour, proximal = inputs.pop("behaviour"), inputs.pop("proximal")
    inputs["importance_sampling_ratio"] = (proximal - behaviour).exp().clamp(max=CAP)
    if reused:
        inputs["old_per_token_logps"] = proximal
    expected = trainer._compute_loss(trainer.model, inputs)
    expected.backward()

    loss, model = ours(folder, processor, rows, tracks, reused)
    assert loss == pytest.approx(expected.item(), abs=TOLERANCE)
    theirs = dict(trainer.model.named_parameters())
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            gap = (parameter.grad - theirs[name].grad).abs().max().item()
            assert gap < TOLERANCE * max(1.0, theirs[name].grad.abs().max().item()), name
