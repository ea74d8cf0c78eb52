"""The models. All wording is our own, but for the two short requests that models were published
with: MedGemma's system turn and NV-Reason-CXR's request for a report."""

from __future__ import annotations

from chexone_ray.config import ImageConfig, PromptConfig, SamplingConfig
from chexone_ray.prompts import ORIGINAL_SUFFIX
from chexone_ray.systems.adapter import Adapter

TAGS = (
    "Think step by step between <think> and </think>, then answer between <answer> and </answer>."
)
_RADIOLOGIST = PromptConfig(system="You are an expert radiologist.")
_READER = PromptConfig(system="You read chest radiographs as an experienced radiologist.")
_BARE = PromptConfig(system="", suffix="")
_RECIPE = ImageConfig()
"""The pixels of the published recipe, for all models of its family alike."""
_LARGE = ImageConfig(max_pixels=1_003_520)
"""For models whose own processor makes the square: more than any of them keeps."""

_ROWS = (
    Adapter(
        "chexone",
        "StanfordAIMI/CheXOne",
        "CC-BY-NC-4.0",
        modes=("reasoning", "instruct"),
        hints=False,
        sampling=SamplingConfig(),
    ),
    Adapter(
        "chexone_original",
        "StanfordAIMI/CheXOne",
        "CC-BY-NC-4.0",
        modes=("reasoning", "instruct"),
        prompts=PromptConfig(suffix=ORIGINAL_SUFFIX),
        hints=False,
        rules="original",
        images=_RECIPE,
        sampling=SamplingConfig(),
    ),
    Adapter(
        "qwen2_5_vl",
        "Qwen/Qwen2.5-VL-3B-Instruct",
        "Qwen Research License",
        prompts=PromptConfig(),
        codec="pixels",
        images=_RECIPE,
    ),
    Adapter(
        "qwen3_vl",
        "Qwen/Qwen3-VL-4B-Instruct",
        "Apache-2.0",
        prompts=PromptConfig(),
        codec="thousand",
        images=_RECIPE,
    ),
    Adapter(
        "medgemma",
        "google/medgemma-4b-it",
        "Health AI Developer Foundations terms",
        runner="transformers",
        prompts=_RADIOLOGIST,
        text_first=True,
        codec="thousand_yx",
        shape="squash",
        side=896,
        images=_LARGE,
        gated=True,
    ),
    Adapter(
        "medgemma_1_5",
        "google/medgemma-1.5-4b-it",
        "Health AI Developer Foundations terms",
        runner="transformers",
        prompts=_RADIOLOGIST,
        rules="tags",
        codec="thousand_yx",
        shape="pad",
        side=896,
        images=_LARGE,
        gated=True,
    ),
    Adapter(
        "chestx_reasoner",
        "byrLLCC/ChestX-Reasoner",
        "as its page says",
        modes=("reasoning",),
        prompts=PromptConfig(system=_READER.system, suffix=TAGS),
        text_first=True,
        rules="tags",
        codec="thousand",
        images=_RECIPE,
    ),
    Adapter(
        "chexagent_2",
        "StanfordAIMI/CheXagent-2-3b",
        "CC-BY-NC-ND (code); weights as their page says",
        runner="transformers",
        modes=("instruct",),
        prompts=PromptConfig(suffix=""),
        hints=False,
        images=_LARGE,
        sampling=SamplingConfig(max_tokens=512),
        protocol="chexagent",
        batch=1,
    ),
    Adapter(
        "maira_2",
        "microsoft/maira-2",
        "Microsoft Research License",
        runner="transformers",
        modes=("instruct",),
        prompts=_BARE,
        hints=False,
        codec="bins",
        shape="crop",
        side=518,
        images=_LARGE,
        sampling=SamplingConfig(max_tokens=300),
        protocol="maira",
        kinds=(
            "findings",
            "findings_indication",
            "progression_findings",
            "phrase_grounding",
            "grounding",
        ),
        batch=1,
        gated=True,
    ),
    Adapter(
        "nv_reason_cxr",
        "nvidia/NV-Reason-CXR-3B",
        "research and non-commercial",
        modes=("reasoning",),
        prompts=PromptConfig(system="", suffix=TAGS),
        rules="tags",
        codec="pixels",
        images=_RECIPE,
        sampling=SamplingConfig(),
        report_request="Find abnormalities and support devices.",
        lists_labels=True,
    ),
    Adapter(
        "radvlm",
        "",
        "credentialed (PhysioNet)",
        runner="transformers",
        modes=("instruct",),
        prompts=_BARE,
        codec="unit",
        images=_LARGE,
        max_length=16_384,  # up to 7,290 tokens a film
        gated=True,
    ),
    Adapter(
        "lingshu",
        "lingshu-medical-mllm/Lingshu-7B",
        "as its page says",
        prompts=PromptConfig(),
        codec="pixels",
        images=_RECIPE,
    ),
    Adapter(
        "endpoint",
        "",
        "as its provider says",
        runner="endpoint",
        prompts=_READER,
        codec="thousand",
        images=_RECIPE,
    ),
)
ADAPTERS = {row.name: row for row in _ROWS}
"""By the name that `predict.adapter` takes."""
