"""One line that says how it goes: rewritten in place on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import shutil
from typing import TextIO

from sentinel.clock import monotonic_seconds

PLAIN_SECONDS = 5.0


class StatusLine:
    """Shows the newest text.

    Args:
        plain_seconds: How often a line is written where the output is not a terminal.
    """

    def __init__(self, stream: TextIO, *, plain_seconds: float = PLAIN_SECONDS) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._plain_seconds = plain_seconds
        self._next = monotonic_seconds() + plain_seconds
        self._shown = False

    def update(self, text: str) -> None:
        """Show how it goes now."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()
            self._shown = True
        elif monotonic_seconds() >= self._next:
            self._next = monotonic_seconds() + self._plain_seconds
            self._stream.write(text + "\n")
            self._stream.flush()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away, before other output."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
