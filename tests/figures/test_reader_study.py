"""Responses of a reader study: how they are read and counted."""

from __future__ import annotations

import pytest

from chexone_ray.errors import ChexoneError
from chexone_ray.figures import reader_study, readers
from chexone_ray.figures.reader_study import Response


def response(**given: object) -> Response:
    base = {"reader": "r1", "role": "resident", "case": "c1", "simulated": False}
    return Response(**{**base, **given})  # type: ignore[arg-type]


def test_responses_are_counted() -> None:
    blind = [
        response(study="blind", reader=reader, choice=choice)
        for reader, choice in (("r1", "model"), ("r1", "comparable"), ("r2", "resident"))
    ]
    found = readers.preferences(blind)
    assert list(found) == ["all readers", "r1", "r2"] and next(iter(found["r1"])) == "model"
    assert found["all readers"] == {"model": 1, "comparable": 1, "resident": 1}
    assert found["r2"] == {"model": 0, "comparable": 0, "resident": 1}
    edit = response(
        study="edit", source="model", duration_s=60, edit_reason="style", likert={"ok": 4}
    )
    assert readers.edit_reasons([edit, *blind]) == {"resident on model draft": {"style": 1}}
    assert readers.ratings([edit]) == {"ok\nresident on model draft": {4: 1}}
    draft = response(study="draft", duration_s=90)
    assert readers.conditions([edit, draft]) == {
        "resident": {
            "from nothing": {("r1", "c1"): 1.5},
            "edits model draft": {("r1", "c1"): 1.0},
        }
    }


GOOD = (
    '{"reader":"r","role":"resident","case":"c","study":"blind","choice":"model","simulated":true}'
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: no JSON object"),
        (GOOD.replace(',"simulated":true', ""), "line 2: simulated is missing"),
        (GOOD.replace(',"choice":"model"', ""), "line 2: choice is missing: a response of study"),
        (GOOD.replace("resident", "student"), "line 2: role='student': input should be"),
        (GOOD.replace('"case"', '"patient":"x","case"'), "line 2: unknown field patient"),
        (GOOD.replace('"choice"', '"duration_s":3,"choice"'), "line 2: duration_s has no meaning"),
        (
            GOOD.replace('"blind","choice":"model"', '"draft","duration_s":0'),
            "line 2: duration_s=0",
        ),
        (GOOD.replace('"choice"', '"likert":{"x":6},"choice"'), "line 2: likert.x=6"),
        (GOOD, "line 2: the answer of line 1 again"),
        ("3", "line 2: no JSON object"),
        (
            GOOD.replace('"c"', '"d"').replace('"choice":"model"', '"choice":"banana"'),
            "line 2: choice='banana' is none of the study: use model or resident or attending or "
            "comparable",
        ),
    ],
)
def test_a_bad_response_is_told_by_its_line_and_field(line: str, message: str) -> None:
    with pytest.raises(ChexoneError) as caught:
        reader_study.read(f"{GOOD}\n{line}\n".encode(), "responses.jsonl")
    assert str(caught.value).startswith(f"responses.jsonl {message}")


def test_good_responses_are_read_in_order() -> None:
    other = GOOD.replace('"c"', '"d"').replace("true", "false")
    first, second = reader_study.read(f"{GOOD}\n\n{other}\n".encode(), "x")
    assert (first.case, second.case) == ("c", "d")
    assert reader_study.any_simulated([first, second]) and not reader_study.any_simulated([second])
    with pytest.raises(ChexoneError, match="x holds no response"):
        reader_study.read(b"\n", "x")
    with pytest.raises(ChexoneError, match="x is not UTF-8"):
        reader_study.read(b"\xff\xfe", "x")
