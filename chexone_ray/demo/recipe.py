"""The demo's settings: recipe.toml (recipe.quick.toml on top), made into stage configs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from chexone_ray.config import (
    EngineConfig,
    EvaluateConfig,
    FiguresConfig,
    FilterConfig,
    GrpoConfig,
    ImageConfig,
    PredictConfig,
    PrepareConfig,
    ProbeConfig,
    PromptConfig,
    RayConfig,
    RewardConfig,
    SamplingConfig,
    ServeConfig,
    Settings,
    SftConfig,
    TinyModelConfig,
)
from chexone_ray.errors import ChexoneError
from chexone_ray.storage import join

BUCKET = "s3://chexone-demo"
RESPONSES = "responses.jsonl"
RAY = RayConfig(address="local", num_cpus=8, object_store_gb=1.0)


class ArchiveRecipe(Settings):
    """How much is drawn."""

    num_patients: int = Field(gt=0, description="Patients, each with one or more studies.")
    size: int = Field(gt=0, description="Height and width of the films, pixels.")
    dicom_share: float = Field(ge=0, le=1, description="Share of the films that are DICOM too.")


class Recipe(Settings):
    """Every number of the demo. Stage tables hold what differs from the stage's defaults."""

    archive: ArchiveRecipe
    images: ImageConfig
    prompts: PromptConfig
    engine: EngineConfig
    rewards: RewardConfig
    max_tokens: int = Field(gt=0, description="Longest completion, tokens.")
    tiny_model: dict[str, Any]
    prepare: dict[str, Any]
    sft: dict[str, Any]
    filter: dict[str, Any]
    grpo: dict[str, Any]
    probe: dict[str, Any]
    test_rows_per_kind: int = Field(gt=0, description="Held-out rows answered a kind.")
    sampled_rows_per_kind: int = Field(gt=0, description="Held-out rows sampled a kind.")
    thresholds: dict[str, float] = Field(description="Kind -> headline figure to reach after SFT.")
    grpo_gain: float = Field(description="Held-out rise of the optimised reward to reach.")
    max_fall: float = Field(ge=0, description="Largest fall of any kind under GRPO.")
    max_minutes: float = Field(gt=0, description="Minutes that all links may take.")


def load(quick: bool, own: str | None = None) -> Recipe:
    """The shipped recipe; the quick one, then the caller's own file, override single values.

    Raises:
        ChexoneError: the own file cannot be read, or a value in it is not known.
    """
    folder = resources.files("chexone_ray.demo")
    values = tomllib.loads((folder / "recipe.toml").read_text())
    if quick:
        values = _merged(values, tomllib.loads((folder / "recipe.quick.toml").read_text()))
    try:
        if own is not None:
            values = _merged(values, tomllib.loads(Path(own).read_text()))
        return Recipe(**values)
    except (OSError, ValueError) as error:
        raise ChexoneError(f"demo.recipe={own}: {error}") from error


def _merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        if (
            isinstance(value, Mapping)
            and isinstance(base.get(key), Mapping)
            and key != "thresholds"
        ):
            merged[key] = _merged(base[key], value)
        else:
            merged[key] = value
    return merged


