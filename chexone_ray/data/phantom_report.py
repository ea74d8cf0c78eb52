"""Two-section reports of phantom studies: every main finding is stated or denied, in few words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chexone_ray.data.phantom import PhantomStudy
from chexone_ray.data.phantom_anatomy import FindingSpec

HEART = {
    "normal": (
        "The heart is normal in size.",
        "Heart size is normal.",
        "The heart size is within normal limits.",
    ),
    "borderline": (
        "The heart is borderline in size.",
        "Heart size is borderline.",
        "The heart is of borderline size.",
    ),
    "enlarged": (
        "The heart is enlarged.",
        "There is cardiomegaly.",
        "The heart is enlarged, with cardiomegaly.",
    ),
}
STATED = {
    "pleural effusion": (
        "There is a {grade} {side} pleural effusion.",
        "A {grade} {side} pleural effusion is present.",
        "A {grade} pleural effusion is seen on the {side}.",
    ),
    "pneumothorax": (
        "There is a {grade} {side} pneumothorax.",
        "A {grade} {side} pneumothorax is present.",
        "A {grade} pneumothorax is seen on the {side}.",
    ),
    "consolidation": (
        "There is a consolidation in the {side} {zone} zone.",
        "A consolidation is present in the {side} {zone} zone.",
        "A consolidation is seen in the {side} {zone} zone.",
    ),
    "nodule": (
        "There is a nodule in the {side} {zone} zone.",
        "A nodule is present in the {side} {zone} zone.",
        "A {side} {zone} zone nodule is seen.",
    ),
    "pacemaker": (
        "There is a {side} pacemaker.",
        "A {side} pacemaker is in place.",
        "A pacemaker is seen on the {side}.",
    ),
    "endotracheal": (
        "There is an endotracheal tube.",
        "An endotracheal tube is in place.",
        "An endotracheal tube ends above the carina.",
    ),
    "feeding": (
        "There is a feeding tube.",
        "A feeding tube is in place.",
        "A feeding tube ends in the stomach.",
    ),
}
BOTH_EFFUSIONS = (
    "There is a {right} right and a {left} left pleural effusion.",
    "Pleural effusions are present on both sides, {right} on the right and {left} on the left.",
)
DENIED = {
    ("pleural effusion", "pneumothorax"): (
        "No pleural effusion or pneumothorax.",
        "There is no pleural effusion or pneumothorax.",
        "No effusion or pneumothorax is seen.",
    ),
    ("pleural effusion",): ("No pleural effusion.", "There is no pleural effusion."),
    ("pneumothorax",): ("No pneumothorax.", "There is no pneumothorax."),
    ("consolidation", "nodule"): (
        "The lungs are clear. No consolidation or nodule.",
        "The lungs are clear, without consolidation or nodule.",
        "There is no consolidation or nodule.",
    ),
    ("consolidation",): ("No consolidation.", "There is no consolidation."),
    ("nodule",): ("No nodule.", "There is no nodule."),
    ("pacemaker", "tube"): ("No pacemaker or tube.", "There is no pacemaker or tube."),
    ("pacemaker",): ("No pacemaker.", "There is no pacemaker."),
    ("tube",): ("No tube.", "There is no tube."),
}
CHANGED = {
    "better": (
        "The {name} has decreased since the prior study.",
        "The {name} is smaller than on the prior study.",
    ),
    "same": (
        "The {name} is unchanged since the prior study.",
        "The {name} is stable since the prior study.",
    ),
    "worse": (
        "The {name} has increased since the prior study.",
        "The {name} is larger than on the prior study.",
    ),
}
NORMAL = ("No acute abnormality.", "Normal chest film.", "No acute finding in the chest.")
INDICATIONS = (
    "Cough.",
    "Chest pain.",
    "Shortness of breath.",
    "Fever.",
    "Check of devices.",
    "Follow up.",
)
IMPRESSION_CHANGED = {
    "better": "{Name}, decreased.",
    "same": "{Name}, unchanged.",
    "worse": "{Name}, increased.",
}


@dataclass(frozen=True)
class PhantomReport:
    """The text of one study, sections without their headers."""

    indication: str
    comparison: str
    findings: str
    impression: str


def write_report(study: PhantomStudy) -> PhantomReport:
    """The report of a study; equal studies give equal texts."""
    rng = np.random.default_rng([study.anatomy.seed, study.seed, 0x7E])

    def pick(choices: tuple[str, ...]) -> str:
        return choices[rng.integers(len(choices))]

    lines = [pick(HEART[study.anatomy.heart_size])]
    for group in (
        ("pleural effusion", "pneumothorax"),
        ("consolidation", "nodule"),
        ("pacemaker", "tube"),
    ):
        here = [spec for spec in study.specs if spec.label in group]
        fluid = {spec.side: spec for spec in here if spec.label == "pleural effusion"}
        if len(fluid) == 2:
            grades = {side: spec.grade for side, spec in fluid.items()}
            lines.append(pick(BOTH_EFFUSIONS).format(**grades))
            here = [spec for spec in here if spec.label != "pleural effusion"]
        lines += [_fill(pick(STATED[_key(spec)]), spec) for spec in here]
        absent = tuple(label for label in group if all(spec.label != label for spec in study.specs))
        if absent:
            lines.append(pick(DENIED[absent]))
    if study.change is not None:
        told, course = study.change
        lines.append(pick(CHANGED[course]).format(name=told.name))
    indication = "Follow up." if study.change else pick(INDICATIONS)
    comparison = "Prior chest film." if study.change else "None."
    return PhantomReport(indication, comparison, " ".join(lines), _impression(study, pick(NORMAL)))


def _key(spec: FindingSpec) -> str:
    return spec.zone if spec.label == "tube" else spec.label


def _fill(text: str, spec: FindingSpec) -> str:
    return text.format(grade=spec.grade, side=spec.side, zone=spec.zone)


def _impression(study: PhantomStudy, normal: str) -> str:
    """What matters most: the pleura, the lungs and the heart, the told change first."""
    told, course = study.change or (None, "")
    parts = []
    if told is not None:
        parts.append(IMPRESSION_CHANGED[course].format(Name=told.name.capitalize()))
    both = sum(spec.label == "pleural effusion" for spec in study.specs) == 2
    if both and (told is None or told.label != "pleural effusion"):
        parts.append("Bilateral pleural effusions.")
        said = {"right pleural effusion", "left pleural effusion"}
    else:
        said = set()
    if told is not None:
        said.add(told.name)
    for spec in study.specs:
        if spec.label in ("pacemaker", "tube") or spec.name in said:
            continue
        parts.append(f"{spec.name.capitalize()}.")
    if study.anatomy.heart_size == "enlarged":
        parts.append("Cardiomegaly.")
    if not parts and study.anatomy.heart_size == "borderline":
        return "Borderline heart size."
    return " ".join(parts) or normal
