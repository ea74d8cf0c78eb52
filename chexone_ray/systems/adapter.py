"""How one model is run: what it is asked with, how it draws, and how its answers are read.

A prompt is made of a `Posed`, which holds nothing of the reference: no prompt can leak an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chexone_ray.answers import Rules
from chexone_ray.boxes import Codec
from chexone_ray.config import ImageConfig, PromptConfig, SamplingConfig
from chexone_ray.engine.speech import Protocol
from chexone_ray.records import Mode, Sample

Runner = Literal["vllm", "transformers", "endpoint"]
Shape = Literal["whole", "squash", "pad", "crop"]
"""What the model makes of a film: all of it in its own proportions, all of it squeezed into a
square, all of it on a square, or the square in its middle."""
Slot = Literal["frontal", "lateral", "prior"]


_GREEDY = SamplingConfig(max_tokens=1024)


@dataclass(frozen=True)
class Posed:
    """A sample without its reference: all that a prompt may be made of."""

    kind: str
    question: str
    options: tuple[str, ...]
    mode: Mode
    films: tuple[Slot, ...]
    """What each image shows, in their order."""


def posed(sample: Sample) -> Posed:
    """What may be told of `sample`."""
    films: list[Slot] = []
    for image in sample.images:
        view: Slot = "lateral" if image.view.lower() in ("lateral", "ll") else "frontal"
        films.append("prior" if image.role == "prior" else view)
    return Posed(sample.kind, sample.question, sample.options, sample.mode, tuple(films))


@dataclass(frozen=True)
class Adapter:
    """One row of `table.ADAPTERS`; the first of `modes` is the default."""

    name: str
    model: str
    """Hub name that is run by default; empty where the weights have none."""
    licence: str
    runner: Runner = "vllm"
    modes: tuple[Mode, ...] = ("instruct", "reasoning")
    prompts: PromptConfig | None = None
    """Wording around the question; None for that of the checkpoint."""
    hints: bool = True
    """Tell the form of the answer after the question: False for models that were trained on it."""
    text_first: bool = False
    rules: Rules = "strict"
    codec: Codec = "percent"
    shape: Shape = "whole"
    side: int = 0
    """Of the square, in pixels, where `shape` makes one."""
    images: ImageConfig | None = None
    """None for those of the checkpoint."""
    sampling: SamplingConfig = _GREEDY
    protocol: Protocol = "chat"
    kinds: tuple[str, ...] = ()
    """All that it can be asked, where it cannot be asked everything."""
    report_request: str = ""
    """Asked in place of every question for a report of a whole film."""
    lists_labels: bool = False
    """Its answer to `report_request` is a list of labels."""
    max_length: int | None = None
    """Tokens of prompt and completion, where `engine.max_model_len` is too short by default."""
    batch: int = 8
    """Sequences at a time, of transformers."""
    gated: bool = False
    """The weights are given out after an agreement."""

    @property
    def parser(self) -> str:
        """How its answers are read, for signatures: by `rules` alone, or as `reading` does for this
        adapter."""
        is_plain = self.codec == "percent" and self.shape == "whole" and not self.lists_labels
        return self.rules if is_plain else self.name

    @property
    def runs_code(self) -> bool:
        """True where the checkpoint brings Python code that has to run."""
        return self.protocol != "chat"
