"""Adapters whose package is not there, or is broken: one line that names it and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned import packages
from chexone_ray.metrics.learned.radeval import RadEval
from chexone_ray.metrics.learned.radgraph import RadGraph
from chexone_ray.metrics.learned.ratescore import RaTEScore

ADAPTERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "radgraph": ("RadGraph F1", lambda: RadGraph("modern-radgraph-xl")),
    "RaTEScore": ("RaTEScore", lambda: RaTEScore("ner", "embedding", use_gpu=False)),
    "radeval": ("RadEval", lambda: RadEval(["srrbert"])),
}


@pytest.mark.parametrize("package", ADAPTERS)
def test_a_missing_package_is_one_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # what Python does for "not to be found"
    metric, make = ADAPTERS[package]
    with pytest.raises(ChexoneError) as caught:
        make()
    message = str(caught.value)
    assert message.startswith(f"{metric} needs the package {package}, which is")
    assert f"pip install {package}" in message and "\n" not in message


def test_a_package_that_is_not_installed_and_one_that_is_broken_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ChexoneError, match="package x-y, which is not installed: fetch it"):
        packages.load("M", "no_such_module_here", "x-y", "fetch it")
    (tmp_path / "broken_module_here.py").write_text("from torch import no_such_name")
    with pytest.raises(ChexoneError, match=r"which cannot be imported \(ImportError: .*no_such_n"):
        packages.load("M", "broken_module_here", "x-y", "fetch it")
    (tmp_path / "whole_module_here.py").write_text("VALUE = 3")
    assert packages.load("M", "whole_module_here", "x-y", "fetch it").VALUE == 3


def test_versions_and_errors_are_short() -> None:
    assert packages.version("numpy")[0].isdigit()
    assert packages.version("no-such-package-here") == "unknown"
    assert packages.one_line(OSError("a\n  b" + "c" * 900)) == "OSError: a b" + "c" * 197
    assert packages.one_line(OSError()) == "OSError"
