"""serve/*.yaml: their `args:` fit ServeConfig and their import path builds the application."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from chexone_ray.config import ServeConfig

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "serve").glob("*.yaml"))


def application(path: Path) -> dict[str, Any]:
    (one,) = yaml.safe_load(path.read_text())["applications"]
    return dict(one)


def test_there_is_one_for_real_and_one_small() -> None:
    assert [f.name for f in FILES] == ["serve_config.debug.yaml", "serve_config.yaml"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_schema_args_and_timeouts(path: Path) -> None:
    from ray.serve.schema import ServeDeploySchema

    content = yaml.safe_load(path.read_text())
    ServeDeploySchema.model_validate(content)
    config = ServeConfig.model_validate(application(path)["args"])
    http = content["http_options"]
    assert http["port"] == config.port and http["host"] == config.host
    assert http["request_timeout_s"] == config.engine.request_timeout_s + 10


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_import_path_takes_the_args_as_serve_gives_them(path: Path) -> None:
    module, _, name = application(path)["import_path"].partition(":")
    builder = getattr(importlib.import_module(module), name)
    (parameter,) = inspect.signature(builder).parameters.values()
    # Serve turns `args:` into this class only where the annotation is a class, not a text.
    assert parameter.annotation is ServeConfig
    with pytest.raises(ValidationError, match="engin"):
        parameter.annotation.model_validate({"model_uri": "m", "engin": {}})


def test_building_imports_neither_vllm_nor_torch(tiny_folder: str) -> None:
    code = (
        "import sys, serve.app\n"
        "from chexone_ray.config import ServeConfig\n"
        f"app = serve.app.build(ServeConfig(model_uri={tiny_folder!r}, max_replicas=3))\n"
        "from ray.serve import Application\n"
        "assert isinstance(app, Application)\n"
        "sys.exit(' '.join(m for m in ('torch', 'vllm', 'transformers') if m in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
