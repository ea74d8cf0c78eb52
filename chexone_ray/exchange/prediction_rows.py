"""Answers of other systems as a predictions folder, in the columns of `predict.result_schema`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from chexone_ray import answers, storage
from chexone_ray.answering import failed_row
from chexone_ray.answers import Rules
from chexone_ray.config import Settings
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.parts import numbered, to_parquet
from chexone_ray.predict import SUMMARY_FILE, Tally, result_schema
from chexone_ray.records import Mode, Sample, sample_to_row

ROWS_PER_PART = 4096
NO_RESPONSE = "import: no response"


def said(
    sample: Sample, text: str, mode: Mode, rules: Rules = "strict", number: int = 0
) -> dict[str, Any]:
    """One completion read from its text; without text a failed row."""
    if not text.strip():
        return failed_row(replace(sample, mode=mode), NO_RESPONSE, number)
    parsed = answers.parse(text, mode, rules)
    return answered(sample, text, parsed.answer, parsed.reasoning, mode, number)


def answered(
    sample: Sample,
    text: str,
    answer: str | None,
    reasoning: str = "",
    mode: Mode = "instruct",
    number: int = 0,
) -> dict[str, Any]:
    """One completion with the answer that is told; None where none could be read."""
    return sample_to_row(replace(sample, mode=mode)) | {
        "completion": number,
        "text": text,
        "predicted_reasoning": reasoning,
        "predicted_answer": answer,
        "parsed": answer is not None,
        "finish_reason": "stop",
        "num_tokens": 0,
        "num_prompt_tokens": 0,
        "mean_logprob": None,
        "error": "",
    }


def write(
    uri: str,
    rows: Iterable[dict[str, Any]],
    source: str,
    settings: Settings | None = None,
    parser: str = "given",
) -> Tally:
    """Write a committed predictions folder and return the counts of its rows.

    Beside the rows lies what `predict` leaves: predictions.json, and `settings` as config.json.
    `parser` says how the answers were read, in the signatures of figures.

    Raises:
        ChexoneError: something is there already, or there is no row, or a row has no completion 0.
    """
    import pyarrow as pa

    if storage.list_files(uri):
        raise ChexoneError(f"{uri} is not empty: give another output_uri or delete that folder")
    tally, names, modes = Tally(), set[str](), set[str]()
    firsts = set[str]()
    places: list[str] = []
    try:
        for number, part in numbered(rows, ROWS_PER_PART):
            table = pa.Table.from_pylist(list(part), result_schema())
            places.append(storage.join(uri, f"part-{number:05d}.parquet"))
            storage.write_bytes(places[-1], to_parquet(table))
            tally.add(table)
            names.update(row["id"] for row in part)
            firsts.update(row["id"] for row in part if row["completion"] == 0)
            modes.update(row["mode"] for row in part if not row["error"])
        _refuse_without_first(source, names - firsts)
    except ChexoneError:  # what is wrong in the file is told late: the next try finds no rest
        for place in places:
            storage.delete(place)
        raise
    if not places:
        raise ChexoneError(f"{source} holds no answer: check the file")
    if settings is not None:
        storage.record_settings(uri, settings)
    summary = {
        "notice": RESEARCH_USE_ONLY,
        "imported_from": source,
        "mode": ", ".join(sorted(modes)),
        "parser": parser,
        "samples": len(names),
        "rows": tally.rows.total(),
        "parts": len(places),
        "failed": tally.failed_samples,
        "errors": dict(tally.errors.most_common()),
        "kinds": {
            kind: {"rows": number, "unparsed": tally.unparsed[kind]}
            for kind, number in sorted(tally.rows.items())
        },
    }
    storage.write_json(storage.join(uri, SUMMARY_FILE), summary)
    storage.commit(uri, summary)
    return tally


def _refuse_without_first(source: str, names: set[str]) -> None:
    if names:
        raise ChexoneError(
            f"{source}: row {min(names)} has no first answer ([repeat0]), the one that tables "
            "take: number its answers from 0"
        )
