"""What the tests of the question sets share: made-up files in, studies and counts out."""

from __future__ import annotations

import json
from pathlib import Path

from chexone_ray.config import Adapter, SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.records import Study

FILMS = "s3://films"


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def read(
    adapter: Adapter, uri: Path, images_uri: str | None = None, archive_splits: bool = True
) -> tuple[list[Study], Losses]:
    """Studies and counts; the questions of a study have names that differ, and known images."""
    source = SourceConfig(adapter=adapter, uri=str(uri), images_uri=images_uri)
    found, dropped = SOURCES[adapter].read(source, archive_splits)
    studies = [item.study for item in found]
    for study in studies:
        assert len({question.name for question in study.questions}) == len(study.questions) > 0
        for question in study.questions:
            assert all(number < len(study.images) for number in question.images)
            assert question.answers and all(question.answers), question
            assert not question.options or set(question.answers) <= set(question.options)
    return studies, dropped


def splits(studies: list[Study]) -> dict[str, str]:
    return {study.study: study.archive_split for study in studies}


def asked(study: Study) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(question.name, question.kind, question.answers) for question in study.questions]
