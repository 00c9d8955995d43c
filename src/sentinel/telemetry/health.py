"""What a process says of itself: whether it is alive, and whether it can do its work, with causes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "degraded", "unavailable"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a process needs.

    Attributes:
        name: E.g. `postgresql`, `loop deliveries`, `pipeline 7`.
        cause: A sentence without secrets; None: all is well.
        is_vital: False: without it the process does its work, only less well.
    """

    name: str
    cause: str | None = None
    is_vital: bool = True

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.cause is None


Checks = Callable[[], Sequence[Check]]
"""Looks, and returns what it found. Called by the thread that answers, at most once at a time."""


def status_of(checks: Sequence[Check]) -> Status:
    """Return `ok`, `degraded` (what is wrong is not vital), or `unavailable`."""
    if any(check.is_vital and not check.ok for check in checks):
        return "unavailable"
    return "ok" if all(check.ok for check in checks) else "degraded"


def document(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the checks as `/readyz` of the API tells them."""
    return {
        "status": status_of(checks),
        "checks": {check.name: {"ok": check.ok, "cause": check.cause} for check in checks},
    }
