"""Codecs, geometry, IoU and matching, with numbers worked out by hand."""

from __future__ import annotations

import json
import math
import random
import time

import numpy as np
import pytest

from chexone_ray import boxes
from chexone_ray.boxes import (
    Geometry,
    decode,
    encode,
    exact,
    iou,
    match,
    negative,
    negative_label,
)
from chexone_ray.records import Box


def box(*xyxy: float, label: str = "nodule") -> Box:
    return Box(label, xyxy)  # type: ignore[arg-type]


def test_percent_form() -> None:
    text = encode([box(0.12, 0.6, 0.18, 0.87, label="pneumothorax")])
    assert text == "<|ref|>pneumothorax<|/ref|><|box|>(12,60),(18,87)<|/box|>"
    assert decode(text) == [box(0.12, 0.6, 0.18, 0.87, label="pneumothorax")]


def test_percent_quantisation_is_the_published_one() -> None:
    # 1,000 bins cut off, 999 at most, a tenth of it, half to even: 125 -> 12.5 -> 12; 135 -> 14;
    # 129.9 -> 129 -> 13; 999.9 -> 999 -> 100.
    assert encode([box(0.125, 0.135, 0.1299, 0.9999)]).endswith("(12,14),(13,100)<|/box|>")
    assert encode([box(0.0, 0.0, 1.0, 1.0)]).endswith("(0,0),(100,100)<|/box|>")


def test_boxes_are_sorted_and_concatenated() -> None:
    text = encode([box(0.5, 0.1, 0.6, 0.2), box(0.1, 0.7, 0.2, 0.8), box(0.1, 0.2, 0.2, 0.3)])
    assert [b.xyxy[:2] for b in decode(text)] == [(0.1, 0.2), (0.1, 0.7), (0.5, 0.1)]
    assert text.count("<|ref|>") == 3
    assert encode([]) == "" and decode("") == []


def test_broken_corners_when_encoding() -> None:
    assert encode([box(0.4, 0.9, 0.2, 0.1)]).endswith("(20,10),(40,90)<|/box|>")
    assert encode([box(-0.5, 0.1, 1.5, 0.2)]).endswith("(0,10),(100,20)<|/box|>")
    assert encode([box(0.3, 0.3, 0.3, 0.3)]).endswith("(30,30),(31,31)<|/box|>")
    assert encode([box(1.0, 1.0, 1.0, 1.0)]).endswith("(99,99),(100,100)<|/box|>")
    with pytest.raises(ValueError, match="not finite"):
        encode([box(math.nan, 0.0, 1.0, 1.0)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<|ref|>a<|/ref|><|box|>(40,90),(20,10)<|/box|>", [(0.2, 0.1, 0.4, 0.9)]),
        ("<|ref|>a<|/ref|><|box|>( 1 , 2 ) , ( 3.5 , 4 )<|/box|>", [(0.01, 0.02, 0.035, 0.04)]),
        ("<|ref|>a<|/ref|><|box|>(-5,0),(250,300)<|/box|>", [(0.0, 0.0, 1.0, 1.0)]),
        ("<|ref|>a<|/ref|><|box|>(500,600),(700,800)<|/box|>", [(1.0, 1.0, 1.0, 1.0)]),
        ("<|ref|>a<|/ref|><|box|>(1,2),(3)<|/box|>", []),
        ("<|ref|>a<|/ref|><|box|>(1,2),(3,4)", []),
        ("<|box|>(1,2),(3,4)<|/box|>", [(0.01, 0.02, 0.03, 0.04)]),
        (
            "<|ref|>a<|/ref|><|box|>(1,2),(3,4)<|/box|><|box|>(5,6),(7,8)<|/box|>",
            [(0.01, 0.02, 0.03, 0.04), (0.05, 0.06, 0.07, 0.08)],
        ),
        ("No nodule detected.", []),
        (f"<|ref|>a<|/ref|><|box|>({'9' * 400},1),(2,3)<|/box|>", []),
    ],
)
def test_decode_percent(text: str, expected: list[tuple[float, ...]]) -> None:
    assert [b.xyxy for b in decode(text)] == expected


