"""All data sets that `prepare` reads, by the name that `sources.adapter` gives."""

from __future__ import annotations

from collections.abc import Iterable

from chexone_ray.data.sources import (
    bimcv_covid19,
    brax,
    candid_ptx,
    chest_imagenome,
    chexpert,
    chexpert_plus,
    covidx,
    cxr_lt,
    jsrt,
    medical_diff_vqa,
    medvqa_2019,
    mimic_cxr_jpg,
    mimic_cxr_vqa,
    mimic_nle,
    ms_cxr,
    ms_cxr_t,
    nih_chestxray14,
    nlm_tb,
    object_cxr,
    openi,
    own_table,
    padchest,
    padchest_gr,
    pmc_vqa,
    rad_restruct,
    radgraph,
    radqa,
    ranzcr_clip,
    rexgradient,
    rexvqa,
    roco,
    rsna_pneumonia,
    siim_acr,
    slake,
    tbx11k,
    vinbigdata,
    vindr_cxr,
    vindr_pcxr,
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
    ms_cxr,
    ms_cxr_t,
    chest_imagenome,
    padchest_gr,
    vindr_pcxr,
    cxr_lt,
    bimcv_covid19,
    tbx11k,
    jsrt,
    roco,
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
    frozenset(
        {
            nih_chestxray14.DATASET,
            rsna_pneumonia.DATASET,
            siim_acr.DATASET,
            ranzcr_clip.DATASET,
            covidx.DATASET,
            slake.DATASET,
        }
    ),
    frozenset({vindr_cxr.DATASET, vinbigdata.DATASET}),
    frozenset({covidx.DATASET, bimcv_covid19.DATASET}),
    frozenset({roco.DATASET, pmc_vqa.DATASET}),
)
"""Data sets that hold the same films under other names, so that no split can keep them apart.
SLAKE's chest films are from NIH ChestX-ray8; ROCO's and PMC-VQA's images are figures of articles of
one collection."""


def overlapping(adapters: Iterable[str]) -> list[str]:
    """Those of the adapters that share films with another of them, sorted."""
    used = set(adapters)
    return sorted(name for family in FAMILIES for name in family & used if len(family & used) > 1)
