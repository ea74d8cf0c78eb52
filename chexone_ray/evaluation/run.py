"""`evaluate`: the predictions of one manifest, or a suite of settings."""

from __future__ import annotations

from chexone_ray.config import EvaluateConfig
from chexone_ray.evaluation import harness, suite_run


def evaluate(config: EvaluateConfig) -> str:
    """Write the tables of `config` and return its output URI. Joins Ray for `text_tasks` alone."""
    return harness.evaluate(config) if config.suite is None else suite_run.run(config)


def check(config: EvaluateConfig) -> None:
    """What can be wrong before Ray is joined: an unknown suite, setting or model, predictions or
    data that are not there, or another result in the output folder."""
    harness.check(config) if config.suite is None else suite_run.check(config)
