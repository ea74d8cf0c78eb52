"""Optional packages: there, or one line that says what to do."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from chexone_ray.errors import ChexoneError


def load(metric: str, module: str, package: str, remedy: str) -> Any:
    """The imported module of a package.

    Raises:
        ChexoneError: it is not installed, or it is and cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if (error.name or "").partition(".")[0] == module:
            problem = f"the package {package}, which is not installed"
        else:
            problem = f"the package {package}, which cannot be imported ({one_line(error)})"
        raise ChexoneError(f"{metric} needs {problem}: {remedy}") from None


def version(package: str) -> str:
    """The installed version, for signatures; "unknown" where the package does not say."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def no_model(metric: str, model: str, error: Exception) -> ChexoneError:
    """The error for weights that an adapter cannot load."""
    return ChexoneError(
        f"{metric} cannot load {model} ({one_line(error)}): give the folder of a downloaded copy, "
        "or a machine that reaches the model hub"
    )


def check_pairs(metric: str, predicted: Sequence[str], reference: Sequence[str]) -> None:
    """Raise ValueError where the two lists of texts are not pairs."""
    if len(predicted) != len(reference):
        raise ValueError(
            f"{metric}: {len(predicted)} predicted and {len(reference)} reference texts are no "
            "pairs"
        )


def one_line(error: BaseException) -> str:
    """What an error says, cut to one short line. For errors about packages and weights only: what
    a package says of a text may quote it."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
