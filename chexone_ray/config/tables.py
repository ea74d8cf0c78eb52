"""The tables that several stages share: images, prompts, Ray, sampling, engines, training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PositiveInt = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Uri = Annotated[str, Field(min_length=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
SHIPPED_SCORER = "chexone_ray.metrics.learned.radcliq:scorer"


class Settings(BaseModel):
    """Base of every settings table: frozen, and unknown keys are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    positional: ClassVar[str] = ""
    """The list whose entries may stand on the command line without a flag."""


class ImageConfig(Settings):
    """How bytes become pixels; must be the same in training, rollouts and serving."""

    max_pixels: PositiveInt = Field(
        262_144, description="Largest area after the resize, in pixels."
    )
    min_pixels: PositiveInt = Field(3_136, description="Smallest area after the resize, in pixels.")
    max_source_pixels: PositiveInt = Field(
        40_000_000,
        description="Refuse files that declare more pixels, or a third in colour DICOM, unread.",
    )
    no_window: Literal["percentile", "full_range"] = Field(
        "percentile",
        description="DICOM without VOI LUT or window, and 16-bit PNG: stretch percentiles or full "
        "range.",
    )
    body_part: Literal["chest", "any"] = Field(
        "chest", description="DICOM whose header names another part of the body: refuse or read."
    )

    @model_validator(mode="after")
    def _ordered(self) -> ImageConfig:
        if self.min_pixels > self.max_pixels:
            raise ValueError(
                f"images.min_pixels={self.min_pixels} is above "
                f"images.max_pixels={self.max_pixels}: lower it"
            )
        return self


class PromptConfig(Settings):
    """The wording around every question."""

    system: str = Field("You are a helpful assistant.", description="System turn; empty for none.")
    suffix: str = Field(
        "default",
        description='Reasoning suffix: "default" (ours), "original" (the published) or a text.',
    )


class RayConfig(Settings):
    """The Ray cluster that a stage joins."""

    address: str = Field(
        "auto", description='"auto", "local" (start one here) or "ray://host:port".'
    )
    num_cpus: PositiveInt | None = Field(
        None, description="Logical CPUs of a local cluster; all by default."
    )
    object_store_gb: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Object store of a local cluster, GB."
    )

    @model_validator(mode="after")
    def _local_only(self) -> RayConfig:
        for name in ("num_cpus", "object_store_gb"):
            if getattr(self, name) is not None and self.address != "local":
                raise ValueError(
                    f'ray.{name} has no effect with ray.address="{self.address}": '
                    'leave it out or set ray.address="local"'
                )
        return self


class Stage(Settings):
    """What every stage has."""

    output_uri: Uri = Field(description="Where the results go: s3://, gs:// or a local path.")
    seed: int = Field(
        0,
        ge=0,
        description="Seed of every random choice, of sampling too where sampling.seed is not set.",
    )
    ray: RayConfig = RayConfig()


class SamplingConfig(Settings):
    """How the engine draws completions."""

    n: PositiveInt = Field(1, description="Completions a prompt.")
    temperature: Annotated[float, Field(ge=0)] = Field(0.0, description="0 is greedy.")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="Nucleus mass.")
    top_k: int = Field(0, ge=0, description="Candidates kept; 0 keeps all.")
    repetition_penalty: Annotated[float, Field(gt=0)] = Field(1.0, description="1 is none.")
    max_tokens: PositiveInt = Field(2048, description="Longest completion, tokens.")
    seed: int | None = Field(
        None, description="Seed of the sampler, mixed with the request id; the stage's by default."
    )

    @model_validator(mode="after")
    def _n_needs_temperature(self) -> SamplingConfig:
        if self.n > 1 and self.temperature == 0:
            raise ValueError(
                f"sampling.n={self.n} with sampling.temperature=0 gives {self.n} equal answers: "
                "raise the temperature or set n=1"
            )
        return self

    def seeded(self, seed: int) -> SamplingConfig:
        """These settings with `seed` where they draw at random and have no seed of their own."""
        if self.seed is not None or self.temperature == 0:
            return self
        return self.model_copy(update={"seed": seed})


