"""A study -> questions with reference answers and traces. Pure and seeded.

Every kind is one function from a `Scene` to drafts; `samples` runs them. Nothing of a question
tells its answer; the report text itself is only ever an answer, or what is asked about.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from functools import partial

from chexone_ray.config import PrepareConfig
from chexone_ray.data.questions import closed, pairs, places, reports
from chexone_ray.data.questions.posed import caption, posed
from chexone_ray.data.questions.scene import Draft, Drafts, Scene, film_of
from chexone_ray.data.signs import SIGNS
from chexone_ray.data.splits import Split, assign
from chexone_ray.kinds import KINDS
from chexone_ray.records import Sample, Study

MAKERS: dict[str, Callable[[Scene], Drafts]] = {
    "presence": closed.presence,
    "heart_size": closed.size_of_heart,
    "side": closed.side,
    "choice": closed.choice,
    "multi_choice": closed.multi_choice,
    "view": closed.view,
    "view_matching": pairs.view_matching,
    "image_text_matching": pairs.image_text_matching,
    "image_text_selection": pairs.image_text_selection,
    "progression": closed.progression,
    "grounded_diagnosis": places.grounded_diagnosis,
    "closed_vqa": posed("closed_vqa"),
    "grounding": places.grounding,
    "detection": places.detection,
    "phrase_grounding": places.phrase_grounding,
    "phrases": places.phrases,
    "findings": reports.findings,
    "findings_indication": reports.findings_indication,
    "impression": reports.impression,
    "impression_indication": reports.impression_indication,
    "report": reports.report,
    "summary": reports.summary,
    "local_findings": reports.local_findings,
    "local_impression": reports.local_impression,
    "progression_findings": reports.progression_findings,
    "progression_impression": reports.progression_impression,
    "local_progression_findings": reports.local_progression_findings,
    "local_progression_impression": reports.local_progression_impression,
    "grounded_caption": places.grounded_caption,
    "phrase_extraction": places.phrase_extraction,
    "caption": caption,
    "open_vqa": posed("open_vqa"),
    "difference": posed("difference"),
    "explanation": posed("explanation"),
    "text_qa": posed("text_qa"),
    "entities": posed("entities"),
}
"""Kind -> its questions about one study, in the order of the manifest's rows of a study."""
MAX_OTHERS = 8
"""Studies of other patients that a study is put beside."""


def samples(
    study: Study,
    prior: Study | None,
    seed: int,
    config: PrepareConfig,
    others: Sequence[Study] = (),
) -> list[Sample]:
    """All questions of one study, kind by kind; equal arguments give equal samples.

    The images of the studies are usable ones with their sizes; `prior` is the latest earlier study
    of the patient, `others` are of other patients of the same data set and split. Questions about
    findings go to one frontal image (PA first), those for a report to the whole study.
    """
    split = assign(study.patient, study.archive_split, seed, config)
    place = f"{seed}/{study.dataset}/{study.study}"
    beside = random.Random(f"{place}/others").sample(others, min(len(others), MAX_OTHERS))
    scene = partial(
        Scene,
        study,
        film_of(study),
        prior,
        tuple(beside),
        num_wordings=config.num_wordings,
        max_views=config.max_views,
        signs=SIGNS[config.traces],
    )
    found = []
    for kind in config.kinds or KINDS:
        rng = random.Random(f"{place}/{kind}")
        for draft in MAKERS[kind](scene(rng)):
            found.append(
                _sample(draft, study, kind, split, _is_instruct(draft, split, rng, config))
            )
    return found


def balance_group(sample_id: str, kind: str, answer: str) -> tuple[str, str] | None:
    """(group, class) of a row whose classes `prepare` evens out within its split, or None.

    Yes and no are as many for every finding of every data set, so neither the wording alone nor
    what a scanner's films look like tells anything.
    """
    dataset = sample_id.partition("/")[0]
    if kind == "presence":
        return f"presence/{dataset}/{sample_id.rsplit('/', 1)[1]}", answer
    if kind in ("image_text_matching", "view_matching"):
        return f"{kind}/{dataset}", answer
    return None


def rank(seed: int, text: str) -> int:
    """A seeded 63-bit number: the shuffled position of whatever `text` names."""
    digest = hashlib.blake2b(f"{seed}/{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _is_instruct(draft: Draft, split: Split, rng: random.Random, config: PrepareConfig) -> bool:
    """Training rows without a trace are taught without one, as is a share of the others."""
    if split != "train":
        return False
    return rng.random() < config.instruct_share or not draft.reasoning


def _sample(draft: Draft, study: Study, kind: str, split: Split, instruct: bool) -> Sample:
    return Sample(
        id=f"{study.dataset}/{study.study}/{kind}/{draft.key}",
        dataset=study.dataset,
        task=draft.task or KINDS[kind].task,
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
        topic=draft.topic,
    )
