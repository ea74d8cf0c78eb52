"""Kinds with a closed answer about one film, or about a film and the one before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from chexone_ray.data.questions.scene import Draft, Drafts, Scene
from chexone_ray.metrics.labeller import LABELS, heart_size, phrases
from chexone_ray.records import ImageRef, Study

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
DEVICES = frozenset({"pacemaker", "tube", "chest tube", "line", "support devices"})
MAX_PRESENT, MAX_ABSENT = 2, 3
"""Presence questions a study at most; `balance` evens out yes and no over all studies."""
NUM_OPTIONS = 4
NUM_CHOICES = 3
"""Multiple-choice questions a study, each with options of its own: to look the answer's letter up
among them is what a small model learns last, from many lists."""
MAX_OPTIONS, MAX_RIGHT = 6, 3
VIEWS = ("PA", "AP", "lateral")
"""Views that are asked for."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def presence(scene: Scene) -> Drafts:
    """Is a finding there: yes or no."""
    if scene.film is None:
        return
    rng, present, absent = scene.rng, scene.film.present(), scene.film.absent()
    chosen = [(name, True) for name in rng.sample(present, min(MAX_PRESENT, len(present)))]
    chosen += [(name, False) for name in rng.sample(absent, min(MAX_ABSENT, len(absent)))]
    for name, is_present in chosen:
        fact = scene.film.known[name]
        trace = (
            scene.signs.sign(name, fact.side, fact.zone, rng)
            if is_present
            else scene.signs.no_sign(name, rng)
        )
        answer = "yes" if is_present else "no"
        yield Draft(name, scene.ask("presence", name=name), answer, trace, (scene.film.image,))


def size_of_heart(scene: Scene) -> Drafts:
    """Normal, borderline or enlarged, where report and label agree."""
    if scene.film is None:
        return
    size = heart_size(" ".join((scene.study.findings, scene.study.impression)))
    labelled = scene.study.labels.get("cardiomegaly")
    if size is None or ((labelled == 1) != (size == "enlarged") and labelled is not None):
        return
    trace = scene.signs.heart(size, scene.rng)
    yield Draft("heart", scene.ask("heart_size"), size, trace, (scene.film.image,))


def side(scene: Scene) -> Drafts:
    """Left, right or both."""
    for name in scene.film.present() if scene.film else ():
        assert scene.film
        fact = scene.film.known[name]
        if name not in SIDED or not fact.side:
            continue
        question = scene.ask("side", name=name)
        trace = scene.signs.sign(name, fact.side, fact.zone, scene.rng)
        yield Draft(name, question, fact.side, trace, (scene.film.image,))


def choice(scene: Scene) -> Drafts:
    """One finding that is there among three that are not."""
    if scene.film is None:
        return
    present, absent = scene.film.present(), scene.film.absent()
    if not present or len(absent) < NUM_OPTIONS - 1:
        return
    for number in range(NUM_CHOICES):
        right = scene.rng.choice(present)
        names = [right, *scene.rng.sample(absent, NUM_OPTIONS - 1)]
        scene.rng.shuffle(names)
        fact = scene.film.known[right]
        seen = scene.signs.sign(right, fact.side, fact.zone, scene.rng)
        trace = f"{seen}{scene.signs.so_it_is(right)}"
        draft = lettered(f"{right}-{number + 1}", scene.ask("choice"), names, {right})
        yield replace(draft, reasoning=trace, images=(scene.film.image,))


def multi_choice(scene: Scene) -> Drafts:
    """One to three findings that are there among several that are not."""
    if scene.film is None:
        return
    present, absent = scene.film.present(), scene.film.absent()
    if not present or len(absent) < 2:
        return
    right = scene.rng.sample(present, min(len(present), scene.rng.randint(1, MAX_RIGHT)))
    others = scene.rng.sample(absent, min(len(absent), MAX_OPTIONS - len(right)))
    names = [*right, *others]
    scene.rng.shuffle(names)
    seen = [(name, scene.film.known[name]) for name in names if name in right]
    signs = [scene.signs.sign(name, fact.side, fact.zone, scene.rng) for name, fact in seen]
    draft = lettered("options", scene.ask("multi_choice"), names, set(right))
    yield replace(draft, reasoning=" ".join(signs), images=(scene.film.image,))


def view(scene: Scene) -> Drafts:
    """PA, AP or lateral, of every image."""
    for index, image in enumerate(scene.study.images):
        if image.view in VIEWS and image.role == "current":
            trace = scene.signs.view(image.view, scene.rng)
            yield Draft(str(index), scene.ask("view"), image.view, trace, (image,))


def progression(scene: Scene) -> Drafts:
    """Two films, the prior first; the answer is what the later report or the data set says."""
    for name, label, change, images in _changes(scene):
        trace = scene.signs.change(name, change, label in DEVICES, scene.rng)
        yield Draft(name, scene.ask("progression", name=name), change, trace, images)


def _changes(scene: Scene) -> list[tuple[str, str, str, tuple[ImageRef, ...]]]:
    """(name with its side, finding, change, the two films), one a finding."""
    paired = {image.role: image for image in scene.study.images}
    if len(paired) == 2:  # the data set itself compares two films
        films = (paired["prior"], paired["current"])
        return [(name, name, change, films) for name, change in _voted_changes(scene.study)]
    films_of_view = same_view(scene)
    if scene.film is None or not films_of_view:
        return []
    return [
        (f"{side} {finding}".strip(), finding, change, films_of_view)
        for (finding, side), change in _told_changes(scene.study).items()
        if finding in scene.film.known and scene.film.known[finding].state != -1
    ]


def same_view(scene: Scene) -> tuple[ImageRef, ...]:
    """The prior film of the view of this one, and this one; nothing without a prior."""
    if scene.film is None or scene.prior is None:
        return ()
    film = scene.film.image
    before = next((image for image in scene.prior.images if image.view == film.view), None)
    return (replace(before, role="prior"), film) if before else ()


def _voted_changes(study: Study) -> list[tuple[str, str]]:
    """Finding -> the change that more than half of its phrases state; others are left out."""
    votes: dict[str, Counter[str]] = {}
    for phrase in study.phrases:
        if phrase.label and phrase.change:
            votes.setdefault(phrase.label, Counter())[phrase.change] += 1
    ahead = [(name, *told.most_common(1)[0], told.total()) for name, told in sorted(votes.items())]
    return [(name, change) for name, change, number, total in ahead if 2 * number > total]


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


def lettered(key: str, question: str, texts: list[str], right: set[str]) -> Draft:
    """A question with its options, one a line, lettered in the order of `texts` (all different)."""
    letters = LETTERS[: len(texts)]
    options = tuple(f"({letter}) {text}" for letter, text in zip(letters, texts, strict=True))
    answer = ", ".join(f"({letters[i]})" for i, text in enumerate(texts) if text in right)
    return Draft(key, "\n".join((question, *options)), answer, "", (), options)
