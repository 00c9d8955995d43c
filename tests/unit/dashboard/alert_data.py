"""Alerts as the API answers them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi


def alert(number: int, **more: Any) -> dict[str, Any]:
    """Return an alert of the list."""
    return {
        "id": number, "pipeline_id": 7, "rule_id": 11, "rule_version_id": 21, "severity": "critical", "score": 80,
        "rule_name": "large", "rule_description": HOSTILE, "alert_timestamp": NOW, "event_id": f"t{number}",
        "transaction_data": {"note": HOSTILE, "amount": 900}, "entities": {"user_id": "u1"},
        "evidence": [{"condition": "amount > 800", "values": {"amount": 900}}],
        "kafka_partition": 1, "kafka_offset": number, "kafka_timestamp": NOW, "status": "open", "version": 0, **more,
    }  # fmt: skip


def rule(number: int = 11, **more: Any) -> dict[str, Any]:
    """Return a rule."""
    return {
        "id": number, "pipeline_id": 7, "rule_expression": "amount > 800", "severity": "warning", "name": "large",
        "description": HOSTILE, "is_active": True, "state": "active", "version": 2, "row_version": 4,
        "created_at": NOW, "updated_at": NOW, **more,
    }  # fmt: skip


def version(number: int, **more: Any) -> dict[str, Any]:
    """Return a version of a rule."""
    return {
        "version": number, "rule_version_id": 20 + number, "rule_expression": f"amount > {number}00",
        "severity": "warning", "description": HOSTILE, "content_hash": "00", "comment": HOSTILE,
        "created_by": "ann (key:3)", "created_at": NOW, "changes": [], **more,
    }  # fmt: skip


def pipeline(**more: Any) -> dict[str, Any]:
    """Return a pipeline."""
    return {
        "id": 7, "name": HOSTILE, "kafka_topic": "cards", "status": "active", "created_at": NOW, "updated_at": NOW,
        "alert_count": 1_234, "schema_version": 2, "rule_set_version": 3, "start_at": "earliest", "version": 5,
        "config": {
            "mode": "realtime", "score_every_event": False, "future_tolerance_seconds": 3600, "max_record_bytes": 1,
            "storm_limit": 1,
        }, **more,
    }  # fmt: skip


WHY = {
    "alert_id": 3, "summary": f"Sent to {HOSTILE}.", "is_waiting": False,
    "fired": {
        "fire_count": 4, "first_alert_id": 1, "first_fired_at": NOW, "last_alert_id": 3, "last_fired_at": NOW,
    },
    "steps": [
        {
            "at": NOW, "outcome": "sent", "reason": HOSTILE, "route": "rule", "channel": "siem", "delivery_id": "d1",
            "attempt": 1, "details": {},
        }
    ],
}  # fmt: skip


RELATED = {
    "scores": [
        {
            "field": "user_id", "value": HOSTILE, "score": 88, "critical_count": 1, "warning_count": 1,
            "info_count": 0,
        }
    ],
    "before": [
        {
            "id": 2, "alert_timestamp": NOW, "severity": "info", "score": 10, "rule_id": 11, "rule_name": "large",
            "rule_description": HOSTILE, "detector": None, "event_id": HOSTILE, "status": "open", "disposition": None,
            "shared": ["user_id"],
        }
    ],
    "after": [], "searched_since": NOW, "searched_until": None,
}  # fmt: skip


def facets(**more: Any) -> dict[str, Any]:
    """Return counts as the API answers them."""

    def count(value: str, number: int, name: str = "", pipeline_id: int | None = None) -> dict[str, Any]:
        return {"value": value, "name": name, "pipeline_id": pipeline_id, "count": number}

    return {
        "total": 1234, "looked_at": 1234, "since": None,
        "severity": [count("critical", 34), count("info", 1200)],
        "status": [count("open", 1000), count("resolved", 234)],
        "pipeline": [count("7", 1234, HOSTILE)],
        "rule": [count("11", 1200, HOSTILE, 7), count("12", 34, "other", 7)],
        "disposition": [count("benign", 4), count("", 1230)],
        "source": [count("rule", 1230), count("detector", 4)],
        "detector": [count("amount_spike", 4)],
        **more,
    }  # fmt: skip


def pages(found: list[dict[str, Any]]) -> Any:
    """Return what answers pages of a list of alerts, newest first."""

    def answer(request: httpx.Request) -> httpx.Response:
        before = int(request.url.params.get("before", 2**62))
        severity = request.url.params.get("severity")
        fitting = [each for each in found if each["id"] < before and severity in (None, each["severity"])]
        limit = int(request.url.params["limit"])
        page = fitting[:limit]
        more = {"Link": f'</api/alerts?before={page[-1]["id"]}>; rel="next"'} if len(fitting) > limit else {}
        return httpx.Response(200, json=page, headers=more)

    return answer


def answer_alerts(stub: StubApi, found: list[dict[str, Any]], **detail: Any) -> None:
    """Let a stub answer all that the page of alerts asks for."""
    stub.answers |= {
        "GET /api/pipelines": [pipeline()],
        "GET /api/pipelines/7/rules": [rule()],
        "GET /api/detectors": [],
        "GET /api/alerts": pages(found),
        "GET /api/alerts/facets": facets(),
        "GET /api/rules/11/versions": [version(2), version(1)],
    }
    for each in found[:20]:
        stub.answers[f"GET /api/alerts/{each['id']}"] = {**each, "notes": [], "changes": [], **detail}
        stub.answers[f"GET /api/alerts/{each['id']}/why"] = WHY
        stub.answers[f"GET /api/alerts/{each['id']}/entity-history"] = RELATED