def test_thousand_codec() -> None:
    text = encode([box(0.12, 0.6, 0.1804, 0.87)], "thousand")
    assert json.loads(text) == [{"bbox_2d": [120, 600, 180, 870], "label": "nodule"}]
    assert decode(f"```json\n{text}\n```", "thousand") == [box(0.12, 0.6, 0.18, 0.87)]
    assert (
        decode('[{"bbox_2d": [1, 2, 3]}, {"label": 1}, {"bbox_2d": "x"}, {bad}]', "thousand") == []
    )
    assert decode('{"bbox_2d": [0, 0, NaN, 5]}', "thousand") == []


@pytest.mark.parametrize(
    ("text", "codec", "names"),
    [
        (
            "<|ref|>a<|/ref|><|box|>(1,2),(3,4)<|/box|>"
            "<|ref|>x < 3 cm<|/ref|><|box|>(5,6),(7,8)<|/box|>",
            "percent",
            ["a", "x < 3 cm"],
        ),
        ("<|ref|>a | b<|/ref|><|box|>(1,2),(3,4)<|/box|>", "percent", ["a | b"]),
        ("<|ref|>a<|/ref|><|ref|>b<|box|>(1,2),(3,4)<|/box|>", "percent", ["b"]),
        ("<obj>x < 3 cm<box><x1><y2><x3><y4></box></obj>", "bins", ["x < 3 cm"]),
        ('{"bbox_2d": [1, 2, 3, 4], "label": null}', "thousand", ["?"]),
        ('{"bbox_2d": [1, 2, 3, 4]}', "thousand", ["?"]),
        ('{"bbox_2d": [1, 2, 3, 4], "label": "a", "more": {"b": {}}}', "thousand", ["a"]),
        ('{"boxes": [{"bbox_2d": [1, 2, 3, 4], "label": "a", "b": {}}]}', "thousand", ["a"]),
        ('{bad, {"bbox_2d": [1, 2, 3, 4], "label": "a"}}', "thousand", ["a"]),
        (
            "[{'bbox_2d': [1, 2, 3, 4], 'label': 'a'}, {'bbox_2d': [5, 6, 7, 8], 'label': None}]",
            "thousand",
            ["a", "?"],
        ),
        ("""{'bbox_2d': (1, 2, 3, 4), 'label': "a's"}""", "thousand", ["a's"]),
        ("{'bbox_2d': [1, 2], 'label': 'a'}", "thousand", []),
        ("[.1,.2,.3,.4] and [0., 0.25, 1., 1]", "unit", ["?", "?"]),
    ],
)
def test_names_and_notations(text: str, codec: boxes.Codec, names: list[str]) -> None:
    assert [found.label for found in decode(text, codec, label="?")] == names


def test_unit_corners_without_a_leading_zero() -> None:
    assert decode("[.1,.2,.3,.4]", "unit", label="nodule") == [box(0.1, 0.2, 0.3, 0.4)]


@pytest.mark.parametrize(
    "text",
    [
        "{" * 20_000,
        "{{{" + "{a}" * 7000,
        '{"a":' * 4000,
        "{" + "a" * 20_000,
        "{" + "a{b}'" * 4000,
        '{"a":' + "[" * 900 + "]" * 900 + "}",
        "<|ref|>" * 3000 + "x",
        "<|ref|>" + "<" * 20_000,
        "<obj>" + "<" * 20_000,
        "[" + "1." * 9000,
    ],
)
def test_no_text_makes_the_codecs_slow(text: str) -> None:
    start = time.process_time()
    for codec in ("percent", "thousand", "thousand_marks", "bins", "unit"):
        decode(text, codec)
    assert time.process_time() - start < 1.0


