"""A real vLLM engine against transformers in float32: ids, log-probabilities, weights, failures."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig
from chexone_ray.engine.engine import engine_arguments, environment, request_seed
from chexone_ray.errors import ChexoneError, WeightsLost
from chexone_ray.records import Request, Rollout

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

TOLERANCE = 2e-5
"""Largest difference of a log-probability between vLLM and transformers, both in float32."""
SAMPLED = SamplingConfig(n=4, temperature=1.0, max_tokens=24, seed=7)
GREEDY = SamplingConfig(max_tokens=24)
SIZES = [(112, 112), (56, 112), (84, 140), (56, 56), (28, 112), (140, 84)]
"""(height, width) on the 28-pixel grid inside the limits of the tiny model."""

Png = Callable[..., bytes]


# --- settings, without an engine -----------------------------------------------------------------


def test_environment_keeps_engines_apart_and_offline(tmp_path: Path) -> None:
    config = EngineConfig(num_gpus=0, num_cpus=2, lean=True)
    found = environment(config, str(tmp_path))
    assert found["OMP_NUM_THREADS"] == "2"
    assert found["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert found["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert found["HF_HUB_OFFLINE"] == found["VLLM_NO_USAGE_STATS"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(config, "Qwen/Qwen2.5-VL-3B-Instruct")
    assert "VLLM_CPU_OMP_THREADS_BIND" not in environment(EngineConfig(), str(tmp_path))


def test_arguments_of_the_cpu_build_hold_whole_prompts() -> None:
    config = EngineConfig(num_gpus=0, max_model_len=3000, max_num_batched_tokens=512, kv_cache_mb=1)
    found = engine_arguments(config, ImageConfig(), "m")
    assert found["max_num_batched_tokens"] == 3000
    assert found["enable_chunked_prefill"] is False
    assert found["kv_cache_memory_bytes"] == 2**20
    assert found["skip_mm_profiling"] is True
    gpu = engine_arguments(EngineConfig(), ImageConfig(), "m")
    assert "enable_chunked_prefill" not in gpu
    assert "max_num_batched_tokens" not in gpu


def test_more_parts_than_gpus_is_refused() -> None:
    with pytest.raises(ChexoneError, match=r"tensor_parallel=2 is above engine\.num_gpus=1"):
        engine_arguments(EngineConfig(tensor_parallel=2), ImageConfig(), "m")


def test_request_seeds_are_stable_and_far_apart() -> None:
    assert request_seed(0, "a") == request_seed(0, "a")
    seeds = {request_seed(seed, str(i)) for seed in range(10) for i in range(100)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**48 for seed in seeds)


# --- with engines --------------------------------------------------------------------------------


class Oracle:
    """Transformers' processor and model of the same folder, float32, one sequence at a time."""

    def __init__(self, folder: str, limits: ImageConfig) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.torch = torch
        self.processor: Any = AutoProcessor.from_pretrained(folder)
        self.model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        self.model.eval()
        self.limits = {"min_pixels": limits.min_pixels, "max_pixels": limits.max_pixels}

    def request(self, name: str, question: str, pngs: Sequence[bytes]) -> Request:
        content = [{"type": "image"} for _ in pngs] + [{"type": "text", "text": question}]
        prompt = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        return Request(name, prompt, tuple(pngs))

    def inputs(self, request: Request) -> Any:
        from PIL import Image

        pictures = [Image.open(io.BytesIO(png)).convert("RGB") for png in request.images]
        return self.processor(
            text=[request.prompt], images=pictures, return_tensors="pt", images_kwargs=self.limits
        )

    def logprobs(self, request: Request, rollout: Rollout, index: int, temperature: float) -> Any:
        torch = self.torch
        tokens = torch.tensor([rollout.completions[index].token_ids])
        inputs = self.inputs(request)
        ids = torch.cat([inputs.pop("input_ids"), tokens], dim=1)
        kinds = inputs.pop("mm_token_type_ids")
        kinds = torch.cat([kinds, torch.zeros_like(tokens, dtype=kinds.dtype)], dim=1)
        inputs.pop("attention_mask")
        with torch.no_grad():
            logits = self.model(input_ids=ids, mm_token_type_ids=kinds, **inputs).logits[0]
        start = ids.shape[1] - tokens.shape[1]
        scores = torch.log_softmax(logits[start - 1 : -1] / temperature, dim=-1)
        return scores.gather(1, tokens[0][:, None])[:, 0]

    def worst(
        self, requests: Sequence[Request], rollouts: Sequence[Rollout], temperature: float = 1.0
    ) -> float:
        """Largest difference over all tokens of all completions."""
        differences = [0.0]
        for request, rollout in zip(requests, rollouts, strict=True):
            assert not rollout.error
            for index, completion in enumerate(rollout.completions):
                if completion.token_ids:
                    ours = self.torch.tensor(completion.logprobs)
                    theirs = self.logprobs(request, rollout, index, temperature)
                    differences.append(float((ours - theirs).abs().max()))
        return max(differences)

    def perturb(self, share: float, seed: int, only: str = "") -> None:
        """Add noise of that share of each tensor's own spread, the tied embedding included."""
        torch = self.torch
        torch.manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if only in name:
                    spread = parameter.std() if parameter.numel() > 1 else parameter.abs()
                    parameter.add_(torch.randn_like(parameter) * spread * share)


