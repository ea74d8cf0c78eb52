"""The one answer parser. The vectors of the original rules are observed behaviour of that code."""

from __future__ import annotations

import random
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


TAGGED = [
    ("<think>a rim</think><answer>B</answer>", Answer("a rim", "B", 1)),
    ("<think>a rim</think>\n<answer>\n(B) edema\n</answer>\n", Answer("a rim", "(B) edema", 1)),
    ("<THINK>a</THINK><Answer>B</Answer>", Answer("a", "B", 1)),
    # Thinking that the template opened, or that was never closed.
    ("a rim</think><answer>B</answer>", Answer("a rim", "B", 1)),
    ("<think>a rim <answer>B</answer>", Answer("a rim", "B", 1)),
    ("<think>a rim, so it might", Answer("a rim, so it might", None, 0)),
    ("<think>a rim</think> It is B.", Answer("a rim", "It is B.", 0)),
    ("<think>a</think>x<think>b</think>C", Answer("axb", "C", 0)),
    ("<think>a rim</think>  ", Answer("a rim", None, 0)),
    ("<unused94>thought a<unused95>B", Answer("thought a", "B", 0)),
    # Tags and boxes inside each other, and both side by side.
    (r"<think>a</think><answer>\boxed{B}</answer>", Answer("a", "B", 1)),
    (r"<think>a</think><answer>It is \boxed{\text{B}}.</answer>", Answer("a", "B", 1)),
    (r"a \boxed{<answer>B</answer>}", Answer("a", "B", 1)),
    (r"a \boxed{C} <answer>B</answer>", Answer(r"a \boxed{C}", "B", 1)),
    (r"<think>first \boxed{A}</think> so \boxed{B}", Answer(r"first \boxed{A} so", "B", 1)),
    # The last tag that is closed and holds something.
    ("<answer>A</answer> no, <answer>B</answer>", Answer("<answer>A</answer> no,", "B", 2)),
    ("<answer>A</answer><answer> </answer>", Answer("", "A", 2)),
    ("r <answer>A <answer>B</answer></answer>", Answer("r <answer>A", "B", 2)),
    ("r <answer>cut off", Answer("r <answer>cut off", None, 1)),
    ("<answer></answer>", Answer("<answer></answer>", None, 1)),
    # A comma list of labels.
    ("<think>a</think><answer>Edema, Pleural Effusion</answer>",
     Answer("a", "Edema, Pleural Effusion", 1)),
    # "Final Answer:" counts under these rules alone, and after any tag or box.
    ("Steps.\n**Final Answer:** B", Answer("Steps.", "B", 0)),
    ("Steps.\nFinal answer:\nClear lungs.\nNormal heart.\n",
     Answer("Steps.", "Clear lungs.\nNormal heart.", 0)),
    ("Final Answer: A\nFinal Answer: B", Answer("Final Answer: A", "B", 0)),
    (r"Steps. \boxed{C} Final Answer: B", Answer("Steps.", "C", 1)),
    ("no mark", Answer("no mark", None, 0)),
    ("", Answer("", None, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TAGGED)
def test_tags(text: str, expected: Answer) -> None:
    assert parse(text, "reasoning", "tags") == expected


def test_tags_in_instruct_mode_take_plain_text() -> None:
    assert parse(" Clear lungs. ", "instruct", "tags") == Answer("", "Clear lungs.", 0)
    assert parse("<think>cut", "instruct", "tags") == Answer("cut", None, 0)
    assert parse("<think>a</think><answer>B</answer>", "instruct", "tags") == Answer("a", "B", 1)


@pytest.mark.parametrize("text", ["<think>a</think><answer>B</answer>", "So.\nFinal Answer: B"])
def test_strict_and_original_know_no_tags(text: str) -> None:
    assert parse(text, "reasoning") == Answer(text, None, 0)
    assert parse(text, "reasoning", "original") == Answer(text, None, 0)


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
        ("A; C", {"A", "C"}),
        ("a", {"a"}),
        ("{A", {"A"}),
        ("A and (C)", {"C"}),
        ("chest X-ray(s)", {"s"}),
        ("", {""}),
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
        *[
            (form, {"A"})
            for form in ("a)", "A:", "\uff08A\uff09", "\uff21\uff0e", "A\u3002", "[A]")
        ],
        *[(form, {"A"}) for form in ('"A"', "\u201cA\u201d", "`A`", "__A__", "{A}", "- A")],
        *[(form, {"A"}) for form in ("**A.** pleural effusion", "**Answer:** A", "[A] effusion")],
        *[(form, {"A"}) for form in ("The answer is **A**", "answer is (a)", "The answer is a.")],
        *[
            (form, {"A"})
            for form in ("A\uff1apleural effusion", "A.pleural effusion", "A:effusion")
        ],
        *[
            (form, {"A"})
            for form in ("The correct option is: A", "A=pleural effusion", "A because")
        ],
        *[(form, {"B"}) for form in ("B is correct", "Option B is the best answer.", "It is B.")],
        *[
            (form, {"B"})
            for form in ("B (pneumonia)", "The answer is B, pneumonia.", "pneumonia (B)")
        ],
        *[
            (form, {"B"})
            for form in ("The answer is pneumonia", "Option B: pneumonia", "I think B")
        ],
        *[
            (form, {"A", "C"})
            for form in ("A and C", "A, C", "A; C", "A,C", "A\u3001C", "A\uff0cC")
        ],
        *[(form, {"A", "C"}) for form in ("A and (C)", "both A and C", "A and C are correct")],
        *[(form, {"A", "C"}) for form in ("- A\n- C", "[A, C]", "A (pleural effusion), C (edema)")],
        *[(form, {"A", "C"}) for form in ("The correct answers are A and C.", "a) and c)")],
        *[(form, {"A"}) for form in ("A \u2013 pleural effusion", "A\u2014pleural effusion")],
        *[(form, {"B"}) for form in ("B \u2014 pneumonia", "B\u200b", "\ufeffB", "answer = B")],
        *[
            (form, {"B"})
            for form in ('{"answer": "B"}', '"answer": "B"', "{'answer': 'pneumonia'}")
        ],
        *[
            (form, {"A", "C"})
            for form in ("(A) \u2013 pleural effusion; (C) \u2013 edema", "A.C", "A.C.", "A|C")
        ],
        *[(form, {"A", "C"}) for form in ("1. A\n2. C", "1) A 2) C", "['A', 'C']", '["A","C"]')],
        *[(form, {"A", "C"}) for form in (r"\text{A}, \text{C}", "A: yes\nC: yes", "| A | C |")],
        *[
            (form, {"A", "C"})
            for form in ("A: yes\nB: no\nC: yes\nD: no", '```json\n{"answer": ["A", "C"]}\n```')
        ],
        *[(form, {"B", "C"}) for form in ("1. pneumonia\n2. edema", "['pneumonia', 'edema']")],
        *[(form, {"A", "C"}) for form in ("Answers:\n1. A\n2. C", "1: A\n2: C", "1.A\n2.C")],
        *[(form, {"A", "C"}) for form in ("(A): yes, (B): no, (C): yes", "A, C: edema, (A)")],
        *[(form, {"B"}) for form in ("(B", "B)", "(B) \u2013 yes")],
        *[(form, set()) for form in ("A.P.", "A: no", "A: no\nB: no", "E) pneumonia")],
        # A key against a text: the key, and "A" alone is an article.
        *[(form, {"A"}) for form in ("A) pneumonia", "(A) edema", "A - edema", "A = edema")],
        *[(form, {"B"}) for form in ("B pleural effusion", "B. edema", "B (edema)")],
        ("B pleural effusion, C pneumonia", {"B", "C"}),
        ("pneumonia and C", {"B", "C"}),
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
        ("A.P. view", set()),
        ("A left effusion is seen", set()),
        ("A or C", set()),
        ("A, e.g. a large one", set()),
        ("3 cm nodule", set()),
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
    numbered = ("(1) left", "(2) right", "(3) both")
    for text in ("2", "2.", "(2)", "Option 2", "2) right", "The answer is 2: right"):
        assert chosen_options(text, numbered) == {"2"}
    assert chosen_options("1, 3", numbered) == chosen_options("1 and 3", numbered) == {"1", "3"}
    assert chosen_options("1. 3", numbered) == {"1", "3"}, "numbers that are keys number no list"
    assert chosen_options("A: no", ("(A) no", "(B) yes")) == {"A"}, "a verdict that is an option"
    assert chosen_options("3 cm", numbered) == chosen_options("3.5 cm", numbered) == frozenset()


TEXTS = (
    "Right lower lobe consolidation, and effusion",
    "A small left effusion",
    "Increased since prior (better)",
    "Option of surgery",
    "The answer is unclear",
    "Cardiomegaly and edema",
    "Is normal",
    "Pneumonia is the best answer",
    "None of the above",
    "Left-sided line; tip in the SVC",
    "3 cm mass",
    "C. difficile colitis",
    "Grade B",
    "(S) shape",
    "a and b",
    "5",
    "Grade 2\u20133 change \u2014 old",
)
WRITTEN = (
    "({k})", "{k}", "{k}.", "({k}) {x}", "({k}) {x}.", "{k}. {x}", "{k}) {x}", "{k}: {x}", "{x}",
    "{k} \u2013 {x}", "({k})\u2014{x}", "1. {k}. {x}", "answer = {k}. {x}", '{{"answer": "{x}"}}',
    "The answer is ({k}) {x}.", "The answer is {k}.", "Option {k}", "**{k}. {x}**",
)  # fmt: skip


def test_every_written_form_of_awkward_options() -> None:
    draw = random.Random(0)
    for _ in range(60):
        texts = draw.sample(TEXTS, draw.randint(2, 6))
        for style in ("({}) {}", "{}. {}", "{}) {}"):
            pairs = list(zip("ABCDEF", texts, strict=False))
            options = tuple(style.format(key, text) for key, text in pairs)
            for key, text in pairs:
                for form in WRITTEN:
                    answer = form.format(k=key, x=text)
                    assert chosen_options(answer, options) == {key}, (answer, options)


def test_words_of_an_option_are_not_taken_for_a_preamble() -> None:
    assert chosen_options("right", ("(A) right", "(B) left")) == {"A"}
    assert chosen_options("the right lung", ("(A) right lung", "(B) lung")) == {"A"}
    assert chosen_options("The answer is left", ("left", "right")) == {"left"}


# Where the two rule sets part (facts 5.4, 5.5 and 10.2): text, original, strict.
PARTED = [
    (r"reason \boxed{(A)} then \boxed{(B)}", {"A"}, {"B"}),
    (r"r \boxed{A, B}", {"A"}, {"A", "B"}),
    (r"r \boxed{A and B}", {"A"}, {"A", "B"}),
    (r"r \boxed{A small effusion}", {"A"}, set()),
    (r"r \boxed{3 cm nodule}", {"3"}, set()),
    (r"r \boxed{(a) worsening}", {"a"}, {"A"}),
    (r"r \boxed{pneumonia}", {"pneumonia"}, {"B"}),
    (r"r \boxed{opacity(s)}", {"s"}, set()),
    (r"r \boxed{\boxed{A}}", {"A"}, {"A"}),
    (r"r \boxed{{A}}", {"A"}, {"A"}),
]


@pytest.mark.parametrize(("text", "original", "strict"), PARTED)
def test_where_the_rules_part(text: str, original: set[str], strict: set[str]) -> None:
    published = parse(text, "reasoning", "original").answer or ""
    ours = parse(text, "reasoning").answer or ""
    assert chosen_options(published, OPTIONS, "original") == original
    assert chosen_options(ours, OPTIONS) == strict


def test_options_without_keys_are_chosen_by_text() -> None:
    assert chosen_options("pa", ("PA", "AP", "lateral")) == {"pa"}
    assert chosen_options("A", ("PA", "AP", "lateral")) == frozenset()
    assert chosen_options("left and right", ("left", "right")) == {"left", "right"}


def test_free_answers_are_normalised() -> None:
    assert chosen_options("Yes.", ()) == chosen_options(" yes", ()) == {"yes"}
    assert chosen_options("A small effusion", ()) == {"small effusion"}
    assert chosen_options("The answer is yes.", ()) == {"yes"}
    assert chosen_options("It is right", ()) == {"it is right"}
    assert chosen_options("yes and no", ()) != chosen_options("yes", ())
    assert chosen_options(" . ", ()) == frozenset()
    assert normalise("  The  Left\nlung! ") == "left lung"


def test_boxed_can_always_be_read_back() -> None:
    for answer in ("yes", "a {b} c", "<|box|>(1,2),(3,4)<|/box|>", "x\\", "x\\\\", r"a \} {b}"):
        assert parse("r " + boxed(answer), "reasoning") == Answer("r", answer, 1)
    for answer, read in (("a } {", "a ) ("), ("{}", "()"), (r"\{ a }", r"\( a )"), ("{", "(")):
        assert parse("r " + boxed(answer), "reasoning") == Answer("r", read, 1)


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
        "<answer>" * 5000,
        "<think>" * 5000 + "</think>",
        "<answer>" + r"\boxed{" * 4000 + "</answer>",
        "A" + " " * 20_000 + "is",
        "the answer " * 3000,
        "final answer\n" * 3000,
        "B (" * 5000,
        r"\text{" * 4000,
        "1. " * 6000 + "zz",
        "A: " * 6000 + "zz",
        "A" + " " * 10_000 + ":" + " " * 10_000 + "zz",
        "'" * 20_000,
    ],
)
def test_no_text_makes_the_parser_slow(text: str) -> None:
    start = time.process_time()
    parse(text, "reasoning")
    parse(text, "reasoning", "original")
    parse(text, "reasoning", "tags")
    chosen_options(text, OPTIONS)
    chosen_options(text, ())
    assert time.process_time() - start < 1.0
