"""Names of made-up results: long ones, many."""

from __future__ import annotations

DATASETS = ("mimic_cxr_jpg", "chexpert_plus", "vindr_cxr", "padchest_gr", "rexgradient", "openi")
SETTINGS = {
    "MIMIC-CXR report generation": ("findings", "impression"),
    "IU X-ray": ("findings",),
    "CheXpert Plus": ("findings",),
    "ReXGradient-160K": ("report",),
    "ReXVQA": ("closed_vqa",),
    "VQA-RAD closed questions": ("presence",),
    "SLAKE (English, chest only)": ("closed_vqa",),
    "Medical-Diff-VQA": ("difference",),
    "MS-CXR-T progression of five findings": ("progression",),
    "CheXpert classification": ("multi_choice",),
    "MS-CXR phrase grounding": ("phrase_grounding",),
    "VinDr-CXR abnormality detection and localisation": ("detection",),
    "PadChest-GR": ("phrase_grounding", "impression"),
    "CheXpert views": ("view",),
    "RSNA": ("presence", "side"),
    "PMC-VQA": ("open_vqa", "closed_vqa"),
    "a setting with a name that is longer than that of any other": ("choice", "heart_size"),
}
TOPICS = {
    "ReXVQA": (
        "presence assessment",
        "location assessment",
        "negation assessment",
        "differential diagnosis",
        "geometric information assessment",
    )
}
MODELS = (
    "Qwen2.5-VL-3B-Instruct (base, not trained)",
    "CheXOne SFT",
    "CheXOne GRPO, with reasoning",
    "MedGemma-4B-it",
    "NV-Reason-CXR-3B",
    "ChestX-Reasoner",
    "MAIRA-2",
    "Lingshu-7B",
    "RadVLM",
    "an endpoint under a name that is longer than any other",
)
REPORT_METRICS = ("label F1-14 (micro)", "RadCliQ-v1 (1/x)", "BLEU-4 (corpus)", "RadGraph F1")