def test_pixels_codec_needs_and_uses_the_geometry() -> None:
    geometry = Geometry(2000, 1000, 560, 280)
    text = encode([box(0.25, 0.5, 0.5, 1.0)], "pixels", geometry)
    assert json.loads(text) == [{"bbox_2d": [140, 140, 280, 280], "label": "nodule"}]
    assert decode(text, "pixels", geometry) == [box(0.25, 0.5, 0.5, 1.0)]
    with pytest.raises(ValueError, match="geometry"):
        encode([box(0, 0, 1, 1)], "pixels")


def test_geometry_of_a_crop_and_of_a_padding() -> None:
    # 2000 x 1000: the middle square begins at 500 of 2000; padding adds 500 rows above and below.
    cropped, padded = Geometry.cropped(2000, 1000, 518), Geometry.padded(2000, 1000, 896)
    assert cropped.crop == (0.25, 0.0, 0.75, 1.0)
    assert padded.crop == (0.0, -0.5, 1.0, 1.5)
    assert cropped.to_seen((0.375, 0.5, 0.75, 1.0)) == (0.25, 0.5, 1.0, 1.0)
    assert padded.to_seen((0.5, 0.0, 1.0, 1.0)) == (0.5, 0.25, 1.0, 0.75)
    text = encode([box(0.5, 0.0, 1.0, 1.0)], "pixels", padded)
    assert json.loads(text)[0]["bbox_2d"] == [448, 224, 896, 672]
    for geometry in (cropped, padded, Geometry.cropped(701, 1003, 518)):
        for corners in ((0.25, 0.5, 0.5, 1.0), (0.4, 0.1, 0.6, 0.3)):
            assert geometry.from_seen(geometry.to_seen(corners)) == pytest.approx(corners)


def test_qwen2_marks() -> None:
    text = encode([box(0.12, 0.6, 0.1804, 0.87)], "thousand_marks")
    assert text == (
        "<|object_ref_start|>nodule<|object_ref_end|><|box_start|>(120,600),(180,870)<|box_end|>"
    )
    assert decode(text, "thousand_marks") == [box(0.12, 0.6, 0.18, 0.87)]
    assert decode(text) == decode(encode([box(0.1, 0.1, 0.2, 0.2)]), "thousand_marks") == []


def test_medgemma_lists_y_first_of_the_padded_square() -> None:
    geometry = Geometry.padded(2000, 1000, 896)
    text = encode([box(0.5, 0.0, 0.75, 1.0)], "thousand_yx", geometry)
    assert json.loads(text) == [{"box_2d": [250, 500, 750, 750], "label": "nodule"}]
    fenced = f"Final Answer:\n```json\n{text}\n```"
    assert decode(fenced, "thousand_yx", geometry) == [box(0.5, 0.0, 0.75, 1.0)]
    # In the black above the film there is nothing: a box of no area.
    above = decode('[{"box_2d": [0, 100, 200, 300], "label": "x"}]', "thousand_yx", geometry)
    assert above == [box(0.1, 0.0, 0.3, 0.0, label="x")]
    assert decode('{"box_2d": [1' + "0" * 400 + ", 1, 1, 1]}", "thousand_yx") == []


def test_radvlm_brackets_carry_no_name() -> None:
    text = encode([box(0.12, 0.6, 0.184, 0.87), box(0.5, 0.1, 0.6, 0.2)], "unit")
    assert text == "[0.12, 0.60, 0.18, 0.87], [0.50, 0.10, 0.60, 0.20]"
    assert decode(f"The nodules are at {text}.", "unit", label="nodule") == [
        box(0.12, 0.6, 0.18, 0.87),
        box(0.5, 0.1, 0.6, 0.2),
    ]
    assert decode("[0.1, 0.2, 0.3] and [a, b, c, d]", "unit") == []


