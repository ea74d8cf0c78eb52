"""IU X-ray (OpenI), and Rad-ReStruct, which asks about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.openi_xml import states
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Question
from tests.data.sources.replicas import read, read_questions, splits, write, write_json
from tests.data.sources.replicas_of_reports import write_openi_xml


def test_openi_views_and_redactions(tmp_path: Path) -> None:
    write(
        tmp_path / "indiana_reports.csv",
        "uid,MeSH,Problems,image,indication,comparison,findings,impression",
        '1,normal,normal,X,XXXX-year-old,None.,"Größe normal, XXXX clear.",Normal.',
        "1,normal,normal,X,,,Again.,",
        "2,normal,normal,X,,,No film.,",
    )
    write(
        tmp_path / "indiana_projections.csv",
        "uid,filename,projection",
        "1,1_IM-0001-4001.dcm.png,Lateral",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "3,3_IM-1.dcm.png,Frontal",
        ",4.png,Frontal",
    )
    write(tmp_path / "images_normalized" / "1_IM-0001-3001.dcm.png", "")
    source = SourceConfig(adapter="openi", uri=str(tmp_path))
    ((study,), dropped) = SOURCES["openi"].read(source, True)
    assert dropped == {
        "duplicate_row": 2,
        "row_without_id": 1,
        "row_without_report": 1,
        "report_without_film": 1,
    }
    assert study.study.findings == "Größe normal, ___ clear."
    assert study.study.indication == "___-year-old"
    assert [image.view for image in study.study.images] == ["frontal", "lateral"]
    assert "/images_normalized/" in study.study.images[0].uri
    assert study.study.images[1].uri == str(tmp_path / "images/1_IM-0001-4001.dcm.png")


def test_openi_reads_the_original_release(tmp_path: Path) -> None:
    write_openi_xml(tmp_path)
    found, dropped = read("openi", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "report_without_film": 1,
        "row_without_id": 1,
        "row_without_report": 2,
        "unparsable_row": 1,
    }
    normal, large, bare = (item.study for item in found)
    assert [study.study for study in (normal, large, bare)] == ["1", "5", "6"], "as in the tables"
    films = tmp_path / "NLMCXR_png"
    assert normal.images == (
        ImageRef(str(films / "CXR1_1_IM-0001-3001.png"), "frontal"),
        ImageRef(str(films / "CXR1_1_IM-0001-4001.png"), "lateral"),
    )
    assert (normal.findings, normal.impression) == (
        "Größe normal, lungs clear.",
        "Normal chest x-___.",
    )
    assert (normal.indication, normal.comparison) == ("___-year-old with cough", "None.")
    assert normal.labels["no finding"] == 1 and normal.labels["pneumothorax"] == 0
    assert (large.findings, large.indication) == ("", "")
    assert large.impression == "Heart is enlarged. Small effusion."
    assert large.labels == {"cardiomegaly": -1, "pleural effusion": 1, "no finding": 0}
    assert large.images[0].view == "" and bare.labels == {}
    for path in sorted((tmp_path / "ecgen-radiology").iterdir()):
        data = path.read_bytes()
        path.unlink()
        assert read("openi", tmp_path) != (found, dropped), f"{path.name} vanishes"
        path.write_bytes(data)
    (tmp_path / "indiana_projections.csv").unlink()
    assert {i.view for p in read("openi", tmp_path)[0] for i in p.study.images} == {""}
    with pytest.raises(ChexoneError, match=r"neither indiana_reports\.csv and ecgen-radiology/"):
        read("openi", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["Cardiomegaly/mild"], {"cardiomegaly": 1}),
        (["Cardiomegaly/borderline", "cardiomegaly/severe"], {"cardiomegaly": 1}),
        (["Opacity/lung/base/left"], {"lung opacity": 1}),
        (["Opacity/heart", "Thickening/pleura/apex"], {"pleural thickening": 1}),
        (["Fractures, Bone/ribs/healed", "Hernia, Hiatal"], {"fracture": 1, "hernia": 1}),
        (["No Indexing"], {}),
        (["normal", "Nodule"], {}),
        ([" ", ""], {}),
    ],
)
def test_openi_terms(terms: list[str], expected: dict[str, int]) -> None:
    assert states(terms) == (expected | {"no finding": 0} if expected else {})


def test_rad_restruct_puts_history_before_the_question(tmp_path: Path) -> None:
    films = tmp_path / "films"
    write_json(films / "a" / "CXR12_IM-0001-1001.png", "")
    write_json(films / "b" / "9_IM-0002-1001.dcm.png", "")
    mapping = {
        "12": ["CXR12_IM-0001-1001", "CXR12_IM-0001-1001", "CXR12_IM-0001-2001"],
        "9": ["CXR9_9_IM-0002-1001"],
        "30": [],
    }
    write_json(tmp_path / "set" / "id_to_img_mapping_frontal_reports.json", mapping)
    single = {"options": ["yes", "no"], "answer_type": "single_choice"}
    several = {"options": ["left", "right", "größer"], "answer_type": "multi_choice"}
    history = [["Is there a sign?", ["yes"]], ["In the lung?", ["yes"], "more"]]
    write_json(
        tmp_path / "set" / "train_qa_pairs" / "12.json",
        [
            ["Is there a sign?", ["Yes"], [], single],
            ["Where?", ["left", "größer"], history, several],
            ["Where?", ["elsewhere"], history, several],
            ["Where?", [], history, several],
            ["Where?"],
        ],
    )
    write_json(tmp_path / "set" / "train_qa_pairs" / "30.json", [["Any?", ["no"], [], single]])
    write_json(tmp_path / "set" / "val_qa_pairs" / "40.json", [["Any?", ["no"], [], single]])
    write_json(tmp_path / "set" / "val_qa_pairs" / "9.json", "{broken")
    write_json(tmp_path / "set" / "test_qa_pairs" / "9.json", [["Any?", ["no"], [], single]])
    studies, dropped = read_questions("rad_restruct", tmp_path / "set", str(films))
    assert dropped == {
        "answer_not_an_option": 1,
        "report_without_film": 2,
        "row_without_answer": 1,
        "unparsable_row": 2,
    }
    assert splits(studies) == {"12": "train", "9": "test"}
    first, second = studies
    assert [image.uri for image in first.images] == [
        str(films / "a/CXR12_IM-0001-1001.png"),
        str(films / "CXR12_IM-0001-2001.png"),
    ]
    assert second.images[0].uri == str(films / "b/9_IM-0002-1001.dcm.png")
    assert {image.view for image in first.images} == {"frontal"}
    assert first.questions == (
        Question("0", "closed_vqa", "Is there a sign?", ("yes",), topic="single_choice"),
        Question(
            "1",
            "closed_vqa",
            "What is known of these films so far:\n"
            "Is there a sign? yes\nIn the lung? yes\nNow answer: Where?",
            ("left", "größer"),
            ("left", "right", "größer"),
            topic="multi_choice",
        ),
    )
    with pytest.raises(ChexoneError, match=r"is missing"):
        read_questions("rad_restruct", tmp_path, str(films))
