"""The engine of transformers on the tiny model: greedy text, padding, seeds, errors, the pool."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig, TinyModelConfig
from chexone_ray.engine import transformers_engine
from chexone_ray.engine.transformers_engine import TransformersEngine
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Request, Rollout

torch = pytest.importorskip("torch")

Png = Callable[..., bytes]
CONFIG = EngineConfig(
    num_gpus=0, dtype="float32", threads=1, max_num_seqs=4, max_model_len=512, max_images=2
)
GREEDY = SamplingConfig(max_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    from chexone_ray.tiny_model import build

    place = tmp_path_factory.mktemp("model") / "tiny"
    return build(TinyModelConfig(output_uri=str(place), random=True))


@pytest.fixture(scope="module")
def processor(folder: str) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folder)


@pytest.fixture
def requests(processor: Any, png: Png) -> list[Request]:
    """Four of unequal lengths: one long, one without a film, one with two."""
    asked = [
        ("Is there an effusion?", 1),
        ("Describe the heart. " * 6, 1),
        ("View?", 0),
        ("Same study or not?", 2),
    ]
    made = []
    for number, (question, count) in enumerate(asked):
        content = [{"type": "image"}] * count + [{"type": "text", "text": question}]
        prompt = processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        films = tuple(png(112, 56 * (film + 1), seed=number) for film in range(count))
        made.append(Request(f"r{number}", prompt, films))
    return made


@pytest.fixture
def engine(folder: str) -> TransformersEngine:
    made = TransformersEngine(CONFIG, folder, "chat", version=3)
    made._load(folder)
    return made


@pytest.fixture(scope="module")
def oracle(folder: str, processor: Any) -> Callable[[Request, int], list[int]]:
    """Transformers' own greedy tokens of one request alone, with nothing of ours between."""
    from PIL import Image
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(request: Request, max_tokens: int) -> list[int]:
        films = [Image.open(io.BytesIO(png)).convert("RGB") for png in request.images]
        inputs = processor(text=[request.prompt], images=films or None, return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False)
        new: list[int] = ids[0, inputs["input_ids"].shape[1] :].tolist()
        return new

    return answer


def generate(
    engine: TransformersEngine, asked: Sequence[Request], sampling: SamplingConfig = GREEDY
) -> list[Rollout]:
    return asyncio.run(engine.generate(asked, sampling))


def test_greedy_text_equals_that_of_transformers_alone_and_in_a_padded_batch(
    engine: TransformersEngine, requests: list[Request], oracle: Any, processor: Any
) -> None:
    expected = [oracle(request, 12) for request in requests]
    assert len({tuple(ids) for ids in expected}) > 1
    alone = [generate(engine, [request])[0] for request in requests]
    together = generate(engine, requests)
    lengths = {len(rollout.prompt_token_ids) for rollout in together}
    assert len(lengths) == 4, "they are padded"
    for request, ids, one, many in zip(requests, expected, alone, together, strict=True):
        assert one == many
        assert one.request_id == request.id and not one.error
        (completion,) = one.completions
        assert list(completion.token_ids) == ids
        assert completion.text == processor.tokenizer.decode(ids, skip_special_tokens=True)
        assert (completion.finish_reason, completion.weight_version) == ("length", 3)
        assert processor.tokenizer.decode(one.prompt_token_ids).startswith("<|im_start|>user\n")


def test_a_row_ends_at_its_stop_and_not_at_its_padding(engine: TransformersEngine) -> None:
    (stop,) = engine._stops
    ended = engine._completion([40, 41, stop, 0, 0, 0], most=6)
    assert (ended.token_ids, ended.finish_reason) == ((40, 41, stop), "stop")
    assert ended.text == engine._speech.text([40, 41])
    assert engine._completion([40, 41, 42], most=3).finish_reason == "length"
    assert engine._completion([40, 41], most=3).finish_reason == "time"


def test_seeded_samples_depend_neither_on_order_nor_on_company(
    engine: TransformersEngine, requests: list[Request]
) -> None:
    drawn = SamplingConfig(n=3, temperature=1.0, max_tokens=8, seed=5)
    first = generate(engine, requests, drawn)
    assert [len(rollout.completions) for rollout in first] == [3] * 4
    assert len({c.token_ids for c in first[0].completions}) > 1
    assert generate(engine, requests[::-1], drawn)[::-1] == first
    other = drawn.model_copy(update={"seed": 6})
    assert generate(engine, requests[:1], other) != first[:1]


def test_bad_requests_are_errors_and_hurt_no_other(
    engine: TransformersEngine, requests: list[Request]
) -> None:
    good = requests[0]
    bad = [
        Request("no-film", good.prompt, ()),
        Request("broken", good.prompt, (b"not a picture",)),
        Request("long", good.prompt + "word " * 600, good.images),
        Request("many", good.prompt, good.images * 3),
    ]
    rollouts = generate(engine, [bad[0], good, *bad[1:]])
    assert rollouts[1] == generate(engine, [good])[0]
    errors = [rollout.error for rollout in rollouts if rollout.error]
    assert len(errors) == 4 and [r.request_id for r in rollouts] == [
        *("no-film", "r0", "broken", "long", "many")
    ]
    assert "1 image placeholders for 0 images" in errors[0]
    assert "no readable PNG" in errors[1]
    assert "above engine.max_model_len=512" in errors[2]
    assert "above engine.max_images=2" in errors[3]


def test_settings_of_the_checkpoint_do_not_draw(folder: str, engine: TransformersEngine) -> None:
    kept = engine._model.generation_config
    assert (kept.temperature, kept.repetition_penalty, kept.top_k) == (None, None, None)
    with pytest.raises(ChexoneError, match="tensor_parallel"):
        asyncio.run(
            TransformersEngine(EngineConfig(num_gpus=2, tensor_parallel=2), folder, "chat").start()
        )
    with pytest.raises(ChexoneError, match="no pushed weights"):
        asyncio.run(engine.update_weights([], 1))


@pytest.mark.slow
def test_a_pool_of_such_engines_answers_and_replaces_a_lost_one(
    ray_local: None, folder: str, requests: list[Request], oracle: Any
) -> None:
    import os
    import signal

    from chexone_ray.engine.pool import EnginePool

    images = ImageConfig(max_pixels=12_544)
    with EnginePool(
        CONFIG,
        folder,
        images,
        policy=transformers_engine.policy(CONFIG),
        factory=transformers_engine.factory(CONFIG, images, "chat"),
    ) as pool:
        pool.wait_ready()
        rollouts = pool.generate(requests * 5, GREEDY)
        expected = [oracle(request, 12) for request in requests] * 5
        assert [list(r.completions[0].token_ids) for r in rollouts] == expected
        (pid,) = pool.engine_pids()
        os.kill(pid, signal.SIGKILL)
        again = pool.generate(requests, GREEDY)
        assert [r.completions[0].text for r in again] == [
            r.completions[0].text for r in rollouts[:4]
        ]
        assert pool.counts["engines_lost"] == 1
        assert pool.load(folder) == 1
        (last,) = pool.generate(requests[:1], GREEDY)
        assert last.completions[0].weight_version == pool.version == 1
