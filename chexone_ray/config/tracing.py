"""The settings of `trace`: who writes the traces, and what a trace has to be to stay."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from chexone_ray.config.tables import (
    EngineConfig,
    ImageConfig,
    PositiveInt,
    SamplingConfig,
    Settings,
    Share,
    Stage,
    Uri,
)

Usd = Annotated[float, Field(ge=0)]


class EndpointConfig(Settings):
    """An OpenAI-compatible chat endpoint as teacher or as what is evaluated.

    Of the environment the key alone is taken: no proxy, organisation, project, header or address.
    """

    url: str = Field(min_length=1, description="Base of the API, such as http://127.0.0.1:8000/v1.")
    model: str = Field(min_length=1, description="Model name in the API.")
    api_key_env: str | None = Field(
        None, description="NAME of the environment variable that holds the key; no key by default."
    )
    send_reports: bool = Field(
        False,
        description="Consent: report text, questions, answers and films may leave this machine.",
    )
    max_in_flight: PositiveInt = Field(8, description="Requests under way at a time.")
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        300, description="Until one request is answered; counted anew for every repeat."
    )
    max_retries: int = Field(
        4, ge=0, description="Repeats after 408, 409, 5xx, timeouts and lost connections."
    )
    requests_per_minute: PositiveInt | None = Field(
        None,
        description="Limit of the server: requests go evenly spaced. Without it, and after HTTP "
        "429 in any case, all wait as the server asks, or longer and longer, until it has answered "
        "nobody for timeout_s.",
    )
    tokens_per_minute: PositiveInt | None = Field(
        None, description="The same for prompt and written tokens, as the server tells them."
    )
    usd_per_million_prompt_tokens: Usd | None = Field(
        None, description="Price, for the cost in log and report; not stated by default."
    )
    usd_per_million_completion_tokens: Usd | None = Field(
        None, description="Price of what the model writes."
    )

    @property
    def host(self) -> str:
        """Host and port that are asked, for logs and errors."""
        return urlsplit(self.url).netloc

    @property
    def place(self) -> str:
        """The URL in one form, with its port: who answers, with the model's name."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"

    @property
    def is_local(self) -> bool:
        """True where the URL names the loopback: an address of this machine on a network may be
        another machine's tomorrow."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    def usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None where no price is set."""
        prices = (self.usd_per_million_prompt_tokens, self.usd_per_million_completion_tokens)
        if prices[0] is None or prices[1] is None:
            return None
        return (prompt_tokens * prices[0] + completion_tokens * prices[1]) / 1e6

    def refuse_no_effect(self, stage: str, sampling: SamplingConfig) -> None:
        """Raise ValueError for sampling that the chat API does not know."""
        for name, plain in (("top_k", 0), ("repetition_penalty", 1.0)):
            if getattr(sampling, name) != plain:
                raise ValueError(
                    f"{stage}.sampling.{name} is not part of the chat API and has no effect with "
                    "endpoint: drop it"
                )

    @model_validator(mode="after")
    def _consented(self) -> EndpointConfig:
        # Messages do not show the values: a key may stand where it does not belong.
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("endpoint.url is no http:// or https:// address: correct it")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "endpoint.url holds more than an address: take user, password and query out of "
                "it, and name the variable of the key in endpoint.api_key_env"
            )
        if self.api_key_env is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.api_key_env):
            raise ValueError(
                "endpoint.api_key_env is no name of an environment variable (capitals, digits and "
                "_): give the name, never the key itself"
            )
        if not self.is_local and not self.send_reports:
            raise ValueError(
                f"endpoint.url names {parts.hostname}, which is not a loopback address: report "
                "text, questions, answers and films may leave this machine, and the licences of "
                "credentialed data (MIMIC-CXR, VinDr-CXR, ...) forbid to send them to others. Use "
                "a local model (model_uri), or set endpoint.send_reports=true if you may send them"
            )
        prices = (self.usd_per_million_prompt_tokens, self.usd_per_million_completion_tokens)
        if (prices[0] is None) != (prices[1] is None):
            raise ValueError(
                "endpoint.usd_per_million_prompt_tokens and usd_per_million_completion_tokens go "
                "together: set both or none"
            )
        return self


class TraceFilters(Settings):
    """What a trace has to be to stay; one of a report, of no film or of nothing never stays."""

    min_agreement: Share = Field(
        0.8,
        description="Reward of the trace's own answer; questions with options need the right one.",
    )
    min_entity_precision: Share = Field(
        1.0, description="Share of the findings it states that the reference bears out."
    )
    min_words: PositiveInt = Field(15, description="Words before the answer.")
    max_words: PositiveInt = Field(400, description="Words before the answer at most.")
    max_repetition: Share = Field(0.2, description="Share of four-word runs that came before.")

    @model_validator(mode="after")
    def _ordered(self) -> TraceFilters:
        if self.min_words > self.max_words:
            raise ValueError(
                f"filters.min_words={self.min_words} is above filters.max_words={self.max_words}: "
                "lower it"
            )
        return self


class TraceConfig(Stage):
    """Manifest -> the same questions with reasoning traces that a teacher model wrote."""

    manifest_uri: Uri = Field(description="Manifest folder of `prepare`.")
    split: Literal["train", "validate", "test"] = Field("train", description="Split to trace.")
    kinds: tuple[str, ...] = Field((), description="Question kinds to trace; all by default.")
    max_per_kind: PositiveInt | None = Field(None, description="Rows traced a kind at most.")
    model_uri: str | None = Field(
        None, description="Teacher on engines of this cluster: hub name or URI; or give endpoint."
    )
    endpoint: EndpointConfig | None = Field(
        None, description="Teacher behind an OpenAI-compatible endpoint."
    )
    system: str = Field("", description="System turn of the teacher; none by default.")
    style: Literal["by_kind", "plain", "numbered"] = Field(
        "by_kind", description="One paragraph, numbered steps, or steps for reports only."
    )
    filters: TraceFilters = TraceFilters()
    keep_untraced: bool = Field(
        False, description="Keep rows without a trace, as instruct rows, instead of dropping them."
    )
    rows_per_part: PositiveInt = Field(
        128, description="Rows a part of the teacher's texts; progress is logged by part."
    )
    texts_uri: str | None = Field(
        None,
        description="Where the teacher's texts are kept and found again, for other filters too; "
        "OUTPUT_URI/texts by default.",
    )
    max_failure_rate: Share = Field(0.02, description="End the run when more rows than this fail.")
    # One text a row: a teacher that is told the answer seldom misses it. More give a choice.
    sampling: SamplingConfig = SamplingConfig(temperature=0.7, top_p=0.95, max_tokens=1024)
    images: ImageConfig = ImageConfig()
    engine: EngineConfig = EngineConfig()

    @model_validator(mode="after")
    def _one_teacher(self) -> TraceConfig:
        if (self.model_uri is None) == (self.endpoint is None):
            raise ValueError("trace: give exactly one teacher, model_uri or endpoint")
        if self.endpoint is None:
            return self
        if self.engine != EngineConfig():
            raise ValueError("trace.engine has no effect with endpoint: drop it")
        self.endpoint.refuse_no_effect("trace", self.sampling)
        return self

    @property
    def teacher(self) -> str:
        """The name of the model that writes."""
        return self.endpoint.model if self.endpoint else str(self.model_uri)
