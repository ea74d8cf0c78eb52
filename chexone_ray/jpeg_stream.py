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


def frame_header(data: bytes) -> tuple[int, int, int, int] | None:
    """(width, height, samples, bits) of a JPEG or JPEG-LS stream, None where there is no header."""
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
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in _TABLES):
            bits, height, width, samples = struct.unpack(">BHHB", data[at + 4 : at + 10])
            return width, height, samples, bits
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
