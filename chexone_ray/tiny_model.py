"""A small Qwen2.5-VL with its own tokenizer, chat template and processor: `chexone tiny-model`.

The stand-in for a published base model: the real architecture at 1/2000 of the size. Its vision
tower is pretrained on phantoms (`tiny_pretrain`), as a published base model has seen images before;
its language model is random. Loads by transformers' Auto classes and by vLLM like the 3B model.
Torch and transformers are imported inside the functions.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from chexone_ray import storage
from chexone_ray.config import PrepareConfig, PromptConfig, SourceConfig, TinyModelConfig
from chexone_ray.data.phantom import PhantomStudy, random_history
from chexone_ray.data.phantom_anatomy import FINDINGS
from chexone_ray.data.phantom_report import write_report
from chexone_ray.data.tasks import samples
from chexone_ray.identity import is_complete
from chexone_ray.log import timed
from chexone_ray.prompts import question_text, target
from chexone_ray.records import ImageRef, Study

logger = logging.getLogger(__name__)

IMAGE_SIZE = 112
"""Side of the square images that this model is made for: 16 image tokens."""
VOCABULARY = 768
"""Enough for the phantom wording to have a token a word; a few ids stay unused."""
TOKENIZER_KINDS = (
    "presence",
    "heart_size",
    "side",
    "choice",
    "view",
    "findings",
    "grounding",
    "progression",
)
"""The kinds whose words the small vocabulary is made for; others take more tokens a word."""
TOKENIZER_PATIENTS = 200
SUFFIX = "Reason step by step."
"""A reasoning suffix that costs a small model few tokens; for `PromptConfig.suffix`."""
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
GROUNDING = ("<|ref|>", "<|/ref|>", "<|box|>", "<|/box|>")
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['content'] is string -%}
{{ message['content'] }}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] in ('image', 'image_url') or 'image' in part -%}
{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif 'text' in part -%}
{{ part['text'] }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}"""
"""Turns as Qwen writes them, without a default system turn."""


def build(config: TinyModelConfig) -> str:
    """Write the model folder to `config.output_uri`, committed last, and return that URI.

    Equal configurations give equal weights on one machine. Takes seconds with `config.random`,
    else minutes of one core. A model that is there already stays; one of other settings is refused
    with a ChexoneError.
    """
    settings = config.model_dump(mode="json", exclude={"output_uri"})
    if is_complete(config.output_uri, "settings", settings, "a model"):
        logger.info("%s is complete already", config.output_uri)
        return config.output_uri
    import torch

    torch.manual_seed(config.seed)
    tokenizer = train_tokenizer(training_texts(config.seed))
    model = random_model(tokenizer, config.seed)
    history: list[dict[str, float]] = []
    if not config.random:
        from chexone_ray.tiny_pretrain import pretrain

        with timed(logger, f"vision pretraining, {config.pretrain_steps} steps"):
            _, history = pretrain(model, steps=config.pretrain_steps, seed=config.seed)
    with tempfile.TemporaryDirectory(prefix="chexone-tiny-") as folder:
        save(model, tokenizer, Path(folder))
        (Path(folder) / "pretraining.jsonl").write_text(
            "".join(json.dumps(h) + "\n" for h in history)
        )
        # config.json is the model's own.
        (Path(folder) / "settings.json").write_text(config.model_dump_json(indent=2) + "\n")
        storage.upload(Path(folder), config.output_uri)
    parameters = sum(p.numel() for p in model.parameters())
    storage.commit(
        config.output_uri,
        {"kind": "model", "parameters": parameters, "settings": settings},
    )
    logger.info("tiny model of %d parameters written", parameters)
    return config.output_uri