def test_maira_bins_are_of_the_cropped_square_and_read_at_their_middle() -> None:
    geometry = Geometry.cropped(2000, 1000, 518)
    # 0.375 is a quarter of the square that begins at 0.25; bin 25 is read as 0.255 of it.
    text = encode([box(0.375, 0.5, 0.698, 0.905)], "bins", geometry)
    assert text == "<obj>nodule<box><x25><y50><x89><y90></box></obj>"
    read = decode(text.replace("<box>", " <box>"), "bins", geometry)
    assert read[0].label == "nodule"
    assert read[0].xyxy == pytest.approx((0.25 + 0.1275, 0.505, 0.25 + 0.4475, 0.905))
    many = "<obj>a <box><x1><y2><x3><y4></box><box><x5><y6><x7><y8></box></obj><obj>clear</obj>"
    assert [b.label for b in decode(many, "bins")] == ["a", "a"]
    assert decode("<obj>a <box><x1><y2><x3></box></obj>", "bins") == []


@pytest.mark.parametrize(
    ("codec", "step"),
    [
        ("percent", 0.006),
        ("thousand", 0.001),
        ("pixels", 1 / 448),
        ("thousand_marks", 0.001),
        ("thousand_yx", 0.001),
        ("unit", 0.0051),
        ("bins", 0.0051),
    ],
)
def test_every_codec_there_and_back(codec: boxes.Codec, step: float) -> None:
    draw = np.random.default_rng(7)
    for geometry in (
        Geometry(2000, 1000, 896, 448),
        Geometry.cropped(2000, 1600, 518),
        Geometry.padded(1000, 1700, 896),
    ):
        x, y, right, bottom = (min(max(v, 0.0), 1.0) for v in geometry.crop)
        reach = max(geometry.crop[2] - geometry.crop[0], geometry.crop[3] - geometry.crop[1])
        for x1, y1, x2, y2 in draw.random((50, 4)).tolist():
            corners = (
                x + (right - x) * 0.5 * x1,
                y + (bottom - y) * 0.5 * y1,
                x + (right - x) * (0.6 + 0.4 * x2),
                y + (bottom - y) * (0.6 + 0.4 * y2),
            )
            (back,) = decode(encode([box(*corners)], codec, geometry), codec, geometry, "nodule")
            assert back.label == "nodule"
            assert back.xyxy == pytest.approx(corners, abs=step * reach)


def test_negatives() -> None:
    assert negative("nodule") == "No nodule detected."
    assert negative_label(" no Nodule  detected") == "Nodule"
    assert negative_label("No nodule detected. But a mass detected.") is None
    assert negative_label("nodule detected") is None


def test_iou() -> None:
    # Overlap 1x1 of two 2x2 squares: 1 / (4 + 4 - 1).
    assert iou(box(0, 0, 0.2, 0.2), box(0.1, 0.1, 0.3, 0.3)) == pytest.approx(1 / 7)
    assert iou(box(0, 0, 0.5, 1), box(0, 0, 0.5, 1)) == 1.0
    assert iou(box(0, 0, 0.5, 1), box(0.5, 0, 1, 1)) == 0.0
    assert iou(box(0.1, 0.1, 0.1, 0.1), box(0.1, 0.1, 0.1, 0.1)) == 0.0


def test_match_takes_the_best_sum_not_the_best_first() -> None:
    # Greedy would take (0, 0) with 0.5 and leave 0 for the other: 0.5 < 1/3 + 0.5.
    predicted = [box(0, 0, 0.4, 0.1), box(0, 0, 0.1, 0.1)]
    reference = [box(0, 0, 0.2, 0.1), box(0.2, 0, 0.6, 0.1)]
    assert match(predicted, reference) == [
        (0, 1, pytest.approx(1 / 3)),
        (1, 0, pytest.approx(0.5)),
    ]


def test_match_sizes() -> None:
    one, two = [box(0, 0, 0.1, 0.1)], [box(0.5, 0.5, 0.6, 0.6), box(0, 0, 0.1, 0.1)]
    assert match(one, two) == [(0, 1, 1.0)]
    assert match(two, one) == [(1, 0, 1.0)]
    assert match([], one) == match(one, []) == []
    assert match(one, [box(0.5, 0.5, 0.6, 0.6)]) == [(0, 0, 0.0)]


