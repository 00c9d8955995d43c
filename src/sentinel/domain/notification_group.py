"""Groups of alerts that are told together, and what the router knows of alerts and channels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel.domain.channel import ChannelKind, ChannelStatus
from sentinel.domain.label_matcher import ALERT_LABEL, Labels, Matcher, value_of
from sentinel.domain.notification import AlertEvent, NotificationKind, NotifiedAlert
from sentinel.domain.notification_policy import Plan
from sentinel.domain.rule import Severity

_LEVELS = ("", "none", "low", "medium", "high")


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """Something that happened to an alert and is still to be told."""

    id: int
    alert_id: int
    event: AlertEvent


@dataclass(frozen=True, slots=True)
class RoutedAlert:
    """An alert as the router sees it.

    Attributes:
        source: `rule` or `detector`.
        notify: What the rule itself asks for: channels such as `slack:#big-orders`.
        rule_id: Of the rule, or of the detector.
        refill_id, subject: As in `Alert`; a rule's has no subject.
        level: What a detector says now; `none`: it is no longer so. Empty: no detector said anything.
        former_level: What it said before it was last amended; empty: it was not.
    """

    told: NotifiedAlert
    rule_id: int
    source: str
    notify: tuple[str, ...]
    refill_id: int | None
    subject: str = ""
    level: str = ""
    former_level: str = ""

    @property
    def is_over(self) -> bool:
        """Whether its detector says that it is no longer so."""
        return self.level == "none"

    @property
    def is_worse(self) -> bool:
        """Whether its detector raised its level when it was last amended."""
        return _LEVELS.index(self.level) > _LEVELS.index(self.former_level)

    @property
    def labels(self) -> Labels:
        """What matchers look at."""
        told = self.told
        labels: dict[str, tuple[str, ...]] = {
            "rule" if self.source == "rule" else "detector": (told.rule,),
            "severity": (told.severity.value,),
            "source": (self.source,),
            ALERT_LABEL: (str(told.alert_id),),
            **{f"entity.{name}": (str(value),) for name, value in told.entities.items()},
        }
        if told.pipeline:
            labels["pipeline"] = (told.pipeline,)
        if told.tags:
            labels["tag"] = told.tags
        return labels

    @property
    def fingerprint(self) -> bytes:
        """Equal for alerts of one rule about the same entities; where there are none, about the same event."""
        told = self.told
        return fingerprint_of(self.source, self.rule_id, told.entities, self.subject, told.event_id)


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """A channel, as far as routing needs it."""

    id: int
    name: str
    kind: ChannelKind
    status: ChannelStatus = ChannelStatus.ACTIVE
    disabled_reason: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether anything is sent to it."""
        return self.status is ChannelStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Target:
    """Where one group goes.

    Attributes:
        override: What a rule names instead of the channel's own target, such as `#big-orders`; empty: nothing.
    """

    channel: ChannelRef
    override: str = ""

    @property
    def key(self) -> str:
        """What it is told from others by: duplicates are those of one target."""
        return f"{self.channel.id}/{self.override}"

    @property
    def said(self) -> str:
        """How decisions call it."""
        return said_target(self.channel.name, self.override)


def said_target(channel: str, override: str) -> str:
    """Return how decisions call a channel, with what a rule names instead of its own target."""
    return f"{channel} ({override})" if override else channel


class GroupState(StrEnum):
    """Whether anybody has taken up the alerts of a group."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts of one route on one target that have certain labels in common.

    Attributes:
        id: 0: it is not stored yet.
        labels: What they have in common.
        flush_at: When what waits is told; None: nothing waits.
        is_deferred: Quiet hours hold it back.
        thread: As in `Receipt.thread`.
        repeat_at: When its open alerts are told again; None: never.
    """

    id: int
    key: bytes
    target: Target
    plan: Plan
    labels: Mapping[str, str]
    state: GroupState
    flush_at: datetime | None
    is_deferred: bool
    last_told_at: datetime | None
    repeat_at: datetime | None
    thread: str | None

    @property
    def public_key(self) -> str:
        """What receivers tell groups apart by."""
        return self.key.hex()[:32]


@dataclass(frozen=True, slots=True)
class GroupMember:
    """An alert that waits in a group."""

    group_id: int
    alert_id: int
    severity: Severity
    labels: Labels
    is_deferred: bool


@dataclass(frozen=True, slots=True)
class SilenceInForce:
    """A silence as the router sees it."""

    id: int
    matchers: tuple[Matcher, ...]
    ends_at: datetime
    comment: str
    created_by: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of alerts with one fingerprint.

    Attributes:
        fire_count: How many there were.
        told_to: `Target.key` -> when an alert of it was last sent on its way there; not since it was resolved.
    """

    fire_count: int
    first_alert_id: int
    told_to: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class FiringLabels:
    """An open alert that may inhibit others."""

    alert_id: int
    labels: Labels


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be written.

    Attributes:
        content: What a `Notification` is built from, but for its thread; plain JSON data.
        alert_ids: All the alerts that it tells of.
    """

    id: str
    target: Target
    group_id: int
    kind: NotificationKind
    severity: Severity
    content: Mapping[str, Any]
    alert_ids: Sequence[int]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DueSummary:
    """A summary that is due.

    Attributes:
        since, until: What it tells of: alerts from `since` on, before `until`.
    """

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class AlertTally:
    """How many alerts there were.

    Attributes:
        by_severity: Severity -> alerts; those without are missing.
        by_rule: The rules with the most, and how many each has, most first.
        newest: Ids of the newest, oldest first.
    """

    by_severity: Mapping[Severity, int]
    by_rule: Sequence[tuple[str, int]]
    newest: Sequence[int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_severity.values())


def fingerprint_of(source: str, rule_id: int, entities: Mapping[str, str], subject: str, event_id: str) -> bytes:
    """Return what is equal for alerts of one rule, or detector, about the same entities, else subject, else event."""
    about = sorted(entities.items()) or subject or event_id
    return hashlib.sha256(json.dumps([source, rule_id, about]).encode()).digest()


def group_key(route: str, target: Target, labels: Mapping[str, str]) -> bytes:
    """Return what identifies a group within its tenant."""
    said = json.dumps([route, target.channel.id, target.override, sorted(labels.items())])
    return hashlib.sha256(said.encode()).digest()


def common_labels(labels: Labels, group_by: Sequence[str]) -> dict[str, str]:
    """Return the labels that alerts of one group share; those that are absent are left out."""
    return {name: value for name in group_by if (value := value_of(labels, name))}


def severest(severities: Sequence[Severity]) -> Severity:
    """Return the highest severity; `info` where there is none."""
    order = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
    return min(severities, key=order.index, default=Severity.INFO)
