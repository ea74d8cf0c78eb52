"""MIMIC-CXR-VQA, Medical-Diff-VQA and MIMIC-NLE: questions about films of MIMIC-CXR-JPG."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chexone_ray.errors import ChexoneError
from chexone_ray.records import Question
from tests.data.sources.replicas import (
    FILMS,
    asked,
    read,
    read_questions,
    splits,
    write,
    write_json,
)


def vqa_row(idx: object, answer: object, **other: object) -> dict[str, object]:
    return {
        "split": "train",
        "idx": idx,
        "question": f"What of {idx}?",
        "semantic_type": "query",
        "content_type": "anatomy",
        "template_arguments": {"object": {"0": "left lung"}, "attribute": {}},
        "answer": answer,
        "subject_id": "10000032",
        "study_id": "50414267",
        "image_path": "p10/p10000032/s50414267/aa-bb.jpg",
    } | other


def test_mimic_cxr_vqa_lists_choices_and_nothing(tmp_path: Path) -> None:
    sides = {"object": {"0": "left lung", "1": "right lung"}, "attribute": {"0": "größer"}}
    choice = {"semantic_type": "choose", "template_arguments": sides}
    unanswered = {key: value for key, value in vqa_row(9, []).items() if key != "answer"}
    rows = [
        vqa_row(0, ["yes"], semantic_type="verify"),
        vqa_row(0, ["yes"], semantic_type="verify"),
        vqa_row(1, ["edema", "größer", "edema"]),
        vqa_row(2, []),
        vqa_row(3, ["right lung"], **choice),
        vqa_row(4, [], **choice),
        vqa_row(5, ["the heart"], **choice),
        vqa_row(6, ["no"], subject_id=""),
        unanswered,
        None,
    ]
    write_json(tmp_path / "dataset" / "train.json", rows)
    write_json(tmp_path / "dataset" / "_valid.json", [unanswered])
    path = "files/p11/p11000011/s5/cc.jpg"
    write_json(tmp_path / "test.json", [vqa_row(0, ["no"], image_path=path, subject_id=11000011)])
    studies, dropped = read_questions("mimic_cxr_vqa", tmp_path, FILMS)
    assert dropped == {
        "duplicate_row": 1,
        "row_without_answer": 2,
        "row_without_id": 1,
        "unparsable_row": 1,
    }
    test, train = studies
    assert (test.patient, test.archive_split, train.patient) == ("11000011", "test", "10000032")
    assert test.images[0].uri == f"{FILMS}/{path}"
    assert train.images[0].uri == f"{FILMS}/files/p10/p10000032/s50414267/aa-bb.jpg"
    assert train.study == "aa-bb"
    assert asked(train) == [
        ("train-0", "closed_vqa", ("yes",)),
        ("train-1", "open_vqa", ("edema, größer",)),
        ("train-2", "open_vqa", ("none",)),
        ("train-3", "closed_vqa", ("right lung",)),
        ("train-4", "closed_vqa", ("none",)),
        ("train-5", "open_vqa", ("the heart",)),
    ]
    assert {question.topic for question in train.questions} == {"anatomy"}
    assert train.questions[0].options == ()
    assert train.questions[3].options == ("left lung", "right lung", "none")
    for part in ("dataset/train", "test"):
        write_json(tmp_path / f"{part}.json", [unanswered])
    with pytest.raises(ChexoneError, match="holds no question with an answer"):
        read_questions("mimic_cxr_vqa", tmp_path, FILMS)


def test_medical_diff_vqa_shows_the_earlier_film_first(tmp_path: Path) -> None:
    write_json(
        tmp_path / "mimic_all.csv",
        "subject_id,study_id,dicom_id,view,study_order\n"
        "10000032,50000001,aa,antero-posterior,1.0\n"
        "10000032,50000002,bb,postero-anterior,2.0\n"
        "10000032,50000003,cc,odd,\n"
        "10000032,50000003,dd,odd,\n",
    )
    change = "difference,what has changed compared to the reference image?"
    write_json(
        tmp_path / "mimic_pair_questions.csv",
        "study_id,subject_id,ref_id,question_type,question,answer,split\n"
        f"50000002,10000032,50000001,{change},the größer effusion is gone,train\n"
        f"50000002,10000032,50000001,{change},the größer effusion is gone,train\n"
        f"50000001,10000032,50000002,{change},there is an effusion,train\n"
        "50000002,10000032,50000001,presence,is there effusion?,no,train\n"
        "50000002,10000032,50000003,presence,is there effusion?,no,train\n"
        "50000002,10000032,50000001,level,how large?,,train\n"
        "50000003,10000032,50000001,location,where is it?,left,val\n"
        f"50000003,10000032,50000002,{change},unknown order,val\n"
        f"50000003,10000032,50000009,{change},gone,val\n"
        "50000009,10000032,50000001,view,which view?,ap,val\n"
        ",10000032,50000001,view,which view?,ap,val\n",
    )
    studies, dropped = read_questions("medical_diff_vqa", tmp_path, FILMS)
    assert dropped == {
        "duplicate_row": 3,
        "reference_is_later": 1,
        "row_without_answer": 1,
        "row_without_id": 1,
        "study_without_film": 2,
    }
    single, pair, other, unknown = studies
    assert splits(studies) == {
        "50000002": "train",
        "50000002-50000001": "train",
        "50000003": "validate",
        "50000003-50000002": "validate",
    }
    folder = f"{FILMS}/files/p10/p10000032"
    assert [(image.uri, image.view, image.role) for image in pair.images] == [
        (f"{folder}/s50000001/aa.jpg", "AP", "prior"),
        (f"{folder}/s50000002/bb.jpg", "PA", "current"),
    ]
    (question,) = pair.questions
    assert question.kind == "difference" and question.images == ()
    assert (question.topic, single.questions[0].topic) == ("difference", "presence")
    assert question.answers == ("the größer effusion is gone",)
    assert [image.role for image in single.images] == ["current"]
    assert [answer for _, _, answer in asked(single)] == [("no",)]
    assert single.questions[0].kind == "closed_vqa" and single.patient == "10000032"
    assert (other.images[0].view, other.questions[0].kind) == ("", "open_vqa")
    assert unknown.images[1].uri == f"{folder}/s50000003/cc.jpg"
    with (tmp_path / "mimic_pair_questions.csv").open("a", encoding="utf-8") as file:
        file.write("50000003,10000032,50000001,view,which view?,ap,held out\n")
    with pytest.raises(ChexoneError, match='split "held out": use train'):
        read_questions("medical_diff_vqa", tmp_path, FILMS)
    assert read_questions("medical_diff_vqa", tmp_path, FILMS, archive_splits=False)[0]


@pytest.mark.parametrize(
    ("reference", "current", "is_kept"),
    [("3", "0", False), ("0", "3", True), ("2", "2", True), ("3", "", True), ("", "0", True)],
)
def test_medical_diff_vqa_never_shows_a_later_reference(
    tmp_path: Path, reference: str, current: str, is_kept: bool
) -> None:
    write(
        tmp_path / "mimic_all.csv",
        "subject_id,study_id,dicom_id,view,study_order",
        f"10000032,50000001,aa,ap,{reference}",
        f"10000032,50000002,bb,ap,{current}",
    )
    write(
        tmp_path / "mimic_pair_questions.csv",
        "study_id,subject_id,ref_id,question_type,question,answer,split",
        "50000002,10000032,50000001,difference,what has changed?,the effusion is gone,train",
    )
    found, dropped = read("medical_diff_vqa", tmp_path, Path(FILMS))
    assert len(found) == is_kept
    assert dropped["reference_is_later"] == (not is_kept)


def test_mimic_nle_explains_what_it_is_labelled_with(tmp_path: Path) -> None:
    films = tmp_path / "films"
    write_json(
        films / "mimic-cxr-2.0.0-metadata.csv",
        "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime\n"
        "bb,10000032,50414267,AP,21800506,213014.531\n"
        "aa,10000032,50414267,PA,21800506,213014.531\n"
        "cc,10000032,50414267,LATERAL,21800506,213014.531\n"
        "dd,11000011,50000005,LL,21800506,213014.531\n"
        "ee,12000012,50000006,AP,21800506,213014.531\n",
    )

    def line(number: int, *labels: int, study: str = "s50414267", nle: str = "Größe.") -> str:
        told = [int(label in labels) for label in range(10)]
        row = {"sentence_ID": f"{study}#{number}", "nle": nle, "report_ID": study}
        return json.dumps(row | {"patient_ID": "p10000032", "diagnosis_label": told})

    lines = [
        line(1, 8),
        line(1, 8),
        line(2, 0, 7, nle="Bands  at the base."),
        line(3),
        line(4, 8, nle=""),
        line(5, 8, study="s50000005"),
        line(6, 8, study=""),
        "{broken",
    ]
    write_json(tmp_path / "set" / "mimic-nle" / "mimic-nle-train.json", "\n".join(lines))
    write_json(tmp_path / "set" / "mimic-nle" / "mimic-nle-dev.json", "")
    write_json(
        tmp_path / "set" / "mimic-nle" / "mimic-nle-test.json", line(1, 9, study="s50000006")
    )
    studies, dropped = read_questions("mimic_nle", tmp_path / "set", str(films))
    assert dropped == {
        "duplicate_row": 1,
        "row_without_answer": 1,
        "row_without_id": 1,
        "study_without_film": 1,
        "unknown_label": 1,
        "unparsable_row": 1,
    }
    assert splits(studies) == {"50000006": "test", "50414267": "train"}
    study = studies[1]
    assert study.patient == "10000032"
    folder = films / "files/p10/p10000032/s50414267"
    assert [(image.uri, image.view) for image in study.images] == [
        (str(folder / "aa.jpg"), "PA"),
        (str(folder / "bb.jpg"), "AP"),
    ]
    assert study.questions[0] == Question(
        "s50414267#1",
        "explanation",
        "What in this study speaks for pneumonia? Explain it in one sentence.",
        ("Größe.",),
    )
    assert "atelectasis and pleural disease other than effusion?" in study.questions[1].text
    with pytest.raises(ChexoneError, match=r"metadata\.csv\[\.gz\] is missing"):
        read_questions("mimic_nle", tmp_path / "set", str(tmp_path))
