"""A tiny model that has learnt to give answers, so that its rewards differ; built once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from chexone_ray import checkpoints, prompts, storage
from chexone_ray.config import ImageConfig, PromptConfig

PROMPTS = PromptConfig(system="", suffix="Reason step by step.")
STEPS, ROWS = 60, 12


@pytest.fixture(scope="session")
def answering_model_uri(
    s3: object, tiny_model_uri: str, manifest_uri: str, image_config: ImageConfig
) -> str:
    """The random tiny model after a minute of training on yes/no answers without looking: it says
    "yes" and "no" about as often, in a box, so that groups of its answers differ in reward."""
    import torch
    from transformers import AutoProcessor

    from chexone_ray.data.stream import load_images, read_samples
    from chexone_ray.training import forward
    from chexone_ray.training.packing import Pack, VisionLayout, collate, document
    from chexone_ray.training.trainer import MODEL_INPUTS

    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = checkpoints.model_folder(tiny_model_uri)
    processor = AutoProcessor.from_pretrained(folder)
    model = forward.load_model(folder, dtype="float32", attention="sdpa").train()
    documents = []
    for number, sample in enumerate(
        read_samples(manifest_uri, "train", ("presence",), max_per_kind=ROWS)
    ):
        pixels = load_images(sample, image_config)
        turns = prompts.messages(sample.question, len(pixels), "reasoning", PROMPTS)
        documents.append(
            document(
                processor,
                prompts.render(processor.tokenizer, turns),
                target_text=prompts.target(
                    ("yes", "no")[number % 2], "The lungs are clear.", "reasoning"
                ),
                images=pixels,
            )
        )
    batch = collate(Pack(tuple(documents)), VisionLayout.of(processor))
    inputs = {name: value for name, value in batch.items() if name in MODEL_INPUTS}
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(STEPS):
        loss = -model(**inputs).log_probs.sum() / (batch["labels"] != -100).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    uri = f"{tiny_model_uri}-answering"
    with tempfile.TemporaryDirectory() as name:
        model.save_pretrained(name)
        processor.save_pretrained(name)
        storage.upload(Path(name), uri)
    storage.commit(uri, {"loss": loss.item()})
    return uri
