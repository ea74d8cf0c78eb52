"""Metrics of the package `radeval` (2.x), by its own names, such as "srrbert" or "temporal".

Its pins are heavy, so it is meant for an environment of its own: predictions are files, and this
adapter needs nothing else of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned import packages
from chexone_ray.metrics.signature import signature

NAME = "RadEval"
REMEDY = (
    "run `pip install radeval` in an environment of its own (its pins are not ours) and compute it "
    "there, or leave the metric out"
)


class RadEval:
    """Holds the package's evaluator for the named metrics.

    Raises ChexoneError where the package, one of the metrics or a model of theirs is missing.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        package = packages.load(NAME, "radeval", "radeval", REMEDY)
        try:
            self._evaluator: Any = package.RadEval(
                metrics=list(metrics), per_sample=True, show_progress=False
            )
        except Exception as error:
            # What the package raises for a metric or weights that it lacks is not stated.
            raise packages.no_model(NAME, f"the metrics {', '.join(metrics)}", error) from None

    def scores(self, predicted: Sequence[str], reference: Sequence[str]) -> dict[str, list[float]]:
        """Name in the package's result -> one score a pair, on the package's scale.

        Raises ChexoneError where it gives none by pair: a mean of its own would be no row value.
        """
        packages.check_pairs(NAME, predicted, reference)
        result = self._evaluator(refs=list(reference), hyps=list(predicted))
        found = {
            name: [float(value) for value in values]
            for name, values in result.items()
            if isinstance(values, Sequence)
            and len(values) == len(predicted)
            and all(isinstance(value, Real) for value in values)
        }
        if predicted and not found:
            raise ChexoneError(
                f"{NAME} gave no scores by pair: this version of the package is not the one that "
                "the adapter knows (2.2)"
            )
        return found

    def signature(self, name: str) -> str:
        """`name` as in the result of `scores`."""
        return signature(f"{NAME} {name}", radeval=packages.version("radeval"))
