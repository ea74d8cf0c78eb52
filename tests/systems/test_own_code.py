"""Models that bring code: what that code is given, on a stand-in with the same methods."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import EngineConfig, SamplingConfig
from chexone_ray.engine.speech import CheXagent
from chexone_ray.engine.transformers_engine import TransformersEngine
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Request, Sample
from chexone_ray.systems.adapter import posed
from chexone_ray.systems.asking import own_prompt
from chexone_ray.systems.table import ADAPTERS
from tests.systems.families import build
from tests.systems.test_families import film

torch = pytest.importorskip("torch")

CODE = Path(__file__).parent / "own_code"


def request(kind: str, question: str, *refs: ImageRef, name: str = "maira_2") -> Request:
    sample = Sample(
        *("s", "d", "t", kind, "test", "p", "s"), refs, question, "gold", mode="instruct"
    )
    adapter = ADAPTERS[name]
    assert adapter.prompts is not None
    prompt = own_prompt(adapter, posed(sample), adapter.prompts)
    return Request("r", prompt, tuple(film(2 * at) for at in range(len(refs))))


@pytest.mark.slow
def test_a_processor_of_its_own_gets_films_by_place_and_words_of_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    folder = tmp_path / "model"
    build("llava", folder)
    for file in CODE.glob("*.py"):
        shutil.copy(file, folder)
    changes: dict[str, dict[str, Any]] = {
        "config.json": {
            "model_type": "stand_in",
            "architectures": ["StandInModel"],
            "auto_map": {
                "AutoConfig": "modeling_stand_in.StandInConfig",
                "AutoModelForCausalLM": "modeling_stand_in.StandInModel",
            },
        },
        "processor_config.json": {
            "processor_class": "StandInProcessor",
            "auto_map": {"AutoProcessor": "processing_stand_in.StandInProcessor"},
        },
    }
    for name, values in changes.items():
        kept = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(kept | values))
    config = EngineConfig(num_gpus=0, dtype="float32", threads=1, max_num_seqs=1, max_images=4)
    engine = TransformersEngine(config, str(folder), "maira")
    engine._load(str(folder))
    assert type(engine._model).__name__ == "StandInModel"
    frontal, lateral = ImageRef("a", "PA"), ImageRef("b", "lateral")
    prior = ImageRef("c", "AP", "prior")
    asked = [
        request("phrase_grounding", "Locate: blunted left angle", frontal),
        request("findings", "Describe the findings.", prior, frontal, lateral, frontal),
        request("findings_indication", "Indication: Cough. Report the findings.", frontal),
        request("findings", "Describe the findings.", lateral),
    ]
    rollouts = asyncio.run(engine.generate(asked, SamplingConfig(max_tokens=6)))
    shown = [engine._speech.tokenizer.decode(rollout.prompt_token_ids) for rollout in rollouts[:3]]
    assert [text.replace("<image>", "") for text in shown] == [
        *("phrase blunted left angle", "report None", "report Cough")
    ]
    assert [text.count("<image>") // 16 for text in shown] == [1, 3, 1]
    assert [bool(rollout.error) for rollout in rollouts] == [False, False, False, True]
    assert "needs a frontal film" in rollouts[3].error
    assert all(rollout.completions[0].token_ids for rollout in rollouts[:3])


class ListTokenizer:
    """What CheXagent-2's tokenizer is asked to do; it keeps what it was given."""

    def from_list_format(self, parts: list[dict[str, str]]) -> str:
        self.films = [Path(part["image"]).read_bytes() for part in parts if "image" in part]
        return "|".join(part.get("text", "film") for part in parts)

    def apply_chat_template(self, turns: list[dict[str, str]], **more: Any) -> Any:
        self.turns, self.more = turns, more
        return torch.tensor([[1, 2, 3]])


def test_a_tokenizer_that_takes_paths_finds_the_films_there() -> None:
    tokenizer = ListTokenizer()
    speech = CheXagent(tokenizer)
    one = request("view", "View?", ImageRef("a"), ImageRef("b"), name="chexagent_2")
    assert speech.inputs([one])["input_ids"].tolist() == [[1, 2, 3]]
    assert tokenizer.films == list(one.images)
    assert tokenizer.turns == [
        {"from": "system", "value": "You are a helpful assistant."},
        {"from": "human", "value": "film|film|View?"},
    ]
    assert tokenizer.more == {"add_generation_prompt": True, "return_tensors": "pt"}
    with pytest.raises(ChexoneError, match="this model takes one"):
        speech.inputs([one, one])
