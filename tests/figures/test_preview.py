"""The sheet of a manifest: every kind with its films, boxes and answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.data import manifest
from chexone_ray.figures import preview
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box, ImageRef, Sample


def sample(kind: str, study: str, film: str, **changes: object) -> Sample:
    base = Sample(
        id=f"made_up/{study}/{kind}/0",
        dataset="made_up",
        task="",
        kind=kind,
        split="train",
        patient=study,
        study=study,
        images=(ImageRef(film, "PA"),),
        question=f"What of {study} <b>?",
        answer=f"answer {study}",
        reasoning="Seen.",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_preview_shows_every_kind_and_what_cannot_be_shown(tmp_path: Path) -> None:
    film, bad = tmp_path / "film.png", tmp_path / "bad.png"
    film.write_bytes(images.to_png(np.full((56, 56, 3), 90, dtype=np.uint8)))
    bad.write_bytes(film.read_bytes()[:40])
    rows = [
        sample("side", "s1", str(film)),
        sample("side", "s1", str(film), id="made_up/s1/side/1", question="asked again"),
        sample("side", "s2", str(film)),
        sample("side", "s3", str(film)),
        sample("grounding", "s1", str(film), boxes=(Box("nodule", (0.25, 0.25, 0.5, 0.5)),)),
        sample("view", "s4", str(bad)),
        sample("summary", "s5", str(film), images=(), split="test"),
    ]
    uri = str(tmp_path / "manifest")
    manifest.write_samples(uri, rows, {"seed": 0})
    chosen = preview.choose(uri, 2)
    assert [(s.kind, s.study) for s in chosen] == [
        ("side", "s1"),
        ("side", "s2"),
        ("view", "s4"),
        ("grounding", "s1"),
        ("summary", "s5"),
    ]
    page = Path(preview.write(uri, 2, ImageConfig(max_pixels=12_544))).read_text()
    assert RESEARCH_USE_ONLY in page and "5 of 7 questions, 4 kinds" in page
    assert page.count("data:image/png;base64,") == 3
    assert "<rect x='14.0' y='14.0' width='14.0' height='14.0'" in page
    assert "What of s1 &lt;b&gt;?" in page and "asked again" not in page
    assert "image undecodable" in page and "Findings Summarization" in page
    assert "http" not in page, "it opens without a network"


def test_row_groups_are_spread_over_the_splits_and_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        sample(kind, f"{split}{n}", "", split=split)
        for split, count in (("train", 60), ("validate", 3), ("test", 60))
        for n in range(count)
        for kind in (("summary",) if n < 50 else ("side",))
    ]
    uri = str(tmp_path / "manifest")
    manifest.write_samples(uri, rows, {"seed": 0}, rows_per_group=2)
    monkeypatch.setattr(preview, "MAX_ROW_GROUPS", 18)
    groups = {split: [at for _, at in places] for split, places in preview.spread(uri).items()}
    assert groups == {
        "train": [0, 5, 10, 15, 20, 25],
        "validate": [0, 1],
        "test": [0, 5, 10, 15, 20, 25],
    }
    assert next(iter(groups)) == "train"
    chosen = preview.choose(uri, 4)
    assert [(s.kind, s.study) for s in chosen if s.kind == "summary"] == [
        ("summary", study) for study in ("train0", "validate0", "test0", "train1")
    ]
    assert [s.study for s in chosen if s.kind == "side"] == [
        "train50",
        "test50",
        "train51",
        "test51",
    ]
