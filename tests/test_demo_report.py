"""The report page: complete without a network, escaped, and the same for the same input."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from chexone_ray.demo import report
from chexone_ray.evaluation.blind import SIDES_TOLD
from chexone_ray.figures import charts
from chexone_ray.figures.page import Card, Film, Said, readable
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
        "headline": True,
    }
    check = {"name": "presence", "direction": "at least", "threshold": 0.95, "reached": 0.97}
    served = {"name": "served", "direction": "at least", "threshold": 4, "reached": 4}
    minutes = {"name": "minutes", "direction": "at most", "threshold": 30.0, "reached": 37.03}
    boxes = {"kind": "grounding", "metric": "mean IoU (matched)", "baseline": False}
    said = Said("A <b>trace</b>.", "there", False, "wrong")
    film = Film(png, 56, 56, "nodule", (Box("nodule", (0.25, 0.25, 0.5, 0.5)),), ())
    return report.Content(
        title="<demo>",
        summary={
            "passed": True,
            "seconds": {"total": 60.0, "stages": {"sft": {"start": 0, "seconds": 60}}},
            "checks": [
                {**check, "low": 0.95, "high": 0.99, "passed": True},
                {**served, "passed": True},
                {**minutes, "passed": False},
            ],
            "metrics": [
                figure,
                {**figure, "model": "majority", "value": 0.5, "baseline": True},
                {**figure, **boxes, "value": 0.65, "low": 0.62, "high": 0.68},
                {**figure, **boxes, "model": SIDES_TOLD, "value": 0.6, "low": 0.58, "high": 0.63}
                | {"baseline": True},
            ],
            "thresholds": {"presence": 0.95},
        },
        films=[film],
        sft=[{"step": 1, "sft/loss": 2.0, "sft/nll_presence": 1.0}, {"step": 2, "sft/loss": 1.0}],
        grpo=[{"step": 1, "grpo/reward": 0.4, "grpo/kl": 0.0}],
        histograms={"presence": charts.Spread(2, [0.0, 0.1, 0.2], [3, 1], kept=3)},
        cut=0.05,
        cards=[Card((film,), "Where?", "here", {"SFT": said})],
    )


def test_page() -> None:
    png = to_png(np.zeros((56, 56, 3), np.uint8))
    page = report.render(content(png))
    assert RESEARCH_USE_ONLY in page
    assert "&lt;demo&gt;" in page and "A &lt;b&gt;trace&lt;/b&gt;." in page
    for heading in ("Checks", "Sample films", "Supervised", "Variance", "GRPO", "Held-out", "Time"):
        assert heading in page
    # Nothing is fetched from elsewhere: every reference is inline, or a file beside the page.
    fetched = re.findall(r'(?:src|href)=["\'](?!data:|#)([^"\']+)', page)
    assert fetched == ["table.html"]
    assert page == report.render(content(png))


def test_figures_that_are_missing_have_a_reason() -> None:
    made = content(to_png(np.zeros((56, 56, 3), np.uint8)))
    drawn = ("01-data.svg", "01-data.png", "compare.html")
    reason = {"name": "09-reader-study", "reason": "no <response>"}
    page = report.render(replace(made, drawn=drawn, skipped=(reason,)))
    assert "src='figures/01-data.png'" in page and "href='figures/compare.html'" in page
    assert "Not drawn: 09-reader-study (no &lt;response&gt;)." in page
    assert "simulated" not in page
    assert "simulated" in report.render(replace(made, drawn=("09-reader-study.png",)))


def test_running_mean_is_shorter_at_the_ends() -> None:
    assert charts.smooth([0.0, 3.0, 6.0, 3.0], 3) == [1.5, 3.0, 4.0, 4.5]


def test_checks_say_their_direction_and_counts_are_whole() -> None:
    page = report.render(content(to_png(np.zeros((56, 56, 3), np.uint8))))
    for text in ("at least 0.950<", "at least 4<", "at most 30<", "37.0<", "0.950\u20130.990"):
        assert text in page
    assert "4.000" not in page


def test_the_baseline_that_is_told_the_sides_is_marked_and_compared() -> None:
    page = report.render(content(to_png(np.zeros((56, 56, 3), np.uint8))))
    assert "best fixed box a label <b>(told the sides)</b>" in page
    assert "SFT is 0.050 above it (0.650, intervals overlap)" in page


def test_what_has_no_interval_says_so() -> None:
    nan = float("nan")
    made = content(to_png(np.zeros((56, 56, 3), np.uint8)))
    summary = {
        **made.summary,
        "metrics": [
            *({**row, "low": nan, "high": nan} for row in made.summary["metrics"]),
            {**made.summary["metrics"][0], "kind": "view", "value": nan, "low": nan, "high": nan},
        ],
        "checks": [
            {**row, "low": nan, "high": nan, "reached": nan} for row in made.summary["checks"]
        ],
    }
    page = report.render(replace(made, summary=summary))
    assert "SFT is 0.050 above it (0.650, intervals n/a)" in page
    assert "<span class='range'>n/a</span>" in page
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"']+", "", page))


def test_one_trained_kind_is_one_curve() -> None:
    rows = [{"step": at, "grpo/reward": 0.1, "grpo/reward/kind/side": 0.1} for at in (1, 2)]
    page = report.render(report.Content("", {}, grpo=rows))
    assert "one kind is trained: side" in page and ">all<" not in page
    rows = [row | {"grpo/reward/kind/view": 0.2} for row in rows]
    assert ">all<" in report.render(report.Content("", {}, grpo=rows))


def test_prompts_are_dropped_from_the_left() -> None:
    spread = charts.Spread(125, [0.0, 0.05, 0.1, 0.15], [151, 209, 148], kept=503)
    assert charts.dropped(spread) == (125, [5, 0, 0])
    assert charts.dropped(charts.Spread(2, [0.0, 0.1, 0.2], [3, 4], kept=3)) == (2, [3, 1])


def test_boxes_are_written_for_readers() -> None:
    one = "<|ref|>nodule<|/ref|><|box|>(10,20),(30,40)<|/box|>"
    assert readable(one) == "nodule (10,20)-(30,40) %"
    assert readable(f"See {one}{one}.") == (
        "See nodule (10,20)-(30,40) %; nodule (10,20)-(30,40) %."
    )
    assert readable("cut <|box|>(1,2") == "cut (1,2" and readable("No; yes.") == "No; yes."
