"""Worked sentences for the rule labeller: (text, expected label states)."""

from __future__ import annotations

import time

import pytest

from chexone_ray.metrics.labeller import LABELS, changes, heart_size, read_report, reader, sentences

EFFUSION, PNEUMOTHORAX, CARDIOMEGALY = "pleural effusion", "pneumothorax", "cardiomegaly"
CONSOLIDATION, OPACITY, LESION = "consolidation", "lung opacity", "lung lesion"
DEVICES, EDEMA, ATELECTASIS = "support devices", "edema", "atelectasis"

STATES: list[tuple[str, dict[str, int]]] = [
    ("There is a small left pleural effusion.", {EFFUSION: 1}),
    ("No pleural effusion or pneumothorax.", {EFFUSION: 0, PNEUMOTHORAX: 0}),
    (
        "No focal consolidation, pleural effusion, or pneumothorax is seen.",
        {CONSOLIDATION: 0, EFFUSION: 0, PNEUMOTHORAX: 0},
    ),
    ("Without evidence of consolidation or edema.", {CONSOLIDATION: 0, EDEMA: 0}),
    ("The lungs are clear of consolidation and effusion.", {CONSOLIDATION: 0, EFFUSION: 0}),
    ("Both lungs are free of focal opacity.", {OPACITY: 0}),
    ("No pneumothorax, but a moderate right effusion.", {PNEUMOTHORAX: 0, EFFUSION: 1}),
    ("No pneumothorax and a small effusion on the right.", {PNEUMOTHORAX: 0, EFFUSION: 1}),
    ("No pneumothorax, small left pleural effusion.", {PNEUMOTHORAX: 0, EFFUSION: 1}),
    ("No pneumothorax, large effusion or edema.", {PNEUMOTHORAX: 0, EFFUSION: 0, EDEMA: 0}),
    ("There is no effusion, and there is a left pneumothorax.", {EFFUSION: 0, PNEUMOTHORAX: 1}),
    ("Neither effusion nor pneumothorax is present.", {EFFUSION: 0, PNEUMOTHORAX: 0}),
    ("A pneumothorax is not seen.", {PNEUMOTHORAX: 0}),
    ("Effusion and pneumothorax are not identified.", {EFFUSION: 0, PNEUMOTHORAX: 0}),
    ("The effusion is small and pneumothorax is not seen.", {EFFUSION: 1, PNEUMOTHORAX: 0}),
    ("The left pneumothorax has resolved.", {PNEUMOTHORAX: 0}),
    ("The right effusion is no longer visible.", {EFFUSION: 0}),
    ("Interval resolution of the right pleural effusion.", {EFFUSION: 0}),
    ("Resolving left lower lobe pneumonia.", {"pneumonia": 1}),
    ("The effusion has partially resolved.", {EFFUSION: 1}),
    ("Pneumothorax: none.", {PNEUMOTHORAX: 0}),
    ("An opacity at the left base may represent pneumonia.", {OPACITY: 1, "pneumonia": -1}),
    ("A small pneumothorax cannot be excluded.", {PNEUMOTHORAX: -1}),
    ("Cannot exclude a small left effusion.", {EFFUSION: -1}),
    ("Possible right lower lobe pneumonia.", {"pneumonia": -1}),
    ("Right basal opacity, concerning for pneumonia.", {OPACITY: 1, "pneumonia": -1}),
    ("Possible effusion and mild cardiomegaly.", {EFFUSION: -1, CARDIOMEGALY: 1}),
    ("Findings suggest mild pulmonary edema.", {EDEMA: -1}),
    ("Atelectasis versus pneumonia at the right base.", {ATELECTASIS: -1, "pneumonia": -1}),
    ("Blunting of the left costophrenic angle.", {EFFUSION: 1}),
    ("The costophrenic angles are sharp.", {EFFUSION: 0}),
    ("There is no blunting of the costophrenic angles.", {EFFUSION: 0}),
    ("The lungs are clear.", {OPACITY: 0}),
    ("A 1.5 cm nodule projects over the right upper zone.", {LESION: 1}),
    ("No suspicious nodule or mass.", {LESION: 0}),
    ("A left chest wall pacemaker with leads in the right ventricle.", {DEVICES: 1}),
    ("The endotracheal tube ends above the carina.", {DEVICES: 1}),
    ("A right PICC line is in place.", {DEVICES: 1}),
    ("The chest tube has been removed.", {DEVICES: 0}),
    ("No support devices.", {DEVICES: 0}),
    ("No pleural line is visible to suggest pneumothorax.", {PNEUMOTHORAX: 0}),
    ("There is massive cardiomegaly.", {CARDIOMEGALY: 1}),
    ("The heart is enlarged.", {CARDIOMEGALY: 1}),
    ("The heart is not enlarged.", {CARDIOMEGALY: 0}),
    ("Heart size is borderline.", {CARDIOMEGALY: -1}),
    (
        "The cardiomediastinal silhouette is normal.",
        {CARDIOMEGALY: 0, "enlarged cardiomediastinum": 0},
    ),
    ("Widened mediastinum.", {"enlarged cardiomediastinum": 1}),
    ("Pulmonary vascular congestion without effusion.", {EDEMA: 1, EFFUSION: 0}),
    ("Old healed right rib fractures.", {"fracture": 1}),
    ("No acute osseous abnormality.", {"fracture": 0}),
    ("No displaced rib fracture.", {"fracture": 0}),
    ("Biapical pleural thickening.", {"pleural other": 1}),
    ("No significant change in the small left effusion.", {EFFUSION: 1}),
    ("Unchanged left effusion without pneumothorax.", {EFFUSION: 1, PNEUMOTHORAX: 0}),
    ("There is no increase in the consolidation.", {CONSOLIDATION: 1}),
    ("Lungs are clear except for a left basal opacity.", {OPACITY: 1}),
    ("No consolidation; small bilateral effusions.", {CONSOLIDATION: 0, EFFUSION: 1}),
    ("Trace pericardial effusion was known.", {}),
    ("History of pneumonia. The lungs are clear.", {OPACITY: 0}),
    ("Hazy airspace disease at the bases, likely edema.", {OPACITY: 1, EDEMA: -1}),
]


