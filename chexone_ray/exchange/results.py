"""Results of others -> a predictions folder: the original's scripts, and {question: letter}."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chexone_ray.answering import failed_row
from chexone_ray.config import ResultsImportConfig
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import unread
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.exchange import prediction_rows, records, rexvqa
from chexone_ray.kinds import form, unknown
from chexone_ray.predict import Tally
from chexone_ray.records import Sample, sample_from_row

logger = logging.getLogger(__name__)


def import_results(config: ResultsImportConfig) -> str:
    """Write the predictions of a file of results; returns `config.output_uri`, committed.

    With a manifest or other predictions their rows are answered, found by `id` or `unique_id`, and
    rows without a result are failed ones. Else the records' own right answers are the reference.

    Raises:
        ChexoneError: the file has none of the known shapes, or is of other rows than the manifest.
    """
    for told in unknown([config.kind] if config.kind is not None else ()):
        raise ChexoneError(told)
    found = records.read_file(config.results_uri)
    if isinstance(found, dict):
        rows, parser = _letters(found, config), "letters"
    else:
        rows, parser = _records(found, config), config.rules
    tally = prediction_rows.write(config.output_uri, rows, config.results_uri, config, parser)
    _tell(tally, config)
    return config.output_uri


def _tell(tally: Tally, config: ResultsImportConfig) -> None:
    """Log what became of the rows, and that the mode may be the wrong one."""
    unparsed, failed = tally.unparsed.total(), tally.failed_samples
    texts = tally.rows.total() - failed
    logger.info(
        "import: %d rows, %d with an answer, %d failed", texts + failed, texts - unparsed, failed
    )
    in_boxes = config.mode == "reasoning" and config.rules == "strict"
    told = unread.told(unparsed, texts, "no box" if in_boxes else "no answer that could be read")
    if told:
        logger.warning("import: %s: %s", told, unread.QUESTION)


def _records(
    found: Sequence[Mapping[str, Any]], config: ResultsImportConfig
) -> Iterator[dict[str, Any]]:
    if config.questions_uri is not None:
        raise ChexoneError("results import: questions_uri has no effect on records: drop it")
    if _rows_uri(config) is None:
        told = records.results(found, config.kind, config.results_uri)
        without = sum(records.is_open(one.sample) for one in told)
        if without:
            logger.warning(
                "import: %d of %d closed questions show no options that could be read: their "
                "answers are compared as words; give the field options",
                without,
                sum(form(one.sample.kind) == "options" for one in told),
            )
        for one in told:
            yield _row(one.sample, one.text, one.error, one.number, config)
        return
    samples = _samples(config)
    answered: set[tuple[str, int]] = set()
    others = 0
    for at, record in enumerate(found):
        name, number = records.name_of(record, at)
        if name not in samples and config.rows_of_uri is not None:
            others += 1
            continue
        if name not in samples:
            raise ChexoneError(
                f"{config.results_uri}: {name} is no row of {config.manifest_uri}: records need "
                "the row's id as id or unique_id, or leave manifest_uri out"
            )
        if (name, number or 0) in answered:
            raise ChexoneError(f"{config.results_uri}: {name} is there twice: keep one")
        answered.add((name, number or 0))
        said = records.response_of(record, f"{config.results_uri}: record {at + 1}")
        yield _row(samples[name], *said, number or 0, config)
    if others:
        logger.info("import: %d of %d answers are of no row of rows_of", others, len(found))
    yield from _without(samples, {name for name, _ in answered}, config)


def _letters(found: Mapping[str, Any], config: ResultsImportConfig) -> Iterator[dict[str, Any]]:
    if _rows_uri(config) is None or config.questions_uri is None:
        raise ChexoneError(
            f"{config.results_uri} holds an object: {{question: letter}} needs manifest_uri and "
            "questions_uri, which tell what the letters stand for"
        )
    samples = _samples(config)
    answered = set()
    for sample, key in rexvqa.answers_as_shown(found, samples, config.questions_uri):
        answered.add(sample.id)
        if key:
            yield prediction_rows.answered(sample, key, key)
        else:
            yield _failed(sample, prediction_rows.NO_RESPONSE, config)
    yield from _without(samples, answered, config)


def _samples(config: ResultsImportConfig) -> dict[str, Sample]:
    if config.rows_of_uri is not None:
        return {row["id"]: sample_from_row(row) for row in read_rows(config.rows_of_uri)}
    assert config.manifest_uri is not None
    found = stream.iter_samples(config.manifest_uri, config.split)
    return {sample.id: sample for sample in found}


def _rows_uri(config: ResultsImportConfig) -> str | None:
    return config.rows_of_uri or config.manifest_uri


def _row(
    sample: Sample, text: str, error: str, number: int, config: ResultsImportConfig
) -> dict[str, Any]:
    if error:
        return _failed(sample, error, config, number)
    return prediction_rows.said(sample, text, config.mode, config.rules, number)


def _without(
    samples: Mapping[str, Sample], answered: set[str], config: ResultsImportConfig
) -> Iterator[dict[str, Any]]:
    """Rows that nothing was said of, failed: leaving them out would make a figure better."""
    missing = [sample for name, sample in samples.items() if name not in answered]
    if len(missing) == len(samples):
        raise ChexoneError(f"{config.results_uri} answers no row of {_rows_uri(config)}")
    if missing:
        logger.warning("import: %d of %d rows have no result", len(missing), len(samples))
    for sample in missing:
        yield _failed(sample, prediction_rows.NO_RESPONSE, config)


def _failed(
    sample: Sample, error: str, config: ResultsImportConfig, number: int = 0
) -> dict[str, Any]:
    return failed_row(replace(sample, mode=config.mode), error, number)
