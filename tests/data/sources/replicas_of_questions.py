"""Made-up archives of the sets that ask about images or reports of their own; see
`replicas_of_films`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.data.sources.replica_films import shoot, shoot_deep
from tests.data.sources.replicas import write


def write_rexvqa(root: Path) -> None:
    def row(study: str = "s1", patient: str = "p1", **changes: object) -> dict[str, object]:
        return {
            "question": "Which is seen?",
            "options": ["A. Größe", "B. Fracture", "C. Neither"],
            "correct_answer": "B",
            "correct_answer_explanation": "The seventh rib is broken.",
            "study_id": study,
            "PatientID": patient,
            "ImagePath": [f"../deid_png/{patient}/{study}a.png", f"../deid_png/{patient}/b.png"],
            "ImageViewPosition": ["POSTERO_ANTERIOR", "LAO"],
        } | changes

    train = {
        "q1": row(),
        "q2": row(correct_answer="D"),
        "q3": row(study=""),
        "q4": row(correct_answer=None),
        "q5": None,
        "q6": row(options=["A. x", "B. X"]),
        "q7": row(correct_answer_explanation="The report says so."),
    }
    test = {"q8": row("s2", "p9"), "q9": row("s3", "gone")}
    for part, rows in (("train", train), ("test", test)):
        write(root / "metadata" / f"{part}_vqa_data.json", json.dumps(rows))
    for place in ("p1/s1a", "p1/b", "p9/s2a", "p9/b"):
        shoot_deep(root / "films" / "deid_png" / f"{place}.png")


def write_slake(root: Path) -> None:
    def row(qid: int | None, image: int, answer: str, **other: object) -> dict[str, object]:
        return {
            "img_name": f"xmlab{image}/source.jpg",
            "question": f"What of {qid}, Größe?",
            "answer": answer,
            "q_lang": "en",
            "location": "Lung",
            "modality": "X-Ray",
            "answer_type": "OPEN",
            "qid": qid,
        } | other

    train = [
        row(0, 7, "Yes", answer_type="CLOSED"),
        row(0, 7, "Yes", answer_type="CLOSED"),
        row(1, 7, "Heart, Größe", location="Chest_heart"),
        row(2, 7, "肺", q_lang="zh"),
        row(3, 8, "Brain", modality="MRI"),
        row(4, 9, ""),
        row(None, 9, "Lung"),
        "odd",
    ]
    parts = {"train": train, "validate": [row(20, 10, "no")], "test": [row(30, 11, "NO")]}
    for part, rows in parts.items():
        write(root / f"{part}.json", json.dumps(rows))
    shoot(*(root / f"imgs/xmlab{number}/source.jpg" for number in (7, 10)))


def write_vqa_rad(root: Path) -> None:
    def row(qid: object, image: str, answer: object, **other: object) -> dict[str, object]:
        return {
            "qid": qid,
            "image_name": image,
            "image_organ": "CHEST",
            "question": f"Is größer {qid} seen?",
            "question_type": "PRES",
            "answer": answer,
            "answer_type": "CLOSED ",
            "phrase_type": "freeform",
        } | other

    rows = [
        row("0", "synpic2.jpg", "Yes"),
        row("0", "synpic2.jpg", "Yes"),
        row("1", "synpic2.jpg", 2, answer_type="OPEN"),
        row("2", "synpic1.jpg", "no"),
        row("3", "synpic1.jpg", "No", phrase_type="test_freeform"),
        row("5", "synpic3.jpg", "no", image_organ="HEAD"),
        row("6", "synpic4.jpg", ""),
        row("7", "", "no"),
        row("8", "gone.jpg", "no"),
        7,
    ]
    write(root / "VQA_RAD Dataset Public.json", json.dumps(rows))
    shoot(*(root / "VQA_RAD Image Folder" / f"synpic{number}.jpg" for number in (1, 2)))


def write_rad_restruct(root: Path) -> None:
    mapping = {
        "12": ["CXR12_IM-0001-1001", "CXR12_IM-0001-2001"],
        "9": ["CXR9_9_IM-0002-1001"],
        "31": ["CXR31_IM-0001-1001"],
        "32": ["CXR32_IM-0001-1001"],
    }
    write(root / "id_to_img_mapping_frontal_reports.json", json.dumps(mapping))
    single = {"options": ["yes", "no"], "answer_type": "single_choice"}
    several = {"options": ["left", "right", "größer"], "answer_type": "multi_choice"}
    history = [["Is there a sign?", ["yes"]]]
    files: dict[str, object] = {
        "train_qa_pairs/12.json": [
            ["Is there a sign?", ["Yes"], [], single],
            ["Where?", ["left", "größer"], history, several],
            ["Where?", ["elsewhere"], history, several],
            ["Where?", [], history, several],
            ["Where?"],
        ],
        "train_qa_pairs/30.json": [["Any?", ["no"], [], single]],
        "val_qa_pairs/31.json": [["Any?", ["no"], [], single]],
        "test_qa_pairs/9.json": [["Any?", ["no"], [], single]],
    }
    for name, rows in files.items():
        write(root / name, json.dumps(rows))
    write(root / "val_qa_pairs/8.json", "{broken")
    shoot(root / "films/a/CXR12_IM-0001-1001.png", root / "films/a/CXR12_IM-0001-2001.png")
    shoot(root / "films/b/9_IM-0002-1001.dcm.png")


def write_medvqa_2019(root: Path) -> None:
    folder = root / "ImageClef-2019-VQA-Med-Training"
    write(
        folder / "All_QA_Pairs_train.txt",
        "synpic20|which technique?|xr - plain film",
        "synpic20|which organ?|Lung, mediastinum, pleura",
        'synpic20|what is wrong?|a "größer" shadow',
        'synpic20|what is wrong?|a "größer" shadow',
        "synpic20|which plane?|",
        "synpic30|which technique?|xr - plain film",
        "synpic40|which organ?|lung, mediastinum, pleura",
        "|which organ?|lung, mediastinum, pleura",
        "no line of the set",
    )
    validate = root / "ImageClef-2019-VQA-Med-Validation"
    write(
        validate / "All_QA_Pairs_val.txt",
        "gone|which technique?|xr - plain film",
        "gone|which organ?|heart and great vessels",
    )
    write(
        root / "VQAMed2019Test" / "VQAMed2019_Test_Questions_w_Ref_Answers.txt",
        "synpic50|modality|which technique?|xr - plain film",
    )
    shoot(folder / "Train_images" / "synpic20.jpg")


def write_pmc_vqa(root: Path) -> None:
    choices = " A: effusion, B: größer , C: mass, D: none"
    first = f"0,PMC1_F1.jpg,Chest radiograph of a man,What is seen?,{choices},B"
    write(
        root / "train_2.csv",
        "index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer",
        first,
        f"1,PMC1_F1.jpg,Chest radiograph of a man,What is not seen?,{choices},mass",
        first,
        f"2,PMC1_F2.jpg,X-ray of the chest and CT,What is seen?,{choices},B",
        "5,PMC4_F1.jpg,A CXR,What is seen?,A: one,B: one,C: mass,D: none,A",
        f"6,PMC4_F1.jpg,A CXR,What is seen?,{choices},E",
        f"7,,A CXR,What is seen?,{choices},B",
    )
    write(
        root / "test_2.csv",
        "index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer",
        f"0,PMC5_F1.jpg,A chest x-ray,What is seen?,{choices},C",
        f"1,PMC6_F1.jpg,A chest x-ray,What is seen?,{choices},C",
    )
    shoot(root / "figures/PMC1_F1.jpg", root / "figures/PMC5_F1.jpg")


def write_radqa(root: Path) -> None:
    def row(name: str, *answers: str, impossible: bool = False) -> dict[str, object]:
        marked = [{"text": text, "answer_start": 0} for text in answers]
        asked = f"What of {name}?"
        return {"id": name, "question": asked, "answers": marked, "is_impossible": impossible}

    def passage(context: str, *asked: object) -> dict[str, object]:
        return {"paragraphs": [{"context": context, "qas": list(asked)}]}

    first = row("q1", "Größe normal")
    train = [
        passage(
            "Lungs are clear, Größe normal.",
            first,
            first,
            row("q2", impossible=True),
            row("q3"),
            row(""),
            "odd",
        ),
        {"title": "no passage"},
    ]
    dev = [passage("Heart is large.", row("q4", "large"))]
    for part, data in (("train", train), ("dev", dev), ("test", [])):
        write(root / f"{part}.json", json.dumps({"data": data}))


def write_radgraph(root: Path) -> None:
    def entity(tokens: str, label: str, start: int | None) -> dict[str, object]:
        return {"tokens": tokens, "label": label, "start_ix": start, "end_ix": start}

    entities = {
        "1": entity("Lungs", "ANAT-DP", 0),
        "2": entity("clear", "OBS-DP", 1),
        "3": entity("größer", "OBS-U", 3),
        "4": entity("odd", "NEW-DP", 2),
        "5": entity("odd", "OBS-DP", None),
    }
    train = {
        "p10/p10000001/s50000001.txt": {"text": "Lungs clear , größer ?", "entities": entities},
        "p10/p10000002/s50000003.txt": {"text": "Nothing .", "entities": {}},
        "p10/p10000003/s50000004.txt": None,
    }
    dev = {"p11/p11000011/s5.txt": {"entities": entities}}
    labelled = {"entities": {"1": entity("Heart", "ANAT-DP", 0)}}
    test = {"patient1/study2": {"text": "Heart .", "labeler_1": labelled, "labeler_2": {}}}
    for part, reports in (("train", train), ("dev", dev), ("test", test)):
        write(root / f"{part}.json", json.dumps(reports))
