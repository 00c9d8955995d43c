"""A tenant with one of everything, so that requests made from the API's own description meet something."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from httpx import Client

from sentinel.clock import utc_now
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import FIELDS
from tests.integration.api.findings import Findings
from tests.integration.api.reference_lists import LIST
from tests.support.webhooks import GITHUB_SECRET, STANDARD_SECRET, STRIPE_SECRET, TOKEN

# Parameters of paths and queries -> values that are there. What is not here is made up.
World = dict[str, list[str | int]]
_FUTURE = (datetime.now(UTC) + timedelta(days=30)).isoformat()


def make_world(client: Client, database: Database, tenant: str) -> World:
    """Make it through the API; what only a job writes is put into the tables."""

    def post(path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        answer = client.post(path, json=body, **more)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return dict(answer.json())

    pipeline = _pipeline(post, tenant)
    rules = _rules(client, post, pipeline)
    post("/api/lists", {**LIST, "rows": [{"user_id": "u1", "level": 1}, {"user_id": "u2"}]})
    mute = post(f"/api/pipelines/{pipeline}/mutes", {"field": "user_id", "value": "u1", "reason": "x"} | _until())
    card = {"name": "risk", "weights": {"large": 60}, "thresholds": {"review": 50, "decline": 80}}
    scorecard = post(f"/api/pipelines/{pipeline}/scorecards", card)
    answer = client.post(f"/api/pipelines/{pipeline}/labels?name=x", content=b"id,l\na,1")
    assert answer.status_code == 201, answer.text
    stripe = post("/api/webhook-sources", {"name": "stripe", "kind": "stripe", "secrets": [STRIPE_SECRET]})
    sources = [
        stripe,
        post("/api/webhook-sources", _source("standard", "standard", pipeline, STANDARD_SECRET)),
        post("/api/webhook-sources", _source("github", "github", pipeline, GITHUB_SECRET)),
        post("/api/webhook-sources", _source("token", "token", pipeline, TOKEN)),
    ]
    post("/api/detectors", {"name": "own", "kind": "payment_failure_spike"})
    hook = {"name": "siem", "kind": "webhook", "options": {"url": "https://nowhere.invalid/x"}}
    post("/api/channels", hook)
    silence = {"matchers": ['rule="large"'], "ends_at": _FUTURE, "comment": "known"}
    quiet = post("/api/silences", silence)
    made = client.put("/api/notifications/policy", json={"policy": {"defaults": {"channels": ["siem"]}}})
    assert made.status_code == 200, made.text
    assert client.put("/api/event-routes/order", json={"pipeline_id": pipeline}).status_code == 200
    alerts, letters = _found(Findings(database, tenant), client, pipeline, rules[0])
    return {
        "pipeline_id": [pipeline],
        "rule_id": [rule["id"] for rule in rules],
        "alert_id": list(alerts),
        "letter_id": list(letters),
        "mute_id": [mute["id"]],
        "scorecard_id": [scorecard["id"]],
        "label_set_id": [answer.json()["id"]],
        "source_id": [source["id"] for source in sources],
        "silence_id": [quiet["id"]],
        "source": [source["path"].rpartition("/")[2] for source in sources],
        "name": ["users", "own", "siem"],
        "event_type": ["order"],
        "version": [1, 2],
        "from": [1],
        "to": [1, 2],
    }


Post = Callable[..., dict[str, Any]]


def _until() -> dict[str, str]:
    return {"expires_at": _FUTURE}


def _pipeline(post: Post, tenant: str) -> int:
    named = {"name": f"p-{uuid.uuid4().hex[:8]}", "kafka_topic": f"{tenant}.t-{uuid.uuid4().hex[:8]}", "schema": FIELDS}
    return int(post("/api/pipelines", named)["id"])


def _rules(client: Client, post: Post, pipeline: int) -> list[dict[str, Any]]:
    path = f"/api/pipelines/{pipeline}/rules"
    made = [
        post(path, {"rule_expression": "amount > 100", "severity": "critical", "name": "large"}),
        post(path, {"rule_expression": "amount > 200", "severity": "info", "name": "quiet", "state": "draft"}),
        post(path, {"rule_expression": "country = 'XX'", "severity": "warning", "name": "away"}),
    ]
    rule = made[0]["id"]
    changed = client.put(f"/api/rules/{rule}", json={"rule_expression": "amount > 150", "severity": "critical"})
    assert changed.status_code == 200, changed.text
    made[0] = changed.json()
    post(f"/api/rules/{rule}/tests", {"name": "mine", "event": {"amount": 1234.5}, "expected": "match"})
    tried = client.put(f"/api/rules/{made[2]['id']}/candidate", json={"rule_expression": "country = 'YY'"})
    assert tried.status_code == 200, tried.text
    return made


def _source(name: str, kind: str, pipeline: int, secret: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "pipeline_id": pipeline, "secrets": [secret]}


def _found(findings: Findings, client: Client, pipeline: int, rule: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Write alerts and dead letters as a job does; return their ids."""
    alerts = [findings.alert(rule, f"e{number}", entities={"user_id": "u1"}) for number in range(3)]
    alerts.append(findings.anomaly("card", at=utc_now()))
    findings.dead_letter(pipeline, 7, "not_json", b"{oops")
    findings.dead_letter(pipeline, 8, "invalid_utf8", b"\x00\xff")
    findings.dead_letter(pipeline, 9, "tombstone", None)
    findings.progress(pipeline, 0, 10)
    findings.generation(pipeline, "active", [(0, 0, None)])
    answer = client.get(f"/api/pipelines/{pipeline}/dead-letters")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    rows = found if isinstance(found, list) else found["dead_letters"]
    return alerts, [row["id"] for row in rows]