class EngineConfig(Settings):
    """One vLLM engine and the pool of them."""

    min_engines: PositiveInt = Field(1, description="Engines kept up.")
    max_engines: PositiveInt = Field(1, description="Engines at most; more start while work waits.")
    num_gpus: Annotated[float, Field(ge=0)] = Field(
        1, description="GPUs an engine; 0 for the CPU build."
    )
    num_cpus: Annotated[float, Field(gt=0)] = Field(1, description="Logical CPUs an engine.")
    threads: PositiveInt | None = Field(
        None, description="Compute threads an engine process; CPU build."
    )
    tensor_parallel: PositiveInt = Field(1, description="GPUs that share one copy of the weights.")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "bfloat16", description="Weights."
    )
    max_model_len: PositiveInt = Field(4096, description="Prompt and completion together, tokens.")
    max_num_seqs: PositiveInt = Field(256, description="Sequences that run together.")
    max_num_batched_tokens: PositiveInt | None = Field(
        None, description="Tokens a step; vLLM's choice."
    )
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="Share of a GPU."
    )
    kv_cache_mb: PositiveInt | None = Field(
        None, description="Size of the KV cache, MB; vLLM's choice."
    )
    enforce_eager: bool = Field(False, description="No graph capture: faster start, slower steps.")
    prefix_caching: bool = Field(True, description="Reuse KV of equal prompt starts.")
    lean: bool = Field(
        False, description="CPU build: vLLM's worker inside its core, one process fewer."
    )
    max_images: PositiveInt = Field(4, description="Images a prompt at most.")
    start_timeout_s: Annotated[float, Field(gt=0)] = Field(
        900, description="Until an engine is ready."
    )
    request_timeout_s: Annotated[float, Field(gt=0)] = Field(
        600, description="Until one prompt is done."
    )
    max_retries: int = Field(2, ge=0, description="Repeats of a prompt whose engine failed.")

    @model_validator(mode="after")
    def _sizes(self) -> EngineConfig:
        if self.max_engines < self.min_engines:
            raise ValueError(
                f"engine.max_engines={self.max_engines} is below "
                f"engine.min_engines={self.min_engines}: raise it"
            )
        if self.num_gpus > 0 and self.lean:
            raise ValueError("engine.lean has no effect with engine.num_gpus > 0: drop it")
        if self.num_gpus == 0 and self.tensor_parallel > 1:
            raise ValueError(
                "engine.tensor_parallel needs engine.num_gpus > 0: set it to 1 on the CPU"
            )
        return self


class OptimConfig(Settings):
    """AdamW and its schedule."""

    lr: Annotated[float, Field(gt=0)] = Field(1e-6, description="Peak learning rate.")
    vision_lr_scale: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Factor on the rate of the vision tower; 0 freezes it."
    )
    merger_lr_scale: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Factor on the rate of the merger behind the tower; 0 freezes it."
    )
    vision_freeze_steps: int = Field(
        0, ge=0, description="Steps for which the vision tower and the merger wait."
    )
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW betas.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.1, description="AdamW weight decay.")
    max_grad_norm: Annotated[float, Field(gt=0)] = Field(1.0, description="Gradient clipping.")
    warmup_ratio: Share = Field(0.05, description="Share of the steps that warm up.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="After the warm-up."
    )
    cycles: PositiveInt = Field(
        1, description="Equal cosine cycles; each starts at cycle_decay of the last peak."
    )
    cycle_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Peak of a cycle over the last."
    )
    final_ratio: Share = Field(0.0, description="Rate at the end over the peak.")

    @model_validator(mode="after")
    def _cycles(self) -> OptimConfig:
        if self.cycles > 1 and self.schedule != "cosine":
            raise ValueError(
                f'optim.cycles={self.cycles} needs optim.schedule="cosine", not "{self.schedule}"'
            )
        if self.cycle_decay != 1.0 and self.cycles == 1:
            raise ValueError("optim.cycle_decay has no effect with optim.cycles=1: drop it")
        if self.final_ratio and self.schedule == "constant":
            raise ValueError(
                'optim.final_ratio has no effect with optim.schedule="constant": drop it'
            )
        if self.vision_freeze_steps and self.vision_lr_scale == 0 == self.merger_lr_scale:
            raise ValueError(
                "optim.vision_freeze_steps has no effect with optim.vision_lr_scale=0 and "
                "optim.merger_lr_scale=0: drop it"
            )
        return self


class TrainerConfig(Settings):
    """Ray Train workers and DeepSpeed."""

    num_workers: PositiveInt = Field(8, description="Data-parallel workers; fixed for a run.")
    use_gpu: bool = Field(True, description="One GPU a worker; false trains on the CPU with gloo.")
    cpus_per_worker: Annotated[float, Field(gt=0)] = Field(4, description="Logical CPUs a worker.")
    threads: PositiveInt | None = Field(
        None, description="Compute threads a worker; torch's choice."
    )
    dtype: Literal["bfloat16", "float32"] = Field("bfloat16", description="Compute precision.")
    attention: Literal["sdpa", "flash_attention_2"] = Field(
        "sdpa", description="Kernel; flash_attention_2 needs the package flash-attn."
    )
    zero_stage: Literal[1, 2, 3] = Field(3, description="DeepSpeed ZeRO stage.")
    gradient_checkpointing: bool = Field(True, description="Recompute activations to save memory.")
    pack_tokens: PositiveInt = Field(8192, description="Tokens a packed row at most.")
    packs_per_step: PositiveInt = Field(4, description="Packed rows a worker and optimizer step.")
    max_length: PositiveInt = Field(
        4096, description="Longest sample, tokens; longer ones are counted drops."
    )
    save_steps: PositiveInt = Field(1000, description="Steps between resumable checkpoints.")
    keep_checkpoints: PositiveInt = Field(2, description="Resumable checkpoints that stay.")
    log_steps: PositiveInt = Field(10, description="Steps between metric lines.")
    max_failures: int = Field(
        3, ge=0, description="Restarts from the last checkpoint before giving up."
    )
    start_timeout_s: Annotated[float, Field(gt=0)] = Field(
        1800, description="Until all workers run."
    )

    @model_validator(mode="after")
    def _consistent(self) -> TrainerConfig:
        if not self.use_gpu and self.attention == "flash_attention_2":
            raise ValueError('trainer.attention="flash_attention_2" needs a GPU: use "sdpa"')
        if self.max_length > self.pack_tokens:
            raise ValueError(
                f"trainer.max_length={self.max_length} is above "
                f"trainer.pack_tokens={self.pack_tokens}: "
                "a sample of that length fits no pack"
            )
        return self


