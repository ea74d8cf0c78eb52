"""What a result folder is, told by its files, and its numbers as records."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from chexone_ray import storage
from chexone_ray.errors import ChexoneError
from chexone_ray.figures.plates import Skip

Sort = Literal[
    "evaluation", "filter", "manifest", "grpo", "sft", "predictions", "reasoning", "responses"
]
TABLE, ROWS, REASONING = "table.json", "rows.parquet", "reasoning.json"
RESPONSES, METRICS = "responses.jsonl", "metrics.jsonl"
_MARKS: tuple[tuple[Sort, tuple[str, ...]], ...] = (
    ("evaluation", (TABLE,)),
    ("reasoning", (REASONING,)),
    ("filter", ("report.json", "groups.parquet")),
    ("manifest", ("manifest.json",)),
    ("predictions", ("predictions.json",)),
    ("responses", (RESPONSES,)),
)
"""A folder is the first of these whose files it has."""
_NEEDED: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "manifest": (
        ("manifest.json", ("counts.rows", "counts.split", "counts.dataset", "counts.task")),
    ),
    "filter": (("report.json", ("prompts", "kept", "bin_width", "kinds")),),
    "predictions": (("predictions.json", ("samples",)),),
}
"""What the figures take from a run's files."""


@dataclass(frozen=True)
class Run:
    """One result folder, or a file of responses."""

    uri: str
    sort: Sort
    name: str
    """What figures call it: the end of the URI that tells it from the others."""

    def file(self, name: str) -> str:
        """The URI of a file of it."""
        return storage.join(self.uri, name)

    def json(self, name: str) -> Any:
        """A JSON file of it; None where it has none."""
        data = storage.read_if_there(self.file(name))
        if data is None:
            return None
        return _parsed(data, self.file(name))

    def settings(self) -> Mapping[str, Any]:
        """Its resolved settings, empty where it recorded none."""
        return self.json(storage.SETTINGS_FILE) or {}

    def metrics(self) -> list[dict[str, float]]:
        """The lines of metrics.jsonl, in order of their steps; the last of a step counts."""
        place = self.file(METRICS)
        lines = storage.read_bytes(place).splitlines()
        rows_ = [_parsed(line, place) for line in lines]
        if not all(isinstance(row, dict) and "step" in row for row in rows_):
            raise ChexoneError(f"{place}: a line has no step: run its stage again")
        by_step = {row["step"]: row for row in rows_}
        return [by_step[step] for step in sorted(by_step)]


@dataclass(frozen=True)
class Score:
    """One number of an evaluation's table."""

    kind: str
    metric: str
    model: str
    value: float
    low: float
    high: float
    num_rows: int
    setting: str = ""
    num_scored: int | None = None
    num_patients_scored: int | None = None
    topic: str = ""
    signature: str = ""
    baseline: bool = False
    headline: bool = False
    higher_is_better: bool = True


@dataclass(frozen=True)
class Runs:
    """All that was given, in order."""

    items: tuple[Run, ...]

    def of(self, *sorts: Sort) -> tuple[Run, ...]:
        """The runs of these sorts."""
        return tuple(run for run in self.items if run.sort in sorts)

    def need(self, why: str, *sorts: Sort) -> tuple[Run, ...]:
        """The same; Skip with `why` where there is none."""
        found = self.of(*sorts)
        if not found:
            raise Skip(why)
        return found


def find(uris: Sequence[str]) -> Runs:
    """What each URI is. Raises ChexoneError for one that is no result of any stage."""
    uris = tuple(dict.fromkeys(storage.join(plain(uri)) for uri in uris))
    named = _names(uris)
    return Runs(tuple(Run(uri, _sort(uri), named[uri]) for uri in uris))


def plain(uri: str) -> str:
    """A local path with "." or ".." in it as the path that it is: a run is named by its end."""
    dotted = {".", ".."} & set(uri.split("/"))
    return storage.split(uri)[1] if dotted and storage.is_local(uri) else uri


def check(runs: Runs) -> None:
    """Read what the figures rest on, so that a bad file is told before anything is drawn.

    Raises:
        ChexoneError: a file cannot be read or lacks what is drawn of it; names both.
    """
    scores(runs.of("evaluation"))
    for run in runs.items:
        for name, keys in _NEEDED.get(run.sort, ()):
            body = run.json(name)
            for key in keys:
                part = body
                for word in key.split("."):
                    part = part.get(word) if isinstance(part, dict) else None
                if part is None:
                    raise ChexoneError(f"{run.file(name)} has no {key}: run its stage again")
        if run.sort in ("sft", "grpo"):
            run.metrics()
        if run.sort == "evaluation":
            with contextlib.suppress(Skip):
                row_table(run, ())


