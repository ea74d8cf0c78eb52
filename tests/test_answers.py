"""The one answer parser. The vectors of the original rules are observed behaviour of that code."""

from __future__ import annotations

import time

import pytest

from chexone_ray.answers import Answer, boxed, chosen_options, normalise, original_options, parse

OPTIONS = ("(A) pleural effusion", "(B) pneumonia", "(C) edema", "(D) a rib fracture")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"reason \boxed{A} then \boxed{B}", Answer(r"reason \boxed{A} then", "B", 2)),
        (r"\boxed{{A}}", Answer("", "A", 1)),
        (r"r \boxed{{{A}}}", Answer("r", "A", 1)),
        (r"r \boxed{size {3 cm} x}", Answer("r", "size {3 cm} x", 1)),
        (r"r \boxed{{a} and {b}}", Answer("r", "{a} and {b}", 1)),
        (r"r \boxed{\boxed{A}}", Answer("r", "A", 2)),
        (r"r \boxed{\text{yes}}", Answer("r", "yes", 1)),
        (r"r \boxed {yes}", Answer("r", "yes", 1)),
        (r"r \boxed{a \} b}", Answer("r", r"a \} b", 1)),
        (r"r \boxed{unclosed", Answer(r"r \boxed{unclosed", None, 1)),
        (r"r \boxed{A} and \boxed{unclosed", Answer("r", "A", 2)),
        (r"r \boxed{un { closed \boxed{A}", Answer(r"r \boxed{un { closed", "A", 2)),
        (r"r } \boxed{A}", Answer("r }", "A", 1)),
        (r"put it in \boxed{}: \boxed{A}", Answer(r"put it in \boxed{}:", "A", 2)),
        (r"r \boxed{A} or \boxed{ }", Answer("r", "A", 2)),
        (r"r \boxed{ }", Answer(r"r \boxed{ }", None, 1)),
        ("no box", Answer("no box", None, 0)),
        ("", Answer("", None, 0)),
    ],
)
def test_strict(text: str, expected: Answer) -> None:
    assert parse(text, "reasoning") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No effusion.\n", Answer("", "No effusion.", 0)),
        (r"Because. \boxed{yes}", Answer("Because.", "yes", 1)),
        (r"r \boxed{cut", Answer(r"r \boxed{cut", None, 1)),
        ("  ", Answer("", None, 0)),
    ],
)
def test_strict_instruct(text: str, expected: Answer) -> None:
    assert parse(text, "instruct") == expected


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        (r"reason \boxed{A} then \boxed{B}", "reason", "A"),
        (r"\boxed{{A}}", "", "{A"),
        (r"r \boxed{size {3 cm} x}", "r", "size {3 cm"),
        (r"\boxed{\boxed{A}}", "", r"\boxed{A"),
        (r"r \boxed{unclosed", r"r \boxed{unclosed", None),
        ("line one\nline two \\boxed{a\nb}", "line one\nline two", "a\nb"),
        (r"r \boxed{ }", "r", None),
    ],
)
def test_original(text: str, reasoning: str, answer: str | None) -> None:
    for mode in ("reasoning", "instruct"):
        parsed = parse(text, mode, "original")
        assert (parsed.reasoning, parsed.answer) == (reasoning, answer)


