"""SLAKE, VQA-RAD, VQA-Med 2019 and PMC-VQA: questions about images of their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Question
from tests.data.sources.replicas import (
    REAL,
    asked,
    needs_real,
    read_questions,
    splits,
    write_json,
)


def slake_row(qid: int | None, image: int, question: str, answer: str, **other: str) -> object:
    row = {
        "img_id": image,
        "img_name": f"xmlab{image}/source.jpg",
        "question": question,
        "answer": answer,
        "q_lang": "en",
        "location": "Lung",
        "modality": "X-Ray",
        "answer_type": "OPEN",
        "content_type": "Abnormality",
        "triple": ["vhead", "_", "_"],
        "qid": qid,
    }
    return row | other


def test_slake_takes_english_questions_about_chest_films(tmp_path: Path) -> None:
    first = slake_row(0, 7, "Is one lung smaller?", "Yes.", answer_type="CLOSED")
    write_json(
        tmp_path / "train.json",
        [
            first,
            first,
            slake_row(1, 7, "Wo  liegt\nder Größe nach mehr?", "Heart", answer_type="CLOSED"),
            slake_row(2, 7, "Which organ is seen?", "Heart, Größe", location="Chest_heart"),
            slake_row(3, 7, "照片?", "肺", q_lang="zh"),
            slake_row(4, 8, "Which organ is seen?", "Brain", modality="MRI"),
            slake_row(5, 8, "Which organ is seen?", "Liver", location="Abdomen"),
            slake_row(6, 9, "Which organ is seen?", ""),
            slake_row(None, 9, "Which organ is seen?", "Lung"),
            "odd",
        ],
    )
    write_json(tmp_path / "validate.json", [slake_row(20, 10, "Any nodule?", "no")])
    write_json(
        tmp_path / "test.json", [slake_row(30, 11, "Any nodule?", "NO", answer_type="CLOSED")]
    )
    studies, dropped = read_questions("slake", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "question_not_in_english": 1,
        "question_not_about_a_chest_film": 2,
        "row_without_answer": 1,
        "row_without_id": 1,
        "unparsable_row": 1,
    }
    assert splits(studies) == {"xmlab10": "validate", "xmlab11": "test", "xmlab7": "train"}
    study = studies[2]
    assert study.images[0].uri == str(tmp_path / "imgs/xmlab7/source.jpg")
    assert study.questions[0] == Question(
        "0", "closed_vqa", "Is one lung smaller?", ("yes",), topic="Abnormality"
    )
    assert study.questions[1].text == "Wo liegt der Größe nach mehr?"
    assert [kind for _, kind, _ in asked(study)] == ["closed_vqa", "closed_vqa", "open_vqa"]
    assert asked(studies[0]) == [("20", "closed_vqa", ("no",))], "yes or no is closed in any case"
    assert set(splits(read_questions("slake", tmp_path, archive_splits=False)[0]).values()) == {""}
    write_json(tmp_path / "test.json", {"data": []})
    with pytest.raises(ChexoneError, match=r"test\.json is no JSON list of rows"):
        read_questions("slake", tmp_path)
    write_json(tmp_path / "test.json", "[{")
    with pytest.raises(ChexoneError, match=r"test\.json is no JSON \(.*fetch it again"):
        read_questions("slake", tmp_path)


@needs_real
def test_slake_reads_the_true_files() -> None:
    studies, dropped = read_questions("slake", REAL / "slake" / "Slake1.0")
    assert Counter(splits(studies).values()) == {"train": 14, "validate": 6, "test": 6}
    assert dropped == {"question_not_in_english": 148, "question_not_about_a_chest_film": 77}
    assert sum(len(study.questions) for study in studies) == 433 - 148 - 77


def rad_row(qid: object, image: str, answer: object, **other: object) -> object:
    row = {
        "qid": qid,
        "image_name": image,
        "image_organ": "CHEST",
        "question": f"Is {qid} seen?",
        "phrase_type": "freeform",
        "answer": answer,
        "answer_type": "OPEN",
    }
    return row | other


def test_vqa_rad_parts_numbers_and_blanks(tmp_path: Path) -> None:
    write_json(
        tmp_path / "VQA_RAD Dataset Public.json",
        [
            rad_row("0", "synpic2.jpg", "Yes", answer_type="CLOSED ", question_type="PRES, POS"),
            rad_row(1, "synpic2.jpg", 2),
            rad_row("1", "synpic2.jpg", 2),
            rad_row("2", "synpic1.jpg", "rechts, größer"),
            rad_row("3", "synpic1.jpg", "no ", phrase_type="test_freeform"),
            rad_row("4", "synpic1.jpg", "PA", phrase_type="test_para"),
            rad_row("5", "synpic3.jpg", "no", image_organ="HEAD"),
            rad_row("6", "synpic2.jpg", None),
            rad_row("7", "", "no"),
            7,
        ],
    )
    studies, dropped = read_questions("vqa_rad", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "question_of_held_out_image": 1,
        "question_not_about_the_chest": 1,
        "row_without_answer": 1,
        "row_without_id": 1,
        "unparsable_row": 1,
    }
    assert splits(studies) == {"synpic1": "test", "synpic2": "train"}
    assert asked(studies[0]) == [("3", "closed_vqa", ("no",)), ("4", "open_vqa", ("PA",))]
    assert asked(studies[1]) == [("0", "closed_vqa", ("yes",)), ("1", "open_vqa", ("2",))]
    assert studies[0].images[0].uri == str(tmp_path / "VQA_RAD Image Folder/synpic1.jpg")
    assert [question.topic for question in studies[1].questions] == ["PRES, POS", ""]
    whole, dropped = read_questions("vqa_rad", tmp_path, archive_splits=False)
    assert [len(study.questions) for study in whole] == [3, 2]
    assert "question_of_held_out_image" not in dropped


@needs_real
def test_vqa_rad_reads_the_true_file() -> None:
    studies, dropped = read_questions("vqa_rad", REAL / "vqa_rad")
    assert dropped == {"question_not_about_the_chest": 76, "question_of_held_out_image": 111}
    assert Counter(splits(studies).values()) == {"test": 21, "train": 5}
    assert sum(len(study.questions) for study in studies) == 280 - 76 - 111
    found = {study.study: study for study in studies}
    assert Path(found["synpic42202"].images[0].uri).is_file()


@needs_real
def test_vqa_rad_does_not_read_the_copy_that_names_no_organ() -> None:
    with pytest.raises(ChexoneError, match=r"VQA_RAD Dataset Public\.json\[\.gz\] is missing"):
        read_questions("vqa_rad", REAL / "vqa_rad_mevf" / "data_RAD")


def test_medvqa_takes_what_its_answers_call_a_chest_film(tmp_path: Path) -> None:
    folder = tmp_path / "ImageClef-2019-VQA-Med-Training"
    write_json(
        folder / "All_QA_Pairs_train.txt",
        "synpic2|which technique?|xr - plain film\n"
        "synpic2|which organ?|Lung, mediastinum, pleura\n"
        'synpic2|what is wrong?|a "größer" shadow\n'
        'synpic2|what is wrong?|a "größer" shadow\n'
        "synpic2|is it normal?|no\n"
        "synpic2|which plane?|\n"
        "synpic3|which technique?|xr - plain film\n"
        "synpic3|which organ?|musculoskeletal\n"
        "synpic4|which technique?|ct noncontrast\n"
        "synpic4|which organ?|lung, mediastinum, pleura\n"
        "|which organ?|lung, mediastinum, pleura\n"
        "no line of the set\n",
    )
    write_json(
        tmp_path / "VQAMed2019Test" / "VQAMed2019_Test_Questions_w_Ref_Answers.txt",
        "synpic5|modality|which technique?|xr - plain film\n",
    )
    (study,), dropped = read_questions("medvqa_2019", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "question_not_about_a_chest_film": 5,
        "row_without_answer": 1,
        "row_without_id": 1,
        "unparsable_row": 1,
    }
    assert (study.patient, study.study, study.archive_split) == ("synpic2", "synpic2", "train")
    assert study.images[0].uri == str(folder / "Train_images/synpic2.jpg")
    assert [(kind, *answers) for _, kind, answers in asked(study)] == [
        ("open_vqa", "xr - plain film"),
        ("open_vqa", "Lung, mediastinum, pleura"),
        ("open_vqa", 'a "größer" shadow'),
        ("closed_vqa", "no"),
    ]
    (folder / "All_QA_Pairs_train.txt").unlink()
    with pytest.raises(ChexoneError, match=r"All_QA_Pairs_train\.txt\[\.gz\] is missing"):
        read_questions("medvqa_2019", tmp_path)


PMC_HEADER = "index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer"


def test_pmc_vqa_picks_films_by_words(tmp_path: Path) -> None:
    choices = " A: effusion, B: größer , C: mass, D: none"
    write_json(
        tmp_path / "train_2.csv",
        f"{PMC_HEADER}\n"
        f"0,PMC1_F1.jpg,Chest radiograph of a man,What is seen?,{choices},B\n"
        f"0,PMC1_F1.jpg,Chest radiograph of a man,What is seen?,{choices},B\n"
        f"1,PMC1_F1.jpg,Chest radiograph of a man,What is not seen?,{choices},mass\n"
        f"2,PMC1_F2.jpg,X-ray of the chest and CT,What is seen?,{choices},B\n"
        f"3,PMC2_F1.jpg,Photo,Which film is it?,A: chest X-ray,B: knee film,C: no,D: none,A\n"
        f"4,PMC3_F1.jpg,An x-ray of the hand,What is seen?,{choices},B\n"
        f"5,PMC4_F1.jpg,A CXR,What is seen?,A: one,B: one,C: mass,D: none,A\n"
        f"6,PMC4_F1.jpg,A CXR,What is seen?,{choices},E\n"
        f"7,,A CXR,What is seen?,{choices},B\n",
    )
    write_json(
        tmp_path / "test.csv",
        "Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label\n"
        f"PMC5_F1.jpg,What does the chest x-ray show?,mass,{choices},C\n",
    )
    write_json(tmp_path / "figures" / "PMC1_F1.jpg", "")
    studies, dropped = read_questions("pmc_vqa", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "question_not_about_a_chest_film": 2,
        "options_not_distinct": 1,
        "answer_not_an_option": 1,
        "row_without_id": 1,
    }
    assert splits(studies) == {"PMC1_F1": "train", "PMC2_F1": "train", "PMC5_F1": "test"}
    assert [study.patient for study in studies] == ["PMC1", "PMC2", "PMC5"]
    question = studies[0].questions[0]
    assert question.options == ("effusion", "größer", "mass", "none")
    assert (question.kind, question.text) == ("closed_vqa", "What is seen?")
    assert [answers for _, _, answers in asked(studies[0])] == [("größer",), ("mass",)]
    assert asked(studies[2])[0][2] == ("mass",)
    assert studies[0].images[0].uri == str(tmp_path / "figures/PMC1_F1.jpg")
    assert studies[1].images[0].uri == str(tmp_path / "images/PMC2_F1.jpg"), "counted as missing"


def test_sources_give_each_set_its_own_studies(tmp_path: Path) -> None:
    """Two sets of one archive's patients: `read_sources` refuses neither."""
    write_json(
        tmp_path / "vqa" / "VQA_RAD Dataset Public.json", [rad_row("0", "synpic2.jpg", "no")]
    )
    lines = "synpic2|how?|xr - plain film\nsynpic2|what?|heart and great vessels\n"
    write_json(tmp_path / "med" / "All_QA_Pairs_train.txt", lines)
    sources = (
        SourceConfig(adapter="vqa_rad", uri=str(tmp_path / "vqa")),
        SourceConfig(adapter="medvqa_2019", uri=str(tmp_path / "med")),
    )
    patients, dropped, _ = read_sources(PrepareConfig(output_uri="unused-output", sources=sources))
    assert not dropped
    assert sorted(item.study.dataset for group in patients for item in group) == [
        "medvqa_2019",
        "vqa_rad",
    ]
