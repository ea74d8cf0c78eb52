"""All data sets that `prepare` reads, by the name that `sources.adapter` gives."""

from __future__ import annotations

from chexone_ray.data.sources import (
    chexpert,
    mimic_cxr_jpg,
    nih_chestxray14,
    rsna_pneumonia,
    vindr_cxr,
)
from chexone_ray.data.sources.spec import Spec

SOURCES: dict[str, Spec] = {
    module.DATASET: module.SPEC
    for module in (mimic_cxr_jpg, chexpert, nih_chestxray14, rsna_pneumonia, vindr_cxr)
}
