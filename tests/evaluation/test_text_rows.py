"""Statistics of rows: made once a system, the same as row by row."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.measures import Draws, Part, measure
from chexone_ray.evaluation.metric import Source, source_metric
from chexone_ray.evaluation.predictions import Judged, all_answered
from chexone_ray.evaluation.rows import rows_table
from chexone_ray.evaluation.statistics import Array
from chexone_ray.evaluation.text_rows import computed, row_statistics
from chexone_ray.metrics.summable import mean_value
from chexone_ray.metrics.text import Pair
from chexone_ray.records import ImageRef, Sample

SAMPLE = Sample(
    *("0", "d", "Findings Generation", "findings", "test", "p0", "s"),
    (ImageRef("x"),),
    "Write the findings.",
    "Small left effusion.",
)
REFERENCES = ("Small left effusion. The heart is normal.", "No edema.", "Low lung volumes.")
"""The last states no label."""
ANSWERS = {
    "one": ("Small effusion on the left.", None, "Clear lungs."),
    "other": ("No edema.", "No edema.", "Clear lungs."),
}


def _systems() -> dict[str, Judged]:
    samples = tuple(
        replace(SAMPLE, id=str(i), patient=f"p{i}", answer=text)
        for i, text in enumerate(REFERENCES)
    )
    return {
        name: Judged(
            samples,
            answers,
            tuple("unparsed" if answer is None else "answered" for answer in answers),
            ("",) * 3,
        )
        for name, answers in ANSWERS.items()
    }


def test_statistics_are_those_of_each_row_by_itself() -> None:
    systems = _systems()
    found = computed(METRICS["findings"], systems)
    assert list(found.rows) == ["one", "other"]
    assert all(metric.source for metric in found.metrics), "none is made row by row"
    for name, judged in systems.items():
        for metric in METRICS["findings"]:
            rows = [
                row if (row := metric.row(*pair)) is None else list(row)
                for pair in zip(judged.samples, judged.answers, strict=True)
            ]
            for made in (found.rows[name][metric.name], row_statistics(metric, judged)):
                assert [row if row is None else list(row) for row in made] == rows
            assert (rows[2] is None) == metric.name.endswith("(samples)")


def test_a_pair_is_scored_once_for_all_systems_metrics_and_rows() -> None:
    asked: list[list[Pair]] = []

    def statistics(pairs: Sequence[Pair]) -> Array:
        asked.append(list(pairs))
        return np.array([[len(said), len(meant), 1.0] for said, meant in pairs])

    source = Source(statistics)
    metrics = [
        source_metric(source, "said", (0, 2), mean_value, "said"),
        source_metric(source, "meant", (1, 2), mean_value, "meant"),
    ]
    systems = _systems()
    found = computed(metrics, systems)
    figures, _ = measure(Part("", "findings"), found, systems, {}, Draws(10, 0, 0))
    rows_table(
        {"": {name: {"findings": judged} for name, judged in systems.items()}},
        {("", "findings"): found},
    )
    # Six rows; both systems gave the third the same answer. Those of one row stand together.
    assert asked == [
        [
            ("Small effusion on the left.", REFERENCES[0]),
            ("No edema.", REFERENCES[0]),
            ("", REFERENCES[1]),
            ("No edema.", REFERENCES[1]),
            ("Clear lungs.", REFERENCES[2]),
        ]
    ]
    values = {(figure.model, figure.metric): figure.value for figure in figures}
    assert values["one", "said"] == pytest.approx((27 + 0 + 12) / 3)
    assert values["other", "said"] == pytest.approx((9 + 9 + 12) / 3)
    assert values["one", "meant"] == values["other", "meant"] == pytest.approx((41 + 9 + 17) / 3)


def test_tasks_need_a_ray_that_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    systems = {"a": all_answered([SAMPLE], ["No edema."])}
    with pytest.raises(ChexoneError, match="text_tasks=2: Ray is not joined"):
        computed(METRICS["findings"], systems, 2)
    assert len(computed(METRICS["findings"], systems, 1).rows["a"]) == len(METRICS["findings"])
    assert "ray" not in sys.modules, "evaluating needs no Ray"