class Configs:
    """The stage configs of one demo run, all under one bucket."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self.recipe = recipe
        self.seed = seed
        self.archive_uri = join(BUCKET, "archive")
        self.model_uri = {
            "base": join(BUCKET, "base"),
            "SFT": join(BUCKET, "sft", "model"),
            "GRPO": join(BUCKET, "grpo", "model"),
        }
        self.manifest_uri = join(BUCKET, "manifest")

    def _stage(self, name: str) -> dict[str, Any]:
        return {"output_uri": join(BUCKET, name), "seed": self.seed, "ray": RAY}

    @property
    def _asking(self) -> dict[str, Any]:
        return {"images": self.recipe.images, "prompts": self.recipe.prompts}

    def tiny_model(self) -> TinyModelConfig:
        return TinyModelConfig(
            output_uri=self.model_uri["base"], seed=self.seed, **self.recipe.tiny_model
        )

    def prepare(self) -> PrepareConfig:
        source = {
            "adapter": "mimic_cxr_jpg",
            "uri": join(self.archive_uri, "mimic-cxr-jpg"),
            "boxes_uri": join(self.archive_uri, "vindr-cxr"),
        }
        values = {"sources": (source,), "images": self.recipe.images, **self.recipe.prepare}
        return PrepareConfig(**self._stage("manifest"), **values)

    def sft(self) -> SftConfig:
        return SftConfig(
            **self._stage("sft"),
            **self._asking,
            model_uri=self.model_uri["base"],
            manifest_uri=self.manifest_uri,
            **self.recipe.sft,
        )

    def filter(self) -> FilterConfig:
        return FilterConfig(
            **self._stage("selected"),
            **self._asking,
            model_uri=self.model_uri["SFT"],
            manifest_uri=self.manifest_uri,
            engine=self.recipe.engine,
            rewards=self.recipe.rewards,
            **self.recipe.filter,
        )

    def grpo(self) -> GrpoConfig:
        return GrpoConfig(
            **self._stage("grpo"),
            **self._asking,
            model_uri=self.model_uri["SFT"],
            manifest_uri=join(BUCKET, "selected"),
            engine=self.recipe.engine,
            rewards=self.recipe.rewards,
            **self.recipe.grpo,
        )

    def predict(self, model: str, mode: str = "reasoning") -> PredictConfig:
        """Greedy answers to held-out questions."""
        name = model.lower() if mode == "reasoning" else f"{model.lower()}-{mode}"
        return self._predict(
            f"predictions/{name}",
            model,
            mode=mode,
            manifest_uri=self.manifest_uri,
            max_per_kind=self.recipe.test_rows_per_kind,
            sampling=SamplingConfig(max_tokens=self.recipe.max_tokens),
        )

    def sampled(self, model: str) -> PredictConfig:
        """Sampled answers to held-out questions of the kinds that GRPO optimises."""
        sampling = self.grpo().sampling
        return self._predict(
            f"predictions/{model.lower()}-sampled",
            model,
            manifest_uri=self.manifest_uri,
            kinds=self.filter().kinds,
            max_per_kind=self.recipe.sampled_rows_per_kind,
            sampling=sampling.model_copy(update={"seed": self.seed}),
        )

    def real(self, images_uri: str) -> PredictConfig:
        """Real films, which the demo's model has never seen the like of."""
        return self._predict(
            "predictions/real",
            "GRPO",
            images_uri=images_uri,
            max_failure_rate=1.0,
            sampling=SamplingConfig(max_tokens=self.recipe.max_tokens),
        )

    def _predict(self, name: str, model: str, **values: Any) -> PredictConfig:
        return PredictConfig(
            **self._stage(name),
            **self._asking,
            model_uri=self.model_uri[model],
            engine=self.recipe.engine,
            **values,
        )

    def evaluate(self) -> EvaluateConfig:
        return EvaluateConfig(
            **self._stage("evaluation"),
            manifest_uri=self.manifest_uri,
            predictions_uri={name: self.predict(name).output_uri for name in self.model_uri},
        )

    def probe(self, model: str) -> ProbeConfig:
        """What the reasoning of a model is worth, on held-out questions."""
        return ProbeConfig(
            **self._stage(f"probes/{model.lower()}"),
            **self._asking,
            model_uri=self.model_uri[model],
            model_name=model,
            manifest_uri=self.manifest_uri,
            engine=self.recipe.engine,
            answer_tokens=self.recipe.max_tokens,
            **self.recipe.probe,
        )

    @property
    def responses_uri(self) -> str:
        """Where the answers of the simulated readers lie."""
        return join(BUCKET, "readers", RESPONSES)

    def figures(self, output_uri: str) -> FiguresConfig:
        """The ten figures, of every result of the run."""
        stages = (self.prepare(), self.sft(), self.filter(), self.grpo(), self.evaluate())
        predictions = (self.predict("SFT"), self.predict("GRPO"))
        probes = (self.probe("SFT"), self.probe("GRPO"))
        uris = [config.output_uri for config in (*stages, *predictions, *probes)]
        return FiguresConfig(output_uri=output_uri, runs_uri=(*uris, self.responses_uri))

    def serve(self, port: int) -> ServeConfig:
        return ServeConfig(
            model_uri=self.model_uri["GRPO"], port=port, engine=self.recipe.engine, ray=RAY
        )
