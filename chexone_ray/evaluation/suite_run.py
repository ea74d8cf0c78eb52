"""Runs a suite: rows of each setting, the answers of each model to them, one folder of tables.

Every step is complete-or-resume, so a killed run goes on with the part that is missing. A setting
whose data are not configured is listed as such in `suite.json` and on the page.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from chexone_ray import answering, predict, storage
from chexone_ray.config import (
    EvaluateConfig,
    PredictConfig,
    SamplingConfig,
    SettingData,
    Settings,
    SuiteModel,
)
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import learned, output
from chexone_ray.evaluation import suite as suites
from chexone_ray.evaluation.harness import SettingRuns, evaluate_settings, join_for_texts
from chexone_ray.evaluation.predictions import refuse_unfinished
from chexone_ray.evaluation.same_rows import digests, digests_of, unlike
from chexone_ray.evaluation.suite import Suite, SuiteSetting
from chexone_ray.evaluation.suite_rows import Rows, prepare_config, rows_of
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.systems.choice import settled
from chexone_ray.systems.table import ADAPTERS

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

Status = Literal["evaluated", "not configured", "no predictions"]


def check(config: EvaluateConfig) -> None:
    """What can be wrong before anything starts.

    Raises:
        ChexoneError: an unknown suite, setting, data set or model, or nothing is configured, or
            data are not there, or predictions not complete, or the output folder holds something
            else.
    """
    output.refuse(config.output_uri, config)
    configured = _configured(config, suites.load(config.suite or ""))
    suites.refuse_headlines([setting for setting, _ in configured], config)
    for name, model in config.models.items():
        if model.answers:
            _check_model(name, model, [setting for setting, _ in configured], config)
    for setting, data in configured:
        _check_data(setting, data, config)
        for model in config.models.values():
            # None at all is no error yet: the first run writes the rows that are to be answered.
            if not model.answers and storage.list_files(uri := _given_uri(model, setting)):
                refuse_unfinished(uri)


def _check_data(setting: SuiteSetting, data: SettingData, config: EvaluateConfig) -> None:
    """Raises ChexoneError where the manifest, or the archive that is not prepared yet, is not
    there."""
    from chexone_ray.data.preflight import preflight

    if data.manifest_uri is not None:
        manifest.load(data.manifest_uri)
        return
    wanted = prepare_config(setting, data, config)
    if storage.committed(wanted.output_uri) is None:
        preflight(wanted)


def _check_model(
    name: str, model: SuiteModel, configured: Sequence[SuiteSetting], config: EvaluateConfig
) -> None:
    nothing = Rows("none", "none", 0)
    asked = []
    for setting in configured:
        try:
            made = predict_config(name, model, setting, nothing, config)
        except ValidationError as error:
            told = error.errors(include_url=False)[0]
            where = ".".join(map(str, told["loc"]))
            raise ChexoneError(
                f"evaluate.models.{name}, setting {setting.name}: "
                f"{f'{where}: ' if where else ''}{told['msg']}"
            ) from None
        if can_answer(model, setting):
            asked.append(made)
    if not asked:
        raise ChexoneError(
            f"evaluate.models.{name}: its adapter {model.adapter} can be asked nothing of the "
            f"configured settings {', '.join(one.name for one in configured)}: drop the model"
        )
    try:
        predict.check(asked[0])
    except ChexoneError as error:
        raise ChexoneError(f"evaluate.models.{name}: {error}") from None


def run(config: EvaluateConfig) -> str:
    """Answer and measure every configured setting; returns `config.output_uri`, committed.

    Raises:
        ChexoneError: as `check` does, or given predictions are of other rows than a setting's, or
            of no configured setting.
    """
    check(config)
    of_reports = learned.metrics_of(
        config.learned, config.output_uri
    )  # before hours of predictions
    suite = suites.load(config.suite or "")
    configured = _configured(config, suite)
    suites.refuse_headlines([setting for setting, _ in configured], config, of_reports)
    join_for_texts(config)
    asked = {
        setting.name: (setting, rows_of(setting, data, config)) for setting, data in configured
    }
    found = _given(asked, config)  # first: an error of theirs does not wait for engines
    found |= _answered(asked, config)
    answers = {
        setting: {name: found[name][setting] for name in config.models if setting in found[name]}
        for setting in asked
    }
    runs = {
        name: SettingRuns(rows.source_uri, answers[name], setting.headline)
        for name, (setting, rows) in asked.items()
        if answers[name]
    }
    listed = listing(suites.chosen(suite, config), asked, runs, config.models)
    _record(suite, listed, config)
    return evaluate_settings(
        config.output_uri,
        runs,
        bootstrap=config.bootstrap,
        seed=config.seed,
        baselines=config.baselines,
        randomisations=config.randomisations,
        record=config,
        notes=notes(suite, listed),
        text_tasks=config.text_tasks,
        of_reports=of_reports,
    )


def _configured(config: EvaluateConfig, suite: Suite) -> list[tuple[SuiteSetting, SettingData]]:
    chosen = suites.chosen(suite, config)
    places = [(setting, suites.place_of(setting, config.data)) for setting in chosen]
    found = [(setting, data) for setting, data in places if data is not None]
    if not found:
        raise ChexoneError(
            f"suite {config.suite}: no setting is configured: give evaluate.data.NAME.uri of at "
            f"least one of {', '.join(setting.name for setting in chosen)}"
        )
    return found


Asked = Mapping[str, tuple[SuiteSetting, Rows]]
"""Name of a configured setting -> it and its rows."""


def _answered(asked: Asked, config: EvaluateConfig) -> dict[str, dict[str, str]]:
    """Model that answers -> setting that it can be asked -> predictions.

    Models of one checkpoint and like engines, such as both modes of it, share a pool for all of
    their settings; none is started where all is there.
    """
    wanted: dict[str, dict[str, PredictConfig]] = {}
    sharing: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, model in config.models.items():
        if not model.answers:
            continue
        wanted[name] = {
            setting.name: predict_config(name, model, setting, rows, config)
            for setting, rows in asked.values()
            if can_answer(model, setting)
        }
        first = settled(next(iter(wanted[name].values())))
        sharing[answering.engines_key(first)].append(name)
    found: dict[str, dict[str, str]] = {}
    for names in sharing.values():
        ours = [one for name in names for one in wanted[name].values()]
        with _pool(ours) as pool:
            for name in names:
                found[name] = {
                    setting: predict.predict(one, pool) for setting, one in wanted[name].items()
                }
    return found


@contextmanager
def _pool(wanted: Sequence[PredictConfig]) -> Iterator[EnginePool | None]:
    """The engines for what is not there yet; None for an endpoint, and where all is there."""
    missing = [one for one in wanted if storage.committed(one.output_uri) is None]
    if not missing or missing[0].endpoint is not None:
        yield None
        return
    with answering.engines(settled(missing[0])) as pool:
        yield pool


def can_answer(model: SuiteModel, setting: SuiteSetting) -> bool:
    """False where the adapter cannot be asked one of the setting's kinds: part of its rows would be
    compared with all of them of another model."""
    adapter = ADAPTERS.get(model.adapter or "")
    return adapter is None or not adapter.kinds or set(setting.kinds) <= set(adapter.kinds)


def predict_config(
    name: str, model: SuiteModel, setting: SuiteSetting, rows: Rows, config: EvaluateConfig
) -> PredictConfig:
    """How one model answers one setting: with what was given and nothing else, so that what its
    adapter or checkpoint says counts for the rest."""
    asking = config.predict
    given = _set_fields(asking) | _set_fields(model)
    sampling = asking.sampling.model_dump(exclude_unset=True)
    if setting.temperature is not None:
        sampling |= {"n": setting.num_answers, "temperature": setting.temperature}
    if sampling:
        given["sampling"] = SamplingConfig(**sampling)
    if model.endpoint is not None:
        given.pop("engine", None)  # of the models beside it
    return PredictConfig(
        output_uri=storage.join(config.output_uri, "predictions", name, setting.name),
        seed=config.seed,
        ray=config.ray,
        manifest_uri=rows.manifest_uri,
        split=setting.split,
        **given,
    )


def _set_fields(settings: Settings) -> dict[str, Any]:
    """What was given, by name, but for nulls."""
    found = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    return {name: value for name, value in found.items() if value is not None}


def _given_uri(model: SuiteModel, setting: SuiteSetting) -> str:
    return storage.join(model.predictions_uri or "", setting.name)


def _given(asked: Asked, config: EvaluateConfig) -> dict[str, dict[str, str]]:
    """Model whose predictions are there -> setting -> its folder: each must be of the setting's
    rows, all of them.

    Raises:
        ChexoneError: predictions of other rows, or a model without any.
    """
    found: dict[str, dict[str, str]] = {}
    for name, model in config.models.items():
        if model.answers:
            continue
        found[name] = {
            setting.name: uri
            for setting, _ in asked.values()
            if storage.list_files(uri := _given_uri(model, setting))
        }
        for setting, uri in found[name].items():
            _refuse_other_rows(name, uri, *asked[setting])
    without = [name for name, places in found.items() if not places]
    if without:
        raise ChexoneError(
            f"evaluate.models: no predictions of {', '.join(without)} for a configured setting: "
            "predictions_uri holds one folder a setting; drop the model, or put its answers on the "
            f"rows in {storage.join(config.output_uri, 'manifests')} by `chexone results import`"
        )
    return found


def _refuse_other_rows(name: str, uri: str, setting: SuiteSetting, rows: Rows) -> None:
    wanted = digests(stream.iter_samples(rows.manifest_uri, setting.split))
    odd = unlike(wanted, digests_of(uri), ("the setting", "the answers"))
    if odd:
        raise ChexoneError(
            f"evaluate.models.{name}: {uri} does not answer the {len(wanted)} rows of setting "
            f"{setting.name} ({odd}): answer the rows of {rows.manifest_uri}, or put answers on "
            "them by `chexone results import --manifest_uri`"
        )


# --- what the results say of the suite -----------------------------------------------------------


def listing(
    settings: Sequence[SuiteSetting],
    asked: Asked,
    runs: Mapping[str, SettingRuns],
    models: Mapping[str, SuiteModel],
) -> list[dict[str, Any]]:
    """Every chosen setting and what became of it, in the order of the suite; `missing` is why a
    model has no figures of a configured one."""
    return [
        {
            "setting": setting.name,
            "group": setting.group,
            "status": _status(setting.name, asked, runs),
            "headline": setting.headline,
            "num_rows": asked[setting.name][1].num_rows if setting.name in asked else None,
            "published_rows": setting.published_rows,
            "file": setting.file,
            "models": list(_predictions(setting, runs)),
            "missing": {
                name: "its adapter cannot be asked this" if model.answers else "no predictions"
                for name, model in models.items()
                if setting.name in asked and name not in _predictions(setting, runs)
            },
            "note": setting.note,
        }
        for setting in settings
    ]


def _predictions(setting: SuiteSetting, runs: Mapping[str, SettingRuns]) -> Mapping[str, str]:
    return runs[setting.name].predictions if setting.name in runs else {}


def _status(name: str, asked: Asked, runs: Mapping[str, SettingRuns]) -> Status:
    if name not in asked:
        return "not configured"
    return "evaluated" if name in runs else "no predictions"


def notes(suite: Suite, listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the page says of the suite: what is missing, and where the rows are not the original's
    in number."""
    found = [f"Suite: {suite.title}"]
    if suite.published_settings is not None:
        found.append(
            f"The published suite has {suite.published_settings} settings; {len(suite.settings)} "
            "are known by the names of test files, the others are not known."
        )
    for status in ("not configured", "no predictions"):
        names = [one["setting"] for one in listed if one["status"] == status]
        if names:
            found.append(f"Settings without figures ({status}): {', '.join(names)}.")
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in listed:
        for model, why in one["missing"].items():
            lacking[model, why].append(one["setting"])
    found += [f"No figures of {m} ({why}): {', '.join(of)}." for (m, why), of in lacking.items()]
    odd = [
        f"{one['setting']} ({one['num_rows']:,} of {one['published_rows']:,})"
        for one in listed
        if one["num_rows"] and one["published_rows"] not in (None, one["num_rows"])
    ]
    if odd:
        found.append(f"Rows that are not as many as published: {', '.join(odd)}.")
    return found


def _record(suite: Suite, listed: Sequence[Mapping[str, Any]], config: EvaluateConfig) -> None:
    storage.write_json(
        storage.join(config.output_uri, output.SUITE_FILE),
        {
            "notice": RESEARCH_USE_ONLY,
            "suite": config.suite,
            "title": suite.title,
            "published_settings": suite.published_settings,
            "settings": listed,
        },
    )
    for setting in listed:
        for model, why in setting["missing"].items():
            logger.warning("suite: no figures of %s in %s: %s", model, setting["setting"], why)
    for status in ("evaluated", "not configured", "no predictions"):
        count = sum(one["status"] == status for one in listed)
        logger.info("suite: %d settings %s", count, status)
