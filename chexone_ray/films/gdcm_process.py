"""JPEG Lossless and JPEG-LS frames through GDCM, in a process of its own.

GDCM is the one permissively licensed decoder of these, and it aborts its whole process on some
damaged streams, which no `except` can catch: in a Ray worker that would lose many other films.
So a child process decodes, frame by frame, and its death is an error like any other. A child ends
when its parent does, or after `IDLE_S` without work; threads that decode at the same time have one
each.

Run as a script, this file is the child.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import struct
import subprocess
import sys
import threading
from typing import Any, BinaryIO

TIMEOUT_S = 120.0
IDLE_S = 5.0
_REQUEST = struct.Struct("<HHHHH32s64sQ")
"""Columns, rows, bits allocated, bits stored, signed, photometric, transfer syntax, frame bytes."""
_REPLY = struct.Struct("<?Q")
"""Decoded or not, bytes that follow."""


class ChildError(RuntimeError):
    """The frame could not be decoded."""


def decode(
    frame: bytes,
    *,
    columns: int,
    rows: int,
    bits_allocated: int,
    bits_stored: int,
    signed: bool,
    photometric: str,
    syntax: str,
) -> bytes:
    """The decoded bytes of one grey frame, little endian. Raises ChildError, also when the child
    died or took longer than `TIMEOUT_S`."""
    request = _REQUEST.pack(
        columns,
        rows,
        bits_allocated,
        bits_stored,
        signed,
        photometric.encode("ascii", "replace"),
        syntax.encode("ascii", "replace"),
        len(frame),
    )
    for _ in range(2):
        child = _idle_child() or _start()
        reply = _ask(child, request, frame)
        if reply is not None:
            break
        if child.returncode != 0:  # 0: it gave up waiting just as the frame was sent; once more.
            raise ChildError(f"the decoder died with code {child.returncode}")
    else:
        raise ChildError("the decoder does not stay")
    if not reply[0]:
        raise ChildError("GDCM refused the frame")
    return reply[1]


def _ask(child: Any, request: bytes, frame: bytes) -> tuple[bool, bytes] | None:
    """Whether the frame was decoded, and its bytes; None where the child is dead now."""
    alarm = threading.Timer(TIMEOUT_S, child.kill)
    alarm.start()
    try:
        child.stdin.write(request)
        child.stdin.write(frame)
        child.stdin.flush()
        decoded, length = _REPLY.unpack(_exactly(child.stdout, _REPLY.size))
        data = _exactly(child.stdout, length)
    except (OSError, EOFError):
        _dispose(child)
        return None
    finally:
        alarm.cancel()
    _idle().put(child)
    return decoded, data


def _dispose(child: Any) -> None:
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):
            pipe.close()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


_children: dict[int, queue.SimpleQueue[Any]] = {}
"""Process id -> its idle children; a forked process must not share its parent's pipes."""


def _idle() -> queue.SimpleQueue[Any]:
    return _children.setdefault(os.getpid(), queue.SimpleQueue())


def _idle_child() -> Any | None:
    while True:
        try:
            child = _idle().get_nowait()
        except queue.Empty:
            return None
        if child.poll() is None:
            return child
        _dispose(child)


def _start() -> Any:
    # -P: this folder holds names such as `log` that must not hide others in the child.
    return subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _exactly(stream: BinaryIO, number: int) -> bytes:
    data = stream.read(number)
    if len(data) < number:
        raise EOFError
    return data


# --- the child -----------------------------------------------------------------------------------


def _serve() -> None:
    import gdcm

    while select.select([sys.stdin], [], [], IDLE_S)[0]:
        header = sys.stdin.buffer.read(_REQUEST.size)
        if len(header) < _REQUEST.size:
            return
        *numbers, photometric, syntax, length = _REQUEST.unpack(header)
        try:
            fragment = gdcm.Fragment()
            fragment.SetByteStringValue(sys.stdin.buffer.read(length))
            data = _decode_here(gdcm, fragment, numbers, _text(photometric), _text(syntax))
            decoded = True
        except Exception:  # Whatever it is, the parent is told and the next frame is served.
            data, decoded = b"", False
        sys.stdout.buffer.write(_REPLY.pack(decoded, len(data)))
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _decode_here(
    gdcm: Any, fragment: Any, numbers: list[int], photometric: str, syntax: str
) -> bytes:
    columns, rows, bits_allocated, bits_stored, signed = numbers
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(1, bits_allocated, bits_stored, bits_stored - 1, signed))
    # The wrapper gives bytes as text with stand-ins for what is no UTF-8.
    data: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    return data


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("ascii", "replace")


if __name__ == "__main__":
    _serve()
