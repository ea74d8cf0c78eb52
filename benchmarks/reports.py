"""Made-up pairs of chest X-ray reports for benchmarks, as varied as dictated ones: half of the
sentences come again, the others differ in side, size, place, device, date, comparison or number,
and now and then in a letter. They make sense one by one, not together."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Pair = tuple[str, str]

SLIPS = 0.02
"""Share of the sentences with a letter lost in a long word."""
KEPT = 0.67
"""Share of the reference's sentences in a prediction."""
NEW = 0.62
"""Share of the sentences with slots."""
STOCK = (
    "The heart is normal in size.",
    "Heart size is within normal limits.",
    "The cardiomediastinal silhouette is normal.",
    "The mediastinal contours are within normal limits.",
    "The hila are unremarkable.",
    "The lungs are clear.",
    "No focal consolidation is seen.",
    "No pleural effusion or pneumothorax.",
    "There is no pleural effusion or pneumothorax.",
    "There is no focal consolidation, effusion, or pneumothorax.",
    "No acute osseous abnormality is identified.",
    "The osseous structures are intact.",
    "No acute cardiopulmonary process.",
    "No evidence of pneumonia.",
    "The pulmonary vasculature is within normal limits.",
    "There is mild pulmonary vascular congestion, without overt edema.",
    "Low lung volumes accentuate the bronchovascular markings.",
    "The aorta is tortuous and calcified.",
    "Median sternotomy wires are intact.",
    "There is no free air under the diaphragm.",
    "The cardiac silhouette is enlarged.",
    "Lungs are hyperinflated, compatible with emphysema.",
)
TEMPLATES = (
    "There is a {size} {side} pleural effusion, {change}.",
    "A {size} {side} pleural effusion is {change}.",
    "{Size} {side} effusion with adjacent {size2} atelectasis at the {place}.",
    "Compared with {date}, the {side} pleural effusion has {moved}.",
    "There is a {size} {side} {place} pneumothorax measuring {cm} cm.",
    "The {side} pneumothorax is {change}, now {cm} cm at the apex.",
    "No {side} pneumothorax after removal of the {device} on {date}.",
    "{Size} opacity in the {side} {place} may represent {cause} or {cause2}.",
    "Streaky {side} {place} opacity likely reflects {cause}.",
    "Consolidation in the {side} {place} is concerning for {cause}.",
    "The {side} {place} consolidation has {moved} since {date}.",
    "A {cm} cm {nodule} is seen in the {side} {place}.",
    "There is a {nodule} of {mm} mm in the {side} {place}, {change}.",
    "{Size} pulmonary edema, {change}.",
    "Interstitial edema has {moved} from {date}.",
    "{Size} cardiomegaly is {change}.",
    "The heart is {sized} enlarged, {change}.",
    "The {device} ends {cm} cm above the carina.",
    "The tip of the {side} {device} projects over the {spot}.",
    "A {side} {device} has been placed, with its tip in the {spot}.",
    "The {device} was removed on {date}.",
    "Interval {placed} of the {side} {device}, {change}.",
    "{Size} {side} basilar atelectasis is {change}.",
    "Linear atelectasis at the {side} {place}, {mm} mm thick.",
    "No new consolidation in the {side} {place} since {date}.",
    "The {side} hemidiaphragm is elevated by {cm} cm, {change}.",
    "{Age} fractures of the {side} {rib} and {rib2} ribs.",
    "No displaced fracture of the {side} {rib} rib.",
    "{Size} blunting of the {side} costophrenic angle suggests {cause3}.",
    "Comparison is made with the radiograph of {date}.",
    "The {side} hilum is {hilum}, {change}.",
    "{Size} widening of the mediastinum, {change}.",
    "{Size} apical scarring on the {side}, {change}.",
    "Patient with {cause} on {date}: the {side} {place} has cleared.",
)
SLOTS = {
    "size": ("trace", "small", "tiny", "mild", "small to moderate", "moderate", "large", "minimal"),
    "sized": ("mildly", "moderately", "severely", "borderline", "slightly", "markedly"),
    "side": ("left", "right", "left-sided", "right-sided", "bilateral"),
    "place": (
        *("upper lobe", "lower lobe", "middle lobe", "lung base", "apex", "perihilar region"),
        *("upper zone", "mid zone", "lower zone", "lingula", "retrocardiac region"),
    ),
    "device": (
        *("endotracheal tube", "PICC line", "internal jugular catheter", "subclavian catheter"),
        *("nasogastric tube", "chest tube", "pacemaker", "dialysis catheter", "pigtail catheter"),
        *("tracheostomy tube", "feeding tube", "port-a-cath", "Swan-Ganz catheter"),
    ),
    "spot": ("cavoatrial junction", "lower SVC", "mid SVC", "right atrium", "stomach", "apex"),
    "cause": (
        *("pneumonia", "aspiration", "atelectasis", "infection", "early pneumonia", "scarring"),
        *("asymmetric edema", "pulmonary contusion", "crowding of vessels"),
    ),
    "cause3": ("a small effusion", "pleural thickening", "scarring", "trace fluid"),
    "moved": (
        *("increased", "decreased", "improved", "worsened", "resolved", "nearly resolved"),
        *("slightly increased", "substantially decreased", "not changed"),
    ),
    "placed": ("placement", "removal", "repositioning", "advancement", "retraction"),
    "nodule": ("calcified granuloma", "nodule", "rounded density", "mass", "nodular opacity"),
    "hilum": ("prominent", "unremarkable", "full", "enlarged", "retracted upward"),
    "age": ("old healed", "acute", "subacute", "minimally displaced", "chronic"),
    "rib": ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
}
CHANGES = ("unchanged", "stable", "larger", "smaller", "new", "more conspicuous", "improved")
SINCE = ("from {date}", "since {date}", "compared to {date}", "over {days} days", "", "")


