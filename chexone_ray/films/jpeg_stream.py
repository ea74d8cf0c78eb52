"""What the markers of a JPEG stream say before anything is decoded."""

from __future__ import annotations

import re
import struct

MAX_SCANS = 100
"""Progressive encoders write about ten. Each is one pass over the whole picture, however few bytes
it takes, so a small file with many keeps a decoder busy for hours."""
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
_TABLES = (0xC4, 0xC8, 0xCC)
"""Markers among the frame headers' numbers that are none."""
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_JPEG_LS = 0xF7


def frame_header(data: bytes) -> tuple[int, int, int, int] | None:
    """(width, height, samples, bits) of a JPEG or JPEG-LS stream, None where there is no header."""
    found = _frame(data)
    return None if found is None else found[1:]


def too_short(data: bytes) -> bool:
    """Fewer bytes than the declared size takes at the least: a bit a pixel without loss, a bit a
    block of 64 with. JPEG-LS has no such bound. Decoders would fill up what is missing."""
    found = _frame(data)
    if found is None or found[0] == _JPEG_LS:
        return False
    pixels = found[1] * found[2]
    return pixels > 8 * len(data) * (1 if found[0] in _LOSSLESS else 64)


def _frame(data: bytes) -> tuple[int, int, int, int, int] | None:
    """(marker, width, height, samples, bits)"""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _TABLES):
            bits, height, width, samples = struct.unpack(">BHHB", data[at + 4 : at + 10])
            return marker, width, height, samples, bits
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def too_many_scans(data: bytes) -> bool:
    """More than `MAX_SCANS` scans up to the end of the image."""
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return False
    scans, at = 0, 2
    while (found := _MARKER.search(data, at)) and scans <= MAX_SCANS:
        marker, at = data[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        scans += marker == 0xDA
        at += int.from_bytes(data[at : at + 2])
    return scans > MAX_SCANS
