"""What `trace` keeps of its judging: why each text was dropped, and no text judged twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chexone_ray import storage
from chexone_ray.config import SamplingConfig, TraceConfig, TraceFilters
from chexone_ray.data import stream
from chexone_ray.data.traces import judge
from chexone_ray.errors import ChexoneError
from chexone_ray.trace import trace
from chexone_ray.tracing import verdicts
from tests.chat_server import ChatServer, completion, failure
from tests.test_trace import GOOD, RIGHT, TOLD, WRONG, settings, write_manifest


def rows_of(uri: str) -> list[dict[str, Any]]:
    """All verdicts under an output."""
    found: list[dict[str, Any]] = pq.read_table(f"{uri}/verdicts").to_pylist()
    return found


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are judged, as they are."""
    seen: list[str] = []

    def counted(text: str, *others: Any) -> Any:
        seen.append(text)
        return judge(text, *others)

    monkeypatch.setattr(verdicts, "judge", counted)
    return seen


def test_each_text_has_its_verdict_by_row_and_number(tmp_path: Path) -> None:
    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        return completion({1: [WRONG, TOLD], 2: ["", RIGHT]}.get(row, [RIGHT, RIGHT]))

    with ChatServer(script) as server:
        config = settings(
            tmp_path,
            server.url,
            write_manifest(tmp_path, 5),
            sampling=SamplingConfig(n=2, temperature=0.5),
        )
        trace(config)
    found = [
        (row["id"], row["number"], row["reason"], row["kept"]) for row in rows_of(config.output_uri)
    ]
    assert found == [
        ("secret-0", 0, "", True),
        ("secret-0", 1, "", False),
        ("secret-1", 0, "answer_disagrees", False),
        ("secret-1", 1, "mentions_report", False),
        ("secret-2", 0, "no_answer", False),
        ("secret-2", 1, "", True),
        ("secret-3", 0, "", True),
        ("secret-3", 1, "", False),
        ("secret-4", 0, "", True),
        ("secret-4", 1, "", False),
    ]
    # `row` and the number of the part are those of the texts.
    texts = pq.read_table(f"{config.output_uri}/texts/texts-00001.parquet").to_pylist()
    second = pq.read_table(f"{config.output_uri}/verdicts/verdicts-00001.parquet").to_pylist()
    assert [(row["row"], row["id"]) for row in texts] == [(0, "secret-4")]
    assert {(row["row"], row["id"]) for row in second} == {(0, "secret-4")}


def test_where_nothing_passes_the_report_and_the_reasons_are_there(tmp_path: Path) -> None:
    with ChatServer(lambda row, count, body: completion([WRONG])) as server:
        config = settings(tmp_path, server.url, write_manifest(tmp_path, 5))
        with pytest.raises(ChexoneError) as caught:
            trace(config)
    told = str(caught.value)
    assert "loosen filters, raise sampling.n" in told and not re.search(r"trace\\.\\w+\\.", told)
    for place in ("report.md", f"{config.output_uri}/verdicts"):
        assert place in told
    page = storage.read_bytes(f"{config.output_uri}/report.md").decode()
    assert "0 of 5 rows have a trace that passed" in page and "| answer_disagrees | 5 |" in page
    assert [row["reason"] for row in rows_of(config.output_uri)] == ["answer_disagrees"] * 5
    assert storage.committed(config.output_uri) is None


def broken_off(folder: Path, judged: list[str]) -> tuple[TraceConfig, ChatServer]:
    """A run of ten rows that ended at its last part, and went on."""
    broken = {8, 9}

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        return failure(503) if row in broken else completion([RIGHT, WRONG])

    with ChatServer(script) as server:
        config = settings(
            folder,
            server.url,
            write_manifest(folder, 10),
            sampling=SamplingConfig(n=2, temperature=0.5),
            endpoint={"max_retries": 0},
        )
        with pytest.raises(ChexoneError, match="2 of 10 rows"):
            trace(config)
        assert len(judged) == 16
        broken.clear()
        judged.clear()
        trace(config)
    return config, server


def test_a_run_that_goes_on_judges_only_what_it_has_not(tmp_path: Path, judged: list[str]) -> None:
    config, server = broken_off(tmp_path, judged)
    assert server.answered == dict.fromkeys(range(10), 1)
    assert judged == [RIGHT, WRONG] * 2
    rows = stream.read_samples(config.output_uri, "train")
    assert [row.id for row in rows] == [f"secret-{number}" for number in range(10)]
    assert {row.reasoning for row in rows} == {GOOD}, "also of those that were judged before"
    told = storage.read_json(f"{config.output_uri}/report.json")
    assert (told["kept"], told["texts"], told["reasons"]["answer_disagrees"]) == (10, 20, 10)
    assert told["mean_words"] == 26.0


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 0),
        ({"keep_untraced": True}, 0),
        ({"filters": TraceFilters(min_words=16)}, 20),
        ({"kinds": ("presence",)}, 20),
    ],
)
def test_verdicts_count_for_their_filters_and_rows_alone(
    tmp_path: Path, judged: list[str], changed: dict[str, Any], expected: int
) -> None:
    config, _ = broken_off(tmp_path, judged)
    judged.clear()
    # As if the run had been killed right before its end; other rows need other texts.
    storage.delete(f"{config.output_uri}/{storage.COMMIT_FILE}")
    extra = f"{config.output_uri}/verdicts/verdicts-00077.parquet"
    storage.write_bytes(extra, b"of a longer run")
    if "kinds" in changed:
        changed = changed | {"texts_uri": str(tmp_path / "texts")}
    with ChatServer(lambda row, count, body: completion([RIGHT, WRONG])) as again:
        assert config.endpoint is not None
        endpoint = config.endpoint.model_copy(update={"url": again.url})
        if "kinds" in changed:
            changed = changed | {"endpoint": endpoint}
        trace(config.model_copy(update=changed))
    assert len(judged) == expected
    assert len(rows_of(config.output_uri)) == 20 and not storage.exists(extra)


def test_a_verdict_is_of_its_text(tmp_path: Path, judged: list[str]) -> None:
    config, _ = broken_off(tmp_path, judged)
    judged.clear()
    storage.delete(f"{config.output_uri}/{storage.COMMIT_FILE}")
    place = f"{config.output_uri}/texts/texts-00000.parquet"
    table = pq.read_table(place)
    at = table.schema.get_field_index("texts")
    texts = table["texts"].to_pylist()
    texts[1] = [WRONG, TOLD]
    pq.write_table(table.set_column(at, table.schema.field(at), [texts]), place)
    trace(config)
    assert judged == [WRONG, TOLD], "the first is another text in that place"
    assert len(stream.read_samples(config.output_uri, "train")) == 9
