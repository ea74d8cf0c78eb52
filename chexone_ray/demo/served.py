"""The demo's serving stage: films to the endpoint through the openai client, and the comparison."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, images, prompts, storage
from chexone_ray.data import stream
from chexone_ray.records import Request

if TYPE_CHECKING:
    from chexone_ray.config import SamplingConfig
    from chexone_ray.demo.runner import Run
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 120.0
REAL_FILMS = ("nih_dicom/dicom_00000001_000.dcm", "nih_chestxray14/images/00000013_003.png")
"""Real films of the optional folder, one DICOM and one PNG."""


@dataclass(frozen=True)
class Asked:
    """One film as its file bytes, and the question about it."""

    name: str
    data: bytes
    question: str


def films(run: Run, count: int) -> list[Asked]:
    """Real films where the folder is there, filled up with held-out phantoms."""
    folder = Path(run.config.real_data)
    asked = [
        Asked(f"real {Path(name).name}", (folder / name).read_bytes(), prompts.FINDINGS_QUESTION)
        for name in REAL_FILMS
        if (folder / name).is_file()
    ]
    samples = stream.read_samples(
        run.configs.manifest_uri, "test", kinds=("findings",), max_per_kind=count
    )
    for sample in samples[: max(0, count - len(asked))]:
        data = storage.read_bytes(sample.images[0].uri)
        asked.append(Asked(f"phantom {sample.id}", data, sample.question))
    return asked


def engine_answers(run: Run, pool: EnginePool, asked: Sequence[Asked]) -> list[str]:
    """Greedy texts of the engine pool, which holds the same weights as will be served."""
    from transformers import AutoTokenizer

    model_uri = run.configs.model_uri["GRPO"]
    pool.load(model_uri)
    tokenizer = AutoTokenizer.from_pretrained(checkpoints.model_folder(model_uri))
    requests = []
    for film in asked:
        turns = prompts.messages(film.question, 1, "reasoning", run.recipe.prompts)
        picture = images.decode(film.data, run.recipe.images)
        requests.append(
            Request(film.name, prompts.render(tokenizer, turns), (images.to_png(picture.pixels),))
        )
    rollouts = pool.generate(requests, _greedy(run))
    return [r.completions[0].text if r.completions else r.error for r in rollouts]


def _greedy(run: Run) -> SamplingConfig:
    return run.configs.predict("GRPO").sampling


@contextmanager
def server(run: Run) -> Iterator[str]:
    """The GRPO model served on a free port; taken down at the end of the block."""
    from chexone_ray.serving import openai

    try:
        yield openai.start(run.configs.serve(port=0))
    finally:
        openai.stop()


def compare(run: Run, url: str, asked: Sequence[Asked], expected: Sequence[str]) -> dict[str, Any]:
    """Stream every film's answer from the endpoint; how many equal the engine's text."""
    from openai import OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key="none", timeout=REQUEST_TIMEOUT_S, max_retries=2)
    rows = []
    for number, (film, text) in enumerate(zip(asked, expected, strict=True), start=1):
        data = base64.b64encode(film.data).decode()
        content: list[Any] = [
            {
                "type": "image_url",
                "image_url": {"url": f"data:application/octet-stream;base64,{data}"},
            },
            {"type": "text", "text": film.question},
        ]
        start = time.monotonic()
        chunks = client.chat.completions.create(
            model=run.configs.serve(0).model_name,
            messages=[{"role": "user", "content": content}],
            temperature=0,
            max_tokens=run.recipe.max_tokens,
            stream=True,
        )
        pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
        said = "".join(pieces)
        rows.append(
            {
                "film": film.name,
                "num_chunks": len(pieces),
                "seconds": time.monotonic() - start,
                "equals_engine": said == text,
                "text": said,
            }
        )
        logger.info(
            "served film %d of %d: %d chunks, equal to the engine: %s",
            number,
            len(asked),
            len(pieces),
            said == text,
        )
    return {"served": rows}
