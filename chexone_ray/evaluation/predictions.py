"""Reading what `predict` wrote, and what became of each row.

Whatever is not "answered" counts as wrong: it has no answer that a metric could reward.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from chexone_ray import storage
from chexone_ray.answers import parse
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.refusals import READING, refused
from chexone_ray.parts import PROGRESS_FILE
from chexone_ray.records import Sample, sample_from_row

Status = Literal["answered", "unparsed", "refused", "failed"]
"""`unparsed`: no answer could be read. `refused`: the model declined. `failed`: there was no
completion, as the image or the engine failed."""


_OF_SAMPLES = {one.name for one in fields(Sample) if MISSING is one.default is one.default_factory}
_NEEDED = _OF_SAMPLES | {
    *("mode", "completion", "text", "predicted_reasoning", "predicted_answer", "finish_reason"),
    "error",
}
"""What a row cannot be read without; older files may lack other columns of samples."""


def refuse_unfinished(uri: str) -> None:
    """Raises ChexoneError where no committed predictions are: why not, and what makes them."""
    if storage.committed(uri) is not None:
        return
    files = storage.list_files(uri)
    start = len(storage.join(uri)) + 1
    names = [place[start:] for place in files]
    if PROGRESS_FILE in names or any("/" not in n and n.endswith(".parquet") for n in names):
        raise ChexoneError(
            f"predictions {uri} are not complete: run `chexone predict` again to finish them"
        )
    why = "does not exist"
    if files or storage.exists(uri):
        why = "holds no predictions" if files else "is empty"
    raise ChexoneError(
        f"predictions {uri}: the folder {why}: give the output_uri of `chexone predict`, `chexone "
        "results import` or `chexone rexrank import`, which write predictions"
    )


def part_files(uri: str) -> Iterator[Any]:
    """The `pyarrow.parquet.ParquetFile`s of a committed predictions folder, in order.

    Raises:
        ChexoneError: the folder is not committed, a file of it is damaged or holds no predictions,
            or parts or rows are not as many as were committed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_unfinished(uri)
    parts = storage.list_files(uri, ".parquet")
    recorded = storage.committed(uri) or {}
    _refuse_other(uri, "parts", len(parts), recorded)
    if not parts:
        raise ChexoneError(f"{uri} holds no predictions: check the URI")
    rows = 0
    for part in parts:
        try:
            file = pq.ParquetFile(pa.BufferReader(storage.read_bytes(part)))
        except pa.ArrowInvalid:
            raise ChexoneError(
                f"{part} is no Parquet file: delete {uri} and write the predictions again"
            ) from None
        missing = _NEEDED - set(file.schema_arrow.names)
        if missing:
            raise ChexoneError(
                f"{part} has no column {min(missing)}: give the output_uri of `chexone predict` or "
                "of an import as predictions"
            )
        rows += file.metadata.num_rows
        yield file
    _refuse_other(uri, "rows", rows, recorded)


def _refuse_other(uri: str, what: str, there: int, recorded: Mapping[str, Any]) -> None:
    """A part that was lost or added would change figures without a word."""
    if recorded.get(what, there) != there:
        raise ChexoneError(
            f"predictions {uri}: {there} {what} are there, {recorded[what]} were committed: copy "
            "the folder anew, or delete it and write the predictions again"
        )


def read_rows(uri: str) -> list[dict[str, Any]]:
    """All rows of a committed predictions folder as dicts, in the order of its parts.

    Raises:
        ChexoneError: as `part_files` does.
    """
    return [row for file in part_files(uri) for row in file.read().to_pylist()]


@dataclass(frozen=True)
class Written:
    """What was written for a row's first completion: all of the text, or why there is none."""

    text: str
    error: str
    mode: str


@dataclass(frozen=True)
class Judged:
    """The rows of one system and kind. `answers[i]` is None unless the row was answered."""

    samples: tuple[Sample, ...]
    answers: tuple[str | None, ...]
    statuses: tuple[Status, ...]
    reasonings: tuple[str, ...]
    completions: tuple[tuple[str | None, ...], ...] = ()
    """What each completion of a row answered; the first of them is the row's answer. Empty for
    systems that are no predictions."""
    written: tuple[Written, ...] = ()
    """As it came, of each row; empty for systems that are no predictions."""
    reading: Mapping[str, str] = field(default_factory=dict)
    """How the answers were read out of what was written, as signatures say it; empty for systems
    that write answers alone."""


