"""RadGraph's four scores of graphs written by hand, in the form that the package writes."""

from __future__ import annotations

from typing import Any

import pytest

from chexone_ray.metrics.learned.radgraph import GraphScores, graph_scores

Graph = dict[str, dict[str, Any]]


def entity(tokens: str, label: str, *relations: tuple[str, str]) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "label": label,
        "start_ix": 0,
        "end_ix": 0,
        "relations": [list(relation) for relation in relations],
    }


PRESENT, ABSENT, PLACE = "Observation::definitely present", "Observation::definitely absent", "A"

SMALL_LEFT_EFFUSION: Graph = {
    "1": entity("Small", PRESENT, ("modify", "3")),
    "2": entity("left", PLACE, ("modify", "3")),
    "3": entity("effusion", PRESENT),
}
LARGE_LEFT_EFFUSION: Graph = {
    "1": entity("large", PRESENT, ("modify", "3")),
    "2": entity("Left", PLACE, ("modify", "3")),
    "3": entity("effusion", PRESENT),
    "4": entity("edema", ABSENT),
}


def test_worked_scores() -> None:
    # Shared entities: left, effusion. Shared relation: left modifies effusion.
    scores = graph_scores(SMALL_LEFT_EFFUSION, LARGE_LEFT_EFFUSION)
    assert scores.simple == pytest.approx(2 * 2 / (3 + 4))
    assert scores.partial == pytest.approx(2 * 2 / (3 + 4))
    assert scores.complete == pytest.approx(2 * 2 / (3 + 4))
    assert scores.radcliq == pytest.approx((4 / 7 + 2 * 1 / (2 + 2)) / 2)
    assert graph_scores(SMALL_LEFT_EFFUSION, SMALL_LEFT_EFFUSION) == GraphScores(1, 1, 1, 1)


def test_the_levels_differ_where_relations_do() -> None:
    there: Graph = {
        "1": entity("left", PLACE, ("modify", "2")),
        "2": entity("effusion", PRESENT),
    }
    elsewhere: Graph = {
        "1": entity("left", PLACE, ("modify", "2")),
        "2": entity("lung", PLACE),
        "3": entity("effusion", PRESENT),
    }
    alone: Graph = {"1": entity("left", PLACE), "2": entity("effusion", PRESENT)}
    assert graph_scores(there, alone) == GraphScores(1, 0.5, 0.5, 0.5)
    # Left leads to another entity: the same at the partial level, not at the complete one.
    scores = graph_scores(there, elsewhere)
    assert (scores.simple, scores.partial) == (pytest.approx(4 / 5), pytest.approx(4 / 5))
    assert scores.complete == pytest.approx(2 / 5)
    assert scores.radcliq == pytest.approx((4 / 5 + 0) / 2)


def test_the_label_tells_present_from_absent() -> None:
    assert graph_scores({"1": entity("edema", PRESENT)}, {"1": entity("edema", ABSENT)}) == (
        GraphScores(0, 0, 0, 0)
    )


def test_empty_graphs_are_zero_and_pairs_without_relations_reach_half() -> None:
    assert graph_scores({}, {}) == graph_scores({}, SMALL_LEFT_EFFUSION) == GraphScores(0, 0, 0, 0)
    one: Graph = {"1": entity("edema", ABSENT)}
    assert graph_scores(one, one) == GraphScores(1, 1, 1, 0.5)
