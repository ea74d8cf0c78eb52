"""Settings of the metrics of reports that need a model; each table that is given is computed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from chexone_ray.config.tables import PositiveInt, Settings, Uri
from chexone_ray.config.tracing import EndpointConfig

MODEL = "Folder, URI or hub name with its organisation."
Below1 = Annotated[float, Field(lt=1)]


class BertScoreTable(Settings):
    """BERTScore F1, without idf."""

    model: Uri = Field(description=MODEL)
    layer: int = Field(ge=0, description="Hidden layer whose vectors are compared.")
    baseline: tuple[Below1, Below1, Below1] | None = Field(
        None,
        description="Precision, recall, F1 of random pairs, to rescale by; none: no rescaling.",
    )
    batch_size: PositiveInt = Field(64, description="Texts a batch.")


class CheXbertTable(Settings):
    """SembScore and F1 over CheXbert's labels."""

    weights_uri: Uri = Field(description="The published chexbert.pth.")
    bert: Uri = Field(description=f"bert-base-uncased, for words and sizes. {MODEL}")
    batch_size: PositiveInt = Field(32, description="Reports a batch.")


class RadGraphTable(Settings):
    """RadGraph F1 by each definition; needs the package radgraph."""

    model_type: str = Field(description="As the package calls it, such as modern-radgraph-xl.")


class RateScoreTable(Settings):
    """RaTEScore; needs the package RaTEScore."""

    entities_model: Uri = Field(description=f"Finds the entities. {MODEL}")
    embedding_model: Uri = Field(description=f"Compares them. {MODEL}")
    affinity: str = Field("long", description="Weights of the types, as the package calls them.")


class RadEvalTable(Settings):
    """Metrics of the package radeval, by its names."""

    metrics: tuple[str, ...] = Field(min_length=1, description="What the package is asked for.")
    figures: tuple[str, ...] = Field(
        (), description="Names in its result that become figures; by default those of metrics."
    )


class GreenTable(Settings):
    """GREEN by a language model behind an endpoint."""

    endpoint: EndpointConfig = Field(description="The judge; report text goes there.")
    max_tokens: PositiveInt = Field(1024, description="Longest answer of the judge.")


class LearnedConfig(Settings):
    """Metrics that need a model, in the process of `evaluate`. RadCliQ-v0 and v1 come with
    radgraph, bertscore and chexbert together."""

    device: str = Field("cpu", description="Of the models, such as cuda:0.")
    bertscore: BertScoreTable | None = Field(
        None, description="BERTScore F1 of reports; none: not computed."
    )
    chexbert: CheXbertTable | None = Field(
        None, description="SembScore and label F1 by CheXbert; none: not computed."
    )
    radgraph: RadGraphTable | None = Field(
        None, description="RadGraph F1 by the package radgraph; none: not computed."
    )
    ratescore: RateScoreTable | None = Field(
        None, description="RaTEScore by its package; none: not computed."
    )
    radeval: RadEvalTable | None = Field(
        None, description="Metrics of the package radeval; none: not computed."
    )
    green: GreenTable | None = Field(
        None, description="GREEN by a judge behind an endpoint; none: not computed."
    )

    @model_validator(mode="after")
    def _some(self) -> LearnedConfig:
        if "device" in self.model_fields_set and not any(
            getattr(self, name) for name in type(self).model_fields if name != "device"
        ):
            raise ValueError("learned.device has no effect without a metric: give one or drop it")
        return self