@pytest.fixture
def oracle(model_folder: str, image_config: ImageConfig) -> Oracle:
    return Oracle(model_folder, image_config)


def several(oracle: Oracle, png: Png) -> list[Request]:
    one = [
        oracle.request(f"one-{i}", "Is there a pleural effusion?", [png(*size, seed=i)])
        for i, size in enumerate(SIZES)
    ]
    two = oracle.request("two", "Better or worse?", [png(112, 112, seed=8), png(56, 84, seed=9)])
    return [*one, two]


def push(pool: EnginePool, tensors: Any, version: int) -> None:
    import ray

    from chexone_ray.engine.transfer import pack_state

    assert pool.publish(ray.put(pack_state(tensors)), version) == pool.num_ready


@pytest.mark.slow
def test_ids_and_logprobs_equal_those_of_transformers(
    fresh: EnginePool, oracle: Oracle, png: Png
) -> None:
    requests = several(oracle, png)
    rollouts = fresh.generate(requests, SAMPLED)
    for request, rollout in zip(requests, rollouts, strict=True):
        ids = oracle.inputs(request)["input_ids"][0].tolist()
        assert rollout.prompt_token_ids == tuple(ids)
        assert len(rollout.completions) == 4
        assert len({c.token_ids for c in rollout.completions}) > 1
    assert oracle.worst(requests, rollouts) < TOLERANCE
    warm = SamplingConfig(n=2, temperature=0.7, max_tokens=24, seed=7)
    assert oracle.worst(requests, fresh.generate(requests, warm), 0.7) < TOLERANCE


@pytest.mark.slow
def test_seeded_samples_do_not_depend_on_order_or_engine(
    fresh: EnginePool, oracle: Oracle, png: Png
) -> None:
    requests = [oracle.request(f"r{i}", "Heart size?", [png(56, 56, seed=i)]) for i in range(12)]
    first = fresh.generate(requests, SAMPLED)
    second = fresh.generate(list(reversed(requests)), SAMPLED)[::-1]
    assert [[c.token_ids for c in r.completions] for r in first] == [
        [c.token_ids for c in r.completions] for r in second
    ]


@pytest.mark.slow
def test_many_long_prompts_with_seeds(fresh: EnginePool, oracle: Oracle, png: Png) -> None:
    # More prompt tokens at once than a step holds: the CPU worker must not split a seeded prompt.
    question = "Is there a pleural effusion on the left or the right side? " * 6
    requests = [oracle.request(f"r{i}", question, [png(112, 112, seed=i)]) for i in range(40)]
    rollouts = fresh.generate(requests, SAMPLED)
    assert not [r.error for r in rollouts if r.error]
    assert sum(len(r.prompt_token_ids) for r in rollouts) > 2 * 2048


