"""The report page: complete without a network, escaped, and the same for the same input."""

from __future__ import annotations

import re

import numpy as np

from chexone_ray.figures import charts, report
from chexone_ray.figures.page import Card, Film
from chexone_ray.images import to_png
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box


def content(png: bytes) -> report.Content:
    figure = {
        "kind": "presence",
        "metric": "balanced accuracy",
        "model": "SFT",
        "value": 0.97,
        "low": 0.95,
        "high": 0.99,
        "num_rows": 100,
        "num_unparsed": 2,
        "baseline": False,
    }
    check = {"name": "presence", "threshold": 0.95, "reached": 0.97, "low": 0.95, "high": 0.99}
    film = Film(png, 56, 56, "nodule", (Box("nodule", (0.25, 0.25, 0.5, 0.5)),), ())
    return report.Content(
        title="<demo>",
        summary={
            "passed": True,
            "seconds": {"total": 60.0, "stages": {"sft": {"start": 0, "seconds": 60}}},
            "checks": [{**check, "passed": True}],
            "metrics": [figure, {**figure, "model": "majority", "value": 0.5, "baseline": True}],
            "thresholds": {"presence": 0.95},
        },
        films=[film],
        sft=[{"step": 1, "sft/loss": 2.0, "sft/nll_presence": 1.0}, {"step": 2, "sft/loss": 1.0}],
        grpo=[{"step": 1, "grpo/reward": 0.4, "grpo/kl": 0.0}],
        histograms={"presence": ([0.0, 0.1, 0.2], [3, 1])},
        cut=0.05,
        cards=[Card((film,), "Where?", "here", {"SFT": ("A <b>trace</b>.", "there")})],
    )


def test_page() -> None:
    png = to_png(np.zeros((56, 56, 3), np.uint8))
    page = report.render(content(png))
    assert RESEARCH_USE_ONLY in page
    assert "&lt;demo&gt;" in page and "A &lt;b&gt;trace&lt;/b&gt;." in page
    for heading in ("Checks", "Sample films", "Supervised", "Variance", "GRPO", "Held-out", "Time"):
        assert heading in page
    # Nothing is fetched: every reference is inline or a namespace name.
    fetched = re.findall(r'(?:src|href)=["\'](?!data:|#)([^"\']+)', page)
    assert fetched == []
    assert page == report.render(content(png))


def test_running_mean_is_shorter_at_the_ends() -> None:
    assert charts.smooth([0.0, 3.0, 6.0, 3.0], 3) == [1.5, 3.0, 4.0, 4.5]