def test_original_counts_boxes_by_its_pattern() -> None:
    assert parse(r"r \boxed{A} \boxed{B}", "reasoning", "original").num_boxed == 2
    assert parse(r"\boxed{\boxed{A}}", "reasoning", "original").num_boxed == 1
    assert parse(r"r \boxed{A", "reasoning", "original").num_boxed == 0


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("(A), (C)", {"A", "C"}),
        ("B. Pneumonia", {"B"}),
        ("A, B", {"A"}),
        ("A and B", {"A"}),
        ("A small effusion", {"A"}),
        ("3 cm nodule", {"3"}),
        ("(a) worsening", {"a"}),
        ("A", {"A"}),
        ("A\uff1aleft", {"A"}),
        ("A. B. A. x", {"A", "B"}),
        ("no effusion", {"no effusion"}),
    ],
)
def test_original_options(answer: str, keys: set[str]) -> None:
    assert original_options(answer) == keys
    assert chosen_options(answer, OPTIONS, "original") == keys


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        *[(form, {"A"}) for form in ("A", "(A)", "a", "(a)", "A.", "A)", "**A**", " A \n", "$A$")],
        *[(form, {"A"}) for form in ("Option A", "The answer is (A).", "Answer: A", "option (a)")],
        *[(form, {"A"}) for form in ("A. pleural effusion", "(A) pleural effusion", "A: effusion")],
        *[
            (form, {"A"})
            for form in ("A - pleural effusion", "Pleural Effusion.", "A pleural effusion")
        ],
        *[
            (form, {"A", "B"})
            for form in ("A, B", "A and B", "(A), (B)", "(A)(B)", "a,b", "A/B", "A B")
        ],
        *[
            (form, {"A", "B"})
            for form in ("A & B", "A; B", "A.\nB.", "Options A and B", "(B) and (A)")
        ],
        ("A, B and C", {"A", "B", "C"}),
        ("A. pleural effusion, C. edema", {"A", "C"}),
        ("(A) pleural effusion\n(C) edema", {"A", "C"}),
        ("edema and pneumonia", {"B", "C"}),
        ("B pneumonia", {"B"}),
        ("A pneumonia", {"B"}),
        ("rib fracture", {"D"}),
        ("a rib fracture", {"D"}),
        ("E", {"E"}),
        ("A, E", {"A", "E"}),
        ("A small effusion", set()),
        ("a right-sided pneumonia", set()),
        ("Acute edema", set()),
        ("opacity(s)", set()),
        ("AB", set()),
        ("", set()),
    ],
)
def test_chosen_options(answer: str, keys: set[str]) -> None:
    assert chosen_options(answer, OPTIONS) == keys


def test_options_in_other_written_forms() -> None:
    for options in (("A. left", "B. right"), ("A) left", "B) right"), ("(a) left", "(b) right")):
        assert chosen_options("B", options) == {"B"}
        assert chosen_options("right", options) == {"B"}
    assert chosen_options("2", ("(1) left", "(2) right")) == {"2"}


def test_options_without_keys_are_chosen_by_text() -> None:
    assert chosen_options("pa", ("PA", "AP", "lateral")) == {"pa"}
    assert chosen_options("A", ("PA", "AP", "lateral")) == frozenset()
    assert chosen_options("left and right", ("left", "right")) == {"left", "right"}


def test_free_answers_are_normalised() -> None:
    assert chosen_options("Yes.", ()) == chosen_options(" yes", ()) == {"yes"}
    assert chosen_options("A small effusion", ()) == {"small effusion"}
    assert chosen_options("yes and no", ()) != chosen_options("yes", ())
    assert chosen_options(" . ", ()) == frozenset()
    assert normalise("  The  Left\nlung! ") == "left lung"


def test_boxed_can_always_be_read_back() -> None:
    for answer in ("yes", "a {b} c", "<|box|>(1,2),(3,4)<|/box|>"):
        assert parse("r " + boxed(answer), "reasoning") == Answer("r", answer, 1)
    assert boxed("a } {") == r"\boxed{a ) (}"


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 4000,
        r"\boxed{" + "{" * 8000 + "}" * 8001,
        "\\boxed{" + " " * 20_000,
        ",  " * 4000 + "zz",
        "A " * 4000 + "zz",
        "\n" * 20_000,
        "A,\n" * 5000,
        "(" * 20_000,
    ],
)
def test_no_text_makes_the_parser_slow(text: str) -> None:
    start = time.process_time()
    parse(text, "reasoning")
    parse(text, "reasoning", "original")
    chosen_options(text, OPTIONS)
    chosen_options(text, ())
    assert time.process_time() - start < 1.0
