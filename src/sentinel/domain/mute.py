"""Mutes and snoozes: what is evaluated and not alerted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

MAX_KEPT_MUTES = 1000
"""Mutes and snoozes of one pipeline that a rule set may hold."""


class SuppressionCause(StrEnum):
    """Why a match raised no alert."""

    MUTED = "muted"
    SNOOZED = "snoozed"


@dataclass(frozen=True, slots=True)
class SuppressedCount:
    """Matches of one rule that raised no alert.

    Attributes:
        hour: Of their records' timestamps.
        cause: Why: `muted`, `snoozed`, or what else keeps matches from being alerts.
    """

    rule_id: int
    hour: datetime
    cause: str
    match_count: int


@dataclass(frozen=True, slots=True)
class Mute:
    """A rule that is silent (mute), or an entity that is, for one rule or for all (snooze).

    Attributes:
        rule_id: None: every rule.
        field, value: The entity of a snooze: a field of role entity and its value as text; None for a mute.
        expires_at: Records with a timestamp from then on are alerted again; None: not before somebody ends it.
        created_by: Who asked for it: the name of an API key.
        ended_at: When it was ended before its time.
    """

    id: int
    pipeline_id: int
    rule_id: int | None
    field: str | None
    value: str | None
    expires_at: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None

    @property
    def silence(self) -> Silence:
        """What it comes to in a rule set."""
        expires_ms = None if self.expires_at is None else round(self.expires_at.timestamp() * 1000)
        return Silence(self.id, self.rule_id, self.field, self.value, expires_ms)


@dataclass(frozen=True, slots=True)
class Silence:
    """A mute or snooze as part of a rule set: it sees records, and no clock.

    Attributes:
        expires_ms: It counts for records with a Kafka timestamp before this, milliseconds since the epoch.
    """

    mute_id: int
    rule_id: int | None
    field: str | None
    value: str | None
    expires_ms: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "mute_id": self.mute_id,
            "rule_id": self.rule_id,
            "field": self.field,
            "value": self.value,
            "expires_ms": self.expires_ms,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Silence:
        """Build it from its stored form."""
        return cls(**stored)


class Silencer:
    """Tells which matches of a rule set are silent. Built once per generation; a look-up costs a few microseconds."""

    def __init__(self, silences: Sequence[Silence]) -> None:
        self._muted: dict[int, list[Silence]] = {}
        self._snoozed: dict[tuple[str, str], list[Silence]] = {}
        for silence in silences:
            if silence.field is not None and silence.value is not None:
                self._snoozed.setdefault((silence.field, silence.value), []).append(silence)
            elif silence.rule_id is not None:
                self._muted.setdefault(silence.rule_id, []).append(silence)

    def __bool__(self) -> bool:
        return bool(self._muted or self._snoozed)

    def cause(self, rule_id: int, entities: Mapping[str, str], timestamp_ms: int) -> SuppressionCause | None:
        """Return why a match raises no alert; None: it raises one.

        Args:
            entities: Entity field -> value as text, as detection found it.
            timestamp_ms: Of the Kafka record, milliseconds since the epoch.
        """
        if any(_counts(silence, rule_id, timestamp_ms) for silence in self._muted.get(rule_id, ())):
            return SuppressionCause.MUTED
        for entity in entities.items() if self._snoozed else ():
            if any(_counts(silence, rule_id, timestamp_ms) for silence in self._snoozed.get(entity, ())):
                return SuppressionCause.SNOOZED
        return None


def _counts(silence: Silence, rule_id: int, timestamp_ms: int) -> bool:
    return silence.rule_id in (None, rule_id) and (silence.expires_ms is None or timestamp_ms < silence.expires_ms)
