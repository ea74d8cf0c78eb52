"""VinDr-PCXR: films of children in the layout of VinDr-CXR, one study an image.

`annotations_{train,test}.csv` (boxes of 36 findings) and `image_labels_{train,test}.csv` (15
diseases, optional) at the root or in `annotations/`, files `train/<image_id>.dicom` and
`test/<image_id>.dicom`. The archive names no patients, so every image is its own. Small children
are often filmed AP, and a header that does not tell it leaves the view at "frontal".
"""

from __future__ import annotations

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.sources.vindr_cxr import BOXES, read_vindr

DATASET = "vindr_pcxr"


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """As `read_vindr`."""
    return read_vindr(DATASET, source, archive_splits, "frontal")


def _table(name: str, columns: tuple[str, ...]) -> Table:
    return Table((name, f"annotations/{name}"), columns, True)


SPEC = Spec(
    title="VinDr-PCXR",
    access="credentialed",
    images="{train,test}/<image_id>.dicom",
    labels="36 boxed findings and 15 diseases of children, one radiologist a film",
    tables=(
        _table("annotations_train.csv", BOXES),
        _table("annotations_test.csv", BOXES),
        _table("image_labels_train.csv", ("image_id",)),
        _table("image_labels_test.csv", ("image_id",)),
    ),
    read=studies,
    split_unit="film",
    uncertain=True,
)