def _sort(uri: str) -> Sort:
    if uri.endswith(".jsonl"):
        if not storage.exists(uri):
            raise ChexoneError(f"{uri} does not exist: check the URI")
        return "responses"
    found = sort_of(uri)
    if found is None:
        raise ChexoneError(
            f"runs_uri {uri}: no result of prepare, trace, sft, filter, grpo, predict, evaluate "
            f"or probe and no {RESPONSES} of a reader study; give the output_uri of such a run"
        )
    return found


def sort_of(uri: str) -> Sort | None:
    """Which stage's result a folder is; None for none."""
    for sort, files in _MARKS:
        if all(storage.exists(storage.join(uri, name)) for name in files):
            return sort
    place = storage.join(uri, METRICS)
    if storage.exists(place):
        first = storage.read_bytes(place).decode().partition("\n")[0]
        if '"grpo/' in first:
            return "grpo"
        if '"sft/' in first:
            return "sft"
    return None


def _names(uris: Sequence[str]) -> dict[str, str]:
    """The shortest end of each URI, in whole parts, that no other has."""
    parts = {uri: uri.removesuffix(".jsonl").split("/") for uri in uris}
    found = {}
    for uri, words in parts.items():
        size = 1
        while size < len(words) and any(
            other[-size:] == words[-size:] for at, other in parts.items() if at != uri
        ):
            size += 1
        found[uri] = "/".join(words[-size:])
    return found


def _parsed(data: bytes, place: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise ChexoneError(f"{place} is not JSON ({error}): run its stage again") from None


# --- evaluations ---------------------------------------------------------------------------------


def scores(runs: Iterable[Run]) -> list[Score]:
    """The numbers of all evaluations, in the order of their tables.

    Raises:
        ChexoneError: two evaluations have the same setting, so their numbers cannot be told apart.
    """
    found: list[Score] = []
    owners: dict[str, str] = {}
    for run in runs:
        table = list(_scores(run.json(TABLE) or [], run.file(TABLE)))
        for setting in {score.setting for score in table}:
            if owners.setdefault(setting, run.uri) != run.uri:
                raise ChexoneError(
                    f"runs_uri {run.uri} and {owners[setting]} both hold the setting "
                    f"{setting!r}: give one of them, or evaluate them under names of their own"
                )
        found += table
    return found


def _scores(rows: Sequence[Mapping[str, Any]], place: str) -> Iterator[Score]:
    """Tables without a mark of the headline have it first of each kind."""
    known = [item.name for item in fields(Score)]
    marked = any("headline" in row for row in rows)
    first: dict[tuple[str, str], str] = {}
    for row in rows:
        try:
            given = {name: row[name] for name in known if name in row}
            for name in ("value", "low", "high"):
                given[name] = math.nan if row[name] is None else float(row[name])
            score = Score(**given)
        except (KeyError, TypeError) as error:
            raise ChexoneError(f"{place}: a row lacks a value ({error}): evaluate again") from None
        if not marked:
            headline = first.setdefault((score.setting, score.kind), score.metric) == score.metric
            score = Score(**{**given, "headline": headline})
        yield score


def rows(run: Run, columns: Sequence[str], where: Any = None) -> list[dict[str, Any]]:
    """Some columns of an evaluation's rows, of all or those of the Arrow expression `where`."""
    found: list[dict[str, Any]] = row_table(run, columns, where).to_pylist()
    return found


def row_table(run: Run, columns: Sequence[str], where: Any = None) -> Any:
    """The same as an Arrow table.

    Skip where the file has not all of the columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = run.file(ROWS)
    if not storage.exists(place):
        raise Skip(f"{run.uri} has no {ROWS}: evaluate again")
    system, path = storage.filesystem(place)
    try:
        with system.open_input_file(path) as file:
            known = pq.ParquetFile(file).schema_arrow.names
    except pa.ArrowInvalid:
        raise ChexoneError(f"{place} is no Parquet file: evaluate again") from None
    lacking = [name for name in columns if name not in known]
    if lacking:
        raise Skip(f"{ROWS} of {run.uri} has no column {', '.join(lacking)}: evaluate again")
    return pq.read_table(
        path, filesystem=system, columns=list(columns), filters=where, partitioning=None
    )


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of its first use."""
    return list(dict.fromkeys(names))
