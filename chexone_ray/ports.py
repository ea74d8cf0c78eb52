"""Does a port answer: asked before a client that would try a dead address for minutes."""

from __future__ import annotations

import socket
import time

PROBES = 3
PROBE_TIMEOUT_S = 5.0
PAUSE_S = 1.0


def probe(host: str, port: int) -> None:
    """Connect once and hang up. Raises OSError where that fails `PROBES` times."""
    for attempt in range(PROBES):
        try:
            socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
            return
        except OSError:
            if attempt + 1 == PROBES:
                raise
            time.sleep(PAUSE_S)
