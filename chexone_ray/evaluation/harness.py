"""Predictions of several models on the same rows -> figures, tested differences, tables and rows.

Whatever failed, was refused or could not be parsed counts as wrong and is reported beside the
figure. An evaluation has one or more settings: rows that all of a setting's models answered.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from chexone_ray import runtime, storage
from chexone_ray.config import EvaluateConfig, Settings
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import coverage, learned, output, reasoned, unread
from chexone_ray.evaluation.blind import baselines_of, by_chance
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.measures import Difference, Draws, Figure, Part, corrected, measure
from chexone_ray.evaluation.metric import Metric
from chexone_ray.evaluation.predictions import (
    Judged,
    all_answered,
    read_predictions,
    refuse_unfinished,
)
from chexone_ray.evaluation.rows import rows_table
from chexone_ray.evaluation.same_rows import REMEDY, digests, unlike
from chexone_ray.evaluation.table_formats import html, latex, markdown
from chexone_ray.evaluation.tables import Outcome, document
from chexone_ray.evaluation.text_rows import Computed, computed
from chexone_ray.kinds import form
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Sample

logger = logging.getLogger(__name__)

MAX_TRAIN_ROWS = 50_000
"""Of each kind, that baselines are fitted on: the first ones of a shuffled manifest."""


@dataclass(frozen=True)
class SettingRuns:
    """One evaluation setting: the manifest that was answered, and who answered it."""

    manifest_uri: str
    predictions: Mapping[str, str]
    """Model name -> predictions folder."""
    headline: str = ""
    """The metric that stands first where a kind has it; empty for the kind's own."""
    rows_checked: bool = True
    """Whether the rows are known to be the manifest's; else they are looked up there."""


Answers = dict[str, dict[str, Judged]]
"""Model -> kind -> rows."""


def check(config: EvaluateConfig) -> None:
    """What can be wrong before anything starts, of an evaluation without a suite.

    Raises:
        ChexoneError: the output folder holds something else, or predictions or the manifest are not
            there.
    """
    output.refuse(config.output_uri, config)
    for uri in config.predictions_uri.values():
        refuse_unfinished(uri)
    if config.manifest_uri is not None:
        manifest.load(config.manifest_uri)


def join_for_texts(config: EvaluateConfig) -> None:
    """Join Ray where its tasks are to score texts."""
    if (config.text_tasks or 1) > 1:
        runtime.join(config.ray)


def evaluate(config: EvaluateConfig) -> str:
    """The evaluation of one manifest, as one setting without a name; returns `output_uri`.

    Raises:
        ChexoneError: as `check` does, or the models answered different rows, or a kind has no
            metric.
    """
    assert config.suite is None, "a suite is run by suite_run"
    check(config)  # before models of `learned` are loaded
    of_reports = learned.metrics_of(config.learned, config.output_uri)
    join_for_texts(config)
    runs = SettingRuns(
        config.manifest_uri or "",
        config.predictions_uri,
        rows_checked=config.manifest_uri is None,
    )
    evaluate_settings(
        config.output_uri,
        {"": runs},
        bootstrap=config.bootstrap,
        seed=config.seed,
        baselines=config.baselines,
        randomisations=config.randomisations,
        record=config,
        text_tasks=config.text_tasks,
        of_reports=of_reports,
    )
    return config.output_uri


