"""Tiny random models of the families that the adapters run, in Hugging Face layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXTS = [
    "system user assistant You are an expert radiologist.",
    "Where is the effusion? Give its box. Describe the findings. yes no left right (A) (B)",
] * 4
TURN = """\
{{ first }}{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{ mark }}{%- else -%}{{ part['text'] }}{%- endif -%}
{%- endfor -%}{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"""
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "vocab_size": 800,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
}


def _tokenizer(marks: dict[str, str], starts: bool = False) -> tuple[Any, dict[str, int]]:
    """With `marks` as special tokens by attribute; `starts` adds a start token to every text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    from chexone_ray.tiny_model import train_tokenizer

    raw = train_tokenizer(TEXTS).backend_tokenizer
    given = {"bos_token": "<bos>"} if starts else {}
    raw.add_special_tokens([*marks.values(), *given.values()])
    if starts:
        start = raw.token_to_id("<bos>")
        raw.post_processor = TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", start)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=marks,
        **given,
    )
    return tokenizer, {name: raw.token_to_id(mark) for name, mark in marks.items()}


def _template(mark: str, first: str = "") -> str:
    return TURN.replace("{{ first }}", first).replace("{{ mark }}", mark)


def _ends(tokenizer: Any) -> dict[str, Any]:
    return {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}


def qwen3_vl(folder: Path) -> Any:
    """Qwen3-VL: patches of 16, vision layers that reach the first text layers. Heads of 32 are the
    smallest that vLLM's CPU kernel takes."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer, _ = _tokenizer({})
    ids = {
        name: tokenizer.convert_tokens_to_ids(f"<|{mark}|>")
        for name, mark in (
            ("image_token_id", "image_pad"),
            ("video_token_id", "video_pad"),
            ("vision_start_token_id", "vision_start"),
            ("vision_end_token_id", "vision_end"),
        )
    }
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 4, 4]}
    config = Qwen3VLConfig(
        text_config=TEXT | {"head_dim": 32, "rope_parameters": rope} | _ends(tokenizer),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        **ids,
    )
    limits = {"shortest_edge": 3_136, "longest_edge": 12_544}
    Qwen3VLProcessor(
        Qwen2VLImageProcessor(patch_size=16, size=limits),
        tokenizer,
        Qwen3VLVideoProcessor(patch_size=16),
        chat_template=_template("<|vision_start|><|image_pad|><|vision_end|>"),
    ).save_pretrained(folder)
    return Qwen3VLForConditionalGeneration(config)


def medgemma(folder: Path) -> Any:
    """Gemma 3: the chat template and the tokenizer both write a start token, and image tokens see
    each other both ways."""
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    marks = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    tokenizer, ids = _tokenizer(marks, starts=True)
    config = Gemma3Config(
        text_config=TEXT
        | {"head_dim": 16, "sliding_window": 32, "tie_word_embeddings": False}
        | _ends(tokenizer),
        tie_word_embeddings=False,  # at random weights it would only repeat the last token
        vision_config=VISION | {"vision_use_head": False},
        mm_tokens_per_image=4,
        image_token_id=ids["image_token"],
        boi_token_index=ids["boi_token"],
        eoi_token_index=ids["eoi_token"],
    )
    Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer,
        chat_template=_template("<start_of_image>", "<bos>"),
        image_seq_length=4,
    ).save_pretrained(folder)
    model = Gemma3ForConditionalGeneration(config)
    # Zero at the start of a training: no film would be seen.
    model.model.multi_modal_projector.mm_input_projection_weight.data.normal_(0, 0.5)
    return model


def radvlm(folder: Path) -> Any:
    """LLaVA-OneVision: a film is tiled, so films of other shapes have other numbers of tokens."""
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
    )

    tokenizer, ids = _tokenizer({"image_token": "<image>", "video_token": "<video>"})
    grid = [[56, 56], [56, 112], [112, 56]]
    config = LlavaOnevisionConfig(
        text_config=TEXT | {"model_type": "qwen2"} | _ends(tokenizer),
        vision_config=VISION | {"model_type": "siglip_vision_model", "vision_use_head": False},
        image_token_index=ids["image_token"],
        video_token_index=ids["video_token"],
        image_grid_pinpoints=grid,
    )
    LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size={"height": 56, "width": 56}, image_grid_pinpoints=grid),
        tokenizer,
        LlavaOnevisionVideoProcessor(size={"height": 56, "width": 56}),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=_template("<image>\n"),
    ).save_pretrained(folder)
    return LlavaOnevisionForConditionalGeneration(config)


def llava(folder: Path) -> Any:
    """LLaVA, which MAIRA-2 is built on."""
    from transformers import (
        CLIPImageProcessor,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer, ids = _tokenizer({"image_token": "<image>"})
    config = LlavaConfig(
        text_config=TEXT | {"model_type": "llama"} | _ends(tokenizer),
        vision_config=VISION | {"model_type": "clip_vision_model", "projection_dim": 32},
        image_token_index=ids["image_token"],
        image_seq_length=16,
        vision_feature_layer=-1,
    )
    LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_template("<image>\n"),
    ).save_pretrained(folder)
    return LlavaForConditionalGeneration(config)


FAMILIES: dict[str, Callable[[Path], Any]] = {
    "qwen3_vl": qwen3_vl,
    "medgemma": medgemma,
    "radvlm": radvlm,
    "llava": llava,
}


def build(name: str, folder: Path) -> str:
    """Write the model at random float32 weights; returns its folder."""
    import torch
    from transformers import GenerationConfig

    torch.manual_seed(0)
    model = FAMILIES[name](folder).float()
    text = model.config.get_text_config()
    # What a checkpoint may bring along, and nobody asked for.
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.3,
        top_k=3,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
    )
    model.save_pretrained(folder)
    return str(folder)
