"""Rules and what is said of them as the API answers them."""

from __future__ import annotations

from typing import Any

from tests.unit.dashboard.alert_data import pipeline, rule, version
from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi, problem

VALID = {"valid": True, "issues": [], "columns": ["amount"], "rule_expression": "amount > 800", "actions": []}
CHANGE = {"field": "severity", "before": 1, "after": 2}
ISSUE = {
    "severity": "error", "code": "unknown-column", "start": 8, "end": 14, "message": HOSTILE,
    "suggestion": "Did you mean amount?",
}  # fmt: skip
WRONG = {**VALID, "valid": False, "issues": [ISSUE]}
OUTCOMES = {
    "hour": NOW, "evaluated": 100, "matched": 7, "alerts": 6, "suppressed": 1, "not_matched": 90, "unknown": 3,
    "missing": {"country": 3},
}  # fmt: skip
NODE = {
    "text": HOSTILE, "start": 0, "end": 3, "kind": "compare", "type": "boolean", "value": True, "verdict": "true",
    "decided": True, "children": [],
}  # fmt: skip
EXPLANATION = {
    "rule_id": 11, "rule_expression": "amount > 800", "verdict": "unknown", "missing": ["country"],
    "decided_by": [{"text": HOSTILE, "start": 0, "end": 3, "verdict": "unknown", "values": {"country": None}}],
    "not_computable": [{"text": HOSTILE, "start": 0, "end": 3, "why": HOSTILE}],
    "tree": {**NODE, "text": "a AND b", "children": [NODE]}, "dead_letter": None, "event": {"amount": 2**70},
    "event_id": "t-1", "source": "lake", "partition": 0, "offset": 1, "rule_version": 2, "schema_version": 1,
    "generation_id": 1, "was_in_force": True, "alert_id": None, "notes": [HOSTILE],
}  # fmt: skip


def quarantine(**more: Any) -> dict[str, Any]:
    """Return a quarantine that holds."""
    return {
        "id": 1, "pipeline_id": 7, "rule_id": 11, "rule_version_id": 22, "rule_version": 2, "generation_id": 1,
        "cause": "threw", "kafka_partition": 0, "kafka_offset": 5, "quarantined_at": NOW, "released_at": None,
        "released_by": None, "comment": HOSTILE, **more,
    }  # fmt: skip


def fill(stub: StubApi) -> StubApi:
    """Let a stub answer all that the page of rules asks for."""
    other = rule(12, name="small", state="draft", rule_expression="amount > 1", description="", is_active=False)
    stub.answers |= {
        "GET /api/pipelines": [pipeline()],
        "GET /api/pipelines/7/rules": [rule(), other],
        "GET /api/rules/11": rule(),
        "GET /api/rules/12": other,
        "GET /api/pipelines/7/quarantines": [],
        "GET /api/rules/11/quarantines": [],
        "GET /api/rules/12/quarantines": [],
        "GET /api/rules/11/outcomes": [OUTCOMES, OUTCOMES],
        "GET /api/rules/12/outcomes": [],
        "GET /api/rules/11/cost": {
            "rule_version_id": 22, "microseconds": 1.25, "sampled_events": 100, "measured_at": NOW
        },
        "GET /api/rules/12/cost": problem(404, "not-found", "not measured yet"),
        "GET /api/rules/11/versions": [version(2, changes=[CHANGE]), version(1)],
        "GET /api/rules/11/versions/diff": {
            "changes": [{"field": "rule_expression", "before": HOSTILE, "after": "amount > 200"}]
        },
        "POST /api/rules/check": VALID,
        "GET /api/pipelines/7/schema": {
            "pipeline_id": 7, "version": 2, "schema": [{"name": "amount", "type": "float"}], "created_at": NOW
        },
        "GET /api/pipelines/7/explain": EXPLANATION,
        "POST /api/pipelines/7/explain": {**EXPLANATION, "verdict": "match"},
    }  # fmt: skip
    return stub
