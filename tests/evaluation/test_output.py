"""Where an evaluation may be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chexone_ray import runtime, storage
from chexone_ray.config import EvaluateConfig
from chexone_ray.config.tables import RayConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import run
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.exchange import prediction_rows
from chexone_ray.records import ImageRef, Sample

SAMPLE = Sample("r", "d", "t", "presence", "test", "p", "s", (ImageRef("x"),), "Is it?", "yes")


@pytest.fixture(name="said")
def _said(tmp_path: Path) -> str:
    uri = str(tmp_path / "said")
    prediction_rows.write(uri, [prediction_rows.answered(SAMPLE, "yes", "yes")], "made up")
    return uri


def config(said: str, out: Path, **changes: Any) -> EvaluateConfig:
    values = {"predictions_uri": {"a": said}, "baselines": False, "bootstrap": 10} | changes
    return EvaluateConfig(output_uri=str(out), **values)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, said: str) -> None:
    films, rows = tmp_path / "films", tmp_path / "rows"
    films.mkdir()
    (films / "1.png").write_bytes(b"film")
    manifest.write_samples(str(rows), [SAMPLE], {"seed": 0})
    for out in (films, rows, Path(said)):
        before = files(out)
        with pytest.raises(ChexoneError, match=f"{out} holds .* that an evaluation does not write"):
            evaluate(config(said, out))
        assert files(out) == before


def test_the_same_evaluation_is_done_again(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    evaluate(config(said, out))
    before = files(out)
    (out / ".DS_Store").write_bytes(b"")
    evaluate(config(said, out, text_tasks=1))
    monkeypatch.chdir(tmp_path)
    evaluate(config("said", Path("out")))
    assert (out / "table.json").read_bytes() == before[str(out / "table.json")]
    # Killed after its settings were written: goes on as well.
    storage.delete(str(out / storage.COMMIT_FILE))
    evaluate(config(said, out))
    assert storage.committed(str(out)) is not None


def test_other_settings_are_refused_by_name(tmp_path: Path, said: str) -> None:
    out = tmp_path / "out"
    evaluate(config(said, out))
    before = files(out)
    changed: dict[str, dict[str, Any]] = {
        "bootstrap": {"bootstrap": 20},
        "predictions_uri.b": {"predictions_uri": {"a": said, "b": said}},
    }
    for name, changes in changed.items():
        with pytest.raises(ChexoneError, match=f"an evaluation of other settings .{name}.: give"):
            evaluate(config(said, out, **changes))
    assert files(out) == before


def test_what_is_missing_is_told_before_ray_is_joined(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(config: RayConfig) -> None:
        raise ChexoneError(f"asked to join {config.address}")

    monkeypatch.setattr(runtime, "join", join)
    nowhere = str(tmp_path / "nowhere")
    far: dict[str, Any] = {"text_tasks": 2, "ray": {"address": "127.0.0.1:1"}}
    suite = {
        "predictions_uri": {},
        "suite": "phantom",
        "models": {"a": {"predictions_uri": nowhere}},
        "data": {"view": {"manifest_uri": said}},
        "baselines": True,
    }
    archive = {"mimic_cxr_jpg": {"uri": nowhere}}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"predictions_uri": {"a": nowhere}}, f"predictions {nowhere}: the folder does not exist"),
        ({"manifest_uri": nowhere}, f"{nowhere} holds no complete manifest"),
        ({"learned": {"radgraph": {"model_type": "x"}}}, "(?i)radgraph"),
        (suite | {"data": {"view": {"manifest_uri": nowhere}}}, "holds no complete manifest"),
        (suite | {"data": archive}, f"{nowhere}/mimic-cxr-2.0.0-metadata.csv.* is missing"),
    ]
    for changes, told in wrong:
        with pytest.raises(ChexoneError, match=told):
            run.evaluate(config(said, tmp_path / "out", **far, **changes))
    with pytest.raises(ChexoneError, match=r"asked to join 127\.0\.0\.1:1"):
        run.evaluate(config(said, tmp_path / "out", **far))


def test_an_unfinished_prediction_of_a_suite_is_told_of_at_once(tmp_path: Path, said: str) -> None:
    manifest.write_samples(str(tmp_path / "rows"), [SAMPLE], {"seed": 0})
    values: dict[str, Any] = {
        "suite": "phantom",
        "predictions_uri": {},
        "models": {"a": {"predictions_uri": str(tmp_path / "none")}},
        "data": {"view": {"manifest_uri": str(tmp_path / "rows")}},
        "baselines": True,
    }
    run.check(config(said, tmp_path / "out", **values))  # the run makes the rows to be answered
    storage.write_bytes(str(tmp_path / "none" / "view" / "part-00000.parquet"), b"")
    with pytest.raises(ChexoneError, match="none/view are not complete"):
        run.check(config(said, tmp_path / "out", **values))
