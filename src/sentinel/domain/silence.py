"""Silences: alerts with certain labels of which nobody is told for a while. The alerts are made all the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_SILENCES = 1000
"""In force or to come, of one tenant."""
MAX_SILENCE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence.

    Attributes:
        matchers: Texts as `matcher_of` reads them; all must hold.
        ended_at: When it was ended before its time.
    """

    id: int
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None

    def status_at(self, moment: datetime) -> str:
        """Return `pending`, `active` or `expired`."""
        if self.ended_at is not None or self.ends_at <= moment:
            return "expired"
        return "active" if self.starts_at <= moment else "pending"
