"""Audit entries: who did what, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that somebody made. Never changed, never deleted by the service.

    Attributes:
        actor: The name of an API key, or who else acted.
        action: What was done, as in `rule.change`.
        object_type, object_id, object_name: What it was done to, as in `rule`, 7, `new_wallet`.
        before, after: What the change made of what, in the fields it touched; None where there was, or is, nothing.
    """

    id: int
    pipeline_id: int | None
    actor: str
    action: str
    object_type: str
    object_id: int
    object_name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    comment: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None: all."""

    pipeline_id: int | None = None
    object_type: str | None = None
    object_id: int | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
