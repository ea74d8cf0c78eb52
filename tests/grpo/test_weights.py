"""Which weights leave the trainer, and in which groups."""

import pytest

from chexone_ray.grpo.weights import layer_groups, parts, trainable_weights

torch = pytest.importorskip("torch")


def test_groups_follow_the_layers() -> None:
    names = [
        "model.visual.patch_embed.proj.weight",
        "model.visual.blocks.0.attn.qkv.weight",
        "model.visual.blocks.0.mlp.up.weight",
        "model.visual.blocks.1.attn.qkv.weight",
        "model.language_model.embed_tokens.weight",
        "model.language_model.norm.weight",
        "model.language_model.layers.10.a",
        "model.language_model.layers.10.b",
    ]
    assert [len(group) for group in layer_groups(names)] == [1, 2, 1, 1, 1, 2]
    assert [name for group in layer_groups(names) for name in group] == names


def test_only_trained_weights_as_copies_on_the_writer_only() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    model[0].requires_grad_(False)
    state = trainable_weights(model, 2, is_writer=True)
    assert sorted(state) == ["1.bias", "1.weight"]
    before = state["1.bias"].clone()
    with torch.no_grad():
        model[1].bias += 1
    assert torch.equal(state["1.bias"], before)
    assert trainable_weights(model, 2, is_writer=False) == {}


def test_parts_hold_every_tensor_once() -> None:
    state = {name: torch.zeros(n) for name, n in (("a", 2), ("b", 3), ("c", 9), ("d", 1))}
    assert [list(part) for part in parts(state, max_bytes=20)] == [["a", "b"], ["c"], ["d"]]
    assert list(parts({})) == []
