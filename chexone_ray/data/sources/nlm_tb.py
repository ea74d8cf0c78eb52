"""Montgomery and Shenzhen: tuberculosis films of the NLM, one study an image, labelled by name.

`CXR_png/MCUCXR_0001_0.png` and `CXR_png/CHNCXR_0327_1.png`: a last 1 is tuberculosis. No tables.
"""

from __future__ import annotations

import re

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "nlm_tb"
LABEL = "tuberculosis"
FOLDER = "CXR_png"
_NAME = re.compile(r"((?:MCU|CHN)CXR_\d{4})_([01])\.png")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All films as studies, by name, and the files of other names in that folder.

    Raises ChexoneError where the folder holds no film of these sets.
    """
    losses = Losses()
    found: dict[str, PendingStudy] = {}
    for uri in storage.list_files(storage.join(source.uri, FOLDER)):
        name = _NAME.fullmatch(uri.rpartition("/")[2])
        if name is None:
            losses.lose("file_of_another_name", uri)
        elif name[1] in found:
            losses.lose("duplicate_row", uri)
        else:
            study = Study(
                dataset=DATASET,
                patient=name[1],
                study=name[1],
                images=(ImageRef(uri),),
                labels={LABEL: int(name[2])},
            )
            found[name[1]] = PendingStudy(study, default_view="frontal")
    if not found:
        uri = storage.join(source.uri, FOLDER)
        raise ChexoneError(f"{uri} holds no MCUCXR_*.png or CHNCXR_*.png: {CSV_STEP}")
    return [found[name] for name in sorted(found)], losses


SPEC = Spec(
    title="Montgomery and Shenzhen (NLM TB)",
    access="open",
    images="CXR_png/{MCUCXR,CHNCXR}_<n>_{0,1}.png",
    labels="tuberculosis, by the clinic's records",
    split_unit="film",
    tables=(),
    read=studies,
    packable=False,
)
