"""RadGraph F1: how many entities and relations of two reports are the same (package `radgraph`).

The graphs come from the package's model, which has to be stated: original, XL and modern XL give
different numbers. The four scores are made here, since two definitions are in use:

- simple, partial, complete: F1 over entities; alone, with whether they have a relation, or with
  each of their relations. Papers report "partial" most often.
- radcliq: the mean of entity F1 and relation F1, which RadCliQ and the public leaderboard take.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned import packages
from chexone_ray.metrics.signature import signature

NAME = "RadGraph F1"
REMEDY = "run `pip install radgraph` (the extra `metrics`), or leave the metric out"


@dataclass(frozen=True)
class GraphScores:
    """F1 of one pair by each definition, in 0-1."""

    simple: float
    partial: float
    complete: float
    radcliq: float


class RadGraph:
    """Holds the package's model; `scores` compares pairs of texts.

    Raises ChexoneError where the package or the weights of `model_type` are missing.
    """

    def __init__(self, model_type: str) -> None:
        package = packages.load(NAME, "radgraph", "radgraph", REMEDY)
        self._model_type = model_type
        try:
            self._model: Any = package.RadGraph(model_type=model_type)
        except Exception as error:
            # What the package raises for weights that it cannot fetch is not stated.
            raise packages.no_model(NAME, f"the model {model_type!r}", error) from None

    def scores(self, predicted: Sequence[str], reference: Sequence[str]) -> list[GraphScores]:
        """One a pair; all 0 where either text is empty."""
        packages.check_pairs(NAME, predicted, reference)
        texts = list(dict.fromkeys(text for text in (*predicted, *reference) if text.strip()))
        read = self._model(texts) if texts else {}
        if len(read) != len(texts):
            raise ChexoneError(
                f"{NAME}: the package read {len(read)} of {len(texts)} texts: this version is "
                "not the one that the adapter knows (0.1.18)"
            )
        graphs = {text: read[str(number)]["entities"] for number, text in enumerate(texts)}
        return [
            graph_scores(graphs.get(said, {}), graphs.get(meant, {}))
            for said, meant in zip(predicted, reference, strict=True)
        ]

    def signature(self, level: str) -> str:
        """`level` is the name of a field of `GraphScores`."""
        return signature(
            NAME, level=level, model=self._model_type, radgraph=packages.version("radgraph")
        )


def graph_scores(
    said: Mapping[str, Mapping[str, Any]], meant: Mapping[str, Mapping[str, Any]]
) -> GraphScores:
    """Scores of two graphs: entity number -> {"tokens": words, "label": kind, "relations":
    [[kind, number of the other entity], ...]}, as the package writes them.

    Case plays no part. Two sets that are both empty give 0: a pair without relations has at most
    half of `radcliq`.
    """
    entities = (_entities(said), _entities(meant))
    return GraphScores(
        simple=_f1(*entities),
        partial=_f1(_partial(said), _partial(meant)),
        complete=_f1(_complete(said), _complete(meant)),
        radcliq=(_f1(*entities) + _f1(_relations(said), _relations(meant))) / 2,
    )


def _f1(said: AbstractSet[Hashable], meant: AbstractSet[Hashable]) -> float:
    shared = len(said & meant)
    return 2 * shared / (len(said) + len(meant)) if shared else 0.0


def _key(entity: Mapping[str, Any]) -> tuple[str, str]:
    return str(entity["tokens"]).lower(), str(entity["label"])


def _entities(graph: Mapping[str, Mapping[str, Any]]) -> set[Hashable]:
    return {_key(entity) for entity in graph.values()}


def _partial(graph: Mapping[str, Mapping[str, Any]]) -> set[Hashable]:
    return {(*_key(entity), bool(entity["relations"])) for entity in graph.values()}


def _relations(graph: Mapping[str, Mapping[str, Any]]) -> set[Hashable]:
    """(source, target, kind), each end as words and label."""
    return {
        (_key(entity), _key(graph[str(other)]), kind)
        for entity in graph.values()
        for kind, other in entity["relations"]
    }


def _complete(graph: Mapping[str, Mapping[str, Any]]) -> set[Hashable]:
    """Entities without a relation, and of the others each relation with the words it leads to."""
    found: set[Hashable] = set()
    for entity in graph.values():
        if not entity["relations"]:
            found.add(_key(entity))
        for kind, other in entity["relations"]:
            found.add((*_key(entity), kind, _key(graph[str(other)])[0]))
    return found
