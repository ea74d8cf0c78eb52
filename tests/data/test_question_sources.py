"""Adapters of the sets that ask questions, on made-up replicas; numbers worked out by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.question_rows import chosen
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Question
from tests.data.question_sets import asked, read, splits, write

REAL = next(
    (
        folder / "shared" / "data" / "real"
        for folder in Path(__file__).resolve().parents
        if (folder / "shared" / "data" / "real").is_dir()
    ),
    Path("absent"),
)
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/real is absent")


@pytest.mark.parametrize(
    ("options", "letter", "expected"),
    [
        (["A. one", "B. two"], "B", "two"),
        (["A: one", "B: two"], "B: two", "two"),
        (["(A) one", "(B) two"], "two", "two"),
        (["A one", "B two"], "a one", "A one"),
        (["A. one", "B. two"], "C", "answer_not_an_option"),
        (["A. one", "B. two"], "", "row_without_answer"),
        (["A. one", "B. One"], "A", "options_not_distinct"),
        (["A. one"], "A", "options_not_distinct"),
        (["A. ", "B. two"], "A", "options_not_distinct"),
    ],
)
def test_letters_and_texts_of_options(options: list[str], letter: str, expected: str) -> None:
    dropped = Losses()
    question = chosen("q", "Which?", options, letter, dropped, "x")
    assert (question.answers == (expected,)) if question else (dropped == {expected: 1})


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
    write(
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
    write(tmp_path / "validate.json", [slake_row(20, 10, "Any nodule?", "no")])
    write(tmp_path / "test.json", [slake_row(30, 11, "Any nodule?", "NO", answer_type="CLOSED")])
    studies, dropped = read("slake", tmp_path)
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
    assert study.questions[0] == Question("0", "closed_vqa", "Is one lung smaller?", ("yes",))
    assert study.questions[1].text == "Wo liegt der Größe nach mehr?"
    assert [kind for _, kind, _ in asked(study)] == ["closed_vqa", "closed_vqa", "open_vqa"]
    assert asked(studies[0]) == [("20", "closed_vqa", ("no",))], "yes or no is closed in any case"
    assert set(splits(read("slake", tmp_path, archive_splits=False)[0]).values()) == {""}
    write(tmp_path / "test.json", {"data": []})
    with pytest.raises(ChexoneError, match=r"test\.json is no JSON list of rows"):
        read("slake", tmp_path)
    write(tmp_path / "test.json", "[{")
    with pytest.raises(ChexoneError, match=r"test\.json is no JSON \(.*fetch it again"):
        read("slake", tmp_path)


@needs_real
def test_slake_reads_the_true_files() -> None:
    studies, dropped = read("slake", REAL / "slake" / "Slake1.0")
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
    write(
        tmp_path / "VQA_RAD Dataset Public.json",
        [
            rad_row("0", "synpic2.jpg", "Yes", answer_type="CLOSED "),
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
    studies, dropped = read("vqa_rad", tmp_path)
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
    whole, dropped = read("vqa_rad", tmp_path, archive_splits=False)
    assert [len(study.questions) for study in whole] == [3, 2]
    assert "question_of_held_out_image" not in dropped


@needs_real
def test_vqa_rad_reads_the_true_file() -> None:
    studies, dropped = read("vqa_rad", REAL / "vqa_rad")
    assert dropped == {"question_not_about_the_chest": 76, "question_of_held_out_image": 111}
    assert Counter(splits(studies).values()) == {"test": 21, "train": 5}
    assert sum(len(study.questions) for study in studies) == 280 - 76 - 111
    found = {study.study: study for study in studies}
    assert Path(found["synpic42202"].images[0].uri).is_file()


@needs_real
def test_vqa_rad_does_not_read_the_copy_that_names_no_organ() -> None:
    with pytest.raises(ChexoneError, match=r"VQA_RAD Dataset Public\.json\[\.gz\] is missing"):
        read("vqa_rad", REAL / "vqa_rad_mevf" / "data_RAD")


def test_medvqa_takes_what_its_answers_call_a_chest_film(tmp_path: Path) -> None:
    folder = tmp_path / "ImageClef-2019-VQA-Med-Training"
    write(
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
    write(
        tmp_path / "VQAMed2019Test" / "VQAMed2019_Test_Questions_w_Ref_Answers.txt",
        "synpic5|modality|which technique?|xr - plain film\n",
    )
    (study,), dropped = read("medvqa_2019", tmp_path)
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
        read("medvqa_2019", tmp_path)


PMC_HEADER = "index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer"


def test_pmc_vqa_picks_films_by_words(tmp_path: Path) -> None:
    choices = " A: effusion, B: größer , C: mass, D: none"
    write(
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
    write(
        tmp_path / "test.csv",
        "Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label\n"
        f"PMC5_F1.jpg,What does the chest x-ray show?,mass,{choices},C\n",
    )
    write(tmp_path / "figures" / "PMC1_F1.jpg", "")
    studies, dropped = read("pmc_vqa", tmp_path)
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


def passage(context: object, *qas: object) -> object:
    return {"paragraphs": [{"context": context, "qas": list(qas)}]}


def test_radqa_asks_about_a_passage(tmp_path: Path) -> None:
    def row(name: str, *answers: str, impossible: bool = False) -> object:
        marked = [{"text": text, "answer_start": 0} for text in answers]
        question = f"What of {name}?"
        return {"id": name, "question": question, "answers": marked, "is_impossible": impossible}

    write(
        tmp_path / "train.json",
        {
            "data": [
                passage(
                    "Lungs are\nclear, Größe normal.",
                    row("q1", "Größe normal", "normal"),
                    row("q1", "Größe normal", "normal"),
                    row("q2", impossible=True),
                    row("q3"),
                    row(""),
                    "odd",
                ),
                {"title": "no passage"},
            ]
        },
    )
    write(tmp_path / "dev.json", {"data": [passage("Heart is large.", row("q4", "large"))]})
    write(tmp_path / "test.json", {"data": None})
    studies, dropped = read("radqa", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "row_without_answer": 1,
        "row_without_id": 1,
        "unparsable_row": 3,
    }
    by_split = {study.archive_split: study for study in studies}
    assert set(by_split) == {"train", "validate"}
    study = by_split["train"]
    assert study.images == () and study.patient == study.study
    assert asked(study) == [
        ("q1", "text_qa", ("Größe normal",)),
        ("q2", "text_qa", ("not stated",)),
    ]
    assert study.questions[0].text.endswith(
        "Passage: Lungs are clear, Größe normal.\nQuestion: What of q1?"
    )


def entity(tokens: str, label: str, start: object) -> object:
    return {"tokens": tokens, "label": label, "start_ix": start, "end_ix": start, "relations": []}


def test_radgraph_lists_entities_in_the_order_of_the_text(tmp_path: Path) -> None:
    first = {
        "text": "Lungs clear . No effusion , größer ? Lungs .",
        "entities": {
            "2": entity("effusion", "OBS-DA", 4),
            "1": entity("Lungs", "ANAT-DP", 0),
            "3": entity("größer", "OBS-U", 6),
            "4": entity("Lungs", "ANAT-DP", 8),
            "5": entity("clear", "OBS-DP", 1),
            "6": entity("odd", "NEW-DP", 2),
            "7": entity("odd", "OBS-DP", None),
        },
    }
    write(
        tmp_path / "train.json",
        {
            "p10/p10000032/s50414267.txt": first,
            "p10/p10000032/s50414268.txt": {"text": "Nothing .", "entities": {}},
            "p10/p10000032/s50414269.txt": None,
        },
    )
    write(tmp_path / "dev.json", {"p11/p11000011/s5.txt": {"entities": first["entities"]}})
    labelled = {"entities": {"1": entity("Heart", "ANAT-DP", 0)}}
    theirs = {"text": "Heart .", "labeler_1": labelled, "labeler_2": {"entities": {}}}
    write(tmp_path / "test.json", {"patient1/study2": theirs})
    studies, dropped = read("radgraph", tmp_path)
    assert dropped == {"row_without_answer": 2, "unknown_entity": 2, "unparsable_row": 1}
    mimic, chexpert = studies
    assert (mimic.patient, mimic.study, mimic.images) == ("10000032", "50414267", ())
    assert (chexpert.patient, chexpert.study) == ("chexpert/patient1/study2", "patient1/study2")
    assert (mimic.archive_split, chexpert.archive_split) == ("train", "test")
    (question,) = mimic.questions
    assert (question.name, question.kind) == ("entities", "entities")
    assert question.answers[0].split("\n") == [
        "Lungs: anatomy",
        "clear: observation present",
        "effusion: observation absent",
        "größer: observation uncertain",
    ]
    assert question.text.endswith("Report: Lungs clear . No effusion , größer ? Lungs .")
    assert chexpert.questions[0].answers == ("Heart: anatomy",)


def test_sources_give_each_set_its_own_studies(tmp_path: Path) -> None:
    """Two sets of one archive's patients: `read_sources` refuses neither."""
    write(tmp_path / "vqa" / "VQA_RAD Dataset Public.json", [rad_row("0", "synpic2.jpg", "no")])
    lines = "synpic2|how?|xr - plain film\nsynpic2|what?|heart and great vessels\n"
    write(tmp_path / "med" / "All_QA_Pairs_train.txt", lines)
    sources = (
        SourceConfig(adapter="vqa_rad", uri=str(tmp_path / "vqa")),
        SourceConfig(adapter="medvqa_2019", uri=str(tmp_path / "med")),
    )
    patients, dropped = read_sources(PrepareConfig(output_uri="unused", sources=sources))
    assert not dropped
    assert sorted(item.study.dataset for group in patients for item in group) == [
        "medvqa_2019",
        "vqa_rad",
    ]
