"""`prepare` on the phantom archive in the S3 server, with a real Ray; its pure parts alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig, PrepareConfig, RayConfig, SourceConfig
from chexone_ray.data import manifest, waves
from chexone_ray.data.build import prepare, read_sources
from chexone_ray.data.choose import COLUMNS, Removed, choose, kept, removed, undecided
from chexone_ray.data.phantom import random_phantom
from chexone_ray.data.refuse import problems
from chexone_ray.data.splits import SPLITS
from chexone_ray.data.stream import read_samples
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Sample


def settings(archive_uri: str, output_uri: str, **changes: Any) -> PrepareConfig:
    source = SourceConfig(
        adapter="mimic_cxr_jpg",
        uri=storage.join(archive_uri, "mimic-cxr-jpg"),
        boxes_uri=storage.join(archive_uri, "vindr-cxr"),
    )
    values: dict[str, Any] = {
        "output_uri": output_uri,
        "sources": (source,),
        "images": ImageConfig(max_pixels=12_544),
        "max_drop_share": 0.2,
        "ray": RayConfig(address="local"),
    }
    return PrepareConfig(**values | changes)


def everything(uri: str) -> list[Sample]:
    present = {part.split for part in manifest.load(uri).parts}
    return [s for split in SPLITS if split in present for s in read_samples(uri, split)]


def groups(rows: list[tuple[str, str, str, str, int]]) -> Any:
    names = ("split", "kind", "group", "cls", "rank")
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) | {"dataset": "d"} for row in rows]
    )


PURE = settings("unused", "unused")


def test_choose_evens_classes_by_lowest_rank() -> None:
    rows = [
        ("train", "presence", "nodule", "yes", 5),
        ("train", "presence", "nodule", "yes", 9),
        ("train", "presence", "nodule", "no", 1),
        ("train", "presence", "nodule", "no", 7),
        ("train", "presence", "nodule", "no", 3),
        ("test", "presence", "nodule", "no", 1),  # one class only: the wording would tell it
        ("train", "view", "", "", 8),
    ]
    table = groups(rows)
    limits = choose(table, PURE)
    assert table.filter(kept(table, limits))["rank"].to_pylist() == [5, 9, 1, 3, 8]


def test_choose_limits_training_rows_of_a_kind() -> None:
    table = groups([(split, "view", "", "", n) for split in ("train", "test") for n in range(6)])
    limits = choose(table, PURE.model_copy(update={"max_per_kind": {"view": 2}}))
    left = table.filter(kept(table, limits))
    assert Counter(left["split"].to_pylist()) == {"train": 2, "test": 6}


def test_the_limit_of_a_kind_counts_rows_that_are_left_after_evening() -> None:
    rows = [
        ("train", "presence", "nodule", cls, 2 * n + (cls == "no"))
        for n in range(6)
        for cls in ("yes", "no")
    ]
    rows += [("train", "presence", "tube", "no", n) for n in range(4)]
    table = groups(rows)
    limits = choose(table, PURE.model_copy(update={"max_per_kind": {"presence": 4}}))
    left = table.filter(kept(table, limits))
    assert left["rank"].to_pylist() == [0, 1, 2, 3]
    assert set(left["group"].to_pylist()) == {"nodule"}


def test_only_what_a_rule_may_remove_is_held_and_removals_are_told_by_reason() -> None:
    rows = [
        ("train", "presence", "nodule", "yes", 5),
        ("train", "presence", "nodule", "no", 1),
        ("train", "presence", "nodule", "no", 7),
        ("train", "side", "", "", 3),
        ("train", "view", "", "", 3),
        ("train", "view", "", "", 4),
        ("test", "view", "", "", 5),
    ]
    config = PURE.model_copy(update={"max_per_kind": {"view": 1}})
    held = undecided(groups(rows), config)
    assert held["kind"].to_pylist() == ["presence"] * 3 + ["view"] * 3
    assert removed(held, choose(held, config)) == {
        Removed("train", "presence", "d", "question_balanced_away"): 1,
        Removed("train", "view", "d", "question_over_max_per_kind"): 1,
    }


def test_choose_of_nothing_keeps_no_limit() -> None:
    schema = pa.schema([(name, pa.int64() if name == "rank" else pa.string()) for name in COLUMNS])
    assert choose(schema.empty_table(), PURE) == {}


def test_missing_table_is_told_before_ray_starts(tmp_path: Any) -> None:
    config = settings(str(tmp_path / "nothing"), str(tmp_path / "out"))
    with pytest.raises(ChexoneError, match=r"metadata\.csv\[\.gz\] is missing"):
        prepare(config)


def test_unknown_kind_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ChexoneError, match='kind "views" is not known'):
        prepare(settings("unused", str(tmp_path), kinds=("views",)))


@pytest.fixture(scope="module")
def prepared(s3: Any, ray_local: None, archive_uri: str) -> tuple[PrepareConfig, str]:
    config = settings(archive_uri, s3.folder("build/first"))
    return config, prepare(config)


@pytest.mark.slow
def test_same_settings_give_the_same_bytes_on_one_cpu_and_in_waves(
    prepared: tuple[PrepareConfig, str], s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, uri = prepared
    monkeypatch.setattr(waves, "num_cpus", lambda: 1)
    monkeypatch.setattr(waves, "BLOCKS_PER_WAVE", 1)
    monkeypatch.setattr(waves, "ROUNDS_PER_WAVE", 1)
    again = prepare(config.model_copy(update={"output_uri": s3.folder("build/second")}))
    names = [file.removeprefix(f"{uri}/") for file in storage.list_files(uri)]
    assert {file.removeprefix(f"{again}/") for file in storage.list_files(again)} == set(names)
    assert {"dropped.parquet", "duplicates.parquet", "manifest.json", "CARD.md"} <= set(names)
    for name in set(names) - {"config.json"}:  # which names the output
        data = storage.read_bytes(storage.join(uri, name))
        assert data == storage.read_bytes(storage.join(again, name)), name


@pytest.mark.slow
def test_a_committed_manifest_is_kept_and_another_is_refused(
    prepared: tuple[PrepareConfig, str],
) -> None:
    config, uri = prepared
    before = storage.read_bytes(storage.join(uri, manifest.MANIFEST_FILE))
    assert prepare(config) == uri
    assert storage.read_bytes(storage.join(uri, manifest.MANIFEST_FILE)) == before
    with pytest.raises(ChexoneError, match="manifest of other settings"):
        prepare(config.model_copy(update={"seed": 1}))


@pytest.mark.slow
def test_counts_of_the_manifest_are_those_of_its_rows(
    prepared: tuple[PrepareConfig, str],
) -> None:
    info = manifest.load(prepared[1]).info
    found = everything(prepared[1])
    assert info["counts"]["rows"] == len(found)
    for name in manifest.COUNTED:
        values = Counter((sample.split, getattr(sample, name)) for sample in found)
        told = info["counts"][name]
        assert {(s, v): n for s, by_value in told.items() for v, n in by_value.items()} == values
    assert info["counts"]["split"] == Counter(sample.split for sample in found)
    assert info["dropped"]["image_truncated"] == 1
    assert info["dropped"]["image_missing"] == 1
    assert info["dropped"]["duplicate_row"] == 3, "a film that is there twice, and its boxes"
    assert len({sample.id for sample in found}) == len(found)


@pytest.mark.slow
def test_patients_stay_in_one_split_and_answers_are_even(
    prepared: tuple[PrepareConfig, str],
) -> None:
    splits: dict[str, set[str]] = defaultdict(set)
    presence: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for sample in everything(prepared[1]):
        splits[sample.patient].add(sample.split)
        if sample.kind == "presence":
            presence[sample.split, sample.id.rsplit("/", 1)[1]][sample.answer] += 1
    assert all(len(found) == 1 for found in splits.values())
    assert presence
    assert all(found["yes"] == found["no"] for found in presence.values())


@pytest.mark.slow
def test_rows_are_shuffled_with_the_questions_of_a_study_together(
    prepared: tuple[PrepareConfig, str],
) -> None:
    order = [sample.study for sample in read_samples(prepared[1], "train")]
    starts = [study for n, study in enumerate(order) if n == 0 or order[n - 1] != study]
    assert len(starts) == len(set(starts)) > 10
    assert starts != sorted(starts)


@pytest.mark.slow
def test_too_many_unusable_images_end_the_run(s3: Any, ray_local: None, archive_uri: str) -> None:
    uri = s3.folder("build/strict")
    with pytest.raises(ChexoneError, match=r"images are unusable \(image_\w+ 1, image_\w+ 1\)"):
        prepare(settings(archive_uri, uri, max_drop_share=0.001))
    assert storage.committed(uri) is None


@pytest.mark.slow
def test_vindr_dicom_files_and_an_interrupted_folder(
    s3: Any, ray_local: None, archive_uri: str
) -> None:
    uri = s3.folder("build/vindr")
    storage.write_bytes(storage.join(uri, "part-train-00099.parquet"), b"left over")
    source = SourceConfig(adapter="vindr_cxr", uri=storage.join(archive_uri, "vindr-cxr"))
    config = settings(archive_uri, uri, sources=(source,), max_drop_share=0.0)
    prepare(config)
    found = everything(uri)
    assert {sample.images[0].uri.rsplit(".", 1)[1] for sample in found} == {"dicom"}
    assert {sample.kind for sample in found} >= {"view", "grounding"}
    assert {sample.images[0].width for sample in found} == {112}
    assert not storage.exists(storage.join(uri, "part-train-00099.parquet"))


def test_split_of_a_patient_is_that_of_all_its_studies(archive_uri: str) -> None:
    patients, *_ = read_sources(settings(archive_uri, "unused"))
    assert all(len({item.study.archive_split for item in studies}) == 1 for studies in patients)
    assert {len(studies) for studies in patients} >= {1, 2}


def test_two_layouts_of_the_same_films_agree_on_their_split(archive_uri: str) -> None:
    vindr = SourceConfig(adapter="vindr_cxr", uri=storage.join(archive_uri, "vindr-cxr"))
    (mimic,) = settings(archive_uri, "unused").sources
    patients, *_ = read_sources(settings(archive_uri, "unused", sources=(mimic, vindr)))
    splits: dict[str, dict[str, str]] = defaultdict(dict)
    for item in (item for studies in patients for item in studies):
        for image in item.study.images:
            name = image.uri.rpartition("/")[2].partition(".")[0]
            splits[name][item.study.dataset] = item.study.archive_split
    both = [found for found in splits.values() if len(found) == 2]
    assert {found["vindr_cxr"] for found in both} >= {"train"}
    assert all(len(set(found.values())) == 1 for found in both)


@pytest.mark.slow
def test_a_table_of_ones_own_becomes_questions(s3: Any, ray_local: None) -> None:
    root = s3.folder("build/own")
    report = "FINDINGS: The heart is enlarged. IMPRESSION: Cardiomegaly."
    rows = ["image,study,patient,date,view,split,report,label:nodule,label:edema,boxes"]
    for number, split in enumerate(("train", "train", "test", "test")):
        film = random_phantom(number, 112).pixels
        storage.write_bytes(f"{root}/films/{number}.png", images.to_png(film))
        boxes = '"[{""label"": ""nodule"", ""xyxy"": [56, 28, 84, 56]}]"' if number % 2 else ""
        rows.append(
            f"films/{number}.png,s{number},p{number},2020,PA,{split},{report},"
            f"{number % 2},0,{boxes}"
        )
    rows.append("films/gone.png,s9,p9,2020,PA,train,,1,0,")
    storage.write_bytes(f"{root}/studies.csv", "\n".join(rows).encode())
    source = SourceConfig(adapter="own_table", uri=root)
    uri = prepare(
        settings("unused", s3.folder("build/own-out"), sources=(source,), max_drop_share=0.5)
    )
    found = everything(uri)
    assert {sample.patient: sample.split for sample in found} == {
        "p0": "train",
        "p1": "train",
        "p2": "test",
        "p3": "test",
    }
    assert {sample.kind for sample in found} >= {"presence", "view", "heart_size", "findings"}
    (box,) = {box.xyxy for s in found if s.kind == "grounding" for box in s.boxes}
    assert box == pytest.approx((0.5, 0.25, 0.75, 0.5))
    dropped = manifest.load(uri).info["dropped"]
    losses = {"image_missing": 1, "study_without_image": 1}
    assert {reason: dropped[reason] for reason in losses} == losses
    assert "| A table of your own | own |" in storage.read_bytes(f"{uri}/CARD.md").decode()
    config = settings("unused", uri, sources=(source,), max_drop_share=0.5)
    assert prepare(config) == uri
    storage.write_bytes(f"{root}/studies.csv", "\n".join(rows[:-1]).encode())
    with pytest.raises(ChexoneError, match="was made from other tables"):
        prepare(config)
    storage.delete(f"{root}/studies.csv")
    assert prepare(config) == uri, "an archive may go once its manifest is there"


def test_only_a_manifests_own_files_are_cleared(tmp_path: Path) -> None:
    own = ("part-train-00000.parquet", "manifest.json", "CARD.md", "duplicates.parquet")
    others = (
        *("part-1.zip", "part-train.csv", "prepared/manifest.json", "notes.txt"),
        *("prepared/part-train-00000.parquet", "archive/part-test-00001.parquet"),
    )
    for name in (*own, *others):
        place = tmp_path / "out" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
    manifest.clear(str(tmp_path / "out"))
    left = {str(f.relative_to(tmp_path / "out")) for f in tmp_path.rglob("*") if f.is_file()}
    assert left == set(others)


def test_a_manifest_in_its_archive_and_a_set_without_its_images_are_refused() -> None:
    sources = (
        SourceConfig(adapter="own_table", uri="s3://b/archive"),
        SourceConfig(adapter="ms_cxr", uri="s3://b/ms-cxr"),
    )
    found = list(problems(PrepareConfig(output_uri="s3://b/archive/", sources=sources)))
    assert [problem.partition(":")[0] for problem in found] == [
        "output_uri is the own_table archive s3",
        "ms_cxr has no images of its own",
    ]
