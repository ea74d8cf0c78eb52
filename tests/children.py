"""Child processes of tests."""

from __future__ import annotations

import sys

INTERRUPTIBLE = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)
"""Before a command: where the tests run in the background, children are born deaf to Ctrl-C."""
