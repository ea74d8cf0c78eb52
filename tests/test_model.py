"""The quick start as a library: one answer from a plain script, and what it is made of."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from chexone_ray import CheXOne, checkpoints, images, model, prompts
from chexone_ray.config import ImageConfig, PromptConfig, SamplingConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box, Mode, Request

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

SCRIPT_TIMEOUT_S = 400
# Random weights repeat one word for ever; the penalty makes a text that depends on film and words.
SAMPLING = SamplingConfig(max_tokens=24, repetition_penalty=4.0)
QUESTIONS = (
    "Is there a nodule?",
    "Which side is the effusion on?",
    "Is the heart size normal, borderline or enlarged?",
    "(A) tube (B) pacemaker. Which one is shown?",
    "PA, AP or lateral?",
    "{}",
)
SCRIPT = """
import dataclasses, json, sys
from chexone_ray import CheXOne
from chexone_ray.config import SamplingConfig

if __name__ == "__main__":
    uri, film, sampling, *questions = sys.argv[1:]
    with CheXOne(uri, sampling=SamplingConfig.model_validate_json(sampling)) as model:
        readings = [
            model.report(film, mode="reasoning", max_tokens=24),
            model.report(film, mode="instruct", max_tokens=24),
            *(model.ask(q, film, mode="instruct", max_tokens=24) for q in questions),
            model.ask("Compare.", film, open(film, "rb").read(), max_tokens=8),
        ]
    import ray
    print(json.dumps([dataclasses.asdict(r) for r in readings] + [ray.is_initialized()]))
"""


def test_a_completion_taken_apart() -> None:
    answer = "<|ref|>nodule<|/ref|><|box|>(10,20),(30,45)<|/box|>"
    read = model.reading(f"A round density. \\boxed{{{answer}}}", "reasoning")
    assert read.reasoning == "A round density." and read.answer == answer
    assert read.boxes == (Box("nodule", (0.1, 0.2, 0.3, 0.45)),)
    assert read.notice == RESEARCH_USE_ONLY
    unfinished = model.reading("A round density in", "reasoning", "length")
    assert unfinished.answer is None and unfinished.boxes == ()
    assert model.reading("Clear lungs.", "instruct").answer == "Clear lungs."


def test_only_one_answer_can_be_asked_for() -> None:
    with pytest.raises(ChexoneError, match="n=2"):
        CheXOne("StanfordAIMI/CheXOne", sampling=SamplingConfig(n=2, temperature=1))


def test_limit_of_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match=r"holds no config\.json"):
        CheXOne(str(tmp_path))
    (tmp_path / "config.json").write_text(
        json.dumps({"text_config": {"max_position_embeddings": 128}})
    )
    assert checkpoints.max_length(str(tmp_path)) == 128
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 256}))
    assert checkpoints.max_length(str(tmp_path)) == 256
    assert checkpoints.max_length("StanfordAIMI/CheXOne") is None


@pytest.mark.slow
def test_on_a_ray_that_is_there(ray_local: None, tiny_model_uri: str) -> None:
    import ray

    assert model.default_engine(128).max_model_len == 128
    default = model.default_engine(None)
    assert default.max_model_len == 4096
    assert bool(default.num_gpus) == ("GPU" in ray.cluster_resources())
    with CheXOne(tiny_model_uri) as reader:
        with pytest.raises(ChexoneError, match="no film given"):
            reader.ask("Is there a nodule?")
        with pytest.raises(ChexoneError, match="not_an_image"):
            reader.report(b"nothing of the kind")
    with pytest.raises(ChexoneError, match="is closed"):
        reader.report(png())
    reader.close()
    assert ray.is_initialized(), "a Ray that was there before stays"


@pytest.mark.slow
def test_a_plain_script(fresh: EnginePool, tiny_model_uri: str, tmp_path: Path) -> None:
    film = tmp_path / "film.dcm"
    film.write_bytes(dicom())
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [tiny_model_uri, str(film), SAMPLING.model_dump_json(), *QUESTIONS]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=SCRIPT_TIMEOUT_S,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *readings, ray_is_there = json.loads(done.stdout.splitlines()[-1])
    assert not ray_is_there
    texts = [r["text"] for r in readings[:-1]]
    assert texts == expected(fresh, film.read_bytes())
    assert len(set(texts)) == len(texts), "texts depend on the question and the mode"
    assert [r["answer"] for r in readings[1:-1]] == [text.strip() or None for text in texts[1:]]
    assert all(r["notice"] == RESEARCH_USE_ONLY for r in readings)
    assert {r["finish_reason"] for r in readings} <= {"length", "stop", "image_token"}


def expected(pool: EnginePool, film: bytes) -> list[str]:
    """The engines' own greedy answers to what the script asks, asked as the published model is."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(pool.model_uri)
    picture = images.to_png(images.decode(film, ImageConfig()).pixels)
    asked: list[tuple[str, Mode]] = [(prompts.FINDINGS_QUESTION, "reasoning")]
    asked += [(question, "instruct") for question in (prompts.FINDINGS_QUESTION, *QUESTIONS)]
    wording = PromptConfig(suffix="original")
    turns = [prompts.messages(question, 1, mode, wording) for question, mode in asked]
    requests = [
        Request(f"{i}", prompts.render(tokenizer, turn), (picture,)) for i, turn in enumerate(turns)
    ]
    return [r.completions[0].text for r in pool.generate(requests, SAMPLING)]


def pixels() -> np.ndarray:
    from PIL import Image

    coarse = np.random.default_rng(4).integers(0, 255, (4, 4), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((100, 104), Image.Resampling.BICUBIC))


def png() -> bytes:
    return images.to_png(np.repeat(pixels()[..., None], 3, axis=2))


def dicom() -> bytes:
    from PIL import Image

    from chexone_ray.data.archive_dicom import dicom_bytes

    sink = io.BytesIO()
    Image.fromarray(pixels()).save(sink, "JPEG")
    return dicom_bytes(pixels(), sink.getvalue(), 0, "film", "p1", "s1", "20200102", "PA")