@pytest.mark.parametrize(("text", "expected"), STATES)
def test_states(text: str, expected: dict[str, int]) -> None:
    found = {label: mention.state for label, mention in read_report(text).items()}
    found.pop("no finding", None)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "label", "sides"),
    [
        ("There is a small left pleural effusion.", EFFUSION, {"left"}),
        ("Bilateral pleural effusions.", EFFUSION, {"left", "right"}),
        ("Pleural effusions, right greater than left.", EFFUSION, {"left", "right"}),
        ("Right effusion and left pneumothorax.", PNEUMOTHORAX, {"left"}),
        ("Right effusion and left pneumothorax.", EFFUSION, {"right"}),
        ("On the left, there is a small effusion.", EFFUSION, {"left"}),
        ("Left effusion and atelectasis.", ATELECTASIS, {"left"}),
        ("Effusion and atelectasis on the left.", EFFUSION, {"left"}),
        ("A left-sided pacemaker with its lead in the right ventricle.", DEVICES, {"left"}),
        ("A small left effusion. A small right effusion.", EFFUSION, {"left", "right"}),
        ("Left opacity. The right lung is clear.", OPACITY, {"left"}),
    ],
)
def test_sides(text: str, label: str, sides: set[str]) -> None:
    assert read_report(text)[label].sides == sides


@pytest.mark.parametrize(
    ("sides", "texts"),
    [
        ("right", "RLL effusion|RUL effusion.|Effusion at the RML|R pleural effusion|R. effusion"),
        ("right", "Rt effusion|rt. effusion|RT. EFFUSION.|R-sided effusion|Effusion on the R."),
        (
            "right",
            "Effusion on the rt. Lt. lung clear|No L opacity. R effusion|Post RT, r effusion",
        ),
        ("left", "LLL effusion|LUL effusion|Effusion at the lingula|L effusion|Small lt. effusion"),
        ("left", "L base effusion|Effusion on the lt. Heart normal.|The L. effusion"),
        ("both", "R>L effusions|Effusions, L > R|Effusions R=L|B/L effusions|Bilat. effusions"),
        (
            "both",
            "R and L effusions|bibasilar effusions|R/L effusions|LLL, RLL effusion|Lt>rt effusions",
        ),
        ("", "Effusion, L1 fracture|R. Effusion.|L AP film. Effusion|Acme Ltd effusion"),
        (
            "",
            "Effusion after RT|Post RT change, effusion|Effusion on L spine film|At L 3, effusion",
        ),
    ],
)
def test_sides_in_short_forms(sides: str, texts: str) -> None:
    meant = {"left", "right"} if sides == "both" else {sides} - {""}
    for text in texts.split("|"):
        assert read_report(text)[EFFUSION].sides == meant, text


