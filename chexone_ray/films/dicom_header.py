"""What a DICOM header says about a film before its pixels: size, view, and whether it is one."""

from __future__ import annotations

import re
from typing import Any, Literal

from chexone_ray.errors import ImageError

BodyPart = Literal["chest", "any"]

SIZE_TAGS = ("Rows", "Columns", "NumberOfFrames")
TAGS = (
    *("SOPClassUID", "Modality", "BodyPartExamined", "AnatomicRegionSequence", "ViewPosition"),
    *("ViewCodeSequence", "PatientOrientation", "EncapsulatedDocument"),
    *(*SIZE_TAGS, "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape", "PixelPresentation"),
    *(
        f"{kind}{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
    ),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData"),
)
"""The elements that a film is made from. Others are passed over: they may name the patient, and a
file can hold millions of them."""

_MODALITIES = frozenset({"CR", "DX", "DR", "RG", "XR", "RF", "OT", "SC", ""})
"""Projection X-ray, or too general a word to tell."""
_NOT_PROJECTION = ("CT ", "MR ", "Enhanced CT", "Enhanced MR", "Ultrasound", "Nuclear", "Positron")
_DOCUMENTS = ("PDF", "CDA", "SR ", " SR", "Presentation State", "Key Object", "Encapsulated")
_CHEST = re.compile(r"(?<![A-Z])(CHEST|THORAX|LUNGS?|RIBS?)(?![A-Z])")
_OTHER_PARTS = re.compile(
    r"(?<![A-Z])(ABDOMEN|ANKLE|ARM|BLADDER|BREAST|CALCANEUS|CLAVICLE|COCCYX|COLON|CSPINE|ELBOW|"
    r"EXTREMITY|FEMUR|FIBULA|FINGER|FOOT|FOREARM|HAND|HEAD|HIP|HUMERUS|JAW|KNEE|LEG|LIMB|LSPINE|"
    r"MANDIBLE|MAXILLA|NECK|ORBIT|PATELLA|PELVIS|RADIUS|SACRUM|SCAPULA|SHOULDER|SINUS|SKULL|SPINE|"
    r"SSPINE|STOMACH|THIGH|THUMB|TIBIA|TOE|TSPINE|ULNA|WRIST|ZYGOMA)(?![A-Z])"
)
"""Words in DICOM's own terms (PS3.16 annex L) that name no part of a chest film."""

_POSITIONS = {
    **{"PA": "PA", "AP": "AP", "LL": "lateral", "RL": "lateral", "LATERAL": "lateral"},
    **{"LAT": "lateral", "LLAT": "lateral", "RLAT": "lateral"},
    **dict.fromkeys(("LLD", "RLD"), "frontal"),
    **dict.fromkeys(("LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBLIQUE"), ""),
}
"""ViewPosition -> view; a decubitus film is a frontal one of a patient lying on the side."""
_VIEW_CODES = {
    **dict.fromkeys(("399348003", "R-10206", "ANTERO-POSTERIOR", "ANTEROPOSTERIOR"), "AP"),
    **dict.fromkeys(
        ("272479007", "R-10214", "R-40888", "POSTERO-ANTERIOR", "POSTEROANTERIOR"), "PA"
    ),
    **dict.fromkeys(("399033003", "R-10202", "FRONTAL"), "frontal"),
    **dict.fromkeys(("399067008", "R-102CD", "LATERAL"), "lateral"),
    **dict.fromkeys(("399173006", "R-10236", "LEFT LATERAL"), "lateral"),
    **dict.fromkeys(("399198007", "R-10232", "RIGHT LATERAL"), "lateral"),
}
"""CodeValue (SNOMED CT, or the older SRT) or CodeMeaning of CID 4010 -> view."""
_AXES = {frozenset("LR"): "frontal", frozenset("AP"): "lateral"}


