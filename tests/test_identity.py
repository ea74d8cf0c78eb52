"""One place is one setting however it is written, and what differs is told by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from chexone_ray import predict, storage, tiny_model, variance
from chexone_ray.config import (
    EvaluateConfig,
    FilterConfig,
    PredictConfig,
    PrepareConfig,
    ProbeConfig,
    SamplingConfig,
    SftConfig,
    SourceConfig,
    TinyModelConfig,
    TraceFilters,
)
from chexone_ray.data.build import NOT_CONTENT, config_digest
from chexone_ray.errors import ChexoneError
from chexone_ray.identity import content, differing, is_complete
from chexone_ray.parts import PartFolder, digest
from chexone_ray.probing import run as probe_run
from chexone_ray.trace import trace
from chexone_ray.training import checkpoint
from tests.chat_server import ChatServer, completion
from tests.test_trace import RIGHT, settings, write_manifest

HUB = "organisation/model"


def prepared(place: str) -> Any:
    source = SourceConfig(adapter="own_table", uri=place, boxes_uri=f"{place}/boxes")
    return config_digest(PrepareConfig(output_uri="out", sources=(source,), held_out=(source,)))


def predicted(place: str) -> Any:
    return predict._settings(PredictConfig(output_uri="o", model_uri=HUB, manifest_uri=place))


def filtered(place: str) -> Any:
    return variance._settings(FilterConfig(output_uri="o", model_uri=HUB, manifest_uri=place))


def probed(place: str) -> Any:
    return probe_run._settings(ProbeConfig(output_uri="o", model_uri=HUB, manifest_uri=place))


def trained(place: str) -> Any:
    return checkpoint.identity(SftConfig(output_uri="o", model_uri=HUB, manifest_uri=place))


def evaluated(place: str) -> Any:
    return content(EvaluateConfig(output_uri="o", manifest_uri=place, predictions_uri={"a": place}))


@pytest.mark.parametrize("made", [prepared, predicted, filtered, probed, trained, evaluated])
def test_a_place_is_the_same_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[str], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    absolute = str(tmp_path / "runs" / "one")
    ways = ("runs/one", "./runs/one/", absolute, f"file://{absolute}", "~/runs/one")
    assert {digest(made(way)) for way in ways} == {digest(made(absolute))}
    assert digest(made("runs/two")) != digest(made(absolute))


def test_hub_names_and_buckets_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = PredictConfig(output_uri="gs://b/o", model_uri=HUB, images_uri="s3://b/k")
    found = content(config, {"ray"})
    assert (found["model_uri"], found["images_uri"], found["output_uri"]) == (
        *(HUB, "s3://b/k", "gs://b/o"),
    )
    assert found["question"] is None and "ray" not in found
    (tmp_path / "organisation").mkdir()  # then it is a path
    assert content(config)["model_uri"] == str(tmp_path / HUB)


def test_settings_that_differ_are_named_by_their_dotted_keys() -> None:
    found = {"a": 1, "t": {"x": 1, "y": [1], "z": {"k": 0}}, "manifest": {"rows": 1}, "old": 1}
    wanted = {"a": 1, "t": {"x": 2, "y": [2], "z": {"k": 0}}, "manifest": {"rows": 2}, "new": 1}
    assert differing(found, wanted) == ["manifest", "new", "old", "t.x", "t.y"]
    assert differing(found, found) == []


def test_a_committed_result_of_other_settings_names_them(tmp_path: Path) -> None:
    source = SourceConfig(adapter="own_table", uri="secret-place")
    config = PrepareConfig(output_uri=str(tmp_path), sources=(source,))

    def check(other: PrepareConfig) -> bool:
        wanted = content(other, NOT_CONTENT)
        return is_complete(str(tmp_path), "config_digest", config_digest(other), "rows", wanted)

    assert not check(config)
    storage.commit(str(tmp_path), {"config_digest": config_digest(config)})
    storage.record_settings(str(tmp_path), config)
    assert check(config)
    moved = source.model_copy(update={"uri": "another-secret"})
    images = config.images.model_copy(update={"body_part": "any"})
    for update, names in (
        ({"seed": 5, "images": images}, "images.body_part, seed"),
        ({"sources": (moved,)}, "sources"),
    ):
        with pytest.raises(ChexoneError) as caught:
            check(config.model_copy(update=update))
        assert f"holds rows of other settings ({names}): give another" in str(caught.value)
        assert "secret" not in str(caught.value)
    # a record of another release has other fields, and one may be lost
    storage.write_json(str(tmp_path / "config.json"), {"of_old": 1, "seed": 0})
    with pytest.raises(ChexoneError, match=r"settings \(seed\)"):
        check(config.model_copy(update={"seed": 5}))
    storage.delete(str(tmp_path / "config.json"))
    with pytest.raises(ChexoneError, match="other settings, or of another manifest, model"):
        check(config.model_copy(update={"seed": 5}))


def test_parts_of_other_settings_name_them(tmp_path: Path) -> None:
    uri = str(tmp_path)
    config = PredictConfig(output_uri=uri, model_uri=HUB, images_uri="secret-place")
    first = PartFolder(uri, "part", content(config) | {"model_digest": "m"})
    first.open()
    first.write(0, pa.table({"x": [1]}))
    changed = config.model_copy(update={"sampling": SamplingConfig(max_tokens=7)})
    second = PartFolder(uri, "part", content(changed) | {"model_digest": "n"})
    with pytest.raises(ChexoneError) as caught:
        second.open()
    assert "settings (model_digest, sampling.max_tokens): give" in str(caught.value)
    storage.record_settings(uri, config)
    first.commit({})
    assert first.is_complete()
    with pytest.raises(ChexoneError) as caught:
        second.is_complete()
    assert "settings (sampling.max_tokens): give" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_model_of_other_settings_names_them(tmp_path: Path) -> None:
    config = TinyModelConfig(output_uri=str(tmp_path), random=True)
    told = config.model_dump(mode="json", exclude={"output_uri"})
    storage.commit(str(tmp_path), {"settings": told})
    assert tiny_model.build(config) == str(tmp_path)
    with pytest.raises(ChexoneError, match=r"a model of other settings \(random, seed\)"):
        tiny_model.build(config.model_copy(update={"random": False, "seed": 3}))


def test_traces_are_found_from_an_absolute_path_and_refusals_name_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = write_manifest(tmp_path, 3)
    with ChatServer(lambda row, count, body: completion([RIGHT])) as server:
        config = settings(Path(), server.url, "manifest")
        assert trace(config) == "traced"
        full = settings(tmp_path, server.url, absolute)
        assert trace(full) == str(tmp_path / "traced"), "complete"
        elsewhere = {"output_uri": str(tmp_path / "other"), "texts_uri": "traced/texts"}
        trace(full.model_copy(update=elsewhere))
        assert server.asked.total() == 3, "the texts are those of the same manifest"
        endpoint = full.endpoint.model_copy(update={"model": "m", "timeout_s": 9})  # type: ignore[union-attr]
        for update, names in (
            ({"filters": TraceFilters(min_words=3)}, "filters.min_words"),
            ({"endpoint": endpoint, "split": "test"}, "endpoint.model, split"),
        ):
            with pytest.raises(ChexoneError) as caught:
                trace(full.model_copy(update=update))
            assert f"traces of other settings ({names}): give" in str(caught.value)
        storage.delete("traced/_COMMITTED.json")
        sampling = SamplingConfig(temperature=0.7, max_tokens=9)
        with pytest.raises(ChexoneError, match=r"settings \(sampling.max_tokens"):
            trace(full.model_copy(update={"sampling": sampling}))
