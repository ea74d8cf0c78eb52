"""Two tables of one's own are two data sets where each has a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.card import render
from chexone_ray.data.check import answer
from chexone_ray.data.refuse import problems
from chexone_ray.errors import ChexoneError
from tests.data.sources.replicas import write


def own(root: Path, name: str = "", rows: tuple[str, ...] = ("a.png,s1,17,train",)) -> SourceConfig:
    root.mkdir(exist_ok=True)
    write(root / "studies.csv", "image,study,patient,split", *rows)
    (root / "a.png").touch()
    return SourceConfig(adapter="own_table", uri=str(root), name=name)


def config(*sources: SourceConfig, **changes: Any) -> PrepareConfig:
    return PrepareConfig(output_uri="unused-output", sources=sources, **changes)


def test_patients_of_two_names_are_two(tmp_path: Path) -> None:
    here = own(tmp_path / "here", "here", ("a.png,s1,17,train", ",s2,17,train"))
    there = own(tmp_path / "there", "there", ("a.png,s1,17,test",))
    patients, letters, moves = read_sources(config(here, there, max_drop_share=0.5))
    studies = [item.study for n in range(len(patients)) for item in patients[n]]
    assert [(s.dataset, s.patient, s.archive_split) for s in studies] == [
        ("here", "17", "train"),
        ("there", "17", "test"),
    ]
    assert [(letter.dataset, letter.reason) for letter in letters] == [("here", "row_without_id")]
    assert not moves
    one = own(tmp_path / "there", "here", ("a.png,s3,17,test",))
    patients, _, moves = read_sources(config(here, one, max_drop_share=0.5))
    assert len(patients) == 1 and sum(moves.values()) == 1


def test_equal_study_ids_ask_for_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = own(tmp_path / "here"), own(tmp_path / "there")
    remedy = "are in .*here too: give each source a name of its own, or make their study ids unique"
    with pytest.raises(ChexoneError, match=remedy):
        read_sources(config(*both))
    assert answer(config(*both, check=True)) == 1
    assert "give each source a name of its own" in capsys.readouterr().out
    named = own(tmp_path / "here", "here"), own(tmp_path / "there", "there")
    assert answer(config(*named, check=True)) == 0
    assert "there: A table of your own" in capsys.readouterr().out


def test_held_out_patients_are_those_of_the_name(tmp_path: Path) -> None:
    here = own(tmp_path / "here", "here")
    later = own(tmp_path / "later", "here", ("z.png,s9,17,",))
    patients, _, moves = read_sources(config(here, held_out=(later,)))
    assert patients[0][0].study.archive_split == "test"
    assert [(m.dataset, m.to, m.because_of) for m in moves] == [("here", "test", "here")]
    assert not list(problems(config(here, held_out=(later,))))
    (told,) = problems(config(here, held_out=(own(tmp_path / "later"),)))
    assert told.startswith("held_out own_table shares its patients with no source")


def test_held_out_patients_are_validated_on_where_their_set_does(tmp_path: Path) -> None:
    here = own(tmp_path / "here", "here", tuple(f"{n}.png,s{n},{n},train" for n in "123"))
    rows = ("a.png,s7,1,validate", "b.png,s8,2,train", "c.png,s9,2,validate")
    later = own(tmp_path / "later", "here", rows)
    patients, *_ = read_sources(config(here, held_out=(later,)))
    splits = {patients[n][0].study.patient: patients[n][0].study.archive_split for n in range(3)}
    assert splits == {"1": "validate", "2": "test", "3": "train"}


def test_names_that_would_mean_two_things_are_refused(tmp_path: Path) -> None:
    (told,) = problems(config(own(tmp_path, "padchest")))
    assert told.startswith('name "padchest" of a source is that of another data set')
    other = SourceConfig(adapter="padchest", uri="unused", name="ours")
    assert list(problems(config(other))) == [
        "name has no effect on padchest, which has one: remove it"
    ]
    with pytest.raises(ValueError, match="name"):
        own(tmp_path, "Our hospital/2")
    assert not list(problems(config(own(tmp_path, "ours"), mix={"ours": 0.5})))
    assert list(problems(config(own(tmp_path), mix={"ours": 0.5})))


def test_the_card_names_the_source() -> None:
    source = {"adapter": "own_table", "uri": "unused", "uncertain": "keep", "name": "ours"}
    card = render({"counts": {"rows": 0}, "config": {"sources": [source]}})
    assert "| ours (a table of your own) | own |" in card
