"""Kinds about where something is: boxes as the answer, or as part of the question."""

from __future__ import annotations

from dataclasses import replace

from chexone_ray import boxes as codec
from chexone_ray.data import wording
from chexone_ray.data.facts import is_frontal, side_of, zone_of
from chexone_ray.data.questions.scene import Draft, Drafts, Scene
from chexone_ray.records import Box, Phrase

TASKS = {
    ("siim_acr", "pneumothorax"): "Pneumothorax Segmentation",
    ("candid_ptx", "pneumothorax"): "Pneumothorax Segmentation",
    ("candid_ptx", "chest tube"): "Chest Tube Segmentation",
    ("candid_ptx", "fracture"): "Rib Fracture Segmentation",
    ("object_cxr", "foreign object"): "Foreign Object Detection",
}
"""(data set, finding) -> the original's task for grounding rows whose boxes were drawn for it."""
NEGATIVE_BOX_SHARE = 0.35
"""Share of the films that get a question about boxes which are not there: about one absent finding,
and about any abnormality where there is none."""
MAX_BOXES = 5
"""Films with more are not asked for all their boxes, as upstream."""
ANYTHING = "abnormality"
REGION = "region"
"""What a box is called in a question, where its label would be the answer."""
MAX_OVERLAP = 0.5
"""IoU with a box of another finding above which a region has no one name."""


def grounding(scene: Scene) -> Drafts:
    """The boxes of a finding that is there; also of one that is not, where a missing box tells."""
    film, rng = scene.film, scene.rng
    if film is None:
        return
    for name in film.present():
        found = sorted(film.known[name].boxes, key=lambda box: box.xyxy)
        if not found or film.known[name].lost_box:
            continue  # a part of the boxes would be a wrong answer
        boxes = tuple(replace(box, label=name, image=0) for box in found)
        trace = scene.signs.box_trace(name, [(side_of(box), zone_of(box)) for box in boxes])
        question = scene.ask("grounding", name=name)
        task = TASKS.get((scene.study.dataset, name), "")
        answer = codec.encode(boxes)
        yield Draft(name, question, answer, trace, (film.image,), (), boxes, task=task)
    absent = film.absent()
    if not scene.study.boxes_complete:
        absent = [name for name in absent if name in scene.study.boxed]
    if absent and rng.random() < NEGATIVE_BOX_SHARE:
        name = rng.choice(absent)
        question = scene.ask("grounding", name=name)
        trace = scene.signs.no_sign(name, rng)
        task = TASKS.get((scene.study.dataset, name), "")
        yield Draft(name, question, codec.negative(name), trace, (film.image,), task=task)


def detection(scene: Scene) -> Drafts:
    """All boxes of a film on which everything abnormal was boxed.

    Not asked where the answer would lack something: a box whose label something contradicts, or a
    finding that is there without a box, as some data sets label what they do not box.
    """
    if scene.film is None or not scene.study.boxes_complete:
        return
    boxes = _known_boxes(scene)
    on_film = sum(box.image == scene.film.index for box in scene.study.boxes)
    if len(boxes) != on_film or on_film > MAX_BOXES:
        return
    if any(not scene.film.known[name].boxes for name in scene.film.present()):
        return
    if not boxes and scene.study.labels.get("no finding") not in (None, 1):
        return  # something is abnormal, perhaps of a kind that has no name
    if not boxes and scene.rng.random() >= NEGATIVE_BOX_SHARE:
        return  # most films of an archive are normal, and a model that only denies scores well
    places = [
        f"{wording.with_article(box.label)} in the {_place(box)}"
        if box.label != "cardiomegaly"
        else scene.signs.LARGE_HEART
        for box in boxes
    ]
    trace = f"There is {_joined(places)}." if places else scene.signs.NORMAL_SIGN
    answer = codec.encode(boxes) if boxes else codec.negative(ANYTHING)
    yield Draft("all", scene.ask("detection"), answer, trace, (scene.film.image,), (), boxes)


def grounded_diagnosis(scene: Scene) -> Drafts:
    """A box -> the name of the finding in it."""
    boxes = _known_boxes(scene)
    for number, box in enumerate(boxes):
        if any(b.label != box.label and codec.iou(b, box) > MAX_OVERLAP for b in boxes):
            continue
        assert scene.film
        question = scene.ask("grounded_diagnosis", box=_region(box))
        trace = scene.signs.sign(box.label, side_of(box), zone_of(box), scene.rng)
        yield Draft(str(number), question, box.label, trace, (scene.film.image,))