@pytest.mark.slow
def test_bad_requests_are_errors_and_hurt_no_other(
    fresh: EnginePool, oracle: Oracle, png: Png
) -> None:
    good = oracle.request("good", "View?", [png(56, 56)])
    no_image = Request("no-image", good.prompt, ())
    long = oracle.request("long", "word " * 800, [png(56, 56)])
    broken = Request("broken", good.prompt, (b"not a picture",))
    lost = fresh.counts["engines_lost"]
    rollouts = fresh.generate([no_image, good, long, broken], GREEDY)
    assert [bool(r.error) for r in rollouts] == [True, False, True, True]
    assert "1 image placeholders for 0 images" in rollouts[0].error
    assert "no readable PNG" in rollouts[3].error
    assert fresh.counts["engines_lost"] == lost


@pytest.mark.slow
@pytest.mark.parametrize("part", ["everything", "embedding alone", "language layers alone"])
def test_push_into_running_engines_of_a_tied_model(
    fresh: EnginePool, oracle: Oracle, png: Png, part: str
) -> None:
    only = {"everything": "", "embedding alone": "embed_tokens"}.get(part, "language_model.layers")
    assert oracle.model.config.tie_word_embeddings
    assert not [name for name, _ in oracle.model.named_parameters() if "lm_head" in name]
    requests = several(oracle, png)
    before = fresh.generate(requests, GREEDY)
    oracle.perturb(0.5, seed=3, only=only)
    # The new weights are far from the old ones: an engine that kept any of them would be caught.
    assert oracle.worst(requests, before) > 0.05
    push(fresh, [(n, p) for n, p in oracle.model.named_parameters() if only in n], version=41)
    greedy = fresh.generate(requests, GREEDY)
    assert {c.weight_version for r in greedy for c in r.completions} == {41}
    assert oracle.worst(requests, greedy) < TOLERANCE
    assert [r.completions[0].token_ids for r in greedy] == [
        _greedy(oracle, request, rollout) for request, rollout in zip(requests, greedy, strict=True)
    ]
    assert oracle.worst(requests, fresh.generate(requests, SAMPLED)) < TOLERANCE


def _greedy(oracle: Oracle, request: Request, rollout: Rollout) -> tuple[int, ...]:
    """Transformers' own greedy answer, as long as the engine's."""
    length = len(rollout.completions[0].token_ids)
    with oracle.torch.no_grad():
        ids = oracle.model.generate(
            **oracle.inputs(request),
            max_new_tokens=max(length, 1),
            do_sample=False,
            repetition_penalty=1.0,
        )
    new = ids[0, len(rollout.prompt_token_ids) :].tolist()
    return tuple(new[:length])


@pytest.mark.slow
def test_load_takes_another_checkpoint(
    fresh: EnginePool, oracle: Oracle, png: Png, scratch: Path
) -> None:
    oracle.perturb(0.5, seed=5)
    folder = scratch / "other"
    oracle.model.save_pretrained(folder)
    oracle.processor.save_pretrained(folder)
    version = fresh.version
    assert fresh.load(str(folder)) == fresh.num_ready
    requests = several(oracle, png)
    rollouts = fresh.generate(requests, GREEDY)
    assert {c.weight_version for r in rollouts for c in r.completions} == {version + 1}
    assert oracle.worst(requests, rollouts) < TOLERANCE


@pytest.mark.slow
def test_weights_whose_owner_died_leave_the_engines_as_they_were(
    fresh: EnginePool, oracle: Oracle, png: Png
) -> None:
    import ray

    from chexone_ray.engine.transfer import pack_state

    class Owner:
        def put(self, weights: Any) -> list[Any]:
            return [ray.put(weights)]

    before, lost = fresh.engine_pids(), fresh.counts["engines_lost"]
    owner = ray.remote(num_cpus=0)(Owner).remote()
    references = ray.get(owner.put.remote(pack_state(oracle.model.named_parameters())), timeout=60)
    ray.kill(owner)
    with pytest.raises(ray.exceptions.OwnerDiedError):  # Ray notices within a second or so
        for _ in range(300):
            ray.get(references[0], timeout=60)
            time.sleep(0.1)
    with pytest.raises(WeightsLost, match="reached 0 of 2 engines"):
        fresh.publish(references, 50)
    push(fresh, oracle.model.named_parameters(), version=51)
    assert fresh.engine_pids() == before and fresh.counts["engines_lost"] == lost
    requests = several(oracle, png)
    rollouts = fresh.generate(requests, GREEDY)
    assert {c.weight_version for r in rollouts for c in r.completions} == {51}
    assert oracle.worst(requests, rollouts) < TOLERANCE


