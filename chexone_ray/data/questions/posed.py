"""Kinds whose questions or texts the data set itself brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chexone_ray.data.questions.closed import LETTERS, lettered
from chexone_ray.data.questions.scene import Draft, Drafts, Scene
from chexone_ray.records import Question

CONTEXT_KINDS = frozenset({"text_qa", "entities"})
"""Answered from a text that the question holds, so no film is shown."""


def has_too_many_options(question: Question) -> bool:
    """True where the letters do not reach; `prepare` counts such a question as lost."""
    return len(question.options) > len(LETTERS)


def posed(kind: str) -> Callable[[Scene], Drafts]:
    """The maker of a kind from the questions of the data set."""

    def make(scene: Scene) -> Drafts:
        for question in scene.study.questions:
            if question.kind == kind and not has_too_many_options(question):
                yield _draft(scene, question)

    return make


def caption(scene: Scene) -> Drafts:
    """What a publication writes under the image."""
    if scene.study.caption and scene.study.images:
        text = scene.study.caption
        images = scene.study.images[: scene.max_views]
        yield Draft("caption", scene.ask("caption"), text, "", images, reference=text)


def _draft(scene: Scene, question: Question) -> Draft:
    shown = question.images or range(len(scene.study.images))
    images = () if question.kind in CONTEXT_KINDS else tuple(scene.study.images[i] for i in shown)
    if question.options:
        texts = list(question.options)
        scene.rng.shuffle(texts)
        draft = lettered(question.name, question.text, texts, set(question.answers))
        return replace(draft, reasoning=question.reasoning, images=images, topic=question.topic)
    answer = ", ".join(question.answers)
    return Draft(
        question.name,
        question.text,
        answer,
        question.reasoning,
        images,
        reference=answer,
        topic=question.topic,
    )
