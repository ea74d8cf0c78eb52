"""One frozen tree of settings a stage: defaults, then TOML files left to right, then dotted flags.

Imports neither torch nor Ray. Unknown keys are refused; nothing is read from the environment.
The defaults are the published recipe of CheXOne where it states one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PositiveInt = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Uri = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """Base of every settings table: frozen, and unknown keys are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


# --- shared tables -------------------------------------------------------------------------------


class ImageConfig(Settings):
    """How bytes become pixels; must be the same in training, rollouts and serving."""

    max_pixels: PositiveInt = Field(
        262_144, description="Largest area after the resize, in pixels."
    )
    min_pixels: PositiveInt = Field(3_136, description="Smallest area after the resize, in pixels.")
    max_source_pixels: PositiveInt = Field(
        100_000_000, description="Refuse files that declare more pixels than this, before decoding."
    )
    no_window: Literal["percentile", "full_range"] = Field(
        "percentile",
        description="DICOM without VOI LUT or window: stretch percentiles or full range.",
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
    lean: bool = Field(False, description="Run vLLM's core inside the actor: one process fewer.")
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
    zero_stage: Literal[0, 1, 2, 3] = Field(3, description="DeepSpeed ZeRO stage.")
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


class RewardConfig(Settings):
    """Weights of the reward functions; 0 leaves one out."""

    format: Annotated[float, Field(ge=0)] = Field(
        1.0, description="One non-empty box after a trace."
    )
    options: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Jaccard of the options chosen."
    )
    boxes: Annotated[float, Field(ge=0)] = Field(1.0, description="Matched IoU of the boxes.")
    report: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Label and text agreement of reports."
    )

    @model_validator(mode="after")
    def _some(self) -> RewardConfig:
        if not any((self.format, self.options, self.boxes, self.report)):
            raise ValueError("rewards: all four weights are 0; set at least one above 0")
        return self


# --- stages --------------------------------------------------------------------------------------


class Stage(Settings):
    """What every stage has."""

    output_uri: Uri = Field(description="Where the results go: s3://, gs:// or a local path.")
    seed: int = Field(
        0,
        ge=0,
        description="Seed of every random choice, of sampling too where sampling.seed is not set.",
    )
    ray: RayConfig = RayConfig()


class SourceConfig(Settings):
    """One archive."""

    adapter: Literal["mimic_cxr_jpg", "vindr_cxr"] = Field(description="Adapter in data/sources/.")
    uri: Uri = Field(description="Root of the archive.")
    boxes_uri: str | None = Field(
        None,
        description="VinDr-shaped box file of these images, or a folder of annotations_*.csv.",
    )


