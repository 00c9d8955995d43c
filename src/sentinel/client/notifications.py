"""The calls about who is told of what, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sentinel.client.models import Model
from sentinel.client.transport import Transport


class Policy(Model):
    """A version of the policy; version 0 where nobody has made one."""

    version: int
    policy: dict[str, Any]
    comment: str
    created_by: str
    created_at: datetime | None


class PlannedTarget(Model):
    """Where an alert would go. `told_at` None: not at all, and `muted_by` says why."""

    route: str
    channel: str
    group: dict[str, str]
    told_at: datetime | None
    muted_by: str
    quiet_until: datetime | None
    escalation: str


class RefusedTarget(Model):
    """Why an alert would not go somewhere."""

    outcome: str
    reason: str
    route: str
    channel: str


class DryRoute(Model):
    """What would happen to an alert."""

    policy_version: int
    labels: dict[str, str]
    targets: list[PlannedTarget]
    refused: list[RefusedTarget]


class Silence(Model):
    """A silence. `status` is pending, active or expired."""

    id: int
    status: str
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None


class WhyStep(Model):
    """One decision, or one try at a delivery."""

    at: datetime
    outcome: str
    reason: str
    route: str
    channel: str
    delivery_id: str | None
    attempt: int | None
    details: dict[str, Any]


class FireCount(Model):
    """Alerts of the same rule about the same entities."""

    fire_count: int
    first_alert_id: int
    first_fired_at: datetime
    last_alert_id: int
    last_fired_at: datetime


class Why(Model):
    """Why somebody was told of an alert, or nobody."""

    alert_id: int
    summary: str
    is_waiting: bool
    steps: list[WhyStep]
    fired: FireCount | None = None


class Delivery(Model):
    """One notification to one target."""

    id: str
    channel: str
    channel_kind: str
    target: str
    kind: str
    severity: str
    state: str
    alert_count: int
    attempt_count: int
    redrive_count: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_reason: str


class Attempt(Model):
    """One try."""

    attempt: int
    outcome: str
    reason: str
    detail: str
    status: int | None
    started_at: datetime
    seconds: float
    next_attempt_at: datetime | None


class DeliveryDetail(Delivery):
    """A delivery with what it says and every try."""

    content: dict[str, Any]
    alert_ids: list[int]
    attempts: list[Attempt]


class Redriven(Model):
    """What is sent again, or would be."""

    count: int
    delivery_ids: list[str]
    looped: int
    left: int
    ends_at: datetime | None
    dry_run: bool


class OverdueDelivery(Model):
    """A delivery whose next try lies in the past."""

    id: str
    channel: str
    next_attempt_at: datetime
    cause: str


class NotificationCalls(Transport):
    """Part of the client."""

    def get_notification_policy(self) -> Policy:
        """Return the policy in force."""
        return Policy.model_validate(self._get("/api/notifications/policy").json())

    def replace_notification_policy(
        self, policy: Mapping[str, Any], *, comment: str = "", if_version: int | None = None
    ) -> Policy:
        """Put a policy in force.

        Raises:
            InvalidError: It cannot work; `details` lists everything.
            VersionMismatchError: Another version is in force than `if_version`.
        """
        body = {"policy": dict(policy), "comment": comment}
        return Policy.model_validate(self._send("PUT", "/api/notifications/policy", body, if_version=if_version).json())

    def dry_route(self, **wanted: Any) -> DryRoute:
        """Return what would happen to an alert: `alert_id`, or `pipeline`, `rule`, `severity`, `tags`, `entities`,
        `notify`; `at` a time, and by another `policy`.
        """
        return DryRoute.model_validate(self._send("POST", "/api/notifications/dry-route", wanted).json())

    def add_silence(
        self, matchers: Sequence[str], ends_at: datetime, comment: str, *, starts_at: datetime | None = None
    ) -> Silence:
        """Tell nobody of alerts with these labels for a while.

        Raises:
            InvalidError: A matcher is none, or the times cannot be.
        """
        body = {
            "matchers": list(matchers),
            "starts_at": None if starts_at is None else starts_at.isoformat(),
            "ends_at": ends_at.isoformat(),
            "comment": comment,
        }
        return Silence.model_validate(self._send("POST", "/api/silences", body).json())

    def list_silences(self, *, expired: bool = False, limit: int = 100) -> list[Silence]:
        """Return the newest silences; those that are over as well where asked for."""
        answer = self._get("/api/silences", expired=expired, limit=limit)
        return [Silence.model_validate(item) for item in answer.json()]

    def end_silence(self, silence_id: int) -> Silence:
        """End a silence before its time."""
        return Silence.model_validate(self._send("DELETE", f"/api/silences/{silence_id}", {}).json())

    def why(self, alert_id: int) -> Why:
        """Return why somebody was told of an alert, or nobody.

        Raises:
            NotFoundError: There is no such alert.
        """
        return Why.model_validate(self._get(f"/api/alerts/{alert_id}/why").json())

    def list_deliveries(self, **wanted: Any) -> list[Delivery]:
        """Return deliveries, newest first: by `channel`, `state`, `alert_id`, `reason`, `since`, `until`, `limit`."""
        given = {name: value for name, value in wanted.items() if value is not None}
        return [Delivery.model_validate(item) for item in self._get("/api/deliveries", **given).json()]

    def get_delivery(self, delivery_id: str) -> DeliveryDetail:
        """Return a delivery with what it says and every try.

        Raises:
            NotFoundError: There is no such delivery.
        """
        return DeliveryDetail.model_validate(self._get(f"/api/deliveries/{quote(delivery_id, safe='')}").json())

    def redrive_deliveries(self, **wanted: Any) -> Redriven:
        """Send dead deliveries again: by `channel`, `reason`, `alert_id`, `since`, `until`; `rate_per_minute`, `limit`,
        `dry_run`, `insist`.
        """
        given = {name: value for name, value in wanted.items() if value is not None}
        return Redriven.model_validate(self._send("POST", "/api/deliveries/redrive", given).json())

    def overdue_deliveries(self, *, limit: int = 100) -> list[OverdueDelivery]:
        """Return deliveries whose next try lies more than a minute in the past."""
        answer = self._get("/api/deliveries/overdue", limit=limit)
        return [OverdueDelivery.model_validate(item) for item in answer.json()]
