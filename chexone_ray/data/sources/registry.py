"""All data sets that `prepare` reads, by the name that `sources.adapter` gives."""

from __future__ import annotations

from collections.abc import Iterable

from chexone_ray.data.sources import (
    brax,
    candid_ptx,
    chexpert,
    chexpert_plus,
    covidx,
    medical_diff_vqa,
    medvqa_2019,
    mimic_cxr_jpg,
    mimic_cxr_vqa,
    mimic_nle,
    nih_chestxray14,
    nlm_tb,
    object_cxr,
    openi,
    own_table,
    padchest,
    pmc_vqa,
    rad_restruct,
    radgraph,
    radqa,
    ranzcr_clip,
    rexgradient,
    rexvqa,
    rsna_pneumonia,
    siim_acr,
    slake,
    vinbigdata,
    vindr_cxr,
    vqa_rad,
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
    mimic_cxr_vqa,
    medical_diff_vqa,
    mimic_nle,
    rexvqa,
    slake,
    vqa_rad,
    rad_restruct,
    medvqa_2019,
    pmc_vqa,
    radqa,
    radgraph,
    own_table,
)
SOURCES: dict[str, Spec] = {module.DATASET: module.SPEC for module in _MODULES}

FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({chexpert.DATASET, chexpert_plus.DATASET}),
    frozenset({nih_chestxray14.DATASET, rsna_pneumonia.DATASET, siim_acr.DATASET, covidx.DATASET}),
    frozenset({vindr_cxr.DATASET, vinbigdata.DATASET}),
)
"""Data sets that hold the same films under other names, so that no split can keep them apart."""


def overlapping(adapters: Iterable[str]) -> list[str]:
    """Those of the adapters that share films with another of them, sorted."""
    used = set(adapters)
    return sorted(name for family in FAMILIES for name in family & used if len(family & used) > 1)
