"""RadQA and RadGraph: questions about report texts, without images."""

from __future__ import annotations

from pathlib import Path

from tests.data.sources.replicas import asked, read_questions, write_json


def passage(context: object, *qas: object) -> object:
    return {"paragraphs": [{"context": context, "qas": list(qas)}]}


def test_radqa_asks_about_a_passage(tmp_path: Path) -> None:
    def row(name: str, *answers: str, impossible: bool = False) -> object:
        marked = [{"text": text, "answer_start": 0} for text in answers]
        question = f"What of {name}?"
        return {"id": name, "question": question, "answers": marked, "is_impossible": impossible}

    write_json(
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
    write_json(tmp_path / "dev.json", {"data": [passage("Heart is large.", row("q4", "large"))]})
    write_json(tmp_path / "test.json", {"data": None})
    studies, dropped = read_questions("radqa", tmp_path)
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
    write_json(
        tmp_path / "train.json",
        {
            "p10/p10000032/s50414267.txt": first,
            "p10/p10000032/s50414268.txt": {"text": "Nothing .", "entities": {}},
            "p10/p10000032/s50414269.txt": None,
        },
    )
    write_json(tmp_path / "dev.json", {"p11/p11000011/s5.txt": {"entities": first["entities"]}})
    labelled = {"entities": {"1": entity("Heart", "ANAT-DP", 0)}}
    theirs = {"text": "Heart .", "labeler_1": labelled, "labeler_2": {"entities": {}}}
    write_json(tmp_path / "test.json", {"patient1/study2": theirs})
    studies, dropped = read_questions("radgraph", tmp_path)
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
    by_hash, _ = read_questions("radgraph", tmp_path, archive_splits=False)
    assert [study.archive_split for study in by_hash] == ["", "test"], "CheXpert Plus trains on it"
