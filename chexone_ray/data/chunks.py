"""Which patients are put beside one another: chunks of one data set and split.

A study may be asked about beside another patient's of its data set and split. In chunks of whatever
patients a table names next, a patient of a split with two percent of them would have no company.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from chexone_ray.config import PrepareConfig
from chexone_ray.data.shelf import ShelvedPatient
from chexone_ray.data.splits import SPLITS, assign
from chexone_ray.parts import cut


def chunked(
    patients: Sequence[ShelvedPatient], size: int, config: PrepareConfig
) -> list[Sequence[int]]:
    """The numbers of all patients in chunks of at most `size`, in their own order within a data set
    and split.

    A patient counts by the data set of the first study. The chunks of one group are as even as can
    be, so that none is left with a single patient. Nothing but the patients tells the result.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, one in enumerate(patients):
        split = assign(one.patient, one.split, config.seed, config)
        groups[one.dataset, SPLITS.index(split)].append(number)
    found: list[Sequence[int]] = []
    for _, group in sorted(groups.items()):
        found += cut(group, -(-len(group) // -(-len(group) // size)))
    return found
