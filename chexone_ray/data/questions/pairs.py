"""Kinds that put a study beside that of another patient: what belongs together."""

from __future__ import annotations

from dataclasses import replace

from chexone_ray.data.facts import contradicts, without_prior
from chexone_ray.data.questions.closed import lettered
from chexone_ray.data.questions.scene import Draft, Drafts, Film, Scene, current, tellable
from chexone_ray.metrics.labeller import sentences
from chexone_ray.metrics.tokens import words
from chexone_ray.records import Study

MAX_TEXTS = 4


def image_text_matching(scene: Scene) -> Drafts:
    """Does this text describe the film: yes or no, each half of the time.

    A text that does not contradicts what is known of the film in at least one finding: two normal
    reports describe one another's films.
    """
    if scene.film is None or not (own := _true_text(scene.study, scene.film)):
        return
    strangers = _contradicting(scene, scene.film, own)
    if not strangers:
        return
    answer = scene.rng.choice(("yes", "no"))
    text = own if answer == "yes" else strangers[0]
    question = scene.ask("image_text_matching", text=text)
    yield Draft("text", question, answer, "", (scene.film.image,))


def image_text_selection(scene: Scene) -> Drafts:
    """Which of up to four texts describes the film; the others contradict what is known of it."""
    if scene.film is None or not (own := _true_text(scene.study, scene.film)):
        return
    texts = [own, *_contradicting(scene, scene.film, own)[: MAX_TEXTS - 1]]
    if len(texts) > 1:
        scene.rng.shuffle(texts)
        draft = lettered("texts", scene.ask("image_text_selection"), texts, {own})
        yield replace(draft, images=(scene.film.image,))


def view_matching(scene: Scene) -> Drafts:
    """Are two films of one study: yes or no, each half of the time, with equal pairs of views."""
    images = current(scene.study)
    if scene.film is None or len(images) < 2:
        return
    second = next(image for image in images if image is not scene.film.image)
    strangers = [
        image for other in scene.others for image in current(other) if image.view == second.view
    ]
    if not strangers:
        return
    answer = scene.rng.choice(("yes", "no"))
    pair = (scene.film.image, second if answer == "yes" else scene.rng.choice(strangers))
    yield Draft("pair", scene.ask("view_matching"), answer, "", pair)


def _text(study: Study) -> str:
    """The impression, or the findings, without sentences about earlier films."""
    for section in (study.impression, study.findings):
        text = tellable(without_prior(section, sentences(section)) or "") if section else ""
        if text:
            return text
    return ""


def _true_text(study: Study, film: Film) -> str:
    """The study's text; nothing where its labels or boxes say otherwise."""
    text = _text(study)
    return "" if contradicts(text, study.uncertain, film.evidence) else text


def _contradicting(scene: Scene, film: Film, own: str) -> list[str]:
    """Texts of other studies, all worded differently, each of which itself states a finding that is
    denied here, or denies one: that its study would is not enough."""
    states = {name: {fact.state} for name, fact in film.known.items()}
    found: dict[str, str] = {_wording(own): ""}
    for other in scene.others:
        text = _text(other)
        if text and contradicts(text, other.uncertain, states):
            found.setdefault(_wording(text), text)
    return [text for text in found.values() if text]


def _wording(text: str) -> str:
    """The words of a text, by which two are the same."""
    return " ".join(words(text))
