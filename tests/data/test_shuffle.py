"""How rows are mixed and in which order they come."""

from __future__ import annotations

import pyarrow as pa
import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data import blocks
from chexone_ray.data.ask import _is_mixed_in, _Tally
from chexone_ray.data.blocks import Block, Letter
from chexone_ray.data.choose import share_of
from chexone_ray.data.refuse import problems
from chexone_ray.data.shuffle import Stretch, _route, phase_of, plan

SOURCE = SourceConfig(adapter="mimic_cxr_jpg", uri="unused")
CONFIG = PrepareConfig(output_uri="unused-output", sources=(SOURCE,))
PHASES = (("view", "presence"), ("findings",))


def config(**changes: object) -> PrepareConfig:
    return CONFIG.model_copy(update=changes)


def test_plan_gives_every_phase_parts_of_its_own() -> None:
    asked = {"train/view": 5000, "train/findings": 10, "train/side": 4097, "test/view": 3}
    removed = {"train/view": 904, "train/findings": 10}
    assert plan(asked, removed, PHASES) == {
        ("test", 0): Stretch(0, 1, 3),
        ("train", 0): Stretch(0, 1, 4096),
        ("train", 2): Stretch(1, 2, 4097),
    }
    assert plan(asked, removed, ()) == {
        ("test", 0): Stretch(0, 1, 3),
        ("train", 0): Stretch(0, 3, 8193),
    }
    assert plan({"train/view": 4}, {"train/view": 4}, ()) == {}
    assert [phase_of("train", kind, PHASES) for kind in ("presence", "findings", "side")] == [
        0,
        1,
        2,
    ]
    assert phase_of("test", "side", PHASES) == 0


def test_rows_go_to_the_parts_of_their_phase_by_their_key(tmp_path: object) -> None:
    folder = str(tmp_path)
    rows = [
        ("train", "view", 0),
        ("train", "side", 2**62 - 1),
        ("train", "side", 2**62),
        ("test", "side", 2**63 - 1),
    ]
    table = pa.table(
        {
            "split": [row[0] for row in rows],
            "kind": [row[1] for row in rows],
            "key": [row[2] for row in rows],
            "rank": [1, 2, 3, 4],
            "group": [""] * 4,
            "cls": [""] * 4,
        }
    )
    block = Block(0, blocks.rows_uri(folder, 0), {}, 1, 1, 0)
    blocks.write(folder, block, table, blocks.films_schema().empty_table())
    parts = {
        ("train", 0): Stretch(0, 1, 1),
        ("train", 2): Stretch(1, 2, 2),
        ("test", 0): Stretch(0, 1, 1),
    }
    routed = _route(pa.table({"uri": [block.uri]}), parts, {}, PHASES)
    assert routed["part"].to_pylist() == ["train-0", "train-1", "train-2", "test-0"]


def test_mixing_multiplies_and_thins_training_rows_by_their_rank() -> None:
    mixed = config(mix={"mimic_cxr_jpg": 0.5, "View Classification": 0.5, "view": 0.2})
    assert share_of("mimic_cxr_jpg", "View Classification", "view", mixed) == pytest.approx(0.05)
    assert share_of("mimic_cxr_jpg", "Close-Ended VQA", "side", mixed) == 0.5
    row = {"dataset": "mimic_cxr_jpg", "task": "Close-Ended VQA", "kind": "side"}
    low, high = ({**row, "split": "train", "rank": rank} for rank in (2**62 - 1, 2**62))
    assert (_is_mixed_in(low, mixed), _is_mixed_in(high, mixed)) == (True, False)
    assert _is_mixed_in({**high, "split": "test"}, mixed), "held-out rows stay"
    assert not _is_mixed_in({**low, "rank": 0}, config(mix={"side": 0.0}))
    tally = _Tally()
    tally.lose_thinned([low, high], [low])
    assert tally.letters == [Letter("mimic_cxr_jpg", "question_thinned", "side", 1)]


def test_names_that_mean_nothing_are_refused() -> None:
    assert [*problems(config(mix={"views": 0.5}))] == [
        'mix "views" is no data set, task or kind: use names of the card of a manifest'
    ]
    assert not [*problems(config(mix={"Rib Fracture Segmentation": 0.5, "chexpert": 0.1}))]
    (problem,) = problems(config(curriculum=(("view",), ("view", "side"))))
    assert problem == 'kind "view" is in 2 phases of the curriculum: keep one'
    assert "not known" in next(problems(config(curriculum=(("vew",),))))
