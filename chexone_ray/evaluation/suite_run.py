"""Runs a suite: rows of each setting, the answers of each model to them, one folder of tables.

Every step is complete-or-resume, so a killed run goes on with the part that is missing. A setting
whose data are not configured is listed as such in `suite.json` and on the page.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from chexone_ray import checkpoints, predict, storage
from chexone_ray.config import (
    EvaluateConfig,
    PredictConfig,
    SamplingConfig,
    SettingData,
    Settings,
    SuiteModel,
)
from chexone_ray.data import manifest, stream
from chexone_ray.engine.lease import leased_pool
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import learned, output
from chexone_ray.evaluation import suite as suites
from chexone_ray.evaluation.harness import SettingRuns, evaluate_settings, join_for_texts
from chexone_ray.evaluation.predictions import refuse_unfinished
from chexone_ray.evaluation.same_rows import digests, digests_of, unlike
from chexone_ray.evaluation.suite import Suite, SuiteSetting
from chexone_ray.evaluation.suite_rows import Rows, prepare_config, rows_of
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.systems.table import ADAPTERS

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
        ChexoneError: as `check` does, or given predictions are of other rows than a setting's.
    """
    check(config)
    of_reports = learned.metrics_of(config.learned)  # before hours of predictions
    suite = suites.load(config.suite or "")
    configured = _configured(config, suite)
    suites.refuse_headlines([setting for setting, _ in configured], config, of_reports)
    join_for_texts(config)
    asked = {
        setting.name: (setting, rows_of(setting, data, config)) for setting, data in configured
    }
    answers: dict[str, dict[str, str]] = {name: {} for name in asked}
    for name, model in config.models.items():
        found = (
            _answered(name, model, asked, config) if model.answers else _given(name, model, asked)
        )
        for setting, uri in found.items():
            answers[setting][name] = uri
    runs = {
        name: SettingRuns(rows.source_uri, answers[name], setting.headline)
        for name, (setting, rows) in asked.items()
        if answers[name]
    }
    if not runs:
        raise ChexoneError(
            f"suite {config.suite}: no model has predictions of a configured setting: check "
            "evaluate.models; predictions_uri holds one folder a setting"
        )
    listed = listing(
        suites.chosen(suite, config), {n: rows for n, (_, rows) in asked.items()}, runs
    )
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


def _answered(
    name: str,
    model: SuiteModel,
    asked: Mapping[str, tuple[SuiteSetting, Rows]],
    config: EvaluateConfig,
) -> dict[str, str]:
    """Predictions of one model on every setting that it can answer, over one pool; none is started
    if all is there.

    What engines an adapter needs is known to `predict` alone, which then starts them each time.
    """
    wanted = {
        setting.name: predict_config(name, model, setting, rows, config)
        for setting, rows in asked.values()
        if can_answer(model, setting)
    }
    done = all(storage.committed(one.output_uri) is not None for one in wanted.values())
    if done or model.adapter is not None or model.endpoint is not None:
        return {setting: predict.predict(one) for setting, one in wanted.items()}
    first = checkpoints.as_trained(next(iter(wanted.values())))
    with leased_pool(first, None) as pool:
        return {setting: predict.predict(one, pool) for setting, one in wanted.items()}


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


def _given(
    name: str, model: SuiteModel, asked: Mapping[str, tuple[SuiteSetting, Rows]]
) -> dict[str, str]:
    """The predictions that are there, by setting: each must be of the setting's rows, all of
    them."""
    found = {}
    for setting, rows in asked.values():
        uri = _given_uri(model, setting)
        if not storage.list_files(uri):
            continue
        wanted = digests(stream.iter_samples(rows.manifest_uri, setting.split))
        odd = unlike(wanted, digests_of(uri), ("the setting", "the answers"))
        if odd:
            raise ChexoneError(
                f"evaluate.models.{name}: {uri} does not answer the {len(wanted)} rows of setting "
                f"{setting.name} ({odd}): answer the rows of {rows.manifest_uri}, or put "
                "answers on them by `chexone results import --manifest_uri`"
            )
        found[setting.name] = uri
    return found


# --- what the results say of the suite -----------------------------------------------------------


def listing(
    settings: Sequence[SuiteSetting], rows: Mapping[str, Rows], runs: Mapping[str, SettingRuns]
) -> list[dict[str, Any]]:
    """Every chosen setting and what became of it, in the order of the suite."""
    return [
        {
            "setting": setting.name,
            "group": setting.group,
            "status": _status(setting.name, rows, runs),
            "headline": setting.headline,
            "num_rows": rows[setting.name].num_rows if setting.name in rows else None,
            "published_rows": setting.published_rows,
            "file": setting.file,
            "models": list(runs[setting.name].predictions) if setting.name in runs else [],
            "note": setting.note,
        }
        for setting in settings
    ]


def _status(name: str, rows: Mapping[str, Rows], runs: Mapping[str, SettingRuns]) -> Status:
    if name not in rows:
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
    for status in ("evaluated", "not configured", "no predictions"):
        count = sum(one["status"] == status for one in listed)
        logger.info("suite: %d settings %s", count, status)