def declared(dataset: Any) -> tuple[int, int]:
    """(width, height) that the header states; one frame only."""
    try:
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        width, height = int(dataset.Columns), int(dataset.Rows)
    except (AttributeError, TypeError, ValueError) as error:
        raise ImageError("no_pixels", "DICOM states no usable Rows and Columns") from error
    if frames > 1:
        raise ImageError("multi_frame", f"DICOM holds {frames} frames: send one film a file")
    if width < 1 or height < 1:
        raise ImageError("no_pixels", f"DICOM states {width}x{height} pixels")
    return width, height


def refuse_large(dataset: Any, max_pixels: int) -> None:
    """Colour films count three times, as they take that much memory."""
    width, height = declared(dataset)
    samples = dataset.get("SamplesPerPixel") or 1
    colour = samples > 1 or _word(dataset.get("PhotometricInterpretation")) == "PALETTE COLOR"
    if width * height * (3 if colour else 1) > max_pixels:
        kind = "colour pixels, the limit is a third of" if colour else "pixels, the limit is"
        raise ImageError("too_large", f"DICOM declares {width}x{height} {kind} {max_pixels}")


def refuse_others(dataset: Any, body_part: BodyPart) -> None:
    """Documents, presentation states, other modalities than projection X-ray, and with
    `body_part` "chest" films whose header names another part of the body. A header without a body
    part, or with one in words of its own, passes: many chest films have none."""
    uid = dataset.get("SOPClassUID", "")
    name = str(getattr(uid, "name", uid))
    if "PixelData" not in dataset:
        if any(word in name for word in _DOCUMENTS) or "EncapsulatedDocument" in dataset:
            raise ImageError("document", f"DICOM is no image but {name}")
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise ImageError("unsupported_pixels", "DICOM with floating-point pixels")
        raise ImageError("no_pixels", "DICOM without pixel data")
    modality = _word(dataset.get("Modality"))
    if modality not in _MODALITIES or name.startswith(_NOT_PROJECTION):
        raise ImageError(
            "modality", f"DICOM of modality {modality or name}: not a projection X-ray"
        )
    other = _other_part(dataset)
    if other and body_part == "chest":
        raise ImageError(
            "body_part", f'DICOM of the {other}, no chest film: images.body_part="any" reads it'
        )


def view(dataset: Any) -> str:
    """PA, AP, frontal (one of the two) or lateral; empty for oblique films and where nothing tells.

    ViewPosition, else ViewCodeSequence, else PatientOrientation: the directions in which rows and
    columns run, of which PA and AP have the same. FieldOfViewHorizontalFlip is no further turn: it
    says what was done to the pixels before they were written.
    """
    position = _word(dataset.get("ViewPosition"))
    if position in _POSITIONS:
        return _POSITIONS[position]
    for item in _items(dataset, "ViewCodeSequence"):
        for keyword in ("CodeValue", "CodeMeaning"):
            found = _VIEW_CODES.get(_word(item.get(keyword)))
            if found:
                return found
    return _view_by_directions(dataset.get("PatientOrientation"))


def _view_by_directions(value: Any) -> str:
    """The view in which one side of the film runs along the body and the other across it. Two
    letters for the direction across mean a patient turned out of both views."""
    if value is None or isinstance(value, str | bytes) or len(value) != 2:
        return ""
    sides = [_word(side) for side in value]
    across = [side for side in sides if side[:1] not in ("F", "H")]
    if len(across) != 1 or len(across[0]) != 1:
        return ""
    return next((name for axis, name in _AXES.items() if across[0] in axis), "")


def _other_part(dataset: Any) -> str:
    """The word for a part of the body that is not the chest, or empty."""
    text = _word(dataset.get("BodyPartExamined"))
    if not text:
        regions = _items(dataset, "AnatomicRegionSequence")
        text = " ".join(_word(item.get("CodeMeaning")) for item in regions)
    found = _OTHER_PARTS.search(text)
    return "" if found is None or _CHEST.search(text) else found[1]


def _items(dataset: Any, keyword: str) -> list[Any]:
    """The items of a sequence, none where a damaged file holds something else there."""
    value = dataset.get(keyword)
    if value is None or isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return []
    return [item for item in value if hasattr(item, "get")]


def _word(value: Any) -> str:
    """Text of an element in capitals, empty for none."""
    return str(value or "").strip().upper()
