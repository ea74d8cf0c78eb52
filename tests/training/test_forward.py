"""The packed forward against the model's own forward, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chexone_ray.training.forward import score_tokens
from chexone_ray.training.packing import IGNORE, Document, Pack, VisionLayout, collate

INPUTS = (
    "input_ids",
    "position_ids",
    "labels",
    "lengths",
    "image_index",
    "pixel_values",
    "image_grid_thw",
)


def score(model: Any, processor: Any, documents: list[Document], **settings: Any) -> Any:
    """The packed forward on one pack of `documents`."""
    batch = collate(Pack(tuple(documents)), VisionLayout.of(processor))
    return model(**{name: batch[name] for name in INPUTS if name in batch}, **settings)


def labelled(scored: Any, documents: list[Document]) -> list[torch.Tensor]:
    """Log-probabilities of every document's labels."""
    labels = torch.from_numpy(np.concatenate([d.labels for d in documents]))[1:]
    values = scored.log_probs[0][labels != IGNORE]
    return list(values.split([int((d.labels != IGNORE).sum()) for d in documents]))


@pytest.fixture
def reference(tiny_folder: str) -> Any:
    """The same model with the forward of transformers and its own attention."""
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(
        tiny_folder, dtype=torch.float32, attn_implementation="sdpa"
    ).train()


def expected(
    reference: Any, processor: Any, item: Document, temperature: float = 1.0
) -> torch.Tensor:
    """Log-probabilities of one document's labels by the library alone, images and all."""
    ids = torch.from_numpy(item.input_ids)[None]
    vision: dict[str, Any] = {}
    if item.images:
        vision = dict(
            processor.image_processor(
                images=list(item.images), do_resize=False, return_tensors="pt"
            )
        )
    logits = reference(
        input_ids=ids, mm_token_type_ids=(ids == processor.image_token_id).int(), **vision
    ).logits
    log_probs = (logits[0, :-1] / temperature).log_softmax(-1)
    labels = torch.from_numpy(item.labels)[1:]
    chosen = log_probs.gather(-1, labels.clamp(min=0)[:, None])[:, 0]
    return chosen[labels != IGNORE]


def test_a_pack_equals_its_rows(
    model: Any, reference: Any, processor: Any, documents: list[Document]
) -> None:
    for temperature in (1.0, 0.7):
        packed = labelled(score(model, processor, documents, temperature=temperature), documents)
        for ours, item in zip(packed, documents, strict=True):
            theirs = expected(reference, processor, item, temperature)
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_documents_do_not_see_each_other(
    model: Any, processor: Any, documents: list[Document], films: list[np.ndarray]
) -> None:
    before = labelled(score(model, processor, documents), documents)
    other = documents[0]
    changed = Document(
        other.input_ids.copy(), other.labels, (255 - films[0],), ("another",), kind=other.kind
    )
    changed.input_ids[-3] = 77
    after = labelled(score(model, processor, [changed, *documents[1:]]), documents)
    assert not torch.equal(before[0], after[0])
    for first, second in zip(before[1:], after[1:], strict=True):
        torch.testing.assert_close(first, second, atol=2e-6, rtol=0)


def test_shared_images_give_the_same_scores_and_gradients(
    model: Any, processor: Any, documents: list[Document]
) -> None:
    apart = [
        Document(d.input_ids, d.labels, d.images, tuple(f"{n}-{k}" for k in d.keys))
        for n, d in enumerate(documents)
    ]
    gradients = []
    scores = []
    for rows in (documents, apart):
        model.zero_grad()
        scored = score(model, processor, rows)
        scored.log_probs.sum().backward()
        scores.append(scored.log_probs.detach())
        gradients.append({n: p.grad.clone() for n, p in model.named_parameters()})
    torch.testing.assert_close(scores[0], scores[1], atol=2e-6, rtol=0)
    assert gradients[0]["model.visual.patch_embed.proj.weight"].abs().max() > 0
    for name, value in gradients[0].items():
        scale = float(gradients[1][name].abs().max())
        torch.testing.assert_close(
            value, gradients[1][name], atol=1e-4 * max(scale, 1e-3), rtol=0, msg=name
        )


def test_every_parameter_gets_a_gradient_without_images(
    model: Any, processor: Any, documents: list[Document]
) -> None:
    scored = score(model, processor, [documents[3]])
    scored.log_probs.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert float(model.model.visual.merger.mlp[0].weight.grad.abs().max()) == 0.0


def test_a_waiting_vision_tower_has_no_gradient(
    model: Any, processor: Any, documents: list[Document]
) -> None:
    score(model, processor, documents, train_vision=False).log_probs.sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (".visual." in name), name


def test_chunks_of_the_head_change_nothing() -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(8, 50, bias=False)
    hidden = torch.randn(23, 8, requires_grad=True)
    targets = torch.randint(0, 50, (23,))
    results = []
    for chunk in (100, 5):
        log_probs, entropy = score_tokens(
            head, hidden, targets, temperature=0.5, entropy=True, chunk=chunk
        )
        assert entropy is not None and not entropy.requires_grad
        (gradient,) = torch.autograd.grad(log_probs.sum(), hidden)
        results.append((log_probs.detach(), entropy, gradient))
    spread = (head(hidden) / 0.5).log_softmax(-1)
    torch.testing.assert_close(results[0][0], spread.gather(1, targets[:, None])[:, 0])
    torch.testing.assert_close(results[0][1], -(spread.exp() * spread).sum(-1))
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second)


def test_log_probs_equal_those_of_trl(
    model: Any, tiny_folder: str, processor: Any, documents: list[Document]
) -> None:
    utils = pytest.importorskip("trl.trainer.utils")
    from transformers import AutoModelForImageTextToText

    theirs = AutoModelForImageTextToText.from_pretrained(tiny_folder, dtype=torch.float32)
    utils.add_fused_lm_head(theirs, temperature=0.7, outputs=("log_probs", "entropy"))
    batch = collate(Pack(tuple(documents[:2])), VisionLayout.of(processor))
    # TRL has no packing with images: the library's own packed path is fed one image a place.
    pixels = batch["pixel_values"].repeat(2, 1)
    output = theirs(
        input_ids=batch["input_ids"],
        position_ids=batch["position_ids"],
        labels=batch["labels"],
        pixel_values=pixels,
        image_grid_thw=batch["image_grid_thw"].repeat(2, 1),
        fused_lm_head=True,
    )
    ours = score(model, processor, documents[:2], temperature=0.7, entropy=True)
    torch.testing.assert_close(ours.log_probs, output.log_probs, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.entropy, output.entropy, atol=1e-5, rtol=0)
