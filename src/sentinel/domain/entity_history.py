"""What else was raised about what an alert is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sentinel.domain.alert import Alert

MAX_NEIGHBOURS = 20_000
"""Alerts of the same pipeline, on each side of an alert, among which those about the same are looked for."""


@dataclass(frozen=True, slots=True)
class EntityScore:
    """How suspicious an entity is.

    Attributes:
        field: A field of role entity.
        score: 0..100, from all alerts about it since it was last quiet for the scores' time to live.
    """

    field: str
    value: str
    score: int
    critical_count: int
    warning_count: int
    info_count: int


@dataclass(frozen=True, slots=True)
class EntityHistory:
    """Alerts that share an entity with an alert, of the same pipeline; of an anomaly: its detector and subject.

    Attributes:
        scores: Of its entities that have one now.
        before: Newest first, so the nearest one is first.
        after: Oldest first, likewise.
        searched_since: No alert before it was looked at; None: all were.
        searched_until: No alert after it was looked at; None: all were.
    """

    scores: tuple[EntityScore, ...]
    before: tuple[Alert, ...]
    after: tuple[Alert, ...]
    searched_since: datetime | None
    searched_until: datetime | None
