"""All figures from result files: what is drawn, what is skipped, the same bytes twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chexone_ray import cli, storage
from chexone_ray.config import FiguresConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.figures import compare, draw, grounded, plates, readers, runs, scored
from chexone_ray.log import RESEARCH_USE_ONLY
from tests.figures import made_up, made_up_study


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Results of every stage."""
    return made_up.write_all(tmp_path_factory.mktemp("runs"), made_up.Size())


@pytest.fixture(scope="module")
def drawn(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, drawn once."""
    out = tmp_path_factory.mktemp("figures")
    assert cli.main(["figures", *given, "--output_uri", str(out), "--cards_per_kind", "2"]) == 0
    return out


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_ten_figures_and_a_page_with_what_they_were_made_from(drawn: Path) -> None:
    told = json.loads((drawn / "figures.json").read_text())
    assert [figure["name"] for figure in told["figures"]] == [*draw.FIGURES, "compare"]
    assert told["skipped"] == [] and told["notice"] == RESEARCH_USE_ONLY
    listed: dict[str, str] = {}
    for figure in told["figures"]:
        listed |= figure["files"]
        assert figure["made_from"], figure["name"]
        for source in figure["made_from"]:
            assert source["sha256"] == sha256(storage.read_bytes(source["uri"]))
    for name, digest in listed.items():
        assert digest == sha256((drawn / name).read_bytes()), name
    beside = {"figures.json", "config.json", storage.COMMIT_FILE}
    assert {path.name for path in drawn.iterdir()} == set(listed) | beside
    by_name = {figure["name"]: figure for figure in told["figures"]}
    assert "balanced accuracy|v:0" in by_name["03-vqa"]["signatures"]
    assert len(set(by_name["06-grounding"]["films_sha256"])) > 1, "questions of several films"
    assert "films/" not in (drawn / "figures.json").read_text(), "no place of a film"


@pytest.mark.parametrize("name", draw.FIGURES)
def test_formats_are_for_print_and_tell_no_time(drawn: Path, name: str) -> None:
    pdf, svg = (drawn / f"{name}.pdf").read_bytes(), (drawn / f"{name}.svg").read_text()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf, "letters are embedded as TrueType"
    assert b"CreationDate" not in pdf and b"Producer" not in pdf
    assert "<dc:date>" not in svg and f"<!-- {plates.FOOT}" in svg
    with Image.open(drawn / f"{name}.png") as picture:
        width, height = (side / 300 for side in picture.size)
        assert set(picture.info) == {"dpi"}
    assert min(abs(width - plates.SINGLE), abs(width - plates.DOUBLE)) < 0.01
    assert height < 10.0, "it fits a page"


def test_the_same_files_give_the_same_bytes(given: list[str], drawn: Path) -> None:
    found = runs.find(given)
    for name, figure in (("03-vqa", scored.vqa), ("06-grounding", grounded.draw)):
        (formats,) = figure(found).pages
        for extension, data in formats.items():
            assert data == (drawn / f"{name}.{extension}").read_bytes(), f"{name}.{extension}"
    page, _ = compare.page(found, 2)
    assert page == (drawn / "compare.html").read_bytes()


def test_what_cannot_be_drawn_is_listed_with_its_reason(given: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    stale = out / "10-qualitative.pdf"
    storage.write_bytes(str(stale), b"of an earlier run")
    storage.write_json(str(out / "figures.json"), {"figures": [{"files": {stale.name: "x"}}]})
    draw.draw(FiguresConfig(runs_uri=(given[3],), output_uri=str(out)))
    told = json.loads((out / "figures.json").read_text())
    assert [figure["name"] for figure in told["figures"]] == ["02-pipeline", "08-reinforcement"]
    reasons = {skipped["name"]: skipped["reason"] for skipped in told["skipped"]}
    assert "run `chexone evaluate`" in reasons["03-vqa"]
    assert "responses.jsonl" in reasons["09-reader-study"]
    assert "no predictions" in reasons["compare.html"] and len(reasons) == 9
    assert not stale.exists()
    assert "not given" in (out / "02-pipeline.svg").read_text()


def test_a_folder_that_is_no_result_is_refused(given: list[str], tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(ChexoneError, match=r"no result of prepare.*give the output_uri") as caught:
        runs.find([given[0], str(tmp_path)])
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ChexoneError, match="no result of prepare"):
        runs.find([str(tmp_path / "absent")])
    with pytest.raises(ChexoneError, match="does not exist"):
        runs.find([str(tmp_path / "absent.jsonl")])


def test_a_bad_file_is_told_before_anything_is_drawn(given: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    bad = tmp_path / "responses.jsonl"
    bad.write_text("{}\n")
    manifest = tmp_path / "manifest"
    storage.write_json(f"{manifest}/manifest.json", {"counts": {"rows": 1, "split": {"test": 1}}})
    metrics = tmp_path / "sft" / "metrics.jsonl"
    storage.write_bytes(str(metrics), b'{"sft/loss": 1}\n')
    table = tmp_path / "evaluation"
    storage.write_json(f"{table}/table.json", [])
    storage.write_bytes(f"{table}/rows.parquet", b"no Parquet")
    for uri, message in (
        (bad, "responses.jsonl line 1: reader is missing"),
        (manifest, "manifest.json has no counts.dataset: run its stage again"),
        (metrics.parent, "metrics.jsonl: a line has no step"),
        (table, "rows.parquet is no Parquet file"),
    ):
        config = FiguresConfig(runs_uri=(*given[:1], str(uri)), output_uri=str(out))
        with pytest.raises(ChexoneError, match=message):
            draw.draw(config)
    assert not out.exists()


def test_a_run_in_the_working_folder_has_the_name_of_the_folder(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(given[3])
    (run,) = runs.find([".", "../grpo/", given[3]]).items
    assert (run.uri, run.name, run.sort) == (given[3], "grpo", "grpo")
    assert runs.plain("s3://b/./c") == "s3://b/./c" and runs.plain("a/b.c") == "a/b.c"


def test_results_of_another_stage_are_not_written_over(given: list[str]) -> None:
    before = [Path(given[1], "config.json").read_bytes(), Path(given[5], "table.json").read_bytes()]
    for uri in (given[1], given[5]):
        with pytest.raises(ChexoneError, match=r"holds (sft|evaluation) results"):
            draw.draw(FiguresConfig(runs_uri=tuple(given), output_uri=uri))
    after = [Path(given[1], "config.json").read_bytes(), Path(given[5], "table.json").read_bytes()]
    assert before == after


def test_runs_are_told_by_their_files_and_named_by_what_differs(given: list[str]) -> None:
    found = runs.find([*given, given[0] + "/"])
    assert [run.sort for run in found.items] == [
        *("manifest", "sft", "filter", "grpo", "predictions", "evaluation", "responses")
    ]
    names = [run.name for run in found.items]
    assert names[:3] == ["manifest", "sft", "selected"]
    assert names[3].endswith("/grpo") and names[4] == "predictions/grpo"


def test_two_evaluations_of_one_setting_are_refused(given: list[str], tmp_path: Path) -> None:
    table = storage.read_json(f"{given[5]}/table.json")
    other = str(tmp_path / "other")
    storage.write_json(f"{other}/table.json", table)
    with pytest.raises(ChexoneError, match="both hold the setting ''"):
        runs.scores(runs.find([given[5], other]).items)
    storage.write_json(f"{other}/table.json", [{**row, "setting": "other"} for row in table])
    both = runs.scores(runs.find([given[5], other]).items)
    assert len(both) == 2 * len(table)
    storage.write_json(f"{other}/table.json", [{"kind": "side", "metric": "accuracy"}])
    with pytest.raises(ChexoneError, match=r"table.json: a row lacks a value .*evaluate again"):
        runs.scores(runs.find([other]).items)


def test_a_table_of_an_older_evaluation_has_its_headline_first(tmp_path: Path) -> None:
    row = {"kind": "side", "model": "m", "value": 0.5, "low": None, "high": 1, "num_rows": 3}
    rows = [{**row, "metric": name} for name in ("accuracy", "other")]
    storage.write_json(str(tmp_path / "table.json"), rows)
    first, second = runs.scores(runs.find([str(tmp_path)]).items)
    assert (first.headline, second.headline, first.setting) == (True, False, "")
    assert first.low != first.low, "no number"
    with pytest.raises(plates.Skip, match="has no rows"):
        runs.rows(runs.find([str(tmp_path)]).items[0], ["id"])


def test_steps_that_a_restart_wrote_again_count_once(tmp_path: Path) -> None:
    lines = [{"step": s, "grpo/reward": r} for s, r in ((1, 0.1), (2, 0.2), (2, 0.5), (3, 0.6))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text)
    (run,) = runs.find([str(tmp_path)]).items
    assert run.sort == "grpo"
    assert [row["grpo/reward"] for row in run.metrics()] == [0.1, 0.5, 0.6]


# --- nothing is cut or written over --------------------------------------------------------------


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """matplotlib figures as they are drawn, instead of their bytes."""
    caught: list[Any] = []

    def keep(figure: Any) -> dict[str, bytes]:
        figure.canvas.draw()
        caught.append(figure)
        return {}

    monkeypatch.setattr(plates, "_formats", keep)
    yield caught


def texts(figure: Any) -> list[Any]:
    """(text, box in pixels) of everything that is written and seen."""
    from matplotlib.text import Text

    renderer = figure.canvas.get_renderer()
    found = []
    for item in figure.findobj(Text):
        if item.get_visible() and item.get_text().strip():
            box = item.get_window_extent(renderer)
            if box.width > 0 and box.height > 0:
                found.append((item.get_text(), box))
    return found


def test_simulated_readers_are_marked(
    drawn: Path, given: list[str], figures: list[Any], tmp_path: Path
) -> None:
    assert readers.SIMULATED in (drawn / "09-reader-study.svg").read_text()
    text = Path(given[-1], "responses.jsonl").read_text()
    assert text.count('"simulated": true') == len(text.splitlines())
    place = tmp_path / "one.jsonl"
    place.write_text(text.replace('"simulated": true', '"simulated": false'))
    readers.draw(runs.find([str(place)]))
    place.write_text(place.read_text().replace("false", "true", 1))
    readers.draw(runs.find([str(place)]))
    real, one = ([text for text, _ in texts(figure)] for figure in figures)
    assert readers.SIMULATED not in real and "preferred report, blind" in real
    assert readers.SIMULATED in one, "a single simulated line marks the figure"


def test_long_names_wide_intervals_and_many_systems_fit(figures: list[Any], tmp_path: Path) -> None:
    size = made_up.Size(2, 40, 6, 12, ("presence",))
    shown = made_up.films(tmp_path, 2)
    made_up.write_evaluation(str(tmp_path / "evaluation"), shown, size)
    made_up_study.write_responses(str(tmp_path / "study"))
    found = runs.find([str(tmp_path / "evaluation"), str(tmp_path / "study")])
    for figure in (scored.vqa, scored.skills, readers.draw):
        figure(found)
    assert len(figures) == 3
    for figure in figures:
        width, height = figure.canvas.get_width_height()
        written = texts(figure)
        assert len(written) >= 20
        for text, box in written:
            assert box.x0 > -1 and box.y0 > -1, text
            assert box.x1 < width + 1 and box.y1 < height + 1, text
        for axis in figure.axes:
            labels = [label for label in axis.get_xticklabels() if label.get_text()]
            boxes = [label.get_window_extent() for label in labels]
            for left, right in pairwise(boxes):
                assert left.x1 <= right.x0 + 1, [label.get_text() for label in labels]
        sizes = {round(item.get_fontsize(), 1) for item in _items(figure)}
        assert min(sizes) >= 6 and max(sizes) <= 9


def _items(figure: Any) -> list[Any]:
    from matplotlib.text import Text

    return [item for item in figure.findobj(Text) if item.get_visible() and item.get_text().strip()]


def test_lines_are_measured() -> None:
    handles = plates.bar_handles(plates.looks(["m" * 20, "a", "b", "c", "d", "e"]))
    assert [plates.legend_columns(handles, width) for width in (7.2, 3.5, 3.0, 0.5)] == [6, 3, 2, 1]
    assert plates.legend_columns([], 7.2) == 1
    lines = plates.fitted("mmmmmmmmmmmmmmmmmmmm iiiiiiiiiiiiiiiiiiii ii", 1.0)
    assert lines == ["m" * 10, "m" * 10, "i" * 20 + " ii"]
    assert plates.fitted("", 1.0) == []
    assert plates.wrapped("one two\nthree", 5) == "one\ntwo\nthree"


def test_looks_differ_without_colour() -> None:
    found = plates.looks([str(n) for n in range(16)])
    assert len({(look.hatch,) for look in found.values()}) == 16
    assert len({(look.marker, look.line) for look in list(found.values())[:8]}) == 8
    assert re.fullmatch("#[0-9A-F]{6}", found["0"].colour)
