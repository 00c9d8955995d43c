"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """Print an aligned table; columns in `right` are right-aligned."""
    lines = [list(heading), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def megabytes(size_bytes: int | None) -> str:
    """Return a size as people read it; `-` for None."""
    if size_bytes is None:
        return "-"
    return f"{size_bytes / 1024**3:,.2f} GB" if size_bytes >= 1024**3 else f"{size_bytes / 1024**2:,.1f} MB"


def say(text: str) -> None:
    """Print a line to standard error: progress and remarks, never results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
