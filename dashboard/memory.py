"""What a long-lived dashboard does for its memory."""

from __future__ import annotations

import gc
import sys
import threading

_lock = threading.Lock()
_frozen_modules = 0


def settle() -> bool:
    """Take what is loaded out of the collector's sight; return whether there was anything new to take.

    Streamlit collects all garbage after every run of a script, and a refresh every two seconds is such a run: with the
    libraries of the dashboard in sight that takes 80 ms each time, which is most of what an open page costs; without
    them, 2 ms. What is taken out is still freed once nobody refers to it, but for cycles; so it is done when modules
    were loaded, some ten times in the life of the process, and garbage is collected before.
    """
    global _frozen_modules  # noqa: PLW0603 - of the process, like what it counts
    loaded = len(sys.modules)
    if loaded == _frozen_modules or not _lock.acquire(blocking=False):
        return False
    try:
        gc.collect()
        gc.freeze()
        _frozen_modules = loaded
    finally:
        _lock.release()
    return True
