"""Notifications, detectors and dead letters as the API answers them."""

from __future__ import annotations

from typing import Any

from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi

DELIVERY = {
    "id": "dlv_1", "channel": "siem", "channel_kind": "webhook", "target": HOSTILE, "kind": "alerts",
    "severity": "critical", "state": "dead", "alert_count": 2, "attempt_count": 1, "redrive_count": 0,
    "next_attempt_at": None, "created_at": NOW, "finished_at": NOW, "last_reason": "status_500",
}  # fmt: skip
ATTEMPT = {
    "attempt": 1, "outcome": "failed", "reason": "status_500", "detail": HOSTILE, "status": 500, "started_at": NOW,
    "seconds": 0.25, "next_attempt_at": None,
}  # fmt: skip
POLICY = {
    "version": 2, "comment": HOSTILE, "created_by": "ann (key:3)", "created_at": NOW,
    "policy": {"defaults": {"channels": ["siem"]}, "routes": [{"name": "noise", "match": ['severity="info"']}]},
}  # fmt: skip
ROUTED = {
    "policy_version": 2, "labels": {"rule": HOSTILE},
    "targets": [
        {
            "route": "", "channel": "siem", "group": {"rule": HOSTILE}, "told_at": NOW, "muted_by": "",
            "quiet_until": None, "escalation": "",
        }
    ],
    "refused": [{"outcome": "unrouted", "reason": HOSTILE, "route": "noise", "channel": ""}],
}  # fmt: skip


def channel(**more: Any) -> dict[str, Any]:
    """Return a channel."""
    return {
        "id": 1, "name": "siem", "kind": "webhook", "options": {"url": HOSTILE}, "status": "active",
        "disabled_reason": "", "rate_per_minute": None, "version": 1, "created_by": "ann", "created_at": NOW,
        "updated_at": NOW, "secrets": [
            {"id": 1, "hint": "whs...4u", "is_encrypted": True, "added_at": NOW, "added_by": "ann", "expires_at": None}
        ], **more,
    }  # fmt: skip


def silence(number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a silence."""
    return {
        "id": number, "status": "active", "matchers": [f'rule="{HOSTILE}"'], "starts_at": NOW, "ends_at": NOW,
        "comment": HOSTILE, "created_by": "ann", "created_at": NOW, "ended_at": None, "ended_by": None, **more,
    }  # fmt: skip


def fill(stub: StubApi) -> None:
    """Let a stub answer all that the page of notifications asks for."""
    stub.answers |= {
        "GET /api/deliveries/overdue": [],
        "GET /api/deliveries": [DELIVERY],
        "GET /api/deliveries/dlv_1": {
            **DELIVERY, "content": {"title": HOSTILE}, "alert_ids": [3, 2], "attempts": [ATTEMPT]
        },
        "GET /api/channels": [channel()],
        "GET /api/notifications/policy": POLICY,
        "POST /api/notifications/dry-route": ROUTED,
        "GET /api/silences": [silence(), silence(2, status="expired", ended_at=NOW)],
    }  # fmt: skip