def made_up(num: int, seed: int) -> list[Pair]:
    """(prediction, reference) of 40 to 80 words each; the prediction keeps two thirds of the
    sentences of its reference."""
    return [(said, meant) for (said,), meant in groups(num, 1, seed)]


def groups(num: int, size: int, seed: int) -> list[tuple[list[str], str]]:
    """References with `size` predictions each, as `made_up` has one."""
    draw = random.Random(seed)
    made = [_of_length(lambda: _sentences(draw)) for _ in range(num)]
    return [
        (
            [" ".join(_of_length(lambda: _kept(meant, draw))) for _ in range(size)],  # noqa: B023
            " ".join(meant),
        )
        for meant in made
    ]


def _of_length(make: Callable[[], list[str]]) -> list[str]:
    """The first of 40 to 80 words."""
    while True:
        sentences = make()
        if 40 <= sum(len(one.split()) for one in sentences) <= 80:
            return sentences


def _kept(meant: Sequence[str], draw: random.Random) -> list[str]:
    return [one if draw.random() < KEPT else _sentence(draw) for one in meant]


def _sentences(draw: random.Random) -> list[str]:
    wanted, found = draw.randint(40, 72), list[str]()
    while sum(len(one.split()) for one in found) < wanted:
        found.append(_sentence(draw))
    return found


def _sentence(draw: random.Random) -> str:
    if draw.random() > NEW:
        told = draw.choice(STOCK)
    else:
        values = {name: draw.choice(words) for name, words in SLOTS.items()}
        values |= {f"{name}2": draw.choice(SLOTS[name]) for name in ("size", "cause", "rib")}
        values |= {name.title(): values[name].capitalize() for name in ("size", "age")}
        values |= _numbers(draw)
        values["change"] = f"{draw.choice(CHANGES)} {draw.choice(SINCE).format(**values)}".strip()
        told = draw.choice(TEMPLATES).format(**values)
    return _slipped(told, draw) if draw.random() < SLIPS else told


def _numbers(draw: random.Random) -> dict[str, str]:
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(2009, 2019)
    return {
        "date": f"{month}/{day}/{year}",
        "cm": f"{draw.randint(3, 80) / 10:.1f}",
        "mm": str(draw.randint(2, 29)),
        "days": str(draw.randint(2, 20)),
    }


def _slipped(told: str, draw: random.Random) -> str:
    """Without an inner letter of one long word."""
    words = told.split(" ")
    at = draw.choice([i for i, word in enumerate(words) if len(word) >= 6] or [0])
    lost = draw.randint(1, max(len(words[at]) - 3, 1))
    words[at] = words[at][:lost] + words[at][lost + 1 :]
    return " ".join(words)
