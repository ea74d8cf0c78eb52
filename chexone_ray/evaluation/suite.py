"""A suite: evaluation settings by name, each with its data set, rows, metric and what is known of
the test file that it stands for. Suites are TOML files in `suites/`, or of a user's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from chexone_ray.config import Adapter, EvaluateConfig, SettingData, Settings, Uncertain, loader
from chexone_ray.config.tables import PositiveInt
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import learned
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.metric import Metric
from chexone_ray.evaluation.reasoned import CONSISTENCY, FACTUALITY, OF_NO_FINDING, STATING
from chexone_ray.evaluation.reasoned import NAMES as REASONING
from chexone_ray.kinds import form
from chexone_ray.records import Sample

FOLDER = Path(__file__).parent / "suites"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class SuiteSetting(Settings):
    """One evaluation setting: which rows of which data set, and what is reported of them."""

    name: Name = Field(description="Also the name of its folders.")
    group: Literal["vqa", "report", "grounding", "reasoning"] = Field(
        description="As the paper groups its settings."
    )
    adapter: Adapter | None = Field(
        None, description="Data set as `prepare` reads it; none where only a manifest can be given."
    )
    split: Literal["validate", "test"] = Field("test", description="Held-out split.")
    whole: bool = Field(
        False, description="The data set has no split of its own: all of it is held out."
    )
    uncertain: Uncertain = Field("keep", description="Policy of uncertain labels, as in sources.")
    kinds: tuple[str, ...] = Field(min_length=1, description="Question kinds.")
    headline: str = Field(description="Metric that stands first; one of each kind that has it.")
    topics: tuple[str, ...] = Field((), description="The data set's categories; all by default.")
    max_images: PositiveInt | None = Field(None, description="Only questions with at most so many.")
    num_boxes: PositiveInt | None = Field(None, description="Only questions with so many boxes.")
    max_rows: PositiveInt | None = Field(
        None, description="The first so many of what is left, in the shuffled order."
    )
    max_views: PositiveInt = Field(4, description="Most images of a report, as in `prepare`.")
    num_answers: PositiveInt = Field(1, description="Completions a question.")
    temperature: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Of the sampling, where several answers are asked for."
    )
    file: str = Field("", description="Name of the original's test file, where it is known.")
    published_rows: PositiveInt | None = Field(
        None, description="Its size, where it is known: results show it beside ours."
    )
    note: str = Field("", description="What is ours in this setting, or not known.")

    @model_validator(mode="after")
    def _sampled(self) -> SuiteSetting:
        if (self.num_answers > 1) != (self.temperature is not None):
            raise ValueError(
                f"setting {self.name}: num_answers above 1 and temperature go together: set both "
                "or none"
            )
        if self.whole and self.split != "test":
            raise ValueError(f"setting {self.name}: whole=true is of split test: drop one")
        return self

    def is_of(self, sample: Sample) -> bool:
        """True for a row of the setting, before `max_rows`. Its split is looked at elsewhere."""
        return (
            (self.adapter is None or sample.dataset == self.adapter)
            and sample.kind in self.kinds
            and (not self.topics or sample.topic in self.topics)
            and (self.max_images is None or len(sample.images) <= self.max_images)
            and (self.num_boxes is None or len(sample.boxes) == self.num_boxes)
        )


class Suite(Settings):
    """Settings that are evaluated together."""

    title: str = Field(description="One line on what it is.")
    published_settings: PositiveInt | None = Field(
        None, description="How many settings the published suite has, where it stands for one."
    )
    settings: tuple[SuiteSetting, ...] = Field(min_length=1, description="In order of the table.")


def names() -> list[str]:
    """The suites of the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """A suite of the package by name, or one in a TOML file on this machine.

    Raises:
        ChexoneError: there is none, or it names a kind or metric that is not known.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ChexoneError(
            f"suite {name}: not known: use {' or '.join(names())}, or the path of a TOML file"
        )
    suite = loader.load_file(Suite, path, "--suite")
    for called, count in Counter(setting.name for setting in suite.settings).items():
        if count > 1:
            raise ChexoneError(f"suite {name}: {count} settings are called {called}: rename them")
    for setting in suite.settings:
        _check(name, setting)
    return suite


def _check(suite: str, setting: SuiteSetting) -> None:
    for kind in setting.kinds:
        if kind not in METRICS:
            raise ChexoneError(
                f"suite {suite}, setting {setting.name}: kind {kind!r} is not known; there are "
                f"{', '.join(METRICS)}"
            )
    for name in ("kinds", "topics"):
        given: tuple[str, ...] = getattr(setting, name)
        twice = next((one for one in given if given.count(one) > 1), None)
        if twice is not None:
            raise ChexoneError(
                f"suite {suite}, setting {setting.name}: {name} names {twice!r} twice: drop one"
            )
    if setting.headline in (FACTUALITY, STATING) and OF_NO_FINDING.issuperset(setting.kinds):
        raise ChexoneError(
            f"suite {suite}, setting {setting.name}: {', '.join(setting.kinds)} has no figure "
            f"{setting.headline!r}, as its references state no finding: give another headline"
        )
    known = dict.fromkeys(metric.name for kind in setting.kinds for metric in METRICS[kind])
    if setting.headline == CONSISTENCY and setting.num_answers == 1:
        raise ChexoneError(
            f"suite {suite}, setting {setting.name}: headline {setting.headline!r} is of several "
            "answers: set num_answers and temperature"
        )
    is_learned = learned.tables_of(setting.headline) and any(
        form(kind) == "report" for kind in setting.kinds
    )
    if not is_learned and setting.headline not in (*known, *REASONING):
        raise ChexoneError(
            f"suite {suite}, setting {setting.name}: headline {setting.headline!r} is no metric of "
            f"its kinds: use {' or '.join(known)}"
        )


def refuse_headlines(
    settings: Iterable[SuiteSetting], config: EvaluateConfig, found: Sequence[Metric] | None = None
) -> None:
    """Raises ChexoneError for a headline by a model that is not computed: a table of it is not in
    `config.learned`, or it is not among the metrics `found`, once they are loaded."""
    for setting in settings:
        tables = learned.tables_of(setting.headline)
        told = f"suite {config.suite}, setting {setting.name}: headline {setting.headline!r}"
        missing = [f"learned.{name}" for name in tables if getattr(config.learned, name) is None]
        if missing:
            raise ChexoneError(
                f"{told} is not computed without {' and '.join(missing)}: give what is missing, or "
                "another headline"
            )
        names = [metric.name for metric in found or ()]
        if tables and found is not None and setting.headline not in names:
            raise ChexoneError(f"{told} is not computed: evaluate.learned gives {', '.join(names)}")


def chosen(suite: Suite, config: EvaluateConfig) -> list[SuiteSetting]:
    """The settings that `config.settings` names, all for none, in the order of the suite.

    Raises:
        ChexoneError: `settings` or `data` names something that the suite does not have.
    """
    of_suite = {setting.name for setting in suite.settings}
    adapters = {setting.adapter for setting in suite.settings if setting.adapter}
    for given, known in ((config.settings, of_suite), (config.data, of_suite | adapters)):
        for name in given:
            if name not in known:
                where = "settings" if given is config.settings else "data"
                raise ChexoneError(
                    f"evaluate.{where}: {name} is not in suite {config.suite}, which has "
                    f"{', '.join(sorted(known))}"
                )
    return [s for s in suite.settings if not config.settings or s.name in config.settings]


def place_of(setting: SuiteSetting, data: Mapping[str, SettingData]) -> SettingData | None:
    """Where the data of a setting are, by its name or else its adapter; None if not configured.

    Raises:
        ChexoneError: the setting has no adapter that could read an archive.
    """
    found = data.get(setting.name) or data.get(setting.adapter or "")
    if found is not None and found.uri is not None and setting.adapter is None:
        raise ChexoneError(
            f"evaluate.data.{setting.name}: no adapter reads this data set: give manifest_uri "
            "instead of uri"
        )
    return found
