"""The whole stage on drawn films; the engine, which answers by the pixels it gets, is the one seam.

It sees a bright spot or not, so each figure is known beforehand.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import images, storage
from chexone_ray.boxes import encode, negative
from chexone_ray.config import (
    EngineConfig,
    ImageConfig,
    ProbeConfig,
    PromptConfig,
    SamplingConfig,
)
from chexone_ray.data import manifest
from chexone_ray.engine.pool import EnginePool
from chexone_ray.errors import ChexoneError
from chexone_ray.probing.run import model_name, probe
from chexone_ray.records import Box, Completion, ImageRef, Request, Rollout, Sample

SPOT = Box("nodule", (0.25, 0.25, 0.5, 0.5))
PATIENTS = {"p1": True, "p2": True, "p3": False, "p4": False}
"""Patient -> whether the film has the spot."""
SEEN, UNSEEN = "There is a bright nodule.", "There is no nodule."


class SpotEngine:
    """Says what it sees on the first film; after `\\boxed`, what the text before it says."""

    asked: ClassVar[list[Request]] = []

    async def start(self) -> None:
        """Nothing to load."""

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        self.asked.extend(requests)
        return [Rollout(r.id, (0,), self._answers(r, sampling.n)) for r in requests]

    def _answers(self, request: Request, count: int) -> tuple[Completion, ...]:
        texts = [self._text(request)] * count
        if count > 1:  # one of the samples is another answer, and one has none
            texts[:2] = ["\\boxed{perhaps}", "I do not know"]
        return tuple(Completion(text, (1, 2), (0.0, 0.0), "stop", 0) for text in texts)

    def _text(self, request: Request) -> str:
        question, _, begun = request.prompt.rpartition("assistant\n")
        sees = bool((images.from_png(request.images[0]) > 150).any())
        forced = begun.endswith("\\boxed")
        answer = self._answer(question, SEEN in begun if forced else sees)
        if forced:
            return f"{{{answer}}} or \\boxed{{both}}"
        if "Reason" not in question:
            return "yes"  # without reasoning it does not look
        return f"{SEEN if sees else UNSEEN} \\boxed{{{answer}}}"

    def _answer(self, question: str, there: bool) -> str:
        if "Where" in question:
            return encode([SPOT]) if there else negative("nodule")
        return "yes" if there else "no"

    async def update_weights(self, weights: Any, version: int) -> None:
        """No weights."""

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """No weights."""

    async def check(self) -> None:
        """It lives."""

    async def shutdown(self) -> None:
        """Nothing to end."""

    def kill(self) -> None:
        """Nothing to end."""


def row(folder: Path, kind: str, patient: str, there: bool) -> Sample:
    boxes = (SPOT,) if there and kind == "grounding" else ()
    answers = {"presence": "yes" if there else "no", "grounding": encode([SPOT])}
    return Sample(
        id=f"{kind}-{patient}",
        dataset="d",
        task="t",
        kind=kind,
        split="test",
        patient=patient,
        study=f"study of {patient}",
        images=(ImageRef(str(folder / f"{patient}.png"), "PA"),),
        question="Is there a nodule?" if kind == "presence" else "Where is the nodule?",
        answer=answers[kind],
        boxes=boxes,
    )


def write_manifest(folder: Path) -> str:
    """Presence of all patients and a film that is cut short; places of those with the spot."""
    for patient, there in PATIENTS.items():
        film = np.full((56, 56, 3), 90, dtype=np.uint8)
        film[:, 28:] = 100
        if there:
            film[16:24, 16:24] = 250
        (folder / f"{patient}.png").write_bytes(images.to_png(film))
    (folder / "p5.png").write_bytes(images.to_png(film)[:50])
    rows = [row(folder, "presence", patient, there) for patient, there in PATIENTS.items()]
    rows += [row(folder, "grounding", patient, True) for patient in ("p1", "p2")]
    damaged = row(folder, "presence", "p5", True)  # of another view: no row is swapped for it
    rows.append(replace(damaged, images=(replace(damaged.images[0], view="AP"),)))
    uri = str(folder / "manifest")
    manifest.write_samples(uri, rows, {"seed": 1})
    return uri


def read_rows(uri: str) -> list[dict[str, Any]]:
    parts = storage.list_files(uri, ".parquet")
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(part))) for part in parts]
    return [found for table in tables for found in table.to_pylist()]


def test_a_model_is_named_by_its_folder() -> None:
    assert model_name("s3://bucket/runs/grpo/model/") == "grpo"
    assert model_name("s3://bucket/runs/grpo") == "grpo"
    assert model_name("StanfordAIMI/CheXOne") == "CheXOne"
    assert model_name("model") == "model"


@pytest.mark.slow
def test_the_figures_are_those_of_an_engine_that_looks(tmp_path: Path, tiny_model_uri: str) -> None:
    config = ProbeConfig(
        output_uri=str(tmp_path / "probes"),
        model_uri=tiny_model_uri,
        manifest_uri=write_manifest(tmp_path),
        cuts=(0.0, 0.5, 1.0),
        rows_per_part=4,
        bootstrap=50,
        max_failure_rate=0.2,
        sampling=SamplingConfig(n=4, temperature=1.0),
        images=ImageConfig(max_pixels=12_544),
        prompts=PromptConfig(system="", suffix="Reason step by step."),
        engine=EngineConfig(num_gpus=0, min_engines=1, max_engines=1),
    )
    SpotEngine.asked.clear()
    with EnginePool(
        config.engine, tiny_model_uri, config.images, factory=lambda uri, version: SpotEngine()
    ) as pool:
        assert probe(config, pool) == config.output_uri
        rows = read_rows(config.output_uri)
        check_rows(rows)
        check_figures(config.output_uri)

        num_asked = len(SpotEngine.asked)
        assert probe(config, pool) == config.output_uri
        assert len(SpotEngine.asked) == num_asked, "a complete folder stays as it is"
        with pytest.raises(ChexoneError, match="other settings"):
            probe(config.model_copy(update={"cuts": (0.0,)}), pool)
        # A run that was killed before its second part.
        storage.delete(storage.join(config.output_uri, storage.COMMIT_FILE))
        storage.delete(storage.join(config.output_uri, "part-00001.parquet"))
        probe(config, pool)
        assert {r.id for r in SpotEngine.asked[num_asked:]} == {"grounding-p1", "grounding-p2"}
        assert sorted(map(str, read_rows(config.output_uri))) == sorted(map(str, rows))

        strict = config.model_copy(
            update={"output_uri": str(tmp_path / "strict"), "max_failure_rate": 0.1}
        )
        with pytest.raises(ChexoneError, match=r"1 of 7 rows .*'image: truncated': 1"):
            probe(strict, pool)
        none = config.model_copy(update={"output_uri": str(tmp_path / "none"), "kinds": ("view",)})
        with pytest.raises(ChexoneError, match="nothing to ask"):
            probe(none, pool)


def check_rows(rows: Sequence[dict[str, Any]]) -> None:
    counts = Counter(found["probe"] for found in rows)
    swapped = {
        found["id"]: found["other_truth"] for found in rows if found["probe"] == "swapped image"
    }
    assert counts == {
        "plain": 7,
        "sample": 24,
        "instruct": 6,
        "blank image": 6,
        "swapped image": 6,
        "lesion occluded": 4,  # presence and grounding of the two films with a box
        "control occluded": 4,
        "trace cut to 0 %": 6,
        "trace cut to 50 %": 6,
        "trace cut to 100 %": 6,
    }
    assert {found["id"] for found in rows if found["status"] == "failed"} == {"presence-p5"}
    # The places of p1 and p2 are the same.
    assert swapped == {name: name.startswith("presence") for name in swapped}
    cut = [found for found in rows if found["probe"].startswith("trace")]
    assert all(found["status"] == "answered" and found["answer"] != "both" for found in cut)
    assert all(found["text"].endswith("}") for found in cut)


def check_figures(uri: str) -> None:
    found = {
        (figure["metric"], figure["mode"]): (figure["value"], figure["num_rows"])
        for figure in storage.read_json(f"{uri}/reasoning.json")
    }
    expected = {
        ("factuality", "reasoning"): (1.0, 4),
        ("traces that state a finding", "reasoning"): (4 / 6, 6),
        ("answer-trace agreement", "reasoning"): (1.0, 6),
        # Of presence classes of 2, 1 and 1: 1/4. Places: "perhaps" is no box and no denial.
        ("self-consistency", "reasoning"): (1 / 4, 6),
        ("accuracy", "reasoning"): (1.0, 6),
        ("accuracy", "instruct"): (2 / 6, 6),
        ("accuracy, blank image", "reasoning"): (2 / 6, 6),
        ("accuracy, swapped image", "reasoning"): (2 / 6, 6),
        ("accuracy, trace cut to 0 %", "reasoning"): (2 / 6, 6),
        ("accuracy, trace cut to 50 %", "reasoning"): (2 / 6, 6),
        ("accuracy, trace cut to 100 %", "reasoning"): (1.0, 6),
        ("flip rate, blank image", "reasoning"): (4 / 6, 6),
        ("flip rate, swapped image", "reasoning"): (4 / 6, 6),
        ("flip rate, lesion occluded", "reasoning"): (1.0, 4),
        ("flip rate, control occluded", "reasoning"): (0.0, 4),
        ("flip rate, trace cut to 0 %", "reasoning"): (4 / 6, 6),
        ("flip rate, trace cut to 50 %", "reasoning"): (4 / 6, 6),
        ("flip rate, trace cut to 100 %", "reasoning"): (0.0, 6),
    }
    assert found.keys() == expected.keys()
    for key, (value, num_rows) in expected.items():
        assert found[key] == (pytest.approx(value), num_rows), key
    models = {figure["model"] for figure in storage.read_json(f"{uri}/reasoning.json")}
    assert models == {"tiny-model"}
    gaps = {gap["first"]: gap for gap in storage.read_json(f"{uri}/differences.json")}
    assert gaps["flip rate, control occluded"]["value"] == 1.0
    assert gaps["accuracy, blank image"]["value"] == pytest.approx(4 / 6)
    info = storage.committed(uri)
    assert info is not None and info["rows"] == 7
    assert info["answers"]["plain"] == {"answered": 6, "failed": 1}
