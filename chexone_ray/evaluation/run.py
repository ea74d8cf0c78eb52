"""`evaluate`: the predictions of one manifest, or a suite of settings."""

from __future__ import annotations

from chexone_ray import runtime
from chexone_ray.config import EvaluateConfig
from chexone_ray.evaluation import harness, output, suite_run


def evaluate(config: EvaluateConfig) -> str:
    """Write the tables of `config` and return its output URI. Joins Ray for `text_tasks` alone."""
    if (config.text_tasks or 1) > 1:
        runtime.join(config.ray)
    return harness.evaluate(config) if config.suite is None else suite_run.run(config)


def check(config: EvaluateConfig) -> None:
    """What can be wrong before Ray is joined: an unknown suite, setting or model, or another
    result in the output folder."""
    output.refuse(config.output_uri, config)
    if config.suite is not None:
        suite_run.check(config)
