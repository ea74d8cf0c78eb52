"""Who is drawn and what is wrong with them: the seeded facts behind every phantom film.

Lengths are in the anatomy frame: 1.0 is the shorter side of the film, origin at the upper left,
x to the viewer's right (the patient's left), y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

HeartSize = Literal["normal", "borderline", "enlarged"]
View = Literal["PA", "AP", "LATERAL"]

HEART_RATIOS: dict[HeartSize, tuple[float, float]] = {
    "normal": (0.40, 0.47),
    "borderline": (0.52, 0.57),
    "enlarged": (0.62, 0.69),
}
"""Cardiothoracic ratio by heart class; the gaps are on purpose."""
HEART_SHARES: dict[HeartSize, float] = {"normal": 0.44, "borderline": 0.25, "enlarged": 0.31}

FINDINGS = (
    "pleural effusion",
    "pneumothorax",
    "nodule",
    "consolidation",
    "cardiomegaly",
    "pacemaker",
    "tube",
)
"""All finding labels; cardiomegaly follows from the heart class and needs no spec."""
SIDED = ("pleural effusion", "pneumothorax", "nodule", "consolidation")
GRADES = ("small", "moderate", "large")
ZONES = ("upper", "mid", "lower")
TUBES = ("endotracheal", "feeding")


@dataclass(frozen=True)
class FindingSpec:
    """One finding to draw; `variant` fixes place and shape, so follow-ups show the same one."""

    label: str
    side: str = ""
    """Patient's "left" or "right"; empty for the unsided ones."""
    zone: str = ""
    """"upper", "mid" or "lower" of the lung; "endotracheal" or "feeding" for a tube."""
    severity: float = 0.5
    """0-1; thirds are small, moderate and large."""
    variant: int = 0

    @property
    def name(self) -> str:
        """Side and label, the key of its mask, such as "right pleural effusion"."""
        return f"{self.side} {self.label}" if self.label in SIDED else self.label

    @property
    def grade(self) -> str:
        return GRADES[min(2, int(self.severity * 3))]


@dataclass(frozen=True)
class Anatomy:
    """What stays the same between all films of one patient."""

    seed: int
    heart_size: HeartSize
    heart_ratio: float
    centre: float
    half_width: float
    """Half of the inner thorax width."""
    apex: float
    dome: float
    """Height of the right dome; the left one lies `dome_step` lower."""
    dome_step: float
    body_width: float
    rib_step: float
    rib_phase: float
    rib_contrast: float
    aorta: float
    vessel_variants: tuple[int, int]
    vessel_scale: float
    density: float
    """Overall tissue thickness."""
    breast: float
    """Soft-tissue shadow over the lower lungs, 0 for none."""
    bubble: float
    """Size of the gastric air bubble."""
    scale: float

    @classmethod
    def from_seed(cls, seed: int, heart_size: HeartSize | None = None) -> Anatomy:
        """The patient of this seed; `heart_size` overrides the class drawn for it."""
        rng = np.random.default_rng([seed, 0xA7])
        drawn: HeartSize = rng.choice(list(HEART_SHARES), p=list(HEART_SHARES.values())).item()
        heart_size = heart_size or drawn
        low, high = HEART_RATIOS[heart_size]

        def uniform(start: float, stop: float) -> float:
            return float(rng.uniform(start, stop))

        return cls(
            seed=seed,
            heart_size=heart_size,
            heart_ratio=uniform(low + 0.002, high - 0.002),
            centre=0.5,
            half_width=uniform(0.335, 0.365),
            apex=uniform(0.105, 0.135),
            dome=uniform(0.69, 0.73),
            dome_step=uniform(0.012, 0.03),
            body_width=uniform(0.455, 0.495),
            rib_step=uniform(0.066, 0.076),
            rib_phase=uniform(0.0, 1.0),
            rib_contrast=uniform(0.75, 1.25),
            aorta=uniform(0.03, 0.042),
            vessel_variants=(int(rng.integers(6)), int(rng.integers(6))),
            vessel_scale=uniform(0.9, 1.1),
            density=uniform(0.93, 1.07),
            breast=max(0.0, uniform(-0.06, 0.08)),
            bubble=uniform(0.6, 1.1),
            scale=uniform(0.96, 1.04),
        )
