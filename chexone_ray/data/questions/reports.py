"""Kinds whose answer is report prose: whole sections, one region of them, or a summary."""

from __future__ import annotations

import re

from chexone_ray.data.facts import speaks_of_prior, stated, without_prior
from chexone_ray.data.questions.closed import same_view
from chexone_ray.data.questions.scene import Draft, Drafts, Film, Scene, indication_of, tellable
from chexone_ray.metrics.labeller import heart_size, sentences
from chexone_ray.prompts import INDICATION

REGIONS: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for name, words in {
        "lungs": r"lungs?|lobes?|lobar|pulmonary|parenchyma\w*|air ?space|opacit\w+|nodul\w+"
        r"|mass\w*|consolidat\w+|atelecta\w+|edema|pneumonia|infiltrat\w+|basilar|bibasilar|perihilar",
        "pleura": r"pleura\w*|effusions?|pneumothora\w+|costophrenic|hemithorax",
        "heart and mediastinum": r"heart|cardiac|cardio\w+|mediastin\w+|aort\w+|hil(?:um|ar|a)",
        "bones": r"bon(?:e|es|y)|osseous|ribs?|spine|vertebra\w*|fractures?|clavic\w+|scoliosis",
        "devices": r"tubes?|lines?|catheters?|pacemaker|leads?|port|wires?|device|stent|clips?",
        "upper abdomen": r"abdom\w+|diaphragm\w*|bowel|stomach|gastric bubble|liver",
    }.items()
}
"""Region -> words that place a sentence in it."""
MAX_DENIED = 4
"""Absent findings that a trace of a normal report names."""


def findings(scene: Scene) -> Drafts:
    """The findings section without sentences about earlier films."""
    yield from _section(scene, "findings", "findings", "")


def findings_indication(scene: Scene) -> Drafts:
    """The same with the indication told."""
    yield from _section(scene, "findings_indication", "findings", indication_of(scene.study))


def impression(scene: Scene) -> Drafts:
    """The impression without sentences about earlier films."""
    yield from _section(scene, "impression", "impression", "")


def impression_indication(scene: Scene) -> Drafts:
    """The same with the indication told."""
    yield from _section(scene, "impression_indication", "impression", indication_of(scene.study))


def report(scene: Scene) -> Drafts:
    """Both sections under their names."""
    if scene.film is None:
        return
    found, read = _of_one_film(scene.study.findings), _of_one_film(scene.study.impression)
    if found and read:
        answer = f"Findings: {found} Impression: {read}"
        trace = _trace(scene, scene.film, answer)
        question = scene.ask("report")
        yield Draft("report", question, answer, trace, scene.views(), reference=answer)


def summary(scene: Scene) -> Drafts:
    """Findings as text -> the impression; no image."""
    found, read = tellable(scene.study.findings), tellable(scene.study.impression)
    if found and read:
        question = scene.ask("summary", text=found)
        yield Draft("report", question, read, "", (), reference=read)


def local_findings(scene: Scene) -> Drafts:
    """What the findings say of one region, without sentences about earlier films."""
    yield from _local(scene, "local_findings", scene.study.findings, progress=False)


def local_impression(scene: Scene) -> Drafts:
    """The same of the impression."""
    yield from _local(scene, "local_impression", scene.study.impression, progress=False)


def local_progression_findings(scene: Scene) -> Drafts:
    """What the findings say of one region against the prior film."""
    yield from _local(scene, "local_progression_findings", scene.study.findings, progress=True)


def local_progression_impression(scene: Scene) -> Drafts:
    """The same of the impression."""
    yield from _local(scene, "local_progression_impression", scene.study.impression, progress=True)


def progression_findings(scene: Scene) -> Drafts:
    """The untouched findings, where they compare and the prior film is there."""
    yield from _compared(scene, "progression_findings", scene.study.findings)


def progression_impression(scene: Scene) -> Drafts:
    """The untouched impression, where it compares and the prior film is there."""
    yield from _compared(scene, "progression_impression", scene.study.impression)


def by_region(text: str) -> dict[str, list[str]]:
    """Region -> its sentences, for the regions that no sentence shares with another region."""
    found: dict[str, list[str]] = {}
    shared: set[str] = set()
    for sentence in sentences(text):
        named = [name for name, words in REGIONS.items() if words.search(sentence)]
        if len(named) == 1:
            found.setdefault(named[0], []).append(sentence)
        else:
            shared.update(named)
    return {name: told for name, told in found.items() if name not in shared}


def _section(scene: Scene, kind: str, section: str, indication: str) -> Drafts:
    if scene.film is None or (kind.endswith("_indication") and not indication):
        return
    answer = _of_one_film(getattr(scene.study, section))
    if not answer:
        return
    trace = _trace(scene, scene.film, answer)
    question = scene.ask(kind)
    if indication:
        question = f"{INDICATION.format(indication=indication)} {question}"
    yield Draft("report", question, answer, trace, scene.views(), reference=answer)


def _local(scene: Scene, kind: str, text: str, *, progress: bool) -> Drafts:
    films = same_view(scene) if progress else scene.views()
    for region, told in by_region(tellable(text)).items() if films else ():
        compares = any(map(speaks_of_prior, told))
        answer = " ".join(told) if progress else without_prior(" ".join(told), told)
        if answer and compares >= progress:
            question = scene.ask(kind, region=region)
            yield Draft(region, question, answer, "", films, reference=answer)


def _compared(scene: Scene, kind: str, text: str) -> Drafts:
    films = same_view(scene)
    answer = tellable(text)
    if films and answer and any(map(speaks_of_prior, sentences(answer))):
        yield Draft("report", scene.ask(kind), answer, "", films, reference=answer)


def _of_one_film(text: str) -> str:
    """The text without sentences about earlier films; empty where that cannot be told apart."""
    return tellable(without_prior(text, sentences(text)) or "") if text else ""


def _trace(scene: Scene, film: Film, answer: str) -> str:
    """The signs of what the answer states, the heart first; of nothing else that is known."""
    size = heart_size(answer)
    told = {name: fact.state for name, fact in stated(answer, scene.study.uncertain).items()}
    signs = [
        scene.signs.sign(name, film.known[name].side, film.known[name].zone, scene.rng)
        for name in film.present()
        if told.get(name) == 1 and (name != "cardiomegaly" or not size)
    ]
    if not signs:
        denied = [name for name in film.absent() if told.get(name) == 0]
        denied = [name for name in denied if name != "cardiomegaly" or not size]
        signs = [scene.signs.nothing(denied[:MAX_DENIED], scene.rng)]
    heart = [scene.signs.heart(size, scene.rng)] if size else []
    return " ".join(filter(None, (*heart, *signs)))