def evaluate_settings(
    output_uri: str,
    settings: Mapping[str, SettingRuns],
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    baselines: bool = True,
    randomisations: int = 10_000,
    record: Settings | None = None,
    notes: Sequence[str] = (),
    text_tasks: int | None = None,
    of_reports: Sequence[Metric] = (),
) -> str:
    """Write table.{json,md,tex,html}, differences.json, outcomes.json and rows.parquet; see
    docs/evaluation.md.

    `bootstrap` and `randomisations` are draws over patients; without `randomisations` nothing is
    tested. Baselines are fitted on the train split of each setting's manifest; without one there
    is `by_chance` alone.
    `text_tasks` Ray tasks score texts, see `text_rows.computed`; `of_reports` are more metrics of
    reports, as `learned.metrics_of` makes them. `record` is written beside the results as
    config.json; `notes` stand on the page.

    Raises:
        ChexoneError: predictions that `read_predictions` refuses, a setting's models answered
            different rows or not all that they were to, or a model has the name of a baseline; or
            `output_uri` holds something else, see `output.refuse`.
    """
    output.refuse(output_uri, record)
    draws = Draws(bootstrap, randomisations, seed)
    answers = {setting: _answers(setting, runs) for setting, runs in settings.items()}
    told = [note for name, runs in settings.items() for note in _coverage(runs, answers[name])]
    metrics = {s: _metrics(s, runs, answers[s], of_reports) for s, runs in settings.items()}
    told += _without_headline(settings, metrics)
    told += _unread(answers)
    without_train: dict[str, list[str]] = {}
    figures: list[Figure] = []
    differences: list[Difference] = []
    statistics: dict[tuple[str, str], Computed] = {}
    for setting, runs in settings.items():
        train = _train_rows(runs.manifest_uri, list(metrics[setting])) if baselines else {}
        lacking = [kind for kind in metrics[setting] if baselines and not train.get(kind)]
        without_train |= {setting or runs.manifest_uri: lacking} if lacking else {}
        for kind, of_kind in metrics[setting].items():
            models = {name: rows[kind] for name, rows in answers[setting].items()}
            blind = _blind(kind, models, train.get(kind, []), seed) if baselines else {}
            made = computed(of_kind, {**blind, **models}, text_tasks, blind)
            statistics[setting, kind] = made
            found = measure(Part(setting, kind), made, models, blind, draws)
            figures += found[0]
            differences += found[1]
    notes = (*notes, *told, *_of_baselines(without_train))
    storage.delete(storage.join(output_uri, storage.COMMIT_FILE))
    if record is not None:
        storage.record_settings(output_uri, record)
    rows = rows_table(answers, statistics)
    _write(output_uri, figures, corrected(differences), answers, draws, notes, rows)
    return output_uri


def _answers(setting: str, runs: SettingRuns) -> Answers:
    """What all models of a setting answered, to the same rows of its manifest."""
    answers = {name: read_predictions(uri) for name, uri in runs.predictions.items()}
    _refuse_different_rows(setting, answers)
    return answers


def _coverage(runs: SettingRuns, answers: Answers) -> list[str]:
    """What the page says of rows that were not asked; see `coverage.compared`."""
    if runs.rows_checked:
        return []
    models = next(iter(answers.values()))  # all have the same rows
    asked = {sample.id for rows in models.values() for sample in rows.samples}
    return coverage.compared(runs.manifest_uri, runs.predictions, asked)


def _metrics(
    setting: str, runs: SettingRuns, answers: Answers, of_reports: Sequence[Metric]
) -> dict[str, list[Metric]]:
    """The metrics of each kind, its headline first.

    Raises:
        ChexoneError: the models' rows have no figure that is the setting's headline.
    """
    reports = reasoned.reports_of(rows for kinds in answers.values() for rows in kinds.values())
    found = {}
    for kind in sorted({kind for kinds in answers.values() for kind in kinds}):
        models = {name: kinds[kind] for name, kinds in answers.items()}
        of_reasoning = reasoned.metrics_of(kind, models, reports)
        of_models = of_reports if form(kind) == "report" else ()
        found[kind] = in_order((*METRICS[kind], *of_models, *of_reasoning), runs.headline)
    if runs.headline not in reasoned.OF_TRACES and not _has_headline(runs, found):
        raise ChexoneError(
            f"setting {setting}: no model has a figure of its headline {runs.headline!r}"
            + (
                ", which is of several answers to a row: answer with sampling.n above 1"
                if runs.headline == reasoned.CONSISTENCY
                else f": give one of {', '.join(m.name for of in found.values() for m in of)}"
            )
        )
    return found


def _has_headline(runs: SettingRuns, metrics: Mapping[str, Sequence[Metric]]) -> bool:
    return not runs.headline or any(of[0].name == runs.headline for of in metrics.values())


def _without_headline(
    settings: Mapping[str, SettingRuns], metrics: Mapping[str, Mapping[str, Sequence[Metric]]]
) -> list[str]:
    """What the page says where no model gives the traces that the headline is of."""
    return [
        f"No model gives reasoning in setting {name}: its headline is not {runs.headline!r} but "
        f"{' and '.join(dict.fromkeys(of[0].name for of in metrics[name].values()))}."
        for name, runs in settings.items()
        if not _has_headline(runs, metrics[name])
    ]


