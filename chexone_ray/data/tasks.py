"""A study -> questions with reference answers and traces. Pure and seeded.

Every kind is one function from what is known of a film to samples; `samples` runs them. Nothing of
a question tells its answer; the report text itself is only ever an answer (findings).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from chexone_ray import boxes as box_codec
from chexone_ray.config import PrepareConfig
from chexone_ray.data import wording
from chexone_ray.data.facts import FRONTAL, Fact, facts, side_of, without_prior, zone_of
from chexone_ray.data.splits import assign
from chexone_ray.metrics.labeller import LABELS, heart_size, phrases, sentences
from chexone_ray.records import Box, ImageRef, Sample, Study

TASKS = {
    "presence": "Close-Ended VQA",
    "heart_size": "Close-Ended VQA",
    "side": "Close-Ended VQA",
    "choice": "Image Classification",
    "view": "View Classification",
    "findings": "Findings Generation",
    "grounding": "Abnormality Grounding",
    "progression": "Temporal Image Classification",
}
"""Question kind -> task name of the original."""
KINDS = tuple(TASKS)

SIDED = (
    "pleural effusion",
    "pneumothorax",
    "consolidation",
    "nodule",
    "mass",
    "lung opacity",
    "pneumonia",
    "atelectasis",
    "pacemaker",
    "fracture",
)
"""Findings whose side is asked for."""
DEVICES = frozenset({"pacemaker", "tube", "line", "support devices"})
MAX_PRESENT, MAX_ABSENT = 2, 3
"""Presence questions a study at most; `balance` evens out yes and no over all studies."""
NUM_OPTIONS = 4
NUM_CHOICES = 3
"""Multiple-choice questions a study, each with options of its own: to look the answer's letter up
among them is what a small model learns last, from many lists."""
LETTERS = "ABCD"
NEGATIVE_BOX_SHARE = 0.35
"""Share of the fully boxed films that also get a question about a finding that is not there."""


@dataclass(frozen=True)
class Film:
    """What the kinds look at: one frontal image of a study and what is known of it."""

    study: Study
    image: ImageRef
    index: int
    known: dict[str, Fact]

    def present(self) -> list[str]:
        return [name for name, fact in self.known.items() if fact.state == 1]

    def absent(self) -> list[str]:
        return [name for name, fact in self.known.items() if fact.state == 0]


@dataclass(frozen=True)
class _Draft:
    """A question before it becomes a `Sample`; `key` tells the questions of a kind apart."""

    key: str
    question: str
    answer: str
    reasoning: str
    images: tuple[ImageRef, ...]
    options: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    reference: str = ""


_Kind = Callable[[Film, Study | None, random.Random], Iterable[_Draft]]


def samples(study: Study, prior: Study | None, seed: int, config: PrepareConfig) -> list[Sample]:
    """All questions of one study, in the order of `KINDS`; equal arguments give equal samples.

    The images of `study` and `prior` are usable ones with their sizes; `prior` is the latest
    earlier study of the patient. Questions about findings go to one frontal image (PA first).
    """
    split = assign(study.patient, study.archive_split, seed, config)
    film = _film(study)
    result = []
    for kind in config.kinds or KINDS:
        rng = random.Random(f"{seed}/{study.dataset}/{study.study}/{kind}")
        drafts = _view(study, rng) if kind == "view" else film and _KINDS[kind](film, prior, rng)
        for draft in drafts or ():
            instruct = split == "train" and rng.random() < config.instruct_share
            result.append(
                Sample(
                    id=f"{study.dataset}/{study.study}/{kind}/{draft.key}",
                    dataset=study.dataset,
                    task=TASKS[kind],
                    kind=kind,
                    split=split,
                    patient=study.patient,
                    study=study.study,
                    images=draft.images,
                    question=draft.question,
                    answer=draft.answer,
                    reasoning="" if instruct else draft.reasoning,
                    mode="instruct" if instruct else "reasoning",
                    options=draft.options,
                    boxes=draft.boxes,
                    reference=draft.reference,
                )
            )
    return result


def balance_group(sample_id: str, kind: str, answer: str) -> tuple[str, str] | None:
    """(group, class) of a row whose classes `prepare` evens out within its split, or None.

    Presence: yes and no are as many for every finding, so the wording alone tells nothing.
    """
    if kind == "presence":
        return f"presence/{sample_id.rsplit('/', 1)[1]}", answer
    return None


def rank(seed: int, text: str) -> int:
    """A seeded 63-bit number: the shuffled position of whatever `text` names."""
    digest = hashlib.blake2b(f"{seed}/{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _film(study: Study) -> Film | None:
    for view in FRONTAL:
        for index, image in enumerate(study.images):
            if image.view == view:
                return Film(study, image, index, facts(study, index))
    return None


def _presence(film: Film, _: Study | None, rng: random.Random) -> Iterator[_Draft]:
    present, absent = film.present(), film.absent()
    chosen = [(name, True) for name in rng.sample(present, min(MAX_PRESENT, len(present)))]
    chosen += [(name, False) for name in rng.sample(absent, min(MAX_ABSENT, len(absent)))]
    for name, is_present in chosen:
        fact = film.known[name]
        trace = (
            wording.sign(name, fact.side, fact.zone, rng)
            if is_present
            else wording.no_sign(name, rng)
        )
        answer = "yes" if is_present else "no"
        question = wording.question("presence", rng, name)
        yield _Draft(name, question, answer, trace, (film.image,))


def _heart_size(film: Film, _: Study | None, rng: random.Random) -> Iterator[_Draft]:
    size = heart_size(" ".join((film.study.findings, film.study.impression)))
    labelled = film.study.labels.get("cardiomegaly")
    if size is None or ((labelled == 1) != (size == "enlarged") and labelled is not None):
        return
    trace = rng.choice(wording.HEART_SIGNS[size])
    yield _Draft("heart", wording.question("heart_size", rng), size, trace, (film.image,))


def _side(film: Film, _: Study | None, rng: random.Random) -> Iterator[_Draft]:
    for name in film.present():
        fact = film.known[name]
        if name not in SIDED or not fact.side:
            continue
        question = wording.question("side", rng, name)
        trace = wording.sign(name, fact.side, fact.zone, rng)
        yield _Draft(name, question, fact.side, trace, (film.image,))


def _choice(film: Film, _: Study | None, rng: random.Random) -> Iterator[_Draft]:
    present, absent = film.present(), film.absent()
    if not present or len(absent) < NUM_OPTIONS - 1:
        return
    for number in range(NUM_CHOICES):
        right = rng.choice(present)
        names = [right, *rng.sample(absent, NUM_OPTIONS - 1)]
        rng.shuffle(names)
        options = tuple(f"({letter}) {name}" for letter, name in zip(LETTERS, names, strict=True))
        fact = film.known[right]
        seen = wording.sign(right, fact.side, fact.zone, rng)
        trace = f"{seen} This is {wording.with_article(right)}."
        question = "\n".join((wording.question("choice", rng), *options))
        answer = f"({LETTERS[names.index(right)]})"
        yield _Draft(f"{right}-{number + 1}", question, answer, trace, (film.image,), options)


def _view(study: Study, rng: random.Random) -> Iterator[_Draft]:
    for index, image in enumerate(study.images):
        if image.view in wording.VIEW_SIGNS:
            trace = rng.choice(wording.VIEW_SIGNS[image.view])
            yield _Draft(str(index), wording.question("view", rng), image.view, trace, (image,))


def _findings(film: Film, _: Study | None, rng: random.Random) -> Iterator[_Draft]:
    report = film.study.findings
    answer = without_prior(report, sentences(report)) if report else None
    if answer is None or "___" in answer:
        return
    size = heart_size(report)
    signs = [
        wording.sign(name, film.known[name].side, film.known[name].zone, rng)
        for name in film.present()
        if name != "cardiomegaly" or not size
    ]
    heart = [rng.choice(wording.HEART_SIGNS[size])] if size else []
    trace = " ".join((*heart, *(signs or [wording.NORMAL_SIGN])))
    question = wording.question("findings", rng)
    yield _Draft("report", question, answer, trace, (film.image,), reference=answer)


def _grounding(film: Film, _: Study | None, rng: random.Random) -> Iterator[_Draft]:
    for name in film.present():
        found = sorted(film.known[name].boxes, key=lambda box: box.xyxy)
        if not found:
            continue
        boxes = tuple(replace(box, label=name, image=0) for box in found)
        trace = wording.box_trace(name, [(side_of(box), zone_of(box)) for box in boxes])
        question = wording.question("grounding", rng, name)
        yield _Draft(name, question, box_codec.encode(boxes), trace, (film.image,), (), boxes)
    absent = film.absent()
    if film.study.boxes_complete and absent and rng.random() < NEGATIVE_BOX_SHARE:
        name = rng.choice(absent)
        question = wording.question("grounding", rng, name)
        trace = wording.no_sign(name, rng)
        yield _Draft(name, question, box_codec.negative(name), trace, (film.image,))


def _progression(film: Film, prior: Study | None, rng: random.Random) -> Iterator[_Draft]:
    """Two films of the same view, the prior first; the answer is what the later report says."""
    if prior is None:
        return
    before = next((image for image in prior.images if image.view == film.image.view), None)
    if before is None:
        return
    for (finding, side), change in _told_changes(film.study).items():
        if finding not in film.known or film.known[finding].state == -1:
            continue
        name = f"{side} {finding}".strip()
        signs = wording.DEVICE_CHANGE_SIGNS if finding in DEVICES else wording.CHANGE_SIGNS
        trace = rng.choice(signs[change]).format(name=name)
        images = (replace(before, role="prior"), film.image)
        yield _Draft(name, wording.question("progression", rng, name), change, trace, images)


def _told_changes(study: Study) -> dict[tuple[str, str], str]:
    """Finding, with its side where the report names one -> change; contradictions are left out."""
    told: dict[tuple[str, str], set[str]] = {}
    for section in (study.findings, study.impression):
        for phrase in phrases(section):
            if phrase.change and phrase.label in LABELS:
                side = next(iter(phrase.sides)) if len(phrase.sides) == 1 else ""
                told.setdefault((phrase.name, side), set()).add(phrase.change)
    return {
        (name, side): found.pop() for (name, side), found in sorted(told.items()) if len(found) == 1
    }


_KINDS: dict[str, _Kind] = {
    "presence": _presence,
    "heart_size": _heart_size,
    "side": _side,
    "choice": _choice,
    "findings": _findings,
    "grounding": _grounding,
    "progression": _progression,
}
