"""Variance and the rule that keeps prompts, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import checkpoints, images, storage
from chexone_ray.config import (
    EngineConfig,
    FilterConfig,
    ImageConfig,
    RewardConfig,
    SamplingConfig,
    TinyModelConfig,
)
from chexone_ray.data import manifest, stream
from chexone_ray.engine.pool import EnginePool
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Completion, ImageRef, Request, Rollout, Sample
from chexone_ray.rewards.score import Scored
from chexone_ray.variance import Group, group_of, histogram, keep, select
from tests import samples


def sample(number: int, kind: str = "presence") -> Sample:
    return samples.sample(kind, id=f"{kind}-{number}")


def group(number: int, kind: str, rewards: tuple[float, ...]) -> Group:
    return group_of(
        sample(number, kind), [Scored(reward, {"format": reward}) for reward in rewards]
    )


def test_population_variance() -> None:
    found = group(1, "presence", (1.0, 0.0, 0.0, 0.0))
    assert (found.mean, found.variance) == (0.25, 0.1875)
    assert group(2, "presence", (0.5, 1.0)).variance == 0.0625


def test_the_parts_of_a_reward_are_averaged_over_those_they_apply_to() -> None:
    scores = [Scored(0.5, {"format": 1.0, "options": 0.0}), Scored(1.0, {"format": 0.5})]
    first = group_of(sample(1, "presence"), scores)
    assert first.parts == (("format", 0.75), ("options", 0.0))
    second = group(2, "presence", (0.25, 0.25))
    table = histogram([first, second], set())
    assert table["presence"]["mean_parts"] == {"format": 0.5, "options": 0.0}


def test_equal_rewards_have_exactly_no_variance() -> None:
    # the mean of these is not 0.1 in floating point, so the plain formula gives 1.9e-34
    assert group(1, "presence", (0.1,) * 3).variance == 0.0
    assert keep([group(1, "presence", (0.1,) * 3)], 0.0, {}) == set()


def test_threshold_is_on_the_std_and_strict() -> None:
    groups = [
        group(1, "presence", (0.0, 1.0)),  # std 0.5
        group(2, "presence", (0.25, 0.75)),  # std 0.25
        group(3, "presence", (0.5, 0.5)),  # std 0
    ]
    assert keep(groups, 0.0, {}) == {"presence-1", "presence-2"}
    assert keep(groups, 0.25, {}) == {"presence-1"}
    assert keep(groups, 0.5, {}) == set()


def test_quota_takes_the_highest_variance_and_breaks_ties_by_id() -> None:
    groups = [
        group(3, "presence", (0.0, 1.0)),
        group(1, "presence", (1.0, 0.0)),
        group(2, "presence", (0.0, 0.5)),
        group(7, "side", (0.0, 0.1)),
        group(8, "side", (0.0, 0.2)),
    ]
    assert keep(groups, 0.0, {"presence": 1}) == {"presence-1", "side-7", "side-8"}
    assert keep(groups, 0.0, {"presence": 2, "side": 1}) == {"presence-1", "presence-3", "side-8"}
    assert keep(groups, 0.0, {"presence": 9}) == {g.id for g in groups}


def test_failed_groups_are_not_kept_but_counted() -> None:
    failed = Group("side-1", "side", 0.0, 0.0, (), "image: truncated")
    groups = [failed, group(2, "side", (0.0, 1.0)), group(3, "side", (0.3, 0.3))]
    kept = keep(groups, 0.0, {})
    assert kept == {"side-2"}
    table = histogram(groups, kept)["side"]
    assert table["prompts"] == 2
    assert (table["failed"], table["zero"], table["kept"]) == (1, 1, 1)
    assert table["mean_reward"] == pytest.approx(0.4)
    assert table["mean_std"] == pytest.approx(0.25)
    assert table["bins"] == [0] * 9 + [1]  # std 0.5 belongs to the last bin


def test_bins_are_a_tenth_of_half() -> None:
    groups = [group(i, "k", (0.0, r)) for i, r in enumerate((0.02, 0.12, 0.2, 0.98))]
    # std is half of each: 0.01, 0.06, 0.1, 0.49 in bins of 0.05
    assert histogram(groups, set())["k"]["bins"] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 1]


def test_one_sample_is_refused() -> None:
    config = FilterConfig(
        output_uri="out", model_uri="m", manifest_uri="x", sampling=SamplingConfig(n=1)
    )
    with pytest.raises(ChexoneError, match=r"filter\.sampling\.n=1"):
        select(config)


# --- the whole stage; the engine is the one seam --------------------------------------------------

ANSWERS = {
    "presence-0": ("yes", "no", "no", "no"),
    "presence-1": ("yes", "yes", "yes", "yes"),
    "presence-2": ("yes", "yes", "no", "no"),
    "side-0": ("left", "right", "left", "left"),
    "side-1": ("right", "right", "right", "right"),
}


class ScriptedEngine:
    """Answers by `ANSWERS`; counts the prompts that it was asked."""

    asked: ClassVar[list[str]] = []

    async def start(self) -> None:
        """Nothing to load."""

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        self.asked.extend(r.id for r in requests)
        return [
            Rollout(
                r.id,
                (0,),
                tuple(
                    Completion(f"I look. \\boxed{{{text}}}", (1,), (0.0,), "stop", 0)
                    for text in ANSWERS[r.id]
                ),
            )
            for r in requests
        ]

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


def write_manifest(folder: Path) -> str:
    """Five questions and one more about a film that is cut short."""
    film = images.to_png(np.full((56, 56, 3), 90, dtype=np.uint8))
    (folder / "film.png").write_bytes(film)
    (folder / "bad.png").write_bytes(film[:50])
    rows = [
        replace(
            sample(int(name[-1]), name[:-2]),
            patient=f"patient of {name}",
            study=f"study of {name}",
            images=(ImageRef(str(folder / "film.png")),),
            answer="yes" if name.startswith("presence") else "left",
        )
        for name in ANSWERS
    ]
    rows.append(replace(rows[0], id="presence-9", images=(ImageRef(str(folder / "bad.png")),)))
    uri = str(folder / "manifest")
    manifest.write_samples(uri, rows, {"seed": 1})
    return uri


def check_result(config: FilterConfig) -> None:
    """What `select` leaves: the manifest, its card, the groups and the report."""
    chosen = stream.read_samples(config.output_uri, "train")
    # presence-2 has two of four right, presence-0 one of four: the quota keeps the first only.
    assert [s.id for s in chosen] == ["presence-2", "side-0"]
    info = manifest.load(config.output_uri).info
    assert info["selected_from"] == config.manifest_uri
    assert (info["num_patients"], info["num_studies"], info["num_images"]) == (2, 2, 1)
    assert "dropped" not in info
    card = storage.read_bytes(storage.join(config.output_uri, manifest.CARD_FILE)).decode()
    assert "2 questions, seed 1, 2 patients, 2 studies, 1 images" in card
    assert "A selection of another manifest" in card and "Left out" not in card
    groups = pq.read_table(Path(config.output_uri) / "groups.parquet").to_pylist()
    assert {g["id"]: g["kept"] for g in groups} == {
        name: name in ("presence-2", "side-0") for name in (*ANSWERS, "presence-9")
    }
    assert [g["error"] for g in groups if g["error"]]
    parts = {g["id"]: dict(g["parts"]) for g in groups}
    assert parts["side-0"] == {"format": 1.0, "options": 0.75} and parts["presence-9"] == {}
    report = storage.read_json(storage.join(config.output_uri, "report.json"))
    assert (report["prompts"], report["failed"], report["kept"]) == (6, 1, 2)
    assert report["kinds"]["presence"]["zero"] == 1
    # presence-0, -1 and -2 have one, four and two of four right.
    assert report["kinds"]["presence"]["mean_parts"] == {
        "format": 1.0,
        "options": pytest.approx(7 / 12),
    }


def check_refusals(config: FilterConfig, pool: EnginePool, folder: Path) -> None:
    """What ends a run with changed settings; other rewards do so before anything is asked."""

    def changed(**update: object) -> FilterConfig:
        return config.model_copy(update=update)

    num_asked = len(ScriptedEngine.asked)
    original = RewardConfig(rules="original", report=0)
    with pytest.raises(ChexoneError, match=r"6 rows of the tasks \{'t': 6\}"):
        select(changed(output_uri=str(folder / "published"), rewards=original), pool)
    assert len(ScriptedEngine.asked) == num_asked
    with pytest.raises(ChexoneError, match="other settings"):
        select(changed(min_std=0.1), pool)
    recorded = storage.read_json(storage.join(config.output_uri, "config.json"))
    asked = checkpoints.as_trained(config)
    assert FilterConfig(**recorded) == asked, "the refused run has not written its own"
    with pytest.raises(ChexoneError, match="1 of 6 prompts failed"):
        select(changed(output_uri=str(folder / "strict"), max_failure_rate=0.1), pool)
    with pytest.raises(ChexoneError, match="none of 6 prompts"):
        select(changed(output_uri=str(folder / "none"), min_std=0.6), pool)


@pytest.mark.slow
def test_select_writes_the_smaller_manifest_once(tmp_path: Path) -> None:
    from chexone_ray.tiny_model import build

    model = build(TinyModelConfig(output_uri=str(tmp_path / "tiny"), random=True))
    config = FilterConfig(
        output_uri=str(tmp_path / "selected"),
        model_uri=model,
        manifest_uri=write_manifest(tmp_path),
        quota_per_kind={"presence": 1},
        sampling=SamplingConfig(n=4, temperature=1.0),
        max_failure_rate=0.2,
        images=ImageConfig(max_pixels=12_544),
        engine=EngineConfig(num_gpus=0, min_engines=1, max_engines=1),
    )
    ScriptedEngine.asked.clear()
    with EnginePool(
        config.engine, model, config.images, factory=lambda uri, version: ScriptedEngine()
    ) as pool:
        assert select(config, pool) == config.output_uri
        assert sorted(ScriptedEngine.asked) == sorted(ANSWERS)
        check_result(config)
        assert not storage.exists(storage.join(config.output_uri, "progress"))
        assert select(config, pool) == config.output_uri
        assert len(ScriptedEngine.asked) == len(ANSWERS)
        check_refusals(config, pool, tmp_path)
