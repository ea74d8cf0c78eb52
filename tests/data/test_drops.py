"""What is damaged ends a run source by source; what a set leaves out by design does not."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chexone_ray import runtime
from chexone_ray.cli import user_error
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data import build, sources
from chexone_ray.data.ask import ask
from chexone_ray.data.blocks import Block, Letter
from chexone_ray.data.build import prepare, read_sources
from chexone_ray.data.drops import BY_DESIGN, TooMuchLost, check_read, check_rows
from chexone_ray.data.shelf import Patients
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study


def config(uri: str = "unused", most: float = 0.05) -> PrepareConfig:
    source = SourceConfig(adapter="own_table", uri=uri)
    return PrepareConfig(output_uri="unused-output", sources=(source,), max_drop_share=most)


def block(usable: dict[str, int], *letters: tuple[str, str, int]) -> Block:
    told = tuple(Letter(dataset, reason, "place", n) for dataset, reason, n in letters)
    return Block(0, "unused", {}, 1, 1, sum(usable.values()), usable, told)


def test_a_large_source_does_not_hide_a_broken_one() -> None:
    large = block({"large/images": 10_000, "small/images": 4}, ("small", "image_missing", 4))
    with pytest.raises(ChexoneError, match=r"^small: 5 of 9 images are unusable \(image_missing 4"):
        check_read([large, block({}, ("small", "image_truncated", 1))], config())
    check_read([large], config(most=0.5))
    check_read([block({"d/images": 10}, ("d", "image_body_part", 90))], config())


def test_missing_reports_end_a_run() -> None:
    found = block({"d/images": 100, "d/reports": 9}, ("d", "report_missing", 1))
    with pytest.raises(ChexoneError, match=r"^d: 1 of 10 reports are unusable \(report_missing 1"):
        check_read([found], config())
    check_read([found], config(most=0.1))


def test_damaged_rows_end_a_run_and_those_left_out_by_design_do_not() -> None:
    (source,) = config().sources
    study = Study("own_table", "p", "s", tuple(ImageRef(f"{n}.png") for n in range(9)))
    found = [PendingStudy(study)]
    by_design = {"question_not_about_a_chest_film": 900, "duplicate_row": 90}
    check_rows(source, found, by_design | {"row_without_id": 1}, 0.1)
    with pytest.raises(ChexoneError, match=r"^own_table: 2 of 11 rows .* \(row_without_id 2\)"):
        check_rows(source, found, by_design | {"row_without_id": 2}, 0.1)


@pytest.mark.parametrize(
    "reason",
    [
        "study_without_film",
        "scene_graph_missing",
        "report_without_film",
        "row_without_answer",
        "unknown_label",
        "a_reason_of_tomorrow",
    ],
)
def test_a_source_of_which_nearly_all_is_lost_is_refused(reason: str) -> None:
    (source,) = config().sources
    found = [PendingStudy(Study("own_table", "p", "s", (ImageRef("a.png"),)))]
    with pytest.raises(ChexoneError, match=rf"^own_table: 99 of 100 rows .* \({reason} 99\)"):
        check_rows(source, found, {reason: 99}, 0.05)


DAMAGE = {
    "answer_not_an_option",
    "box_of_lost_phrase",
    "box_row",
    "box_without_image",
    "film_not_found",
    "film_without_patient",
    "film_without_row",
    "mask_without_image",
    "options_not_distinct",
    "prior_film_not_found",
    "report_without_film",
    "row_without_answer",
    "row_without_id",
    "row_without_report",
    "scene_graph_missing",
    "sentence_without_text",
    "study_without_film",
    "study_without_patient",
    "unknown_entity",
    "unknown_label",
    "unparsable_row",
}


def reasons(argument: ast.expr) -> set[str]:
    """The reasons that an argument of `lose` may be; it is a text or a choice of two."""
    if isinstance(argument, ast.IfExp):
        return reasons(argument.body) | reasons(argument.orelse)
    assert isinstance(argument, ast.Constant), ast.unparse(argument)
    return {str(argument.value)}


def test_every_reason_is_either_by_design_or_damage() -> None:
    at = {"lose": 0, "lose_strangers": 2}
    used: set[str] = set()
    for path in sorted(Path(sources.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())) if path.name != "losses.py" else ():
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                used |= reasons(node.args[at[name]]) if name in at else set()
    assert used == BY_DESIGN | DAMAGE and not BY_DESIGN & DAMAGE


def test_a_source_without_a_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text("image,study\na.png,\nb.png,\n")
    with pytest.raises(ChexoneError, match=r"no study: mostly row_without_id \(2 times\)"):
        read_sources(config(str(tmp_path), most=1.0))


def test_a_refusal_names_the_first_places_of_its_own_reason() -> None:
    letters = (
        Letter("d", "study_without_question", "s0"),
        Letter("other", "image_missing", "z.png"),
        *(Letter("d", "image_missing", f"{name}.png") for name in "abcd"),
    )
    found = Block(0, "unused", {}, 1, 1, 5, {"d/images": 5}, letters)
    with pytest.raises(TooMuchLost, match=r"max_drop_share; first a\.png, b\.png, c\.png$") as told:
        check_read([found], config())
    assert told.value.letters == letters
    again = pickle.loads(pickle.dumps(told.value))
    assert (str(again), again.letters) == (str(told.value), letters)
    outside = (Letter("d", "box_outside_image", "s1", 2), *letters[:2])
    boxed = Block(0, "unused", {}, 1, 1, 5, {"d/boxes": 5}, outside)
    with pytest.raises(TooMuchLost, match=r"scale the boxes; first s1$"):
        check_read([boxed], config())


def test_a_refused_run_leaves_what_was_lost_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "join", lambda config: None)
    root, out = tmp_path / "own", tmp_path / "out"
    root.mkdir()
    rows = ("a.png,s1,", ",s2,", "b.png,s3,[{}]", ",s4,")
    (root / "studies.csv").write_text("\n".join(("image,study,boxes", *rows)))
    settings = config(str(root)).model_copy(update={"output_uri": str(out)})
    table = f"{root}/studies.csv"
    with pytest.raises(
        TooMuchLost,
        match=rf"first {table}:4, {table}:3, {table}:5; {out}/dropped\.parquet names all of them$",
    ) as refused:
        prepare(settings)
    assert user_error(refused.value) is refused.value, "as the command prints it"
    told = pq.read_table(out / "dropped.parquet").to_pylist()
    assert [(row["reason"], row["place"], row["count"]) for row in told] == [
        ("box_row", f"{table}:4", 1),
        ("row_without_id", f"{table}:3", 1),
        ("row_without_id", f"{table}:5", 1),
    ]
    (root / "studies.csv").write_text("image,study\n,s1\n")
    with pytest.raises(TooMuchLost, match=r"no study: mostly row_without_id .*names all of them$"):
        prepare(settings)
    assert pq.read_table(out / "dropped.parquet").num_rows == 1


def test_films_lost_while_reading_are_told_with_those_of_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tmp_path / "own", tmp_path / "out"
    root.mkdir()
    rows = ("a.png,s1", "a.png,s1", "b.png,s2")
    (root / "studies.csv").write_text("\n".join(("image,study", *rows)))
    settings = config(str(root)).model_copy(update={"output_uri": str(out)})

    def ask_here(patients: Patients, folder: str, config: PrepareConfig) -> list[Block]:
        chunks = [[patients[number] for number in range(len(patients))]]
        asked = ask(chunks, 0, "unused", config)[2]
        check_read([asked], config)
        return [asked]

    monkeypatch.setattr(build, "ask_all", ask_here)
    monkeypatch.setattr(runtime, "join", lambda config: None)
    with pytest.raises(TooMuchLost, match=rf"^own_table: 2 of 2 images .*; first {root}/a\.png"):
        prepare(settings)
    told = pq.read_table(out / "dropped.parquet").column("reason").to_pylist()
    assert sorted(set(told)) == ["duplicate_row", "image_missing", "study_without_image"]
