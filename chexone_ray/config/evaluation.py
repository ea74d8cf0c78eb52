"""Settings of `evaluate`; of a suite, where the data of its settings are and who answers them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chexone_ray.config.learned import LearnedConfig
from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    PositiveInt,
    PromptConfig,
    SamplingConfig,
    Settings,
    Share,
    Stage,
    Uri,
)
from chexone_ray.config.tracing import EndpointConfig


class SettingData(Settings):
    """Where the data of a setting are: an archive, or a manifest that was prepared from one."""

    uri: Uri | None = Field(None, description="Root of the archive.")
    images_uri: Uri | None = Field(
        None, description="Root of the images where they are those of another archive."
    )
    boxes_uri: Uri | None = Field(None, description="Box file or folder, as in sources.")
    packed: tuple[str, ...] = Field((), description="Archives that hold the images, as in sources.")
    max_drop_share: Share = Field(0.05, description="As in `prepare`.")
    manifest_uri: Uri | None = Field(
        None, description="Manifest to select from instead; baselines are fitted on its train part."
    )

    @model_validator(mode="after")
    def _one_place(self) -> SettingData:
        if (self.uri is None) == (self.manifest_uri is None):
            raise ValueError("give exactly one of uri and manifest_uri")
        idle = {"images_uri", "boxes_uri", "packed", "max_drop_share"} & self.model_fields_set
        if self.manifest_uri is not None and idle:
            raise ValueError(f"{', '.join(sorted(idle))} has no effect with manifest_uri: drop it")
        return self


class SuiteModel(Settings):
    """A model of a suite: one that answers now, or answers that are there."""

    model_uri: Uri | None = Field(
        None, description="Checkpoint that answers; with an adapter, its own by default."
    )
    predictions_uri: Uri | None = Field(
        None, description="Folder with a predictions folder under the name of each setting."
    )
    endpoint: EndpointConfig | None = Field(
        None, description="An OpenAI-compatible endpoint that answers; see `predict`."
    )
    mode: Literal["reasoning", "instruct"] = Field(
        "reasoning", description="With or without a trace; of an adapter, its first by default."
    )
    adapter: str | None = Field(
        None, description="How a model that is not CheXOne is asked and read; see `predict`."
    )
    trust_remote_code: bool = Field(
        False, description="Consent: run the Python code that comes with the checkpoint."
    )

    @property
    def answers(self) -> bool:
        """True for a model that is asked, False for answers that are there."""
        return self.predictions_uri is None

    @model_validator(mode="after")
    def _one_source(self) -> SuiteModel:
        given = [
            name
            for name in ("model_uri", "predictions_uri", "endpoint")
            if getattr(self, name) is not None
        ]
        if len(given) > 1 or not (given or self.adapter):
            raise ValueError(
                "give exactly one of model_uri, predictions_uri and endpoint, or an adapter whose "
                "own checkpoint answers"
            )
        idle = {"mode", "adapter", "trust_remote_code"} & self.model_fields_set
        if self.predictions_uri is not None and idle:
            raise ValueError(
                f"{', '.join(sorted(idle))} has no effect with predictions_uri: drop it"
            )
        return self


class SuitePredict(Settings):
    """How the models of a suite answer."""

    rows_per_part: PositiveInt = Field(
        256, description="Rows a committed output part; the unit of resuming."
    )
    max_failure_rate: Share = Field(
        0.02, description="End the run when more rows of a setting than this fail."
    )
    sampling: SamplingConfig = SamplingConfig()
    images: ImageConfig | None = Field(None, description="Pixel limits; those of the checkpoint.")
    prompts: PromptConfig | None = Field(None, description="Wording; that of the checkpoint.")
    engine: EngineConfig = EngineConfig(max_engines=2)


class EvaluateConfig(Stage):
    """Predictions of one manifest, or a suite of settings -> tables of figures."""

    predictions_uri: dict[str, Uri] = Field({}, description="Model name -> predictions folder.")
    manifest_uri: Uri | None = Field(
        None, description="The manifest that was answered; not needed without baselines."
    )
    suite: Uri | None = Field(
        None, description="Instead of the two: name of a suite (docs/evaluation.md), or its TOML."
    )
    settings: tuple[str, ...] = Field((), description="Settings of the suite; all by default.")
    data: dict[str, SettingData] = Field(
        {}, description="Setting or adapter of the suite -> where its data are."
    )
    models: dict[str, SuiteModel] = Field({}, description="Model name -> who answers the suite.")
    predict: SuitePredict = SuitePredict()
    baselines: bool = Field(True, description="Add what a system could answer without the image.")
    bootstrap: PositiveInt = Field(1000, description="Bootstrap draws over patients.")
    randomisations: int = Field(
        10_000, ge=0, description="Draws of each test between two systems; 0 for no tests."
    )
    learned: LearnedConfig = LearnedConfig()
    text_tasks: PositiveInt | None = Field(
        None,
        description="Ray tasks that score texts, over the cluster of ray.address; by default the "
        "free CPUs of a Ray that is joined already, else none: this process scores.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> EvaluateConfig:
        if self.suite is None:
            idle = {"settings", "data", "models", "predict"} & self.model_fields_set
            if idle:
                raise ValueError(
                    f"evaluate.{min(idle)} has no effect without evaluate.suite: name a suite or "
                    "drop it"
                )
            if not self.predictions_uri:
                raise ValueError("evaluate: give predictions_uri, or a suite with models")
            if self.manifest_uri is None and self.baselines:
                raise ValueError(
                    "evaluate.manifest_uri is needed for the baselines: give it or set "
                    "baselines=false"
                )
            return self
        for name in ("predictions_uri", "manifest_uri"):
            if getattr(self, name):
                raise ValueError(
                    f"evaluate.{name} and evaluate.suite exclude each other: the places of a suite "
                    "are in evaluate.data and evaluate.models"
                )
        if not self.models:
            raise ValueError("evaluate.suite needs evaluate.models: name at least one model")
        for name in self.models:
            if "/" in name or not name.strip("."):
                raise ValueError(f"evaluate.models: {name!r} cannot be a folder: use another name")
        if "predict" in self.model_fields_set and all(
            not model.answers for model in self.models.values()
        ):
            raise ValueError("evaluate.predict has no effect: no model of the suite is asked")
        if "engine" in self.predict.model_fields_set and all(
            model.endpoint is not None for model in self.models.values() if model.answers
        ):
            raise ValueError(
                "evaluate.predict.engine has no effect: every model that is asked is an endpoint; "
                "drop it"
            )
        return self
