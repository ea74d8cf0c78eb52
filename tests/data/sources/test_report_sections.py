"""Sections of a report's text."""

from __future__ import annotations

import pytest

from chexone_ray.data.sources.report_sections import (
    Sections,
    broken_at_headers,
    read_sections,
)

REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  Cough.

 COMPARISON:  None.

 FINDINGS:

 The heart is normal
 in size.  A ratio of 1:2 is noted.

 IMPRESSION:

 No acute process.
"""


def test_sections_of_a_report() -> None:
    assert read_sections(REPORT) == Sections(
        "The heart is normal in size. A ratio of 1:2 is noted.",
        "No acute process.",
        "Cough.",
        "None.",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" CONCLUSION: Clear.", Sections(impression="Clear.")),
        (" FINDINGS/IMPRESSION:\n Clear.", Sections(impression="Clear.")),
        (" FINDINGS AND IMPRESSION: Clear.", Sections(impression="Clear.")),
        (" CHEST, TWO VIEWS: Clear lungs.", Sections(findings="Clear lungs.")),
        (" REASON FOR EXAM: Fever.\n FINDINGS: Clear.", Sections("Clear.", "", "Fever.")),
        (
            " HISTORY: Fall.\n\n Some words.\n\n Clear lungs.",
            Sections("Some words. Clear lungs.", "", "Fall."),
        ),
        ("First part.\n\nLast part.\n", Sections(impression="Last part.")),
        ("", Sections()),
        ("Findings: Clear.\nImpression: Normal.", Sections("Clear.", "Normal.")),
        (" FINDINGS: One.\n ADDENDUM: Not this.\n FINDINGS: Two.", Sections("One. Two.")),
        (" PA AND LATERAL VIEWS OF THE CHEST: Clear.", Sections("Clear.")),
        (" AP UPRIGHT & LATERAL CHEST FILMS: Clear.", Sections("Clear.")),
        (" CHEST X-RAY (PA AND LAT): Clear.", Sections("Clear.")),
        (" COMPARISON CHEST RADIOGRAPH: Of May.\n FINDINGS: Clear.", Sections("Clear.")),
        (" VIEWS OF THE ABDOMEN: Gas.\n FINDINGS: Clear.", Sections("Clear.")),
        (
            " FINDINGS:\n LUNGS: Clear \n HEART/MEDIASTINUM:\n\n Heart large.\n BONES:\n"
            " IMPRESSION: Large\n heart.\n LUNGS: Not these.",
            Sections("Lungs: Clear. Heart/mediastinum: Heart large.", "Large heart."),
        ),
        (" FINDINGS: One.\n SIGNED BY: X.\n LUNGS: Not this.", Sections("One.")),
        (
            " FRONTAL CHEST RADIOGRAPH: Heart large.\n\n NOTIFICATION: Told.\n\n Dr. ___ knows.",
            Sections("Heart large."),
        ),
        (
            " Heart large.\n\n Dr. ___ was informed at 3 pm. He agrees.",
            Sections("", "Heart large."),
        ),
        (" Heart large.\n\n Discussed with Dr. ___.", Sections("", "Heart large.")),
        (
            " Heart large.\n\n The team of Dr. ___ got it by telephone.",
            Sections("", "Heart large."),
        ),
        (
            " Old.\n\n Large heart. Told to Dr. ___ by page.",
            Sections("", "Large heart. Told to Dr. ___ by page."),
        ),
        ("Dr. ___ was paged.", Sections()),
    ],
)
def test_section_headers(text: str, expected: Sections) -> None:
    assert read_sections(text) == expected


BODY = "Views of the chest. There is a large right\n effusion.\n\n The heart is enlarged."
FOLDED = "Views of the chest. There is a large right effusion. The heart is enlarged."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f" INDICATION: Cough.\n\n {BODY}\n\n IMPRESSION: Effusion.",
            Sections(FOLDED, "Effusion.", "Cough."),
        ),
        (
            f" INDICATION: Cough\n and fever.\n \n COMPARISON: None.\n  \n {BODY}\n",
            Sections(FOLDED, "", "Cough and fever.", "None."),
        ),
        (
            f" COMPARISON: None.\r\n\r\n {BODY}\n\n Dr. ___ was paged.",
            Sections(FOLDED, "", "", "None."),
        ),
        (
            " INDICATION: Cough.\n\n Known cancer.\n\n FINDINGS: Clear.\n\n Heart large.",
            Sections("Clear. Heart large.", "", "Cough."),
        ),
        (
            " INDICATION: Cough.\n\n Known cancer.\n\n FINDINGS/IMPRESSION: Clear.",
            Sections("", "Clear.", "Cough."),
        ),
        (" HISTORY:\n\n Fall.\n\n FINDINGS: Clear.", Sections("Clear.", "", "Fall.")),
        (
            f" HISTORY:\n\n Fall or a finding.\n\n {BODY}\n\n IMPRESSION: Effusion.",
            Sections(FOLDED, "Effusion."),
        ),
        (
            " INDICATION: Large effusion, to be drained.",
            Sections("", "", "Large effusion, to be drained."),
        ),
        ("Clear.\n\n HISTORY: Cough.\n COMPARISON: Of May.", Sections("", "", "Cough.", "Of May.")),
    ],
)
def test_what_a_question_may_show_holds_no_word_of_the_answer(
    text: str, expected: Sections
) -> None:
    assert read_sections(text) == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "CLINICAL HISTORY: cough. FINDINGS: Clear. IMPRESSION: None.",
            ["CLINICAL HISTORY: cough.", "FINDINGS: Clear.", "IMPRESSION: None."],
        ),
        (
            "Seen. REASON FOR EXAM : Fall. FINDINGS/IMPRESSION: Clear.",
            ["Seen.", "REASON FOR EXAM : Fall.", "FINDINGS/IMPRESSION: Clear."],
        ),
        ("HISTORY: a. FINDINGS AND IMPRESSION: b.", ["HISTORY: a.", "FINDINGS AND IMPRESSION: b."]),
        ("FINDINGS: The history: none.", ["FINDINGS: The history: none."]),
        ("FINDINGS:\nNo HISTORY: of it.", ["FINDINGS:", "No HISTORY: of it."]),
        ("", []),
    ],
)
def test_a_report_of_one_line_is_broken_at_its_headers(text: str, lines: list[str]) -> None:
    assert broken_at_headers(text).splitlines() == lines
