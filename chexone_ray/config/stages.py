"""One settings tree a stage. The defaults are the published recipe of CheXOne where it has one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from chexone_ray.config.evaluation import EvaluateConfig
from chexone_ray.config.exchange import (
    ResultsImportConfig,
    RexrankExportConfig,
    RexrankImportConfig,
    RexrankValidateConfig,
    RexvqaExportConfig,
)
from chexone_ray.config.predicting import PredictConfig
from chexone_ray.config.probing import ProbeConfig
from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    OptimConfig,
    PositiveInt,
    PromptConfig,
    RayConfig,
    RewardConfig,
    SamplingConfig,
    Settings,
    Share,
    Stage,
    TrainerConfig,
    Uri,
)
from chexone_ray.config.tracing import TraceConfig

Adapter = Literal[
    "mimic_cxr_jpg",
    "chexpert",
    "chexpert_plus",
    "rexgradient",
    "openi",
    "vindr_cxr",
    "vinbigdata",
    "padchest",
    "brax",
    "nih_chestxray14",
    "rsna_pneumonia",
    "siim_acr",
    "candid_ptx",
    "object_cxr",
    "ranzcr_clip",
    "covidx",
    "nlm_tb",
    "ms_cxr",
    "ms_cxr_t",
    "chest_imagenome",
    "padchest_gr",
    "vindr_pcxr",
    "cxr_lt",
    "bimcv_covid19",
    "tbx11k",
    "jsrt",
    "roco",
    "mimic_cxr_vqa",
    "medical_diff_vqa",
    "mimic_nle",
    "rexvqa",
    "slake",
    "vqa_rad",
    "rad_restruct",
    "medvqa_2019",
    "pmc_vqa",
    "radqa",
    "radgraph",
    "own_table",
]
Uncertain = Literal["keep", "u-zeros", "u-ones", "u-ignore"]
View = Literal["", "PA", "AP", "frontal", "lateral"]


class SourceConfig(Settings):
    """One archive."""

    adapter: Adapter = Field(description="Data set, as docs/data.md names it.")
    uri: Uri = Field(description="Root of the archive.")
    uncertain: Uncertain = Field(
        "keep",
        description="What labels and reports leave uncertain: not asked for, absent, present, "
        "unknown.",
    )
    boxes_uri: str | None = Field(
        None,
        description="VinDr-shaped box file of these images, or a folder of annotations_*.csv.",
    )
    images_uri: str | None = Field(
        None,
        description="Root of the images where the data set describes those of another archive.",
    )
    packed: tuple[str, ...] = Field(
        (), description="Archives that hold the images: names under uri, or URIs; zip or tar."
    )
    default_view: View = Field(
        "", description="Of own_table: view of the images of which table and header tell none."
    )
    name: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]*)?$")] = Field(
        "", description="Of own_table: what the data set is called; its patients are its own."
    )

    @property
    def dataset(self) -> str:
        """What its rows are told by."""
        return self.name or self.adapter


class PrepareConfig(Stage):
    """Archives -> manifest."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1, description="Archives to read.")
    preview: int = Field(
        0, ge=0, description="Examples a kind in preview.html beside the manifest; 0 for none."
    )
    held_out: tuple[SourceConfig, ...] = Field(
        (),
        description="Data sets to be tested on later: their patients are not trained on, but "
        "tested on, or validated on where that is the set's own split.",
    )
    check: bool = Field(False, description="Only tell what is missing in the archives.")
    kinds: tuple[str, ...] = Field((), description="Question kinds to write; all by default.")
    validate_share: Share = Field(0.02, description="Share of the patients in the validate split.")
    test_share: Share = Field(0.02, description="Share of the patients in the test split.")
    archive_splits: bool = Field(True, description="Keep the archive's own split where it has one.")
    splits: tuple[Literal["train", "validate", "test"], ...] = Field(
        (), description="Splits to read and write; all by default."
    )
    num_wordings: PositiveInt | None = Field(
        None, description="Use only the first so many wordings of a question; all by default."
    )
    max_views: PositiveInt = Field(
        4, description="Most images of a study shown with a question for its report."
    )
    instruct_share: Share = Field(0.25, description="Share of the training rows without a trace.")
    traces: Literal["stated", "schematic"] = Field(
        "stated",
        description="What traces made by rules say: no more than the source states, or the signs "
        "that phantom films are drawn with.",
    )
    max_per_kind: dict[str, PositiveInt] = Field({}, description="Most training rows a kind.")
    mix: dict[str, Share] = Field(
        {}, description="Share of the training rows kept, by data set, task or kind (multiplied)."
    )
    curriculum: tuple[tuple[str, ...], ...] = Field(
        (), description="Kinds of the training rows that come first, phase by phase; others last."
    )
    group_by_study: bool = Field(
        True, description="Keep the questions of a study together: one read an image."
    )
    rows_per_group: PositiveInt = Field(512, description="Rows a Parquet row group.")
    allow_overlap: bool = Field(
        False, description="Take archives that hold the same films under other names."
    )
    max_drop_share: Share = Field(
        0.05,
        description="End the run when more than this share of a source's table rows, images or "
        "reports is damaged or missing, or of its boxes reaches outside the images.",
    )
    images: ImageConfig = ImageConfig()


class TinyModelConfig(Settings):
    """A small Qwen2.5-VL with tokenizer and processor: minutes, seconds with --random true."""

    output_uri: Uri = Field(description="Where the Hugging Face folder goes.")
    seed: int = Field(0, ge=0, description="Seed of the weights and the pretraining.")
    random: bool = Field(
        False, description="Leave the vision tower at random weights: seconds, not minutes."
    )
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


class FiguresConfig(Settings):
    """Result folders of any stages -> figures for print and a page that compares answers."""

    positional: ClassVar[str] = "runs_uri"

    runs_uri: tuple[Uri, ...] = Field(
        min_length=1,
        description="Folders of prepare, sft, filter, grpo, predict and evaluate, and responses of "
        "a reader study; may stand before the first flag.",
    )
    output_uri: Uri = Field(description="Where the figures go: s3://, gs:// or a local path.")
    cards_per_kind: PositiveInt = Field(6, description="Questions a kind in compare.html.")


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
    "trace": TraceConfig,
    "tiny-model": TinyModelConfig,
    "sft": SftConfig,
    "filter": FilterConfig,
    "grpo": GrpoConfig,
    "predict": PredictConfig,
    "evaluate": EvaluateConfig,
    "rexrank import": RexrankImportConfig,
    "rexrank export": RexrankExportConfig,
    "rexrank validate": RexrankValidateConfig,
    "rexvqa export": RexvqaExportConfig,
    "results import": ResultsImportConfig,
    "figures": FiguresConfig,
    "probe": ProbeConfig,
    "serve": ServeConfig,
    "demo": DemoConfig,
}
