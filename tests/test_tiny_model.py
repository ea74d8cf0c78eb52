"""The tiny model: loadable, true to its architecture, deterministic, and its pretraining learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray import storage, tiny_model, tiny_pretrain
from chexone_ray.config import PromptConfig, TinyModelConfig
from chexone_ray.data.phantom import random_phantom
from chexone_ray.prompts import messages, render

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tiny") / "model"
    assert tiny_model.build(TinyModelConfig(output_uri=str(place), random=True)) == str(place)
    return place


@pytest.fixture(scope="module")
def processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(folder)


def film(seed: int) -> np.ndarray[Any, Any]:
    return np.repeat(random_phantom(seed, 112).pixels.reshape(112, 112, -1)[..., :1], 3, 2)


def test_folder_is_committed_and_tied(folder: Path) -> None:
    from safetensors import safe_open

    info = storage.committed(str(folder))
    assert info is not None and info["settings"]["random"] is True
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert not any("lm_head" in name for name in names)
    assert json.loads((folder / "settings.json").read_text())["random"] is True
    config = json.loads((folder / "config.json").read_text())
    assert config["tie_word_embeddings"] is True
    assert config["architectures"] == ["Qwen2_5_VLForConditionalGeneration"]


def test_auto_classes_load_it(model: Any, processor: Any) -> None:
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    assert model.dtype == torch.float32
    assert model.generation_config.eos_token_id == processor.tokenizer.convert_tokens_to_ids(
        "<|im_end|>"
    )
    assert sum(p.numel() for p in model.parameters()) < 2_000_000
    assert len(processor.tokenizer) <= model.config.text_config.vocab_size


def test_image_of_112_is_16_tokens_and_not_resized(model: Any, processor: Any) -> None:
    text = render(processor, messages("Is there a nodule?", 1, "reasoning", PromptConfig()))
    batch = processor(text=[text], images=[film(1)], return_tensors="pt")
    image = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert int((batch["input_ids"] == image).sum()) == 16
    assert batch["image_grid_thw"].tolist() == [[1, 8, 8]]
    assert model(**batch).logits.shape[-1] == model.config.text_config.vocab_size


def test_chat_template_with_and_without_system(processor: Any) -> None:
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    bare = render(processor, messages("Q?", 2, "instruct", PromptConfig(system="")))
    assert bare == f"<|im_start|>user\n{image}{image}Q?<|im_end|>\n<|im_start|>assistant\n"
    told = render(processor, messages("Q?", 1, "instruct", PromptConfig(system="Be brief.")))
    assert told.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")
    # The wire format of the OpenAI API has text content and image_url parts.
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "Q?"}]
    assert image + "Q?" in render(processor, [{"role": "user", "content": parts}])
    plain = render(processor, [{"role": "user", "content": "Q?"}])
    assert plain == "<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\n"


def test_digits_and_brackets_are_single_tokens(processor: Any) -> None:
    text = "<|ref|>nodule<|/ref|><|box|>(12,5),(33,100)<|/box|>"
    tokens = processor.tokenizer.tokenize(text)
    assert tokens == [
        *("<|ref|>", "nodule", "<|/ref|>", "<|box|>"),
        *("(", "1", "2", ",", "5", ")", ",", "(", "3", "3", ",", "1", "0", "0", ")"),
        "<|/box|>",
    ]
    ids = processor.tokenizer(text)["input_ids"]
    assert processor.tokenizer.decode(ids, skip_special_tokens=True) == text


def test_tokenizer_reads_back_any_text(processor: Any) -> None:
    text = "Ärztlicher Befund: 37,5 °C \\boxed{(B)}\n"
    assert processor.tokenizer.decode(processor.tokenizer(text)["input_ids"]) == text


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tiny_model.build(TinyModelConfig(output_uri=str(tmp_path / "m"), random=True))
    for name in ("model.safetensors", "tokenizer.json"):
        assert (Path(again) / name).read_bytes() == (folder / name).read_bytes()
    other = tiny_model.build(TinyModelConfig(output_uri=str(tmp_path / "n"), random=True, seed=1))
    path = "model.safetensors"
    assert (Path(other) / path).read_bytes() != (folder / path).read_bytes()


def test_batched_encoder_equals_the_library(model: Any, processor: Any) -> None:
    images = [film(seed) for seed in (1, 2, 3)]
    batch = processor.image_processor(images=images, return_tensors="pt")
    pixels = torch.from_numpy(np.stack([image[..., 0] for image in images]))
    values = tiny_pretrain.patches(pixels)
    assert torch.allclose(values.reshape(-1, 1176), batch["pixel_values"], atol=1e-5)
    with torch.no_grad():
        grid = batch["image_grid_thw"]
        library = model.model.visual(batch["pixel_values"], grid).pooler_output
        own = tiny_pretrain.encode(model.model.visual, values)
    assert torch.allclose(own.reshape(library.shape), library, atol=1e-4)


def test_film_rows_follow_the_masks() -> None:
    films = tiny_pretrain.draw_films(0, 0, 40)
    names = tiny_pretrain.NAMES
    shown = films.present[:, :, 0] == 1
    assert shown.any(0).all() and not shown[:, :-1].all(0).any()
    assert np.isnan(films.boxes[~shown]).all() and not np.isnan(films.boxes[shown]).any()
    assert (films.cover.max(1)[shown] == 1).all() and (films.cover.max(1)[~shown] == 0).all()
    assert (films.present[:, :, 1] <= films.present[:, :, 0]).all()
    effusion = names.index("left pleural effusion")
    frontal = films.view != tiny_pretrain.VIEWS.index("LATERAL")
    centre = films.boxes[shown[:, effusion] & frontal, effusion][:, [0, 2]].mean(1)
    assert (centre > 0.5).all(), "the patient's left is on the viewer's right"


def test_shift_moves_boxes_with_the_film() -> None:
    films = tiny_pretrain.draw_films(0, 0, 8)
    chosen = np.arange(8)
    still = tiny_pretrain.batch(films, chosen, None)
    moved = tiny_pretrain.batch(films, chosen, np.random.default_rng(0))
    assert torch.equal(still["bins"] == tiny_pretrain.IGNORE, moved["bins"] == tiny_pretrain.IGNORE)
    assert not torch.equal(still["bins"], moved["bins"])
    limit = tiny_pretrain.BINS * tiny_pretrain.SHIFT / tiny_pretrain.SIZE + 1
    assert float((still["bins"] - moved["bins"]).abs().max()) <= limit


@pytest.mark.slow
def test_pretraining_learns_and_repeats() -> None:
    tokenizer = tiny_model.train_tokenizer(["a b c"])
    films = tiny_pretrain.draw_all(0, 96, processes=1)
    runs = []
    for _ in range(2):
        fresh = tiny_model.random_model(tokenizer, 0)
        text = fresh.model.language_model.layers[0].mlp.up_proj.weight.clone()
        _, history = tiny_pretrain.pretrain(fresh, steps=60, seed=0, films=films)
        assert torch.equal(text, fresh.model.language_model.layers[0].mlp.up_proj.weight)
        runs.append((history, fresh.model.visual.patch_embed.proj.weight.detach().clone()))
    (first, weights), (second, same) = runs
    assert torch.equal(weights, same)
    for name in ("present", "view", "bins", "cell", "flat_present"):
        key = f"pretrain/{name}"
        assert first[-1][key] < 0.9 * first[0][key], name
        assert first[-1][key] == second[-1][key]


def test_films_do_not_depend_on_the_number_of_processes() -> None:
    alone = tiny_pretrain.draw_all(3, 6, processes=1)
    spread = tiny_pretrain.draw_all(3, 6, processes=2)
    assert np.array_equal(alone.pixels, spread.pixels)
