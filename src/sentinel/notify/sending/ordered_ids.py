"""Ids that sort in the order in which they were made."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import datetime


class OrderedIds:
    """Makes ids: a prefix, the milliseconds, a counter, and 64 random bits, in hexadecimal.

    As a UUID of version 7 (RFC 9562, section 5.7 with method 1 of 6.2), without its fixed bits. Those of one process
    sort as they were made; those of several by their clocks.
    """

    def __init__(self, prefix: str, now: Callable[[], datetime]) -> None:
        self._prefix = prefix
        self._now = now
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> str:
        """Return a new id."""
        with self._lock:
            # 48 bits of time and 20 of the counter; a clock that is set back does not take the order back.
            self._last = max(self._last + 1, round(self._now().timestamp() * 1000) << 20)
            return f"{self._prefix}{self._last:017x}{secrets.token_hex(8)}"
