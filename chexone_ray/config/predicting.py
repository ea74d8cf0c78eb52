"""The settings of `predict`: which model answers, how it is asked and what is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    PositiveInt,
    PromptConfig,
    SamplingConfig,
    Share,
    Stage,
)
from chexone_ray.config.tracing import EndpointConfig
from chexone_ray.kinds import unknown

ModelAdapter = Literal[
    "chexone",
    "chexone_original",
    "qwen2_5_vl",
    "qwen3_vl",
    "medgemma",
    "medgemma_1_5",
    "chestx_reasoner",
    "chexagent_2",
    "maira_2",
    "nv_reason_cxr",
    "radvlm",
    "lingshu",
    "endpoint",
]
"""The rows of docs/baselines.md."""


class PredictConfig(Stage):
    """Checkpoint and manifest or image folder -> predictions."""

    model_uri: str = Field(
        "", description="Checkpoint to run: hub name or URI; with an adapter, its own by default."
    )
    adapter: ModelAdapter = Field(
        "chexone",
        description="How the model is asked and read; `endpoint` where one is given and no adapter "
        "is named. See docs/baselines.md.",
    )
    endpoint: EndpointConfig | None = Field(
        None, description="An OpenAI-compatible endpoint that answers in place of engines."
    )
    trust_remote_code: bool = Field(
        False, description="Consent: run the Python code that comes with the checkpoint."
    )
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

    @model_validator(mode="before")
    @classmethod
    def _adapter_of_an_endpoint(cls, given: Any) -> Any:
        # Most servers are not ours: asked as ours, they would get no word on the form of an answer.
        if isinstance(given, dict) and given.get("endpoint") is not None:
            return {"adapter": "endpoint"} | given
        return given

    @model_validator(mode="after")
    def _one_input(self) -> PredictConfig:
        for told in unknown(self.kinds):
            raise ValueError(f"predict.kinds: {told}")
        if (self.manifest_uri is None) == (self.images_uri is None):
            raise ValueError("predict: give exactly one of manifest_uri and images_uri")
        if self.question is not None and self.images_uri is None:
            raise ValueError("predict.question has no effect with manifest_uri: drop it")
        if self.images_uri is not None and (self.kinds or self.max_per_kind):
            raise ValueError(
                "predict.kinds and predict.max_per_kind have no effect with images_uri: drop them"
            )
        if self.images_uri is not None and self.split != "test":
            raise ValueError("predict.split has no effect with images_uri: drop it")
        return self

    @model_validator(mode="after")
    def _one_model(self) -> PredictConfig:
        if self.endpoint is None:
            if self.adapter == "endpoint":
                raise ValueError(
                    "predict.adapter=endpoint needs an endpoint: give endpoint.url and "
                    "endpoint.model"
                )
            if self.adapter == "chexone" and not self.model_uri:
                raise ValueError("predict.model_uri is missing: give a hub name or a URI")
            return self
        for name in ("model_uri", "trust_remote_code", "engine"):
            if name in self.model_fields_set:
                raise ValueError(f"predict.{name} has no effect with predict.endpoint: drop it")
        if self.adapter in ("chexagent_2", "maira_2"):
            raise ValueError(
                f"predict.adapter={self.adapter} takes no chat, so no endpoint: give model_uri"
            )
        self.endpoint.refuse_no_effect("predict", self.sampling)
        return self