def test_match_labelled() -> None:
    predicted = [box(0, 0, 0.1, 0.1, label="mass"), box(0, 0, 0.1, 0.2, label="nodule")]
    assert boxes.same_label(box(0, 0, 1, 1, label="x < 3 cm"), box(0, 0, 1, 1, label="X 3 cm"))
    reference = [box(0, 0, 0.1, 0.1, label=" Nodule ")]
    assert match(predicted, reference) == [(0, 0, 1.0)]
    assert match(predicted, reference, labelled=True) == [(1, 0, pytest.approx(0.5))]


def test_match_equals_brute_force() -> None:
    from itertools import permutations

    draw = np.random.default_rng(0)
    for trial in range(90):
        sizes = (trial % 5 + 1, trial % 3 + 2)
        predicted, reference = (
            [box(*map(float, row)) for row in np.sort(draw.random((n, 2, 2)), 1).reshape(n, 4)]
            for n in sizes
        )
        pairs = match(predicted, reference)
        assert len(pairs) == min(sizes)
        assert len({i for i, *_ in pairs}) == len({j for _, j, _ in pairs}) == min(sizes)
        assert pairs == sorted(pairs)
        assert all(overlap == iou(predicted[i], reference[j]) for i, j, overlap in pairs)
        few, many = sorted((predicted, reference), key=len)
        best = max(
            sum(iou(a, b) for a, b in zip(few, order, strict=True))
            for order in permutations(many, len(few))
        )
        assert sum(overlap for *_, overlap in pairs) == pytest.approx(best)


def test_importing_boxes_leaves_heavy_packages_out() -> None:
    import subprocess
    import sys

    code = (
        "import sys, chexone_ray.boxes, chexone_ray.answers, chexone_ray.prompts;"
        "heavy = {'torch', 'ray', 'scipy', 'transformers', 'vllm', 'PIL'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert out.stdout.strip() == "[]"
    assert boxes.match is match


def test_exact_boxes_are_read_back() -> None:
    draw = random.Random(5).random
    given = [
        box(
            0.5 * draw(), 0.5 * draw(), 0.5 + 0.5 * draw(), 0.5 + 0.5 * draw(), label=f"finding {i}"
        )
        for i in range(200)
    ]
    found = decode(exact(given))
    assert [one.label for one in found] == [one.label for one in given]
    for one, other in zip(found, given, strict=True):
        assert one.xyxy == pytest.approx(other.xyxy, abs=5e-9)


def test_exact_boxes_in_writing() -> None:
    tiny = Box("a <|box|> b", (1 / 3, 0.0, 1 / 3, 1.0))
    text = "<|ref|>a box b<|/ref|><|box|>(33.333333,0),(33.333333,100)<|/box|>"
    assert exact([tiny]) == text, "no least size, as no reward or prompt is made of it"
    assert exact([Box("x", (0.2, 0.25, 0.6, 0.75))]) == encode(
        [Box("x", (0.2, 0.25, 0.6, 0.75))]
    ), "whole percents are written as CheXOne writes them"
    assert exact([]) == ""
    with pytest.raises(ValueError, match="not finite"):
        exact([Box("x", (0.0, 0.0, float("nan"), 1.0))])


@pytest.mark.parametrize(
    ("side", "ceiling"), [(0.05, 0.82), (0.1, 0.90), (0.2, 0.95), (0.4, 0.975)]
)
def test_what_whole_percents_can_reach(side: float, ceiling: float) -> None:
    """The numbers of docs/baselines.md: a square anywhere, said as well as CheXOne's form can."""
    draw = random.Random(0).random
    found = []
    for _ in range(4000):
        x, y = draw() * (1 - side), draw() * (1 - side)
        truth = box(x, y, x + side, y + side)
        (written,) = decode(encode([truth]))
        (kept,) = decode(exact([truth]))
        assert iou(kept, truth) > 0.999999
        found.append(iou(written, truth))
    assert float(np.mean(found)) == pytest.approx(ceiling, abs=0.008)
