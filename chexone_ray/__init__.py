"""chexone-ray: chest X-ray reasoning models, from an archive in object storage to a served model.

Research use only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chexone_ray.model import CheXOne

__version__ = "0.1.0"
__all__ = ["CheXOne", "__version__"]


def __getattr__(name: str) -> Any:
    """`from chexone_ray import CheXOne` without paying for vLLM and torch on every import."""
    if name == "CheXOne":
        from chexone_ray.model import CheXOne

        return CheXOne
    raise AttributeError(f"module 'chexone_ray' has no attribute {name!r}")
