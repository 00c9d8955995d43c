"""A stub of the API for the first page, and the page opened by Streamlit's own test runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from sentinel.client.client import Client
from sentinel.clock import utc_now
from sentinel.settings import PROJECT_ROOT
from tests.unit.dashboard.conftest import ME

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC).isoformat()
HOSTILE = "**bold** <script>alert(1)</script> :red[x] [link](http://x.example) $x^2$"


NOW_STATE = {
    "active": 1, "active_before": 2, "running": 0, "events_per_second": 123.4, "worst_lag": 77,
    "worst_lag_pipeline_id": 7,
}  # fmt: skip


def totals(**known: Any) -> dict[str, Any]:
    """Return the figures of a period; what is not given is nothing."""
    return {
        "decided": 0, "dead_letters": 0, "alerts": 0, "critical": 0, "worst_lag": None, "p95_ms": None, **known
    }  # fmt: skip


class StubApi:
    """Answers like the API, from plain data that a test changes."""

    def __init__(self) -> None:
        self.down = False
        self.unauthorized = False
        self.conflict = False
        self.calls: list[tuple[str, str]] = []
        self.writes: list[tuple[str, dict[str, Any], str | None]] = []
        self.pipelines: list[dict[str, Any]] = [
            {
                "id": 7, "name": HOSTILE, "kafka_topic": "cards", "status": "active", "created_at": NOW,
                "updated_at": NOW, "alert_count": 1_234, "schema_version": 2, "rule_set_version": 3,
                "start_at": "earliest", "version": 5,
                "config": {
                    "mode": "realtime", "score_every_event": False, "future_tolerance_seconds": 3600,
                    "max_record_bytes": 1, "storm_limit": 1,
                },
            }
        ]  # fmt: skip
        self.rules = [self.rule(11, "amount > 800", HOSTILE), self.rule(12, "amount > 1", "small", is_active=False)]
        self.figures: dict[str, Any] = {
            "as_of": utc_now().isoformat(), "before": NOW, "since": NOW, "until": NOW,
            "period": totals(alerts=150, critical=12, decided=8_640_000, worst_lag=900, p95_ms=31.4, dead_letters=3),
            "previous": totals(alerts=100, critical=24, decided=4_320_000, worst_lag=900, p95_ms=21.4),
            "hours": [{"hour": NOW, "critical": 12, "warning": 100, "info": 38}],
        }  # fmt: skip
        self.system: dict[str, Any] = {
            "is_operator": True,
            "processes": [
                {"name": "api", "status": "ok", "checks": 3, "causes": {}},
                {"name": "worker", "status": "degraded", "checks": 2, "causes": {"heartbeat": HOSTILE}},
            ],
            "jobs": [
                {
                    "pipeline_id": 7, "name": HOSTILE, "status": "active", "is_running": False, "phase": "",
                    "lag": None, "heartbeat_at": None,
                }
            ],
        }  # fmt: skip
        self.progress: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = [
            {
                "id": number, "pipeline_id": 7, "rule_id": 11, "severity": "critical", "rule_description": HOSTILE,
                "alert_timestamp": NOW, "transaction_data": {"note": HOSTILE, "amount": 900}, "event_id": f"t{number}",
                "score": 80, "kafka_partition": 1, "kafka_offset": number, "kafka_timestamp": NOW,
            }
            for number in (3, 2, 1)
        ]  # fmt: skip

    @staticmethod
    def rule(number: int, expression: str, description: str, *, is_active: bool = True) -> dict[str, Any]:
        return {
            "id": number, "pipeline_id": 7, "rule_expression": expression, "severity": "warning",
            "description": description, "is_active": is_active, "version": 1, "row_version": 4,
            "created_at": NOW, "updated_at": NOW,
        }  # fmt: skip

    def answer(self, request: httpx.Request) -> httpx.Response:  # noqa: PLR0911 - one for each kind of question
        if self.down:
            raise httpx.ConnectError("connection refused")
        if self.unauthorized:
            return self.problem(401, "unauthenticated", "no API key")
        self.calls.append((request.method, str(request.url)))
        path = request.url.path
        if request.method == "PATCH":
            return self.patch(path, json.loads(request.content), request.headers.get("If-Match"))
        if path == "/api/progress":
            return httpx.Response(200, json=self.progress)
        lists = {"/api/me": ME, "/api/pipelines": self.pipelines, "/api/pipelines/7/rules": self.rules}
        if path in lists:
            return httpx.Response(200, json=lists[path])
        if path == "/api/figures":
            return httpx.Response(200, json={**self.figures, "now": {**NOW_STATE, "pipelines": len(self.pipelines)}})
        if path == "/api/system":
            return httpx.Response(200, json=self.system)
        assert path == "/api/alerts", path
        wanted = request.url.params.get("severity")
        found = [alert for alert in self.alerts if wanted in (None, alert["severity"])]
        return httpx.Response(200, json=found[: int(request.url.params["limit"])])

    def patch(self, path: str, body: dict[str, Any], if_match: str | None) -> httpx.Response:
        self.writes.append((path, body, if_match))
        if self.conflict:
            return self.problem(412, "version-mismatch", HOSTILE)
        rule = next(rule for rule in self.rules if path == f"/api/rules/{rule['id']}/status")
        rule["is_active"] = body["is_active"]
        return httpx.Response(200, json=rule)

    @staticmethod
    def problem(status: int, slug: str, detail: str) -> httpx.Response:
        document = {"type": f"urn:sentinel:problem:{slug}", "title": slug, "status": status, "detail": detail}
        return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    """Let the page ask a stub."""
    stub = StubApi()
    client = Client("http://api.example", transport=httpx.MockTransport(stub.answer))
    monkeypatch.setattr("dashboard.session._shared_client", lambda: (client, False))
    monkeypatch.setattr("dashboard.session._is_reached_by_others", lambda: False)
    # Each run asks anew, whatever the time between two of them is here.
    monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 0.0)
    yield stub
    client.close()
    st.cache_resource.clear()


def page() -> AppTest:
    """Open the page of the only pipeline."""
    return opened(pipeline="7")


def opened(**parameters: str) -> AppTest:
    """Open the page by a link."""
    shown = AppTest.from_file(str(PROJECT_ROOT / "dashboard" / "views" / "overview.py"), default_timeout=60)
    for name, value in parameters.items():
        shown.query_params[name] = value
    shown.run()
    assert not shown.exception
    return shown
