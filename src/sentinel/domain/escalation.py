"""Escalations under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinel.domain.notification_group import Group
from sentinel.domain.notification_policy import EscalationStep


@dataclass(frozen=True, slots=True)
class DueEscalation:
    """An escalation with a step that is due.

    Attributes:
        steps: The chain as it was when the escalation began: later policies do not change it.
        next_step: Index of the step that is due.
    """

    id: int
    name: str
    group: Group
    steps: Sequence[EscalationStep]
    next_step: int
    started_at: datetime
