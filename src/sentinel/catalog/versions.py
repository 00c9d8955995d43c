"""Guards against lost updates."""

from __future__ import annotations

from sentinel.errors import VersionMismatchError


def refuse_other_version(what: str, current: int, expected: int | None) -> None:
    """Refuse a change that was made with another version in view; None: the caller does not care.

    Raises:
        VersionMismatchError: The versions differ.
    """
    if expected is not None and expected != current:
        raise VersionMismatchError(f"{what} is at version {current}, not {expected}; read it again and decide anew")
