"""The demo's settings: recipe.toml (recipe.quick.toml on top), made into stage configs."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

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
from chexone_ray.config.setting_texts import lines
from chexone_ray.errors import ChexoneError
from chexone_ray.kinds import KINDS
from chexone_ray.storage import join

S = TypeVar("S", bound=Settings)
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
        ChexoneError: the own file cannot be read, or a stage would refuse a value in it; one line
            for each thing that is wrong, up to the first table that has one.
    """
    folder = resources.files("chexone_ray.demo")
    values = tomllib.loads((folder / "recipe.toml").read_text())
    if quick:
        values = _merged(values, tomllib.loads((folder / "recipe.quick.toml").read_text()))
    try:
        if own is not None:
            values = _merged(values, tomllib.loads(Path(own).read_text()))
        recipe = _made(Recipe, values)
        Configs(recipe, seed=0).check()
    except (OSError, ValueError) as error:
        told = [f"demo.recipe={own}: {line}" for line in str(error).splitlines()]
        raise ChexoneError("\n".join(told)) from None
    return recipe


def _made(model: type[S], values: Mapping[str, Any], table: str = "") -> S:
    """The settings of these values, of the recipe's `table` or of the whole of it.

    Raises:
        ChexoneError: a line for each value that is refused.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        where = f"[{table}] " if table else ""
        raise ChexoneError("\n".join(where + line for line in lines(model, error))) from None


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


def _meant(kind: str, known: list[str]) -> str:
    near = difflib.get_close_matches(kind, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else f": use {', '.join(known)}"


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

    def check(self) -> None:
        """Make every stage's settings, and look whether the kinds that are asked for are prepared.

        Raises:
            ChexoneError: a stage would refuse its settings, or would find no row.
        """
        prepared = self.prepare().kinds or tuple(KINDS)
        for table, kinds in (
            ("prepare", self.prepare().kinds),
            ("thresholds", tuple(self.recipe.thresholds)),
            ("filter", self.filter().kinds),
            ("probe", self.probe("SFT").kinds),
        ):
            known = list(KINDS) if table == "prepare" else list(prepared)
            for kind in kinds:
                if kind not in known:
                    what = "a kind of question" if table == "prepare" else "one of prepare.kinds"
                    raise ChexoneError(f"[{table}] {kind} is not {what}{_meant(kind, known)}")
        for made in (self.tiny_model, self.sft, self.grpo, self.evaluate):
            made()
        for model in ("SFT", "GRPO"):
            self.predict(model)
            self.sampled(model)
            self.probe(model)
        self.real(".")
        self.serve(0)

    def _stage(self, name: str) -> dict[str, Any]:
        return {"output_uri": join(BUCKET, name), "seed": self.seed, "ray": RAY}

    def _made(self, model: type[S], table: str, **own: Any) -> S:
        """A stage's settings: the demo's own, and what the recipe's table of the stage says.

        Raises:
            ChexoneError: the stage refuses them, or the table sets what is the demo's own.
        """
        given = getattr(self.recipe, table)
        for name in own:
            if name in given:
                raise ChexoneError(f"[{table}] {name} is set by the demo itself: leave it out")
        return _made(model, {**own, **given}, table)

    @property
    def _asking(self) -> dict[str, Any]:
        return {"images": self.recipe.images, "prompts": self.recipe.prompts}

    def tiny_model(self) -> TinyModelConfig:
        return self._made(
            TinyModelConfig, "tiny_model", output_uri=self.model_uri["base"], seed=self.seed
        )

    def prepare(self) -> PrepareConfig:
        source = {
            "adapter": "mimic_cxr_jpg",
            "uri": join(self.archive_uri, "mimic-cxr-jpg"),
            "boxes_uri": join(self.archive_uri, "vindr-cxr"),
        }
        return self._made(
            PrepareConfig,
            "prepare",
            **self._stage("manifest"),
            sources=(source,),
            images=self.recipe.images,
        )

    def sft(self) -> SftConfig:
        return self._made(
            SftConfig,
            "sft",
            **self._stage("sft"),
            **self._asking,
            model_uri=self.model_uri["base"],
            manifest_uri=self.manifest_uri,
        )

    def filter(self) -> FilterConfig:
        return self._made(
            FilterConfig,
            "filter",
            **self._stage("selected"),
            **self._asking,
            model_uri=self.model_uri["SFT"],
            manifest_uri=self.manifest_uri,
            engine=self.recipe.engine,
            rewards=self.recipe.rewards,
        )

    def grpo(self) -> GrpoConfig:
        return self._made(
            GrpoConfig,
            "grpo",
            **self._stage("grpo"),
            **self._asking,
            model_uri=self.model_uri["SFT"],
            manifest_uri=join(BUCKET, "selected"),
            engine=self.recipe.engine,
            rewards=self.recipe.rewards,
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
        return self._made(
            ProbeConfig,
            "probe",
            **self._stage(f"probes/{model.lower()}"),
            **self._asking,
            model_uri=self.model_uri[model],
            model_name=model,
            manifest_uri=self.manifest_uri,
            engine=self.recipe.engine,
            answer_tokens=self.recipe.max_tokens,
        )

    @property
    def responses_uri(self) -> str:
        """Where the answers of the simulated readers lie."""
        return join(BUCKET, "readers", RESPONSES)

    def figures(self, output_uri: str, responses: bool) -> FiguresConfig:
        """The ten figures, of every result of the run; `responses` where readers answered."""
        stages = (self.prepare(), self.sft(), self.filter(), self.grpo(), self.evaluate())
        predictions = (self.predict("SFT"), self.predict("GRPO"))
        probes = (self.probe("SFT"), self.probe("GRPO"))
        uris = [config.output_uri for config in (*stages, *predictions, *probes)]
        read = (self.responses_uri,) if responses else ()
        return FiguresConfig(output_uri=output_uri, runs_uri=(*uris, *read))

    def serve(self, port: int) -> ServeConfig:
        return ServeConfig(
            model_uri=self.model_uri["GRPO"], port=port, engine=self.recipe.engine, ray=RAY
        )