def training_texts(seed: int) -> Iterator[str]:
    """Texts that the tokenizer is trained on: the chats of phantom patients, both modes.

    Read from no archive, so that the model exists before any; the words are the same.
    """
    config = PrepareConfig(
        output_uri="unused",
        sources=(SourceConfig(adapter="mimic_cxr_jpg", uri="unused"),),
        instruct_share=0.25,
        kinds=TOKENIZER_KINDS,
        num_wordings=3,
        traces="schematic",
    )
    for patient in range(TOKENIZER_PATIENTS):
        prior: Study | None = None
        for number, visit in enumerate(random_history(10_000_000 * (seed + 1) + patient)):
            study = _study(visit, str(patient), number)
            for sample in samples(study, prior, seed, config):
                for suffix in ("default", SUFFIX):
                    prompts = PromptConfig(system="", suffix=suffix)
                    question = question_text(sample.question, sample.mode, prompts)
                    answer = target(sample.answer, sample.reasoning, sample.mode)
                    yield f"system\nuser\n{question}\nassistant\n{answer}"
            prior = study


def _study(visit: PhantomStudy, patient: str, number: int) -> Study:
    """A phantom visit as a source adapter would give it, every finding labelled and boxed."""
    report = write_report(visit)
    films = [visit.film(view, IMAGE_SIZE) for view in visit.views]
    names = {"LATERAL": "lateral"}
    images = tuple(ImageRef("", names.get(film.view, film.view)) for film in films)
    present = {box.label for film in films for box in film.boxes}
    return Study(
        dataset="phantom",
        patient=patient,
        study=f"{patient}-{number}",
        images=images,
        date=str(number),
        archive_split="train",
        findings=report.findings,
        impression=report.impression,
        labels={name: int(name in present) for name in FINDINGS},
        boxes=tuple(replace(box, image=i) for i, film in enumerate(films) for box in film.boxes),
        boxes_complete=True,
    )


def train_tokenizer(texts: Iterable[str]) -> Any:
    """A byte-level BPE `PreTrainedTokenizerFast` of at most `VOCABULARY` entries.

    Every digit, parenthesis and comma stays a token of its own: boxes read alike everywhere.
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE(unk_token=None))
    raw.normalizer = normalizers.NFC()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}|[(),]"), behavior="isolated"),
            pre_tokenizers.Split(
                Regex(
                    r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
                ),
                behavior="isolated",
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(GROUNDING),
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    raw.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in GROUNDING])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[
            name for name in SPECIAL if name.startswith(("<|im", "<|vis", "<|video"))
        ],
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def model_config(tokenizer: Any) -> Any:
    """The `Qwen2_5_VLConfig`: three text layers, four vision blocks.

    The low rope theta gives a 4 x 4 grid of image tokens different phases; heads of 32 are the
    smallest that vLLM's CPU kernel takes, and four learn to look up a letter sooner than two of 64.
    """
    from transformers import Qwen2_5_VLConfig

    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 100.0,
                "mrope_section": [4, 6, 6],
            },
            "initializer_range": 0.04,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 4,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "out_hidden_size": 128,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [0, 1, 2, 3],
            "initializer_range": 0.04,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def random_model(tokenizer: Any, seed: int) -> Any:
    """A `Qwen2_5_VLForConditionalGeneration` at random float32 weights."""
    import torch
    from transformers import GenerationConfig, Qwen2_5_VLForConditionalGeneration

    config = model_config(tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config).float()
    model.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=config.text_config.eos_token_id,
        pad_token_id=config.text_config.pad_token_id,
        max_new_tokens=256,
    )
    return model


def processor(tokenizer: Any) -> Any:
    """The `Qwen2_5_VLProcessor` that leaves images of `IMAGE_SIZE` unscaled."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    limits = {"min_pixels": 56 * 56, "max_pixels": IMAGE_SIZE * IMAGE_SIZE}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**limits),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**limits),
        chat_template=CHAT_TEMPLATE,
    )


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights, generation defaults, tokenizer and processor in Hugging Face layout."""
    model.save_pretrained(folder)
    processor(tokenizer).save_pretrained(folder)