def all_answered(samples: Sequence[Sample], answers: Sequence[str]) -> Judged:
    """The rows of a system that cannot fail, such as a baseline."""
    statuses: list[Status] = ["answered"] * len(samples)
    return Judged(tuple(samples), tuple(answers), tuple(statuses), ("",) * len(samples))


def read_predictions(uri: str) -> dict[str, Judged]:
    """Rows of a committed predictions folder by kind, sorted by id: the first completion, and what
    the others answered.

    Raises:
        ChexoneError: the folder is not committed, holds no row, a training row, a kind without a
            metric or without any reference, a completion twice, or a row without its first one.
    """
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    answers: dict[str, dict[int, str | None]] = defaultdict(dict)
    for row in read_rows(uri):
        if row["kind"] not in METRICS:
            raise ChexoneError(
                f"predictions {uri}: kind {row['kind']!r} has no metric; "
                f"known: {', '.join(METRICS)}"
            )
        name, number = str(row["id"]), int(row["completion"])
        if number in answers[name]:
            raise ChexoneError(
                f"predictions {uri}: completion {number} of row {name} is there twice: keep one"
            )
        if number == 0:
            found[row["kind"]].append(row)
        answered = status_of(row) == "answered"
        answers[name][number] = row["predicted_answer"] if answered else None
    without = next((name for name, said in answers.items() if 0 not in said), None)
    if without is not None:  # left out, it would be no row of the figures
        raise ChexoneError(
            f"predictions {uri}: row {without} has no completion 0: import or predict it anew"
        )
    if not found:
        raise ChexoneError(f"predictions {uri}: no row is in them: predict or import them anew")
    parser = str((storage.committed(uri) or {}).get("parser") or "not recorded")
    judged = {kind: _judged(rows, answers, parser) for kind, rows in found.items()}
    for kind, rows_of_kind in judged.items():
        _refuse_unfit(uri, kind, rows_of_kind.samples)
    return judged


def _refuse_unfit(uri: str, kind: str, samples: Sequence[Sample]) -> None:
    trained = sum(sample.split == "train" for sample in samples)
    if trained:
        raise ChexoneError(
            f"predictions {uri}: {trained} of {len(samples)} {kind} rows are training rows, whose "
            "figures say nothing: predict split test or validate"
        )
    if not any(sample.answer or sample.reference or sample.boxes for sample in samples):
        raise ChexoneError(
            f"predictions {uri}: none of its {len(samples)} {kind} rows has a reference, as those "
            "of a folder of images: predict a manifest's rows"
        )


def _judged(
    rows: Sequence[Mapping[str, Any]],
    answers: Mapping[str, Mapping[int, str | None]],
    parser: str,
) -> Judged:
    rows = sorted(rows, key=lambda row: str(row["id"]))
    statuses = tuple(map(status_of, rows))
    return Judged(
        tuple(sample_from_row(row) for row in rows),
        tuple(
            row["predicted_answer"] if status == "answered" else None
            for row, status in zip(rows, statuses, strict=True)
        ),
        statuses,
        tuple(row["predicted_reasoning"] or "" for row in rows),
        tuple(tuple(a for _, a in sorted(answers[str(row["id"])].items())) for row in rows),
        tuple(Written(row["text"] or "", row["error"] or "", row["mode"]) for row in rows),
        _reading(parser, {str(row["mode"]) for row in rows if not row["error"]}),
    )


def _reading(parser: str, modes: set[str]) -> dict[str, str]:
    """`parser` is what read the answers out of the text when it was written; the digest is of the
    rules that read options, boxes and refusals out of them now. The original rules read both modes
    alike, so the mode does not tell figures apart."""
    found = {"parse": f"{parser}, {READING}"}
    if parser == "original" or not modes:  # nothing was read where all rows failed
        return found
    return found | {"mode": "+".join(sorted(modes))}


def status_of(row: Mapping[str, Any]) -> Status:
    """What became of one row of predictions; `kind` and `options` of the row tell what answers it.

    In instruct mode a text without a box is read as the answer as a whole, which a refusal is not;
    where an adapter read an answer out of it, that is what may refuse. A text that was cut off has
    not come to its answer yet, whatever its reasoning says.
    """
    if row["error"]:
        return "failed"
    text, answer = row["text"] or "", row["predicted_answer"]
    without_box = answer is None or not parse(text, row["mode"]).num_boxed
    whole = row["finish_reason"] != "length"
    said = answer or text
    if without_box and whole and refused(said, row.get("kind") or "", row.get("options") or ()):
        return "refused"
    return "unparsed" if answer is None else "answered"