def bodies(world: World) -> list[tuple[str, str, Any]]:
    """Return (method, path, body) of valid requests that hold as much as their kinds of bodies can."""
    pipeline, rule, alert = world["pipeline_id"][0], world["rule_id"][0], world["alert_id"][0]
    letter, source, card = world["letter_id"][0], world["source_id"][1], world["scorecard_id"][0]
    fields = [*FIELDS, {"name": "lines", "type": "array<struct<sku: string, price: decimal(10,2)>>", "nullable": True}]
    rules = {"rule_expression": "amount > 1", "severity": "info", "description": "d", "comment": "c"}
    period = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    of = f"/api/pipelines/{pipeline}"
    sweep = {"constant": "100", "values": [1, 2.5]}
    return [
        ("POST", "/events", {"type": "order", "transaction_id": "t1", "user_id": "u1", "amount": 1.5, "country": "DE"}),
        ("POST", "/events", [{"type": "order", "amount": 1.5}]),
        ("POST", f"{of}/events", {"transaction_id": "t1", "user_id": "u1", "amount": 1.5}),
        ("POST", f"/webhooks/stripe/{world['source'][0]}", {"id": "evt_1", "type": "charge.succeeded"}),
        ("POST", f"/webhooks/in/{world['source'][1]}", {"id": "evt_1"}),
        ("POST", "/api/pipelines", {"name": "p", "kafka_topic": "t", "schema": fields, "config": {"mode": "realtime"}}),
        ("PATCH", of, {"max_record_bytes": 70_000, "rollout_max_ratio": 3.5, "edge_check": "strict"}),
        ("PATCH", f"{of}/status", {"status": "active"}),
        ("PUT", f"{of}/schema", {"schema": FIELDS, "confirm": "x"}),
        ("POST", f"{of}/rules", {**rules, "name": "n", "state": "draft"}),
        ("POST", f"{of}/rules/batch", {"rules": [{**rules, "name": "n"}]}),
        ("POST", "/api/rules/check", {"pipeline_id": pipeline, "rule_expression": "amount > 1"}),
        ("PUT", f"/api/rules/{rule}", rules),
        ("POST", f"/api/rules/{rule}/rollback", {"version": 1, "comment": "c"}),
        ("PATCH", f"/api/rules/{rule}/status", {"is_active": True}),
        ("POST", f"/api/rules/{rule}/state", {"state": "active", "comment": "c"}),
        ("PUT", f"/api/rules/{rule}/candidate", rules),
        ("POST", f"/api/rules/{rule}/candidate/state", {"state": "rollout", "share_percent": 10, "entity": "user_id"}),
        ("POST", f"/api/rules/{rule}/promote", {"comment": "c"}),
        ("POST", f"/api/rules/{rule}/tests", {"name": "m", "event": {"amount": 5, "x": [1]}, "expected": "match"}),
        ("POST", f"/api/rules/{rule}/release", {"comment": "c"}),
        (
            "POST",
            f"{of}/backtests",
            {**period, "rules": [{"rule_id": rule}, {"expression": "amount > 9", "name": "x"}]},
        ),
        (
            "POST",
            f"{of}/backtests",
            {**period, "rules": [{"rule_id": rule}], "sweep": sweep, "label_column": "country"},
        ),
        ("POST", f"{of}/refills", {**period, "rule_id": rule, "max_alerts": 10}),
        (
            "POST",
            "/api/lists",
            {**LIST, "name": "more", "rows": [{"user_id": "u1", "level": 1, "since": "2026-01-01"}]},
        ),
        ("PUT", "/api/lists/users/rows", {"rows": [{"user_id": "u1", "limit_amount": "1.5"}], "comment": "c"}),
        (
            "POST",
            "/api/lists/users/rows",
            {"upsert": [{"user_id": "u1", "seen_at": "2026-01-01T00:00:00Z"}], "delete": ["u9"]},
        ),
        ("POST", f"{of}/mutes", {"field": "user_id", "value": "u1", "reason": "x", **_until()}),
        ("POST", f"{of}/scorecards", _CARD | {"name": "more"}),
        ("PUT", f"/api/scorecards/{card}", _CARD),
        ("PUT", "/api/event-routes/order", {"pipeline_id": pipeline}),
        (
            "POST",
            "/api/alerts/actions",
            {"filter": {"text": "e", "since": period["from"], "status": "open"}, "status": "acknowledged"},
        ),
        ("PATCH", f"/api/alerts/{alert}", {"status": "acknowledged", "assignee": "a", "disposition": None}),
        ("POST", f"/api/alerts/{alert}/notes", {"text": "n"}),
        ("POST", "/api/detectors", {"name": "d", "kind": "payment_failure_spike", "parameters": {"min_payments": 5}}),
        ("PATCH", "/api/detectors/own", {"mode": "off", "description": "d"}),
        ("POST", "/api/lake/query", {"sql": "SELECT 1", "limit": 10}),
        ("POST", f"{of}/dead-letters/discard", {"ids": [letter], "reason": "r"}),
        ("POST", f"{of}/dead-letters/discard", {"filter": {"cause": "empty", "since": period["from"]}, "reason": "r"}),
        ("POST", f"{of}/dead-letters/reopen", {"ids": [letter]}),
        ("POST", f"/api/rules/{rule}/abort", {"comment": "c"}),
        ("PATCH", f"/api/scorecards/{card}/status", {"is_active": False, "comment": "c"}),
        ("POST", "/api/detectors/own/run", {"at": "2026-01-01T00:00:00Z"}),
        ("PUT", f"/api/webhook-sources/{source}/backfill", {"api_key": "rk_test_x"}),
        ("POST", "/api/channels/siem/secrets", {"secret": STANDARD_SECRET, "overlap_seconds": 60}),
        ("POST", "/api/webhook-sources", {"name": "n", "kind": "token", "pipeline_id": pipeline, "secrets": [TOKEN]}),
        ("PATCH", f"/api/webhook-sources/{source}", {"name": "o", "status": "active"}),
        ("POST", f"/api/webhook-sources/{source}/secrets", {"secret": STANDARD_SECRET}),
        ("POST", "/api/channels", {"name": "c", "kind": "webhook", "options": {"url": "https://nowhere.invalid/x"}}),
        ("PATCH", "/api/channels/siem", {"options": {"url": "https://nowhere.invalid/y"}, "rate_per_minute": 5}),
        ("POST", "/api/channels/siem/disable", {"reason": "r"}),
        ("PUT", "/api/notifications/policy", {"policy": {"defaults": {"channels": ["siem"]}}, "comment": "c"}),
        ("POST", "/api/notifications/dry-route", {"rule": "x", "severity": "critical"}),
        ("POST", "/api/silences", {"matchers": ['rule="x"'], "ends_at": _FUTURE, "comment": "c"}),
        ("POST", "/api/deliveries/redrive", {"channel": "siem"}),
    ]


_CARD = {"weights": {"large": 60}, "thresholds": {"review": 50, "decline": 80}, "comment": "c"}
