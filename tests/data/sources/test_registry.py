"""All adapters: settings, docs, families of the same films or patients, and `--check`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from chexone_ray import cli
from chexone_ray.config import Adapter, PrepareConfig, SourceConfig, loader
from chexone_ray.data.sources.registry import FAMILIES, SOURCES, overlapping
from chexone_ray.errors import ChexoneError
from tests.data.sources.replicas import read, read_questions, write

DOCS = Path(__file__).parents[3] / "docs" / "data.md"


def test_every_adapter_is_a_setting_and_documented() -> None:
    assert set(get_args(Adapter)) == set(SOURCES)
    text = DOCS.read_text()
    for name, spec in SOURCES.items():
        section = text.partition(f"## {spec.title}")[2].partition("\n## ")[0]
        assert f"`{name}`" in section and spec.access in section, name
        assert f'adapter = "{name}"' in section, name
        for table in spec.tables:
            assert any(file.rpartition("/")[2] in section for file in table.names), table


def test_archives_of_the_same_films_are_refused(tmp_path: Path) -> None:
    from chexone_ray.data.build import prepare

    assert overlapping(["chexpert", "nih_chestxray14", "vindr_cxr", "chexpert"]) == []
    sources = tuple(
        SourceConfig(adapter=name, uri=str(tmp_path))
        for name in ("siim_acr", "vindr_cxr", "rsna_pneumonia")
    )
    config = PrepareConfig(output_uri=str(tmp_path / "out"), sources=sources)
    with pytest.raises(ChexoneError, match="rsna_pneumonia and siim_acr hold the same films"):
        prepare(config)
    with pytest.raises(ChexoneError, match="is missing"):
        prepare(config.model_copy(update={"allow_overlap": True}))


def test_check_tells_what_is_missing(
    nih: Path, stanford: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(adapter: str, uri: Path) -> tuple[int, str]:
        table = f"[{{adapter = '{adapter}', uri = '{uri}'}}]"
        words = ["--check", "--output_uri", "unused", "--sources", table]
        config = loader.load(PrepareConfig, loader.parse(words))
        return cli.run("prepare", config), capsys.readouterr().out

    code, said = check("nih_chestxray14", nih)
    assert code == 1
    assert "4 studies; left out: 1 box_row, 1 box_without_image, 1 duplicate_row" in said
    assert "FAIL  images         1 of 4 are there: fetch the other 3" in said
    for name in ("00000002_000", "00000003_000", "00000004_000"):
        write(nih / "images_001" / "images" / f"{name}.png", "")
    assert check("nih_chestxray14", nih)[0] == 0
    (nih / "Data_Entry_2017_v2020.csv").write_text("Image Index,Finding Labels\n")
    code, said = check("nih_chestxray14", nih)
    assert code == 1 and 'has no column "Follow-up #"' in said
    assert "skip  images" in said
    (stanford / "train.csv").unlink()
    code, said = check("chexpert", stanford)
    assert code == 1 and "FAIL  train.csv      missing: put train.csv under" in said


def test_which_archives_name_no_patients() -> None:
    units = {name: spec.split_unit for name, spec in SOURCES.items()}
    films = {"siim_acr", "vindr_cxr", "vinbigdata", "object_cxr", "nlm_tb", "vindr_pcxr"}
    films |= {"jsrt", "tbx11k", "roco", "slake", "vqa_rad", "medvqa_2019"}
    assert {name for name, unit in units.items() if unit == "film"} == films
    assert {name for name, unit in units.items() if unit == "study"} == {"openi", "candid_ptx"}
    assert units["rsna_pneumonia"] == "patient with the mapping file, else film"


def test_which_archives_hold_the_same_films() -> None:
    assert sorted(map(sorted, FAMILIES)) == [
        ["bimcv_covid19", "covidx"],
        ["chexpert", "chexpert_plus"],
        ["covidx", "nih_chestxray14", "ranzcr_clip", "rsna_pneumonia", "siim_acr", "slake"],
        ["pmc_vqa", "roco"],
        ["vinbigdata", "vindr_cxr"],
    ]


@pytest.mark.parametrize("adapter", ["ms_cxr", "ms_cxr_t", "chest_imagenome", "cxr_lt"])
def test_images_of_another_archive_are_asked_for(adapter: str, tmp_path: Path) -> None:
    assert SOURCES[adapter].patients == "mimic"
    with pytest.raises(ChexoneError, match=f"{adapter} has no images of its own: set images_uri"):
        read(adapter, tmp_path)
    with pytest.raises(ChexoneError, match="is missing"):
        read(adapter, tmp_path, tmp_path)


def test_sets_of_the_same_patients_say_so() -> None:
    sharing = {name: spec.patients for name, spec in SOURCES.items() if spec.patients}
    assert sharing["padchest"] == sharing["padchest_gr"] == "padchest"
    assert sharing["mimic_cxr_jpg"] == "mimic"


@pytest.mark.parametrize(
    "adapter", [name for name, spec in SOURCES.items() if spec.images_elsewhere]
)
def test_a_set_without_images_needs_to_know_where_they_are(
    adapter: Adapter, tmp_path: Path
) -> None:
    with pytest.raises(ChexoneError, match=f"{adapter} has no images .*set images_uri to"):
        read_questions(adapter, tmp_path)


def test_sets_of_the_same_patients_are_told_by_their_numbers() -> None:
    shared = {name: SOURCES[name].patients for name in SOURCES}
    assert shared["rexvqa"] == shared["rexgradient"] == "rexgradient"
    assert shared["rad_restruct"] == shared["openi"] == "openi"
    assert shared["medvqa_2019"] == shared["vqa_rad"] == "medpix"
    assert shared["chexpert"] == shared["chexpert_plus"] == "chexpert"
    mimic = ("mimic_cxr_jpg", "mimic_cxr_vqa", "medical_diff_vqa", "mimic_nle", "radgraph")
    assert {shared[name] for name in mimic} == {"mimic"}
    assert not {"rexvqa", "rad_restruct", "vqa_rad", *mimic} & set(overlapping(shared))
