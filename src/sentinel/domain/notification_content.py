"""Notifications as plain JSON data, as deliveries keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.domain.notification import MAX_TOLD_ALERTS, Notification, NotificationKind, NotifiedAlert
from sentinel.domain.origin import UNKNOWN, Origin
from sentinel.domain.rule import Severity


def content_of(
    *,
    kind: NotificationKind,
    severity: Severity,
    group_key: str,
    labels: Mapping[str, str],
    alerts: Sequence[NotifiedAlert],
    alert_count: int,
    created_at: datetime,
) -> dict[str, Any]:
    """Return what a delivery keeps; of the alerts the newest MAX_TOLD_ALERTS, oldest first."""
    told = sorted(alerts, key=lambda alert: alert.alert_id)[-MAX_TOLD_ALERTS:]
    return {
        "kind": kind.value,
        "severity": severity.value,
        "group_key": group_key,
        "labels": dict(labels),
        "alerts": [_alert_as_json(alert) for alert in told],
        # Beside the alerts, whose members earlier versions of the service take for all that there are.
        "origins": {
            str(alert.alert_id): [alert.origin.request_id, alert.origin.traceparent]
            for alert in told
            if alert.origin != UNKNOWN
        },
        "alert_count": alert_count,
        "created_at": created_at.isoformat(),
    }


def origins_of(content: Mapping[str, Any]) -> list[Origin]:
    """Return where the events of a delivery's alerts came from, newest first, each once; unknown ones left out."""
    told, alerts = content.get("origins", {}), content.get("alerts", ())
    found = [Origin(*told[key][:2]) for alert in alerts if (key := str(alert.get("alert_id"))) in told]
    return list(dict.fromkeys(reversed(found)))


def notification_of(
    content: Mapping[str, Any], *, delivery_id: str, tenant_id: str, thread: str | None
) -> Notification:
    """Build a notification from what a delivery keeps. Equal for every attempt but for its thread."""
    return Notification(
        delivery_id=delivery_id,
        tenant_id=tenant_id,
        kind=NotificationKind(content["kind"]),
        severity=Severity(content["severity"]),
        group_key=content["group_key"],
        labels=content["labels"],
        alerts=tuple(_alert_from_json(alert, content.get("origins", {})) for alert in content["alerts"]),
        alert_count=content["alert_count"],
        created_at=datetime.fromisoformat(content["created_at"]),
        thread=thread,
    )


def _alert_as_json(alert: NotifiedAlert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "pipeline": alert.pipeline,
        "severity": alert.severity.value,
        "description": alert.description,
        "alert_timestamp": alert.alert_timestamp.isoformat(),
        "event_id": alert.event_id,
        "score": alert.score,
        "tags": list(alert.tags),
        "entities": dict(alert.entities),
        "evidence": [dict(each) for each in alert.evidence],
        "event": alert.event,
    }


def _alert_from_json(stored: Mapping[str, Any], origins: Mapping[str, Any]) -> NotifiedAlert:
    return NotifiedAlert(
        **{
            **stored,
            "origin": Origin(*origins.get(str(stored["alert_id"]), ())[:2]),
            "severity": Severity(stored["severity"]),
            "alert_timestamp": datetime.fromisoformat(stored["alert_timestamp"]),
            "tags": tuple(stored["tags"]),
            "evidence": tuple(stored["evidence"]),
        }
    )