@pytest.mark.parametrize(
    ("text", "label", "severity"),
    [
        ("Small left effusion.", EFFUSION, "mild"),
        ("The heart is moderately enlarged.", CARDIOMEGALY, "moderate"),
        ("Large right pneumothorax and mild edema.", PNEUMOTHORAX, "severe"),
        ("Large right pneumothorax and mild edema.", EDEMA, "mild"),
        ("Left effusion.", EFFUSION, ""),
        ("No large effusion.", EFFUSION, ""),
    ],
)
def test_severity(text: str, label: str, severity: str) -> None:
    assert read_report(text)[label].severity == severity


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A nodule in the left upper zone.", "nodule"),
        ("A large mass.", "mass"),
        ("Nodular opacity in the right mid zone.", "nodule"),
        ("A dual lead pacemaker.", "pacemaker"),
        ("Nasogastric tube in the stomach.", "tube"),
        ("Right internal jugular line.", "line"),
        ("A left pleural effusion.", "pleural effusion"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert name in {mention.name for mention in read_report(text).values()}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("The heart size is normal.", "normal"),
        ("Heart is normal in size.", "normal"),
        ("Cardiac silhouette within normal limits.", "normal"),
        ("The heart is not enlarged.", "normal"),
        ("No cardiomegaly.", "normal"),
        ("The heart is at the upper limit of normal.", "borderline"),
        ("Borderline cardiomegaly.", "borderline"),
        ("The heart is mildly enlarged.", "enlarged"),
        ("Moderate cardiomegaly is unchanged.", "enlarged"),
        ("There is enlargement of the cardiac silhouette.", "enlarged"),
        ("The heart is large.", "enlarged"),
        ("Heart size is obscured by a large effusion.", None),
        ("The lungs are clear.", None),
        ("No pleural effusion.", None),
    ],
)
def test_heart_size(text: str, size: str | None) -> None:
    assert heart_size(text) == size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The left effusion has increased.", {EFFUSION: "worse"}),
        ("The left effusion is smaller than before.", {EFFUSION: "better"}),
        ("Unchanged left effusion.", {EFFUSION: "same"}),
        ("No significant change in the right pneumothorax.", {PNEUMOTHORAX: "same"}),
        ("The consolidation has not improved.", {CONSOLIDATION: "same"}),
        ("New right lower zone consolidation.", {CONSOLIDATION: "worse"}),
        ("The pneumothorax has resolved.", {PNEUMOTHORAX: "better"}),
        ("No new consolidation.", {}),
        ("There is a small effusion. It has increased since the prior film.", {EFFUSION: "worse"}),
        ("A small left effusion. No change since the prior film.", {EFFUSION: "same"}),
        ("Improved edema and worsening effusion.", {EDEMA: "better", EFFUSION: "worse"}),
        ("Effusion and edema have improved.", {EDEMA: "better", EFFUSION: "better"}),
        ("A small effusion.", {}),
        ("The effusion is better.", {EFFUSION: "better"}),
        ("The effusion is better seen on the lateral view.", {}),
    ],
)
def test_changes(text: str, expected: dict[str, str]) -> None:
    assert changes(text) == expected


def test_no_finding_and_empty() -> None:
    assert read_report("") == {}
    assert read_report("The lungs are clear. Heart size is normal.")["no finding"].state == 1
    assert "no finding" not in read_report("A small effusion.")
    assert read_report("A pacemaker is in place. The lungs are clear.")["no finding"].state == 1


def test_present_wins_over_absent_and_order_is_that_of_the_labels() -> None:
    found = read_report("No right effusion. A left effusion. A nodule. Mild cardiomegaly.")
    assert found[EFFUSION].state == 1
    assert found[EFFUSION].sides == {"left"}
    assert list(found) == [label for label in LABELS if label in found]


def test_sentences_keep_decimals_and_list_numbers() -> None:
    assert sentences("1. A 1.5 cm nodule.\n2. No effusion.") == [
        "A 1.5 cm nodule.",
        "No effusion.",
    ]


@pytest.mark.parametrize(
    "said", ["effusion ", "no effusion, ", "possible effusion or ", "l>r effusion on r "]
)
def test_time_grows_about_linearly_with_findings_said_again(said: str) -> None:
    """A degenerate answer says one thing hundreds of times; quadratic growth would be 16-fold."""

    def seconds(times: int) -> float:
        reader._sentence.cache_clear()
        start = time.process_time()
        reader._read.__wrapped__(said * times)
        return time.process_time() - start

    seconds(20)
    assert min(seconds(1200), seconds(1200)) < 9 * max(seconds(300), seconds(300), 0.004)
