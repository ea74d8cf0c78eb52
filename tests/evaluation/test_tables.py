"""A results page in three formats: what is bold, marked, escaped and counted."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from chexone_ray.evaluation.measures import Difference, Draws, Figure, corrected
from chexone_ray.evaluation.table_formats import html, latex, markdown
from chexone_ray.evaluation.tables import Document, Outcome, document

FIGURE = Figure(
    setting="set_1 <&>",
    kind="closed_vqa",
    topic="",
    metric="accuracy",
    signature="accuracy|match:{exact}|v:0",
    model="base_v1",
    value=0.5,
    low=0.4,
    high=0.6,
    num_rows=1200,
    num_patients=300,
    num_unparsed=1,
    num_refused=2,
    num_failed=3,
    baseline=False,
    headline=True,
    higher_is_better=True,
)
DIFFERENCE = Difference(
    setting="set_1 <&>",
    kind="closed_vqa",
    metric="accuracy",
    first="base_v1",
    second="50% $new#",
    value=0.2,
    low=0.1,
    high=0.3,
    p_value=0.0004,
    test="randomisation",
    p_holm=None,
    mcnemar_p=0.01,
    mcnemar_test="exact",
    headline=True,
    baseline=False,
)


def page(p_value: float = 0.0004) -> Document:
    lower = replace(FIGURE, kind="findings", metric="error", higher_is_better=False)
    figures = [
        replace(FIGURE, model="random", value=0.25, baseline=True),
        replace(FIGURE, model="likeliest option", value=0.31, baseline=True),
        FIGURE,
        replace(FIGURE, model="50% $new#", value=0.7),
        replace(FIGURE, model="third", value=0.7004),
        replace(FIGURE, topic="where|what", value=0.44),
        replace(FIGURE, topic="where|what", metric="other", headline=False, value=0.123),
        replace(lower, value=0.2),
        replace(lower, model="third", value=0.3),
    ]
    differences = corrected(
        [
            replace(DIFFERENCE, p_value=p_value),
            replace(DIFFERENCE, second="third", value=0.2, p_value=0.5),
            replace(DIFFERENCE, first="random", second="third", baseline=True),
        ]
    )
    outcomes = [Outcome("set_1 <&>", "base_v1", 1200, 1, 2, 3)]
    return document(figures, differences, outcomes, Draws(1000, 10_000, 0))


def line_of(text: str, name: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in found.strip("|").split(" | ")]


def test_markdown_line() -> None:
    text = markdown(page())
    assert line_of(text, "kind") == [
        "kind", "metric", "rows", "patients", "*random*", "base\\_v1", "50% $new\\#", "third",
    ]  # fmt: skip
    # 0.7 and 0.7004 look alike, so both are the best; only the first differs after correction.
    assert line_of(text, "closed vqa")[1:] == [
        "accuracy [1]",
        "1,200",
        "300",
        "*0.250* (0.400 to 0.600)",
        "0.500 (0.400 to 0.600)",
        "**0.700**\\* (0.400 to 0.600)",
        "**0.700** (0.400 to 0.600)",
    ]
    lower = line_of(text, "findings")
    assert lower[5].startswith("**0.200**") and lower[7].startswith("0.300"), "lower is better"
    assert "0.440" in line_of(text, "\u2013 where\\|what")[5]
    assert "0.123" not in text, "of topics the headline alone"
    assert "1. `accuracy|match:{exact}|v:0`" in text
    assert "*likeliest option*" in text and "*0.310*" in text


def test_marks_follow_the_corrected_p() -> None:
    # 2 tests: .03 becomes .06.
    assert "\\* (0.400" not in markdown(page(p_value=0.03))
    assert "family of all 2 headline tests between two models" in markdown(page())
    assert "random are a family of their own, of the one headline test." in markdown(page())


def test_failures_and_tests_have_their_lines() -> None:
    text = markdown(page())
    (failures,) = [line for line in text.splitlines() if "| 1,200 | 1 | 2 | 3 |" in line]
    # Wilson of 6 in 1200
    assert "0.005 (0.002 to 0.011)" in failures
    (test,) = [line for line in text.splitlines() if "+0.200" in line and "0.500" in line]
    assert "| 0.500 | 0.500 | 0.010 |" in test
    assert "&lt; 0.001" in text


def test_too_few_draws_are_told() -> None:
    many = corrected([replace(DIFFERENCE, setting=str(i)) for i in range(60)])
    told = document([FIGURE], many, [], Draws(10, 999, 0)).notes
    assert any("cannot reach a corrected p below 0.060: raise" in note for note in told)
    told = document([FIGURE], many, [], Draws(10, 9999, 0)).notes
    assert not any("cannot reach" in note for note in told)


def test_latex_balances_and_escapes() -> None:
    text = latex(page())
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    ended = re.findall(r"\\end\{(\w+)\}", text)
    assert sorted(begun) == sorted(ended) and begun.count("tabular") == 5
    body = "\n".join(line for line in bare.splitlines() if not line.startswith("%"))
    assert not set("%$#^~|<>") & set(body)
    assert "_" not in body
    assert r"set\_1 \textless{}\&\textgreater{}" in text and r"50\% \$new\#" in text
    assert r"& \textbf{0.700}\textsuperscript{{*}} &" in text
    assert r" &  &  &  & {\scriptsize 0.400 to 0.600} & {\scriptsize 0.400 to 0.600}" in text
    # As many cells in every line as columns.
    for table in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns, lines = table
        for line in re.findall(r"(.+) \\\\", lines):
            if "multicolumn" not in line:
                assert len(re.split(r"(?<!\\)&", line)) == len(columns)


def test_long_latex_tables_are_cut() -> None:
    figures = [replace(FIGURE, setting="", kind=f"k{i}") for i in range(90)]
    text = latex(document(figures, [], [], Draws(10, 0, 0)))
    assert text.count(r"\begin{tabular}") == 4 and text.count(", continued") == 3


def test_wide_latex_tables_are_parted_by_systems() -> None:
    figures = [replace(FIGURE, model=f"m{i}", value=i / 100) for i in range(13)]
    text = latex(document(figures, [], [], Draws(10, 0, 0)))
    heads = re.findall(r"\\toprule\n(.*) \\\\", text)
    assert [head.split(" & ")[4:] for head in heads] == [
        [f"m{i}" for i in part] for part in (range(6), range(6, 12), range(12, 13))
    ]
    assert all(head.startswith("kind & metric & rows & patients & ") for head in heads)
    assert text.count("& 1,200 & 300 &") == 3 and r"\multicolumn{5}{l}" in text
    assert text.count(", continued") == 2 and r"\begin{tabular}{llrrr}" in text


def test_markdown_shows_names_as_they_are() -> None:
    name = "~~x~~ &lt; <b>"
    told = markdown(document([replace(FIGURE, model=name)], [], [], Draws(10, 0, 0)))
    assert line_of(told, "kind")[4] == r"\~\~x\~\~ &amp;lt; &lt;b>"


def test_html_is_whole_and_escaped() -> None:
    text = html(page())
    assert "Research use only" in text and "set_1 &lt;&amp;&gt;" in text
    assert "<b>0.700</b><sup>*</sup>" in text and "<i>0.250</i>" in text
    assert re.findall(r"(?:src|href)=['\"](?!#)", text) == [], "nothing is fetched"
    for tag in ("table", "tr", "td", "th", "b", "i", "span", "ol", "ul", "li", "div"):
        assert len(re.findall(rf"<{tag}[\s>]", text)) == text.count(f"</{tag}>"), tag
    assert text == html(page())


def test_what_has_no_interval_and_what_is_undefined_is_told() -> None:
    nan = float("nan")
    few = replace(FIGURE, low=nan, high=nan)
    some = replace(FIGURE, kind="choice", undefined_draws=0.123)
    gap = replace(DIFFERENCE, low=nan, high=nan)
    text = markdown(document([few, some], [gap], [], Draws(10, 99, 0)))
    assert line_of(text, "closed vqa")[4] == "0.500 (n/a)"
    assert line_of(text, "choice")[4] == "0.500 (0.400 to 0.600; 12.3% of draws undefined)"
    assert "+0.200 (n/a)" in text and "nan" not in text
    assert "n/a below 5 patients" in text and "share of undefined draws" in text
    assert "undefined" not in markdown(document([few], [], [], Draws(10, 0, 0)))


@pytest.mark.parametrize(
    ("values", "higher", "bold"),
    [
        ((0.2, 0.3), True, ["0.300"]),
        ((0.0, 0.0), True, []),
        ((0.3, 0.3), True, []),
        ((0.3001, 0.3004), True, []),  # alike as they are printed
        ((-0.2, 0.0001), True, []),
        ((0.0, 0.3), False, ["0.000"]),
        ((0.3, float("nan")), True, []),
    ],
)
def test_only_a_best_that_differs_and_earns_something_is_bold(
    values: tuple[float, float], higher: bool, bold: list[str]
) -> None:
    figures = [
        replace(FIGURE, model=name, value=value, higher_is_better=higher)
        for name, value in zip("ab", values, strict=True)
    ]
    # One row of 1200 is no evidence, whatever it says, nor is what has no interval.
    few = {"num_scored": 1, "num_patients_scored": 1}
    for thin in (few, {"low": math.nan, "high": math.nan}):
        best = replace(figures[0], model="c", value=1.0 if higher else -1.0, **(few | thin))
        text = markdown(document([best, *figures], [], [], Draws(10, 0, 0)))
        line = line_of(text, "closed vqa")
        assert re.findall(r"\*\*(.*?)\*\*", " ".join(line)) == bold
        assert "; 1 scored)" in line[4] and "Scored: the rows" in text


def test_figures_of_few_patients_are_told() -> None:
    few = [replace(FIGURE, setting="", kind=f"k{n}", num_patients=19) for n in range(10)]
    enough = replace(FIGURE, num_patients=20)
    blind = replace(FIGURE, baseline=True, num_patients=2)
    topic = replace(enough, setting="", kind="choice", topic="side", num_patients=3)
    hidden = replace(topic, topic="other", headline=False)

    def told(*figures: Figure) -> list[str]:
        notes = document(figures, [], [], Draws(10, 0, 0)).notes
        return [note for note in notes if note.startswith("Fewer than 20 patients")]

    assert told(enough, blind, hidden) == []
    (note,) = told(enough, topic)
    assert note.startswith("Fewer than 20 patients are behind figures of choice (side): ")
    (note,) = told(*few)
    assert "k6, k7, 2 more: another" in note


@pytest.mark.parametrize("render", [markdown, latex, html])
def test_an_undefined_value_is_no_number(render: object) -> None:
    nan = float("nan")
    figures = [replace(FIGURE, value=nan, low=nan, high=nan)]
    text = render(document(figures, [], [], Draws(10, 0, 0)))  # type: ignore[operator]
    assert "n/a" in text and "nan" not in text.lower()
