"""All data sets that `prepare` reads, by the name that `sources.adapter` gives."""

from __future__ import annotations

from chexone_ray.data.sources import (
    brax,
    chexpert,
    chexpert_plus,
    mimic_cxr_jpg,
    nih_chestxray14,
    own_table,
    padchest,
    rsna_pneumonia,
    siim_acr,
    vindr_cxr,
)
from chexone_ray.data.sources.spec import Spec

_MODULES = (
    mimic_cxr_jpg,
    chexpert,
    chexpert_plus,
    vindr_cxr,
    padchest,
    brax,
    nih_chestxray14,
    rsna_pneumonia,
    siim_acr,
    own_table,
)
SOURCES: dict[str, Spec] = {module.DATASET: module.SPEC for module in _MODULES}
