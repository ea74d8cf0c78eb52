"""The numbers behind the figures, by hand."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images, storage
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.figures import (
    answered,
    bars,
    compare,
    grounded,
    makeup,
    pipeline,
    plates,
    qualitative,
    reasoned,
    reinforced,
    runs,
)
from chexone_ray.figures.answered import Answer, Asked, Film
from chexone_ray.figures.plates import Look
from chexone_ray.figures.runs import Run, Score
from chexone_ray.records import Box, ImageRef
from tests.figures import made_up, made_up_names


def score(setting: str, kind: str, metric: str, model: str, value: float, **more: object) -> Score:
    base = Score(kind, metric, model, value, value - 0.1, value + 0.1, 10, setting, headline=True)
    return replace(base, **more)  # type: ignore[arg-type]


def test_groups_are_named_by_what_tells_them_apart() -> None:
    plain = [score("", "side", "accuracy", "m", 0.5), score("", "heart_size", "accuracy", "m", 0.6)]
    assert list(bars.labels(plain).values()) == ["side", "heart size"]
    settings = [
        score("SLAKE", "closed_vqa", "accuracy", "m", 0.5),
        score("SLAKE", "open_vqa", "token F1", "m", 0.5),
        score("VQA-RAD", "closed_vqa", "accuracy", "m", 0.5),
    ]
    assert list(bars.labels(settings).values()) == [
        "SLAKE: closed vqa\naccuracy",
        "SLAKE: open vqa\ntoken F1",
        "VQA-RAD\naccuracy",
    ]
    assert list(bars.labels(settings, metric=False).values())[2] == "VQA-RAD"
    topics = [score("R", "closed_vqa", "accuracy", "m", 0.5, topic=name) for name in ("a", "b")]
    assert list(bars.labels(topics).values()) == ["a", "b"]


def test_a_group_knows_the_best_baseline_that_is_told_nothing() -> None:
    told = "best fixed box a label, sides told"
    table = [score("", "side", "accuracy", "m", 0.5)]
    table += [
        score("", "side", "accuracy", name, value, baseline=True)
        for name, value in (("majority", 0.3), ("likeliest option", 0.4), (told, 0.9))
    ]
    (group,) = bars.groups(table, bars.labels(table))
    assert group.baseline == 0.4 and list(group.scores) == ["m"]
    lower = [replace(one, higher_is_better=False) for one in table]
    (group,) = bars.groups(lower, bars.labels(lower))
    assert group.baseline == 0.3, "less is better"


def test_rows_of_a_manifest_are_counted_by_task_and_mode(tmp_path: Path) -> None:
    shown = made_up.MadeFilm(ImageRef("f.png"), ())
    kinds = ("side", "side", "view", "findings")
    writer = manifest.SampleWriter(str(tmp_path))
    for n, kind in enumerate(kinds):
        mode = "reasoning" if n < 2 else "instruct"
        writer.add(made_up.sample(n, kind, shown, split="train", mode=mode, dataset=f"d{n % 2}"))
    writer.add(made_up.sample(9, "side", shown, split="test"))
    writer.finish({"seed": 0})
    (run,) = runs.find([str(tmp_path)]).items
    found = makeup.count(run)
    assert found.split == "train" and found.total == (2, 2)
    assert found.by["task"] == {
        "Close-Ended VQA": (2, 0),
        "View Classification": (0, 1),
        "Findings Generation": (0, 1),
    }
    assert found.by["dataset"] == {"d0": (1, 1), "d1": (1, 1)}
    assert makeup.share((2, 1)) == "67 %" and makeup.share((0, 0)) == "0 %"
    assert [makeup.short(v) for v in (950, 12_000, 3_500_000)] == ["950", "12k", "3.5M"]


def test_the_pipeline_counts_rows_of_its_own_files(tmp_path: Path) -> None:
    uris = made_up.write_all(tmp_path, made_up.Size(films=1, rows=10, kinds=("side",)))
    by_title = {stage.title: stage.lines for stage in pipeline.stages(runs.find(uris))}
    assert by_title["Prepared manifest"] == ("10 rows, 1 tasks", "train 6", "validate 2", "test 2")
    assert by_title["Stage 1: supervised fine-tuning"][0] == "in: 6 train rows"
    assert by_title["Stage 1: supervised fine-tuning"][2] == "290 optimizer steps"
    prompts, equal, kept = by_title["Variance filter"]
    assert (prompts, equal) == ("in: 40 prompts, 8 samples each", "10 with equal rewards")
    report = storage.read_json(f"{uris[2]}/report.json")
    assert kept == f"out: {report['kept']} selected (std > 0.1)"
    assert by_title["Stage 2: GRPO"][:2] == (
        f"in: {report['kept']} train rows",
        "30 steps, 1,920 prompt groups",
    )
    assert by_title["Prediction and evaluation"][0] == "5 test rows, 2 systems"


@pytest.mark.parametrize(
    ("kind", "metric", "status", "scores", "judged"),
    [
        ("side", "accuracy", "answered", {"accuracy": 1.0}, (True, "correct")),
        ("side", "accuracy", "answered", {"accuracy": 0.0}, (False, "wrong")),
        ("presence", "balanced accuracy", "answered", {"accuracy": 1.0}, (True, "correct")),
        ("side", "accuracy", "answered", {}, (None, "")),
        ("grounding", "", "answered", {"mean IoU (matched)": 0.5}, (True, "correct, IoU 0.50")),
        (
            "grounding",
            "",
            "answered",
            {"IoU >= 0.5": 1.0, "mean IoU (matched)": 0.4},
            (False, "wrong, IoU 0.40"),
        ),
        ("grounding", "", "answered", {"specificity": 1.0}, (True, "correct")),
        ("findings", "label F1", "answered", {"label F1": 0.25}, (None, "label F1 0.25")),
        ("findings", "label F1", "unparsed", {}, (False, "no answer could be read")),
        ("side", "accuracy", "refused", {"accuracy": 0.0}, (False, "refused to answer")),
    ],
)
def test_a_row_is_judged_by_its_own_scores(
    kind: str, metric: str, status: str, scores: dict[str, float], judged: tuple[object, str]
) -> None:
    assert answered.judge(kind, metric, status, scores) == judged


def test_questions_of_all_kinds_of_verdict_are_chosen_in_turn(tmp_path: Path) -> None:
    shown = made_up.films(tmp_path, 2)
    uri = made_up.write_evaluation(str(tmp_path / "e"), shown, made_up.Size(kinds=("side",)))
    asked, files = answered.choose(runs.find([uri]), 3)
    assert len(asked) == 3 and len({item.id for item in asked}) == 3
    assert files == (f"{uri}/table.json", f"{uri}/rows.parquet")
    assert set(asked[0].answers) == set(made_up_names.MODELS[:2])
    silent = [a for item in asked for a in item.answers.values() if a.verdict in answered.NO_ANSWER]
    assert silent and all("The heart takes up" in a.text and not a.reasoning for a in silent)
    alone, _ = answered.choose(runs.find([uri]), 3, made_up_names.MODELS[1:2])
    assert [list(item.answers) for item in alone] == 3 * [[made_up_names.MODELS[1]]]
    order = {key: [{"status": "answered", "scores": [("accuracy", s)], "patient": p} for s in of]
             for key, p, of in (
                 (("", "d", "1"), "p1", (1.0, 1.0)),
                 (("", "d", "2"), "p1", (0.0, 1.0)),
                 (("", "d", "3"), "p2", (0.0, 0.0)),
             )}  # fmt: skip
    chosen = answered.pick(order, {("", "side"): "accuracy"}, ("", "side"), 3)
    assert chosen == [("", "d", "2"), ("", "d", "3"), ("", "d", "1")]


def test_predictions_without_an_evaluation_are_shown_unjudged(tmp_path: Path) -> None:
    shown = made_up.films(tmp_path, 1)
    size = made_up.Size(kinds=("side", "grounding"))
    uris = [made_up.write_predictions(str(tmp_path / name), shown, size) for name in ("a", "b")]
    asked, _ = answered.choose(runs.find(uris), 2)
    assert [item.kind for item in asked] == ["side", "grounding"]
    assert list(asked[0].answers) == ["a", "b"]
    said = asked[1].answers["b"]
    assert (said.right, said.verdict) == (None, "")
    assert [box.label for box in said.boxes] == [box.label for box in shown[0].boxes]


def test_films_that_cannot_be_read_leave_a_frame_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, bad = tmp_path / "film.png", tmp_path / "bad.png"
    film.write_bytes(images.to_png(np.full((56, 56, 3), 90, dtype=np.uint8)))
    bad.write_bytes(film.read_bytes()[:40])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    refs = [ImageRef(str(p)) for p in (film, bad, tmp_path / "absent.png")]
    good, broken, absent = answered.films(refs)
    assert good.pixels is not None and good.pixels.shape[2] == 3 and len(good.digest) == 64
    assert broken.pixels is None and "cannot be shown: undecodable" in broken.problem
    assert absent.problem == "the film is not there any more"


def test_a_silent_storage_is_named_once_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def silent(uri: str) -> bytes | None:
        raise ChexoneError(uri)

    monkeypatch.setattr(storage, "read_if_there", silent)
    refs = [ImageRef(f"s3://silent-bucket/private/{n}.png") for n in range(2)]
    with caplog.at_level(logging.WARNING):
        found = [*answered.films(refs), *answered.films(refs)]
    assert {film.problem for film in found} == {"no film: s3://silent-bucket does not answer"}
    (line,) = [r.getMessage() for r in caplog.records if "silent-bucket" in r.getMessage()]
    assert "AWS_ENDPOINT_URL" in line and "chexone_ray.s3_server" in line and "private" not in line


def test_films_are_chosen_from_best_to_worst_of_different_patients() -> None:
    rows = [
        {"id": str(n), "patient": p, "overlap": overlap}
        for n, (p, overlap) in enumerate(
            [("a", 0.9), ("a", 0.8), ("b", 0.7), ("c", 0.5), ("c", 0.1), ("d", 0.0)]
        )
    ]
    assert [row["id"] for row in grounded.spread(rows, 3)] == ["0", "2", "5"]
    assert [row["id"] for row in grounded.spread(rows[:2], 4)] == ["0"]
    assert grounded.spread([], 4) == []


def test_the_curve_of_the_iou_is_the_share_at_or_above_each_value() -> None:
    found = grounded.shares([0.0, 0.0, 0.5, 1.0])
    shares = dict(zip(grounded.THRESHOLDS.tolist(), found.tolist(), strict=True))
    assert [shares[at] for at in (0.0, 0.01, 0.5, 0.51, 1.0)] == [1, 0.5, 0.5, 0.25, 0.25]


def test_reasoning_comes_from_its_file_and_from_the_table(tmp_path: Path) -> None:
    uri = str(tmp_path / "e")
    row = {"low": 0.1, "high": 0.3, "num_rows": 5, "baseline": False, "model": "m"}
    table = [{**row, "kind": "reasoning:grounding", "metric": "reasoning: agreement", "value": 0.2}]
    table += [{**row, "kind": "side", "metric": "accuracy", "value": 0.9}]
    storage.write_json(f"{uri}/table.json", table)
    quality = {**row, "mode": "instruct", "metric": "factuality", "value": None}
    storage.write_json(f"{uri}/reasoning.json", [quality])
    (run,) = runs.find([uri]).items
    first, second = reasoned.of_run(run)
    assert (first.metric, first.mode, first.value != first.value) == (
        "factuality",
        "instruct",
        True,
    )
    assert (second.metric, second.mode, second.value) == ("agreement (grounding)", "", 0.2)
    storage.write_json(f"{uri}/reasoning.json", [{"model": "m"}])
    with pytest.raises(ChexoneError, match=r"reasoning.json: a row lacks 'value'"):
        reasoned.of_run(run)


def test_few_scored_rows_are_faint_and_panels_fill_columns() -> None:
    one = {"model": "m", "mode": "", "metric": "factuality", "value": 1, "low": 1, "high": 1}
    given = [one | {"num_rows": n, "num_patients": p} for n, p in ((5, 5), (4, 4), (9, 4))]
    from matplotlib.figure import Figure

    thin = [reasoned._quality(row, "x").is_thin for row in given]
    assert thin == [False, True, True]
    axis = Figure().subplots()
    reasoned._dot(axis, reasoned._quality(given[1], "x"), 0, Look("black", "", "o", "-"))
    (mark,) = axis.lines
    assert mark.get_alpha() < 0.5, "no interval beside it"
    rows = {"factuality": 6, "stating": 6, "accuracy": 8, "flips": 9, "alone": 2}
    parts = [
        reasoned.Panel(name, dict.fromkeys(map(str, range(n)), ())) for name, n in rows.items()
    ]
    packed = [[part.title for part in column] for column in reasoned._packed(parts, 3, 0.2)]
    assert packed == [["factuality", "stating"], ["accuracy", "alone"], ["flips"]]


def quality(metric: str, value: float = 0.5, mode: str = "reasoning") -> reasoned.Quality:
    return reasoned.Quality("m", mode, metric, value, value, value)


def test_a_metric_is_a_panel_with_its_probes_or_kinds_as_rows() -> None:
    names = ["self-consistency (1 - H / log 8)", "accuracy", "accuracy, blank image"]
    names += ["factuality (side)", "factuality", "accuracy, trace cut to 0 %"]
    found = [quality(name) for name in names] + [quality("accuracy", mode="instruct")]
    accuracy, factuality, alone = reasoned.panels(found)
    assert (alone.title, list(alone.rows)) == (reasoned.ALONE, names[:1])
    assert accuracy.title == "accuracy"
    assert list(accuracy.rows) == ["as asked", "blank image", "trace cut to 0 %"]
    assert [item.mode for item in accuracy.rows["as asked"]] == ["reasoning", "instruct"]
    assert (factuality.title, list(factuality.rows)) == ("factuality", ["side", "all rows"])
    parts = [list(panel.rows) for panel in reasoned.panels(found, 2)]
    assert parts[:2] == [["as asked", "blank image"], ["trace cut to 0 %"]]


def test_axes_of_shares_begin_at_zero_and_what_has_no_value_is_told() -> None:
    from matplotlib.figure import Figure

    def limits(*values: float) -> list[float]:
        axis = Figure().subplots()
        bars.from_zero(axis, values)
        return [round(limit, 3) for limit in axis.get_xlim()]

    assert limits(1.0, 1.0) == [-0.03, 1.03], "equal values do not stretch the axis"
    assert limits(0.02, float("nan")) == [-0.003, 0.103] and limits() == [-0.03, 1.03]
    assert limits(2.0, -1.0) == [-1.113, 2.163], "2.1 * 1.03, -1.05 - 0.03 * 2.1"
    nan = float("nan")
    axis = Figure().subplots()
    empty = score("", "side", "accuracy", "m", nan, low=nan, high=nan)
    few = score("", "side", "accuracy", "few", 1.0, low=nan, high=nan)
    group = bars.Group("side", {"m": empty, "few": few})
    bars.interval_dots(axis, [group], plates.looks(["m", "few"]), "accuracy")
    assert [text.get_text() for text in axis.texts] == ["n/a"]
    note = bars.told([empty, few], "95 % interval")
    assert bars.NOT_JUDGED in note and bars.NO_INTERVAL in note and bars.BASELINE not in note
    assert bars.told([score("", "side", "a", "m", 0.5)], "i", baseline=True) == (
        f"Lines: i; dotted: {bars.BASELINE}."
    )


def test_kinds_are_curves_of_their_own_where_there_are_several() -> None:
    key = reinforced.KIND
    rows = [{"step": s, "grpo/reward": 0.5, key + "side": 0.4} for s in (1, 2)]
    assert list(reinforced.with_kinds(rows)) == ["all"]
    rows[1][key + "heart_size"] = 0.7
    rows[0]["grpo/reward"] = float("nan")
    found = reinforced.with_kinds(rows)
    assert found == {
        "all": [(2, 0.5)],
        "heart size": [(2, 0.7)],
        "side": [(1, 0.4), (2, 0.4)],
    }


# --- answers side by side ------------------------------------------------------------------------


def asked(**given: object) -> Asked:
    right = Answer("yes", "Because <b>", (Box("nodule", (0.1, 0.1, 0.2, 0.2)),), True, "correct")
    wrong = Answer("", "", (), False, "no answer could be read")
    base = Asked(
        "VQA & more",
        "side",
        "",
        "1",
        "Where </script> is it?",
        ("(A) left", "(B) right"),
        "left",
        (Box("nodule", (0.25, 0.25, 0.5, 0.5)),),
        (ImageRef("f.png"),),
        {"A <1>": right, "B": wrong},
    )
    return replace(base, **given)  # type: ignore[arg-type]


def test_the_page_has_every_film_once_and_boxes_by_system() -> None:
    film = Film(np.full((100, 100, 3), 80, dtype=np.uint8), "d")
    gone = Film(None, problem="the film is not there any more")
    page = compare.render([asked(), asked(boxes=(), kind="view")], [[film], [gone]])
    assert page.count("data:image/png;base64,") == 1 and page.count("<use href='#f0-0'/>") == 3
    assert page.count("x='25.0' y='25.0' width='25.0' height='25.0'") == 3, "reference on each"
    assert page.count("x='10.0' y='10.0' width='10.0' height='10.0'") == 1
    assert page.count("data-right='yes'") == 2 and page.count("data-right='no'") == 2
    assert "data-kind='VQA &amp; more: view'" in page and "not there any more" in page
    assert "Where &lt;/script&gt; is it?" in page and "Because &lt;b&gt;" in page
    assert "(A) left<br>(B) right" in page and "http" not in page
    listed = asked(question="Which?\n(A) left\n(B) right\nOne letter.")
    page = compare.render([listed], [[film]])
    assert answered.LABELS_TOLD not in page
    scored = {"m": Answer("Left effusion.", "", (), None, "label F1 (micro) 1.00")}
    assert compare.render([asked(answers=scored)], [[film]]).count(answered.LABELS_TOLD) == 1
    page = compare.render([listed], [[film]])
    assert "<h3>Which?\nOne letter.</h3><p>(A) left<br>(B) right</p>" in page


def test_a_card_has_the_question_the_reference_and_all_answers() -> None:
    texts = [line.text for line in qualitative.lines(asked())]
    assert texts == [
        "VQA & more, side",
        "Where </script> is it?",
        "(A) left; (B) right",
        "Reference: left",
        "\u2713 A <1> (correct)",
        "Because <b>",
        "Answer: yes",
        "\u2717 B (no answer could be read)",
    ]
    long = Answer("word " * 400, "n" * 4000, (), None, "")
    card = qualitative.lines(asked(answers={"m": long}, question="(A) left or (B) right?"))
    assert len(card) == 3 + 1 + 2 * 6, "the options are in the question"
    assert card[-1].text.endswith(" ...")


def test_cards_of_kinds_with_boxes_come_first() -> None:
    cards = [asked(kind=kind, boxes=(), answers={}, id=kind) for kind in ("choice", "view", "view")]
    cards.append(asked(kind="grounding"))
    kinds = [card.kind for card in qualitative.some(cards, 3)]
    assert kinds == ["grounding", "choice", "view"]
    assert Run("a/b", "grpo", "b").file("x") == "a/b/x"
    assert answered.shown("a\x18b\nc") == "a\ufffdb\nc"