def phrase_grounding(scene: Scene) -> Drafts:
    """A phrase -> its boxes."""
    for number, phrase in _boxed(scene):
        name = phrase.label or REGION
        boxes = tuple(Box(name, box.xyxy) for box in sorted(phrase.boxes, key=lambda b: b.xyxy))
        question = scene.ask("phrase_grounding", text=phrase.text)
        image = scene.study.images[phrase.boxes[0].image]
        places = _joined([_place(box) for box in boxes])
        trace = f"It is in the {places}." if is_frontal(image.view) else ""
        yield Draft(str(number), question, codec.encode(boxes), trace, (image,), (), boxes)


def phrases(scene: Scene) -> Drafts:
    """A report of several phrases -> each phrase that has a place, with its boxes."""
    told = _told(scene)
    boxed = [phrase for _, phrase in _boxed(scene)]
    shown = {phrase.boxes[0].image for phrase in boxed}
    if len(told) < 2 or len(shown) != 1:
        return
    boxes = tuple(
        Box(codec.clean_label(phrase.text), box.xyxy) for phrase in boxed for box in phrase.boxes
    )
    question = scene.ask("phrases", text=" ".join(_sentence(text) for text in told))
    image = (scene.study.images[shown.pop()],)
    yield Draft("report", question, codec.encode(boxes), "", image, (), boxes)


def phrase_extraction(scene: Scene) -> Drafts:
    """A report and a box -> the phrase of the report that is about it, where it is the only one."""
    told = _told(scene)
    if len(told) < 2:
        return
    report = " ".join(_sentence(text) for text in told)
    for number, phrase in _alone(scene):
        question = scene.ask("phrase_extraction", text=report, box=_regions(phrase))
        image = (scene.study.images[phrase.boxes[0].image],)
        yield Draft(str(number), question, phrase.text, "", image, reference=phrase.text)


def grounded_caption(scene: Scene) -> Drafts:
    """A box -> the one sentence about it."""
    for number, phrase in _alone(scene):
        question = scene.ask("grounded_caption", box=_regions(phrase))
        image = (scene.study.images[phrase.boxes[0].image],)
        yield Draft(str(number), question, phrase.text, "", image, reference=phrase.text)


def _known_boxes(scene: Scene) -> tuple[Box, ...]:
    """The boxes of all findings that are there, labelled by their names, from the left."""
    if scene.film is None:
        return ()
    boxes = [
        replace(box, label=name, image=0)
        for name in scene.film.present()
        for box in scene.film.known[name].boxes
    ]
    return tuple(sorted(boxes, key=lambda box: (box.xyxy, box.label)))


def _boxed(scene: Scene) -> list[tuple[int, Phrase]]:
    """The phrases whose boxes lie on one image of the study, by number.

    Phrases of one text are one with all their boxes, or none where one of them has no box: a part
    of the boxes would be a wrong answer.
    """
    by_text: dict[str, list[tuple[int, Phrase]]] = {}
    for number, phrase in enumerate(scene.study.phrases):
        if phrase.text:
            by_text.setdefault(phrase.text, []).append((number, phrase))
    found = []
    for same in by_text.values():
        boxes = tuple(dict.fromkeys(box for _, phrase in same for box in phrase.boxes))
        on_one = len({box.image for box in boxes}) == 1
        if on_one and all(phrase.boxes for _, phrase in same):
            number, first = same[0]
            label = first.label if len({phrase.label for _, phrase in same}) == 1 else ""
            found.append((number, replace(first, boxes=boxes, label=label)))
    return found


def _told(scene: Scene) -> list[str]:
    """The texts of the phrases, each once."""
    return list(dict.fromkeys(phrase.text for phrase in scene.study.phrases if phrase.text))


def _alone(scene: Scene) -> list[tuple[int, Phrase]]:
    """Those of `_boxed` whose place no other text shares: of others the place tells no text."""
    boxed = _boxed(scene)
    texts: dict[frozenset[Box], set[str]] = {}
    for _, phrase in boxed:
        texts.setdefault(_places_of(phrase), set()).add(phrase.text)
    return [(n, phrase) for n, phrase in boxed if len(texts[_places_of(phrase)]) == 1]


def _places_of(phrase: Phrase) -> frozenset[Box]:
    return frozenset(replace(box, label="") for box in phrase.boxes)


def _region(box: Box) -> str:
    return codec.encode([replace(box, label=REGION)])


def _regions(phrase: Phrase) -> str:
    return codec.encode(replace(box, label=REGION) for box in phrase.boxes)


def _place(box: Box) -> str:
    return f"{side_of(box) or 'middle'} {zone_of(box)} zone"


def _joined(parts: list[str]) -> str:
    return " and ".join(parts)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
