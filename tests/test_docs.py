"""The pages' Python prints what they show; their tables of fields are those of the code."""

from __future__ import annotations

import doctest
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from chexone_ray.config import EvaluateConfig, ResultsImportConfig
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.evaluation.rows import rows_schema
from chexone_ray.evaluation.suite import Suite, SuiteSetting, load
from chexone_ray.exchange import records, rexrank
from chexone_ray.exchange.results import import_results
from chexone_ray.figures import reader_study
from chexone_ray.metrics.findings import ATTRIBUTE_SHARE, DOUBTFUL
from chexone_ray.metrics.labels import LABEL_FIGURES

DOCS = Path(__file__).parents[1] / "docs"
EVALUATION = (DOCS / "evaluation.md").read_text()
ABSENT = ("any", "all", "none", "unknown")
"""How the page calls a setting that is not there."""


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def table(head: str) -> list[list[str]]:
    """The cells of the rows of the table with this head."""
    (rows,) = re.findall(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", EVALUATION, re.M)
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows.splitlines()]


def named(cells: list[list[str]]) -> list[str]:
    return [name for row in cells for name in re.findall(r"`(\w+)`", row[0])]


@pytest.mark.parametrize("page", ["evaluation", "labeller", "rewards"])
def test_python_prints_what_the_page_shows(page: str) -> None:
    blocks = fenced((DOCS / f"{page}.md").read_text(), "python")
    assert blocks
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for block in blocks:
        told: list[str] = []
        runner.run(doctest.DocTestParser().get_doctest(block, {}, page, None, 0), out=told.append)
        assert runner.failures == 0, "".join(told)
    assert runner.tries > 3


@pytest.mark.parametrize(
    ("head", "model"), [("key of the file", Suite), ("key of a setting", SuiteSetting)]
)
def test_keys_of_a_suite(head: str, model: type[BaseModel]) -> None:
    cells = table(head)
    assert named(cells) == list(model.model_fields)
    for (_, default, _), field in zip(cells, model.model_fields.values(), strict=True):
        if field.is_required():
            assert default == "needed"
        elif default in ABSENT:
            assert not field.default
        else:
            assert json.loads(default.strip("`")) == field.default


def test_averages_of_label_figures() -> None:
    averages = [average for average, _ in table("average")]
    names = [f"{labels} ({average})" for labels in ("F1-14", "F1-5") for average in averages]
    assert names == [figure.name for figure in LABEL_FIGURES]


def test_weights_of_findings() -> None:
    told = dict(table("of two findings of one name"))
    assert told["name"] == "1"
    (sides,) = (
        weight for case, weight in told.items() if case.startswith("side, severity, region")
    )
    assert Fraction(sides.split(",")[0]) == Fraction(ATTRIBUTE_SHARE).limit_denominator(9)
    assert told["both possible"] == "half" and DOUBTFUL == 0.5
    assert float(Fraction(told["one possible"])) == DOUBTFUL * (1 + DOUBTFUL) / 2


def test_the_suite_of_the_page_loads(tmp_path: Path) -> None:
    (block,) = (one for one in fenced(EVALUATION, "toml") if one.startswith("# own.toml"))
    path = tmp_path / "own.toml"
    path.write_text(block)
    assert [setting.adapter for setting in load(str(path)).settings] == ["mimic_cxr_jpg", None]


def test_results_of_the_page_are_scored(tmp_path: Path) -> None:
    (block,) = (one for one in fenced(EVALUATION, "jsonl") if "response" in one)
    results, theirs, out = (str(tmp_path / name) for name in ("results.jsonl", "theirs", "out"))
    Path(results).write_text(block)
    import_results(ResultsImportConfig(results_uri=results, output_uri=theirs))
    settings: dict[str, Any] = {"predictions_uri": {"theirs": theirs}, "baselines": False}
    evaluate(EvaluateConfig(output_uri=out, bootstrap=10, **settings))
    figures = json.loads(Path(out, "table.json").read_text())
    values = {(f["kind"], f["metric"]): f["value"] for f in figures}
    assert values["closed_vqa", "accuracy"] == 0.5
    assert {kind for kind, _ in values} == {"closed_vqa", "findings"}


def source(module: Any) -> set[str]:
    """Names of fields that a module takes out of records."""
    text = Path(module.__file__).read_text()
    return set(re.findall(r'(?:record|entry)\)?(?:\.get\(|\[|, )"(\w+)"', text))


def test_fields_of_records() -> None:
    fields = set(named(table("field | holds")))
    assert fields == source(records) | set(records._RIGHT)


def test_fields_of_the_board() -> None:
    assert set(named(table("field of a study"))) == source(rexrank) | {rexrank.PREDICTION}


def test_columns_of_the_rows() -> None:
    assert sorted(named(table("column of a row | holds"))) == sorted(rows_schema().names)


def test_fields_of_a_response() -> None:
    cells = table("field | needed")
    assert named(cells) == list(reader_study.Response.model_fields)
    (block,) = (one for one in fenced(EVALUATION, "jsonl") if '"reader"' in one)
    assert {one.study for one in reader_study.read(block.encode(), "page")} == {
        "draft", "edit", "blind",
    }  # fmt: skip