def _unread(answers: Mapping[str, Answers]) -> list[str]:
    found = unread.notes(answers)
    for note in found:
        logger.warning("%s", note)
    return found


def in_order(metrics: Sequence[Metric], headline: str) -> list[Metric]:
    """The metrics with the one called `headline` first, where it is among them."""
    return sorted(metrics, key=lambda metric: metric.name != headline)


def _train_rows(manifest_uri: str, kinds: Sequence[str]) -> dict[str, list[Sample]]:
    """Training rows by kind; none where the manifest has no train split, as that of a test set."""
    rows: dict[str, list[Sample]] = defaultdict(list)
    if any(part.split == "train" for part in manifest.load(manifest_uri).parts):
        for sample in stream.iter_samples(manifest_uri, "train", kinds, MAX_TRAIN_ROWS):
            rows[sample.kind].append(sample)
    return rows


def _blind(
    kind: str, models: Mapping[str, Judged], train: Sequence[Sample], seed: int
) -> dict[str, Judged]:
    """What the baselines answer to the rows of the models. Raises ChexoneError where a model has
    the name of one."""
    samples = next(iter(models.values())).samples
    answerers = baselines_of(kind, train, seed) if train else by_chance(kind, samples, seed)
    for name in models:
        if name in answerers:
            raise ChexoneError(f"a model is called {name!r} like a baseline: give it another name")
    return {
        name: all_answered(samples, list(map(answer, samples)))
        for name, answer in answerers.items()
    }


def _refuse_different_rows(setting: str, answers: Answers) -> None:
    rows = {
        name: digests(sample for rows in kinds.values() for sample in rows.samples)
        for name, kinds in answers.items()
    }
    first, *others = rows
    for other in others:
        odd = unlike(rows[first], rows[other], (repr(first), repr(other)))
        if odd:
            of = f" of setting {setting!r}" if setting else ""
            raise ChexoneError(
                f"models {first!r} and {other!r}{of} answered different rows ({odd}): {REMEDY}"
            )


def _of_baselines(without_train: Mapping[str, Sequence[str]]) -> list[str]:
    """What the page and the log say of baselines that could not be fitted, by setting or manifest:
    to prepare an archive's train split for them would be to read all of its films."""
    if not without_train:
        return []
    places = "; ".join(f"{place}: {', '.join(kinds)}" for place, kinds in without_train.items())
    told = (
        "No baselines but random, of closed questions alone, where the manifest has no train rows "
        f"of the kinds ({places}). Of an archive a suite prepares the held-out part alone; for "
        "majority and the others give the manifest_uri of one with a train split."
    )
    logger.warning("%s", told)
    return [told]


def outcomes(answers: Mapping[str, Answers]) -> list[Outcome]:
    """How the rows of each setting and model came out, whatever metric applies to them."""
    found = []
    for setting, models in answers.items():
        for model, kinds in models.items():
            counts = Counter(status for rows in kinds.values() for status in rows.statuses)
            found.append(
                Outcome(
                    setting,
                    model,
                    counts.total(),
                    counts["unparsed"],
                    counts["refused"],
                    counts["failed"],
                )
            )
    return found


def _write(
    out: str,
    figures: Sequence[Figure],
    differences: Sequence[Difference],
    answers: Mapping[str, Answers],
    draws: Draws,
    notes: Sequence[str],
    rows_file: bytes,
) -> None:
    told = outcomes(answers)
    page = document(figures, differences, told, draws)
    page = replace(page, notes=(*notes, *page.notes))
    for name, rows in (("table", figures), ("differences", differences), ("outcomes", told)):
        storage.write_json(storage.join(out, f"{name}.json"), [asdict(row) for row in rows])
    for suffix, render in (("md", markdown), ("tex", latex), ("html", html)):
        storage.write_bytes(storage.join(out, f"table.{suffix}"), render(page).encode())
    storage.write_bytes(storage.join(out, "rows.parquet"), rows_file)
    storage.commit(out, {"figures": len(figures), "notice": RESEARCH_USE_ONLY})
    models = dict.fromkeys(name for setting in answers.values() for name in setting)
    logger.info("evaluation of %s: %d figures in %s", ", ".join(models), len(figures), out)
