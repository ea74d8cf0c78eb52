"""One line of a checklist that a person reads: `chexone doctor`, `chexone prepare --check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CheckLine:
    """What was checked, how it went, and what to do where it failed."""

    name: str
    state: Literal["ok", "FAIL", "skip", "warn"]
    message: str

    def text(self) -> str:
        """State, name and message in columns."""
        return f"{self.state:<5} {self.name:<14} {self.message}"
