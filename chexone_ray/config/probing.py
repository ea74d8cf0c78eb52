"""Settings of the probes of a model's reasoning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    PositiveInt,
    PromptConfig,
    SamplingConfig,
    Share,
    Stage,
    Uri,
)
from chexone_ray.kinds import unknown

Probe = Literal["samples", "instruct", "blank", "swap", "occlusion", "cut"]


class ProbeConfig(Stage):
    """Checkpoint and manifest -> what its reasoning is worth, and whether it looks at the film."""

    model_uri: Uri = Field(description="Checkpoint to probe.")
    model_name: str = Field("", description="Its name in figures; the end of model_uri by default.")
    manifest_uri: Uri = Field(description="Manifest folder of `prepare`.")
    split: Literal["train", "validate", "test"] = Field(
        "test", description="Split of the manifest."
    )
    kinds: tuple[str, ...] = Field((), description="Question kinds to ask; all by default.")
    max_per_kind: PositiveInt = Field(100, description="Rows asked a kind at most.")
    probes: tuple[Probe, ...] = Field(
        ("samples", "instruct", "blank", "swap", "occlusion", "cut"),
        min_length=1,
        description="What is asked beside the plain greedy answer.",
    )
    cuts: tuple[Share, ...] = Field(
        (0.0, 0.25, 0.5, 0.75, 1.0), description="Shares of the trace after which it must answer."
    )
    answer_tokens: PositiveInt = Field(512, description="Longest forced answer, tokens.")
    rows_per_part: PositiveInt = Field(
        64, description="Rows a committed output part; the unit of resuming."
    )
    bootstrap: PositiveInt = Field(1000, description="Bootstrap draws over patients.")
    max_failure_rate: Share = Field(
        0.02, description="End the run when more of the answers asked for than this fail."
    )
    # Of the samples; all other answers are greedy and at most as long. Eight as in the name of the
    # published file; its temperature is not known.
    sampling: SamplingConfig = SamplingConfig(n=8, temperature=1.0)
    images: ImageConfig = ImageConfig()
    prompts: PromptConfig = PromptConfig()
    engine: EngineConfig = EngineConfig()

    @model_validator(mode="after")
    def _effective(self) -> ProbeConfig:
        for told in unknown(self.kinds):
            raise ValueError(f"probe.kinds: {told}")
        if "samples" in self.probes and self.sampling.n < 2:
            raise ValueError(
                f"probe.sampling.n={self.sampling.n} has no self-consistency: set it to 2 or more, "
                'or leave "samples" out of probe.probes'
            )
        for name in ("probes", "cuts"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"probe.{name}={list(given)} names one twice: drop it")
        if "cut" in self.probes and not self.cuts:
            raise ValueError('probe.cuts is empty: give shares, or leave "cut" out of probe.probes')
        return self
