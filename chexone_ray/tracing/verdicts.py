"""What was made of each text of a teacher, kept as `verdicts/verdicts-00000.parquet`, ... .

One row a text, so that anybody can look up why it was dropped, and a run that goes on judges only
the texts that it has not. A verdict counts for its text, filters, rows and release alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chexone_ray import __version__, storage
from chexone_ray.config import TraceFilters
from chexone_ray.data.traces import Verdict, best, judge, trace_of
from chexone_ray.parts import digest, from_parquet, to_parquet
from chexone_ray.records import Sample

FOLDER, PREFIX = "verdicts", "verdicts"
TEXT_DIGEST_BYTES = 8

Key = tuple[int, int, str, bytes]
"""Place in the part, number of the text, the row's id, digest of the text."""


def verdicts_schema() -> Any:
    """Arrow schema; `row` is the place in the part of the teacher's texts, `number` that of the
    text, `reason` empty for a text that passed, `kept` true for the one that stays of its row."""
    import pyarrow as pa

    return pa.schema(
        [
            ("row", pa.int32()),
            ("id", pa.string()),
            ("kind", pa.string()),
            ("number", pa.int32()),
            ("reason", pa.string()),
            ("kept", pa.bool_()),
            ("agreement", pa.float64()),
            ("entity_precision", pa.float64()),
            ("text_digest", pa.binary(TEXT_DIGEST_BYTES)),
        ]
    )


class VerdictFolder:
    """The verdicts of a run, beside its traces.

    `settings` is what the texts depend on; the folder holds no other file than Parquet.
    """

    def __init__(self, output_uri: str, settings: Any, filters: TraceFilters) -> None:
        self.uri = storage.join(output_uri, FOLDER)
        self._filters = filters
        chosen = [settings, filters.model_dump(mode="json"), __version__]
        self._digest = digest(chosen).encode()
        self._there = set(storage.list_files(self.uri, ".parquet"))
        self._used: set[str] = set()

    def judge(
        self, part: int, samples: Sequence[Sample], texts: Sequence[Sequence[str]]
    ) -> list[list[Verdict]]:
        """The verdicts on all texts of a part, by row; those that are kept are not made anew."""
        uri = storage.join(self.uri, f"{PREFIX}-{part:05d}.parquet")
        known = self._read(uri)
        made, rows = 0, []
        result = []
        for place, (sample, written) in enumerate(zip(samples, texts, strict=True)):
            verdicts = []
            keys = [
                (place, number, sample.id, text_digest(text)) for number, text in enumerate(written)
            ]
            for key, text in zip(keys, written, strict=True):
                verdict = known.get(key)
                if verdict is None:
                    made += 1
                    verdict = judge(text, sample, self._filters)
                elif not verdict.reason:
                    verdict = replace(verdict, trace=trace_of(text))
                verdicts.append(verdict)
            chosen = best(verdicts)
            rows += [
                _row(key, sample.kind, verdict, verdict is chosen)
                for key, verdict in zip(keys, verdicts, strict=True)
            ]
            result.append(verdicts)
        if made or len(rows) != len(known):
            self._write(uri, rows)
        self._used.add(uri)
        return result

    def finish(self) -> None:
        """Remove what an earlier run of other rows left."""
        for uri in sorted(self._there - self._used):
            storage.delete(uri)

    def _read(self, uri: str) -> dict[Key, Verdict]:

        if uri not in self._there:
            return {}
        table = from_parquet(storage.read_bytes(uri))
        if (table.schema.metadata or {}).get(b"settings_digest") != self._digest:
            return {}
        return {
            (row["row"], row["number"], row["id"], row["text_digest"]): Verdict(
                "", row["agreement"], row["entity_precision"], row["reason"]
            )
            for row in table.to_pylist()
        }

    def _write(self, uri: str, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        schema = verdicts_schema().with_metadata({b"settings_digest": self._digest})
        storage.write_bytes(uri, to_parquet(pa.Table.from_pylist(rows, schema)))


def text_digest(text: str) -> bytes:
    """8 bytes by which a text is known again."""
    return hashlib.blake2b(text.encode(), digest_size=TEXT_DIGEST_BYTES).digest()


def _row(key: Key, kind: str, verdict: Verdict, kept: bool) -> dict[str, Any]:
    place, number, name, found = key
    return {
        "row": place,
        "id": name,
        "kind": kind,
        "number": number,
        "reason": verdict.reason,
        "kept": kept,
        "agreement": verdict.agreement,
        "entity_precision": verdict.entity_precision,
        "text_digest": found,
    }
