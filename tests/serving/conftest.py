"""What the serving tests share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the config.json of a small model, without weights."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    config = {"model_type": "qwen2_5_vl", "text_config": {"max_position_embeddings": 4096}}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)