class RadcliqModels(Settings):
    """The three models that RadCliQ is made of; folders, URIs or hub names."""

    radgraph_model: str = Field(description="Model type of the package radgraph.")
    bertscore_model: Uri = Field(description="Published: distilbert/distilbert-base-uncased.")
    bertscore_layer: int = Field(5, ge=0, description="Hidden layer.")
    bertscore_baseline: tuple[float, float, float] | Literal["none"] | None = Field(
        None,
        description="Precision, recall, F1 of random pairs, to rescale by as the published code "
        'does; under the original rules these or "none".',
    )
    chexbert_uri: Uri = Field(description="The published chexbert.pth.")
    chexbert_bert: Uri = Field(description="google-bert/bert-base-uncased.")
    device: str = Field("cpu", description="Scoring tasks hold no GPU.")


class RewardConfig(Settings):
    """Weights of the reward functions; 0 leaves one out. docs/rewards.md has their formulas."""

    rules: Literal["strict", "original"] = Field(
        "strict", description="Our rewards, or the published formulas by task name."
    )
    format: Weight = Field(1.0, description="One non-empty box after a trace.")
    options: Weight = Field(1.0, description="Jaccard of the options chosen.")
    boxes: Weight = Field(1.0, description="Matched IoU of the boxes.")
    report: Weight = Field(
        1.0, description="Label, finding and text agreement of reports; exact entities."
    )
    trace_agreement: Weight = Field(0.0, description="The trace says what the boxed answer says.")
    trace_factuality: Weight = Field(
        0.0, description="Findings of the trace that the reference bears out."
    )
    trace_repetition: Weight = Field(0.0, description="Distinct four-word runs of the trace.")
    trace_length: Weight = Field(0.0, description="The trace is within trace_words.")
    trace_words: tuple[PositiveInt, PositiveInt] = Field(
        (20, 400), description="Fewest and most words of a trace that earn all of trace_length."
    )
    report_by: Literal["rules", "radcliq"] | None = Field(
        None, description="Report reward; by default rules, under the original rules radcliq."
    )
    radcliq_scorer: str | None = Field(
        None,
        description="module:function that gives (RadGraph, BERTScore, CheXbert) of two texts.",
    )
    radcliq: RadcliqModels | None = Field(
        None, description="Given to the function as `models`; the shipped one needs it."
    )

    @property
    def uses_radcliq(self) -> bool:
        """True where reports are scored by RadCliQ."""
        return self.report > 0 and "radcliq" in (
            self.report_by or ("radcliq" if self.rules == "original" else "rules")
        )

    @model_validator(mode="after")
    def _some(self) -> RewardConfig:
        if not any((self.format, self.options, self.boxes, self.report, *self._traces())):
            raise ValueError("rewards: all weights are 0; set at least one above 0")
        if self.rules == "original" and any(self._traces()):
            raise ValueError("rewards.trace_*: the original rules reward no trace; set them to 0")
        if self.rules == "original" and self.report_by == "rules":
            raise ValueError('rewards.report_by="rules" is no original rule: drop it')
        low, high = self.trace_words
        if low > high:
            raise ValueError(f"rewards.trace_words={self.trace_words}: put the smaller first")
        if self.uses_radcliq and self.radcliq_scorer is None:
            raise ValueError(
                "rewards.radcliq_scorer is not set, but reports are scored by RadCliQ: name a "
                'function of three installed models, or set rewards.report=0 or report_by="rules"'
            )
        if self.rules == "original" and self.radcliq and self.radcliq.bertscore_baseline is None:
            raise ValueError(
                "rewards.radcliq.bertscore_baseline is not set, but the published reward rescales: "
                'give precision, recall and F1 of random pairs, or "none" to leave that out'
            )
        if self.radcliq_scorer is not None and not self.uses_radcliq:
            raise ValueError(
                "rewards.radcliq_scorer has no effect unless reports are scored by RadCliQ: drop "
                'it or set rewards.report_by="radcliq"'
            )
        if self.radcliq is not None and self.radcliq_scorer is None:
            raise ValueError(
                "rewards.radcliq has no effect without rewards.radcliq_scorer: name "
                f"{SHIPPED_SCORER}, or drop it"
            )
        if self.radcliq is None and self.radcliq_scorer == SHIPPED_SCORER:
            raise ValueError(
                "rewards.radcliq_scorer is the shipped one, which needs its models: give the table "
                "rewards.radcliq"
            )
        return self

    def _traces(self) -> tuple[float, ...]:
        return (
            self.trace_agreement,
            self.trace_factuality,
            self.trace_repetition,
            self.trace_length,
        )
