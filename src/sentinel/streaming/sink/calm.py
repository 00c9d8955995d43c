"""What can wait leaves a start or a change of what detects the processor."""

from __future__ import annotations

import threading

from sentinel.clock import monotonic_seconds

# A start or a change takes seconds. One that takes longer is not waited for.
CALM_WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.2


def wait_for_calm(changing: threading.Event, stopped: threading.Event) -> bool:
    """Wait while something is changed, `CALM_WAIT_SECONDS` at most; True when it is time to stop."""
    deadline = monotonic_seconds() + CALM_WAIT_SECONDS
    while changing.is_set() and monotonic_seconds() < deadline and not stopped.wait(LOOK_SECONDS):
        pass
    return stopped.is_set()
