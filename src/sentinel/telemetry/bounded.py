"""Labels with few values, whatever comes in: a time series that is made is kept for as long as the process lives."""

from __future__ import annotations

from collections.abc import Collection

OTHER = "other"
"""Stands for every value that is not known beforehand."""


def known(value: str, values: Collection[str]) -> str:
    """Return the value where it is one of those that there are, else `OTHER`."""
    return value if value in values else OTHER