@pytest.mark.slow
def test_killed_engine_is_replaced_with_the_newest_weights(
    fresh: EnginePool, oracle: Oracle, png: Png
) -> None:
    oracle.perturb(0.5, seed=6)
    push(fresh, oracle.model.named_parameters(), version=77)
    requests = [oracle.request(f"r{i}", "Describe.", [png(56, 56, seed=i)]) for i in range(64)]
    sampling = SamplingConfig(n=4, temperature=1.0, max_tokens=200, seed=1)
    victim = fresh.engine_pids()[0]
    lost = fresh.counts["engines_lost"]
    threading.Timer(0.5, os.kill, (victim, signal.SIGKILL)).start()
    rollouts = fresh.generate(requests, sampling)
    assert [r.request_id for r in rollouts] == [r.id for r in requests]
    assert not [r.error for r in rollouts if r.error]
    assert {c.weight_version for r in rollouts for c in r.completions} == {77}
    fresh.generate(requests[:4], GREEDY)  # finds the loss even where the kill came late
    assert fresh.counts["engines_lost"] == lost + 1
    fresh.wait_ready(timeout=300)
    assert victim not in fresh.engine_pids()
    after = fresh.generate(requests[:16], GREEDY)
    assert {c.weight_version for r in after for c in r.completions} == {77}
    assert oracle.worst(requests[:16], after) < TOLERANCE
    assert _children_of_dead(victim) == []


@pytest.mark.slow
def test_a_pool_of_real_engines_grows_under_load_and_shrinks(
    ray_local: None,
    model_folder: str,
    live_engine: EngineConfig,
    image_config: ImageConfig,
    oracle: Oracle,
    png: Png,
) -> None:
    from chexone_ray.engine.pool import EnginePool
    from chexone_ray.engine.scaling import PoolPolicy

    config = live_engine.model_copy(update={"min_engines": 1, "max_engines": 2})
    policy = PoolPolicy(grow_after_s=0.2, idle_s=3.0, tick_s=0.1)
    requests = [oracle.request(f"r{i}", "Describe.", [png(56, 56, seed=i)]) for i in range(128)]
    with EnginePool(config, model_folder, image_config, policy=policy) as growing:
        growing.wait_ready()
        assert growing.num_ready == 1
        end = time.monotonic() + 300
        while growing.counts["engines_launched"] < 2:
            assert time.monotonic() < end, growing.health()
            rollouts = growing.generate(requests, SAMPLED)
            assert [r.request_id for r in rollouts] == [r.id for r in requests]
            assert not [r.error for r in rollouts if r.error]
        # The second engine has the processor while it starts; the first is only kept from idling.
        while growing.num_ready < 2:
            assert time.monotonic() < end, growing.health()
            assert not growing.generate(requests[:2], GREEDY)[1].error
            time.sleep(0.5)
        while growing.num_ready > 1:
            assert time.monotonic() < end, growing.health()
            time.sleep(0.2)
        assert growing.counts["engines_launched"] == 2
        assert growing.counts["engines_retired"] == 1 and not growing.counts["engines_lost"]
        assert not growing.generate(requests[:4], GREEDY)[3].error


def _children_of_dead(pid: int, timeout_s: float = 15.0) -> list[int]:
    """Processes that still carry the mark of the killed engine after a while."""
    mark = f"CHEXONE_ENGINE_WATCH={pid}".encode()
    end = time.monotonic() + timeout_s
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)
