"""All data sets that `prepare` reads, by the name that `sources.adapter` gives."""

from __future__ import annotations

from collections.abc import Iterable

from chexone_ray.data.sources import (
    brax,
    candid_ptx,
    chexpert,
    chexpert_plus,
    covidx,
    mimic_cxr_jpg,
    nih_chestxray14,
    nlm_tb,
    object_cxr,
    openi,
    own_table,
    padchest,
    ranzcr_clip,
    rexgradient,
    rsna_pneumonia,
    siim_acr,
    vinbigdata,
    vindr_cxr,
)
from chexone_ray.data.sources.spec import Spec

_MODULES = (
    mimic_cxr_jpg,
    chexpert,
    chexpert_plus,
    rexgradient,
    openi,
    vindr_cxr,
    vinbigdata,
    padchest,
    brax,
    nih_chestxray14,
    rsna_pneumonia,
    siim_acr,
    candid_ptx,
    object_cxr,
    ranzcr_clip,
    covidx,
    nlm_tb,
    own_table,
)
SOURCES: dict[str, Spec] = {module.DATASET: module.SPEC for module in _MODULES}

FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({chexpert.DATASET, chexpert_plus.DATASET}),
    frozenset(
        {
            nih_chestxray14.DATASET,
            rsna_pneumonia.DATASET,
            siim_acr.DATASET,
            ranzcr_clip.DATASET,
            covidx.DATASET,
        }
    ),
    frozenset({vindr_cxr.DATASET, vinbigdata.DATASET}),
)
"""Data sets that hold the same films under other names, so that no split can keep them apart."""


def overlapping(adapters: Iterable[str]) -> list[str]:
    """Those of the adapters that share films with another of them, sorted."""
    used = set(adapters)
    return sorted(name for family in FAMILIES for name in family & used if len(family & used) > 1)