class PrepareConfig(Stage):
    """Archives -> manifest."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1, description="Archives to read.")
    kinds: tuple[str, ...] = Field((), description="Question kinds to write; all by default.")
    validate_share: Share = Field(0.02, description="Share of the patients in the validate split.")
    test_share: Share = Field(0.02, description="Share of the patients in the test split.")
    archive_splits: bool = Field(True, description="Keep the archive's own split where it has one.")
    instruct_share: Share = Field(0.25, description="Share of the training rows without a trace.")
    max_per_kind: dict[str, PositiveInt] = Field({}, description="Most training rows a kind.")
    group_by_study: bool = Field(
        True, description="Keep the questions of a study together: one read an image."
    )
    rows_per_group: PositiveInt = Field(512, description="Rows a Parquet row group.")
    max_drop_share: Share = Field(
        0.05, description="End the run when more images than this are unusable."
    )
    images: ImageConfig = ImageConfig()


class TinyModelConfig(Settings):
    """A small Qwen2.5-VL with its tokenizer, chat template and processor."""

    output_uri: Uri = Field(description="Where the Hugging Face folder goes.")
    seed: int = Field(0, ge=0, description="Seed of the weights and the pretraining.")
    random: bool = Field(False, description="Leave the vision tower at random weights.")
    pretrain_steps: PositiveInt = Field(250, description="Steps of vision pretraining on phantoms.")


class SftConfig(Stage):
    """Manifest -> supervised checkpoint."""

    model_uri: str = Field(
        "Qwen/Qwen2.5-VL-3B-Instruct", description="Base model: hub name or URI."
    )
    manifest_uri: Uri = Field(description="Manifest folder of `prepare`.")
    split: Literal["train", "validate", "test"] = Field("train", description="Split to train on.")
    epochs: Annotated[float, Field(gt=0)] = Field(1.0, description="Passes over the split.")
    max_steps: PositiveInt | None = Field(None, description="Optimizer steps; overrides epochs.")
    kind_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="Loss weight of a kind."
    )
    images: ImageConfig = ImageConfig()
    prompts: PromptConfig = PromptConfig()
    optim: OptimConfig = OptimConfig()
    trainer: TrainerConfig = TrainerConfig()


class FilterConfig(Stage):
    """Manifest and checkpoint -> the prompts on which answers differ."""

    model_uri: Uri = Field(description="Checkpoint that samples.")
    manifest_uri: Uri = Field(description="Manifest folder of `prepare`.")
    split: Literal["train", "validate", "test"] = Field(
        "train", description="Split to select from."
    )
    kinds: tuple[str, ...] = Field((), description="Question kinds to consider; all by default.")
    max_candidates_per_kind: PositiveInt | None = Field(None, description="Prompts sampled a kind.")
    min_std: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Keep prompts whose reward std is above this."
    )
    quota_per_kind: dict[str, PositiveInt] = Field(
        {}, description="Most prompts kept a kind, highest variance first."
    )
    sampling: SamplingConfig = SamplingConfig(n=8, temperature=1.0)
    rewards: RewardConfig = RewardConfig()
    max_failure_rate: Share = Field(
        0.02, description="End the run when more prompts than this fail."
    )
    images: ImageConfig = ImageConfig()
    prompts: PromptConfig = PromptConfig()
    engine: EngineConfig = EngineConfig()


class GrpoConfig(Stage):
    """Selected prompts and checkpoint -> reinforced checkpoint."""

    model_uri: Uri = Field(description="Start and reference checkpoint.")
    manifest_uri: Uri = Field(description="Manifest folder, usually of `filter`.")
    split: Literal["train", "validate", "test"] = Field("train", description="Split to train on.")
    steps: PositiveInt = Field(13_838, description="Optimizer steps.")
    prompts_per_step: PositiveInt = Field(64, description="Prompt groups an optimizer step.")
    advantage: Literal["group_std", "global_std", "none"] = Field(
        "group_std",
        description="Divide the centred reward by the group's std, the batch's std, or not.",
    )
    behaviour_cap: Annotated[float, Field(ge=1)] = Field(
        2.0,
        description="Cap of the trainer/engine probability ratio that corrects off-policy tokens.",
    )
    beta: Annotated[float, Field(ge=0)] = Field(
        0.001, description="KL weight; 0 loads no reference."
    )
    min_reward_std: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Groups at or below this reward std are dropped and refilled."
    )
    max_refills: int = Field(
        2, ge=0, description="Refill rounds a step before it trains on fewer groups."
    )
    # The published recipe has a repetition penalty of 1.1. It changes the distribution that the
    # engine samples from and not the trainer's, so it is off here.
    sampling: SamplingConfig = SamplingConfig(n=8, temperature=1.0)
    rewards: RewardConfig = RewardConfig()
    max_failure_rate: Share = Field(
        0.02, description="End the run when more prompts than this fail."
    )
    step_timeout_s: Annotated[float, Field(gt=0)] = Field(
        1800, description="Until a trainer step is done."
    )
    images: ImageConfig = ImageConfig()
    prompts: PromptConfig = PromptConfig()
    optim: OptimConfig = OptimConfig(vision_lr_scale=0.0, max_grad_norm=0.5)
    trainer: TrainerConfig = TrainerConfig(zero_stage=2)
    engine: EngineConfig = EngineConfig()

    @model_validator(mode="after")
    def _a_group(self) -> GrpoConfig:
        if self.sampling.n < 2:
            raise ValueError(
                f"grpo.sampling.n={self.sampling.n} makes no group: set it to 2 or more"
            )
        return self


class PredictConfig(Stage):
    """Checkpoint and manifest or image folder -> predictions."""

    model_uri: Uri = Field(description="Checkpoint to run.")
    manifest_uri: str | None = Field(None, description="Manifest folder; or give images_uri.")
    images_uri: str | None = Field(None, description="Folder of images (PNG, JPEG, DICOM).")
    question: str | None = Field(
        None, description="Question for every image of images_uri; a report by default."
    )
    split: Literal["train", "validate", "test"] = Field(
        "test", description="Split of the manifest."
    )
    kinds: tuple[str, ...] = Field((), description="Question kinds to answer; all by default.")
    max_per_kind: PositiveInt | None = Field(None, description="Rows answered a kind at most.")
    mode: Literal["reasoning", "instruct"] = Field(
        "reasoning", description="With or without a trace."
    )
    rows_per_part: PositiveInt = Field(
        256, description="Rows a committed output part; the unit of resuming."
    )
    max_failure_rate: Share = Field(0.02, description="End the run when more rows than this fail.")
    sampling: SamplingConfig = SamplingConfig()
    images: ImageConfig = ImageConfig()
    prompts: PromptConfig = PromptConfig()
    engine: EngineConfig = EngineConfig(max_engines=2)

    @model_validator(mode="after")
    def _one_input(self) -> PredictConfig:
        if (self.manifest_uri is None) == (self.images_uri is None):
            raise ValueError("predict: give exactly one of manifest_uri and images_uri")
        if self.question is not None and self.images_uri is None:
            raise ValueError("predict.question has no effect with manifest_uri: drop it")
        if self.images_uri is not None and (self.kinds or self.max_per_kind):
            raise ValueError(
                "predict.kinds and predict.max_per_kind have no effect with images_uri: drop them"
            )
        return self


class EvaluateConfig(Stage):
    """Predictions -> a table by task."""

    predictions_uri: dict[str, Uri] = Field(
        min_length=1, description="Model name -> predictions folder."
    )
    manifest_uri: Uri = Field(description="The manifest that was answered.")
    baselines: bool = Field(True, description="Add majority, all-positive and best-fixed-box rows.")
    bootstrap: PositiveInt = Field(1000, description="Bootstrap draws over patients.")


class ServeConfig(Settings):
    """A served model; also the `args` of serve/serve_config.yaml."""

    model_uri: Uri = Field(description="Checkpoint to serve.")
    model_name: str = Field("chexone", description="Name in the OpenAI API.")
    host: str = Field("127.0.0.1", description="Address of the HTTP proxy.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port of the HTTP proxy.")
    min_replicas: PositiveInt = Field(1, description="Replicas kept up.")
    max_replicas: PositiveInt = Field(1, description="Replicas at most.")
    images: ImageConfig | None = Field(None, description="Pixel limits; those of the checkpoint.")
    prompts: PromptConfig | None = Field(None, description="Wording; that of the checkpoint.")
    engine: EngineConfig = EngineConfig()
    ray: RayConfig = RayConfig()

    @model_validator(mode="after")
    def _replicas(self) -> ServeConfig:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas={self.max_replicas} is below min_replicas={self.min_replicas}: "
                "raise it"
            )
        return self


class DemoConfig(Settings):
    """The whole chain on one machine."""

    output: str = Field("runs/demo", min_length=1, description="Run folder.")
    quick: bool = Field(False, description="The tasks that a short run learns, in less time.")
    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    recipe: str | None = Field(None, description="TOML file with other values for the recipe.")
    real_data: str = Field(
        "../shared/data/real", description="Folder of real films; skipped where absent."
    )


STAGES: dict[str, type[Settings]] = {
    "prepare": PrepareConfig,
    "tiny-model": TinyModelConfig,
    "sft": SftConfig,
    "filter": FilterConfig,
    "grpo": GrpoConfig,
    "predict": PredictConfig,
    "evaluate": EvaluateConfig,
    "serve": ServeConfig,
    "demo": DemoConfig,
}
