"""Rules and what is said of them as the API answers them."""

from __future__ import annotations

from typing import Any

from tests.unit.dashboard.alert_data import alert, pipeline, rule, version
from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi

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
FIGURES = {
    "rule_id": 11, "evaluated": 200, "matched": 14, "alerts": 12, "suppressed": 2, "unknown": 6, "microseconds": 1.25,
    "last_alert_at": NOW,
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


CANDIDATE: dict[str, Any] = {
    "state": "draft", "version": 3, "rule_version_id": 23, "rule_expression": "amount > 700", "short_form": None,
    "severity": "warning", "description": HOSTILE,
}  # fmt: skip
TEST = {
    "id": 5, "rule_id": 11, "name": HOSTILE, "event_text": '{"amount": 900}', "expected": "match", "row_version": 2,
    "created_by": "ann (key:3)", "created_at": NOW, "updated_at": NOW, "notes": [],
}  # fmt: skip
RUN = {
    "rule_id": 11, "rule_expression": "amount > 800", "schema_version": 2, "passed": False, "tests": [
        {"test_id": 5, "name": HOSTILE, "expected": "match", "outcome": "dead_letter", "passed": False,
         "detail": HOSTILE},
        {"test_id": 6, "name": "b", "expected": "unknown", "outcome": "unknown", "passed": True, "detail": ""},
    ],
}  # fmt: skip
JUDGED = {
    "version": 2, "alerts": 40, "acknowledged": 30, "resolved": 20, "suppressed": 0, "true_positives": 8,
    "false_positives": 2, "benign": 1, "precision": {"value": 0.8, "low": 0.49, "high": 0.94},
    "seconds_to_acknowledge": 90.0, "seconds_to_resolve": None,
}  # fmt: skip
QUALITY: dict[str, Any] = {
    "since": NOW, "until": NOW, "total": {**JUDGED, "version": None}, "versions": [JUDGED]
}  # fmt: skip
ROLLOUT: dict[str, Any] = {
    "rule_id": 11, "state": "active", "rollout": {"entity": "user_id", "share_percent": 10, "salt": "s"},
    "control_version": 2, "candidate_version": 3, "guard_rail": HOSTILE, "arms": [
        {"share_percent": 10, "arm": "control", "version": 2, "rule_version_id": 22, "match_count": 9,
         "entity_count": 8},
        {"share_percent": 10, "arm": "candidate", "version": 3, "rule_version_id": 23, "match_count": 5,
         "entity_count": 4},
    ],
}  # fmt: skip
TRIALS: dict[str, Any] = {
    "hours": [
        {"hour": NOW, "rule_version_id": 23, "version": 3, "control_version": 2, "evaluated": 100, "unknown": 3,
         "both": 10, "only_trial": 4, "only_control": 2},
    ],
    "samples": [
        {"rule_version_id": 23, "kind": "only_trial", "event_id": HOSTILE, "kafka_partition": 1, "kafka_offset": 77,
         "kafka_timestamp": NOW},
    ],
}  # fmt: skip
TESTED: dict[str, Any] = {
    "name": "rule 11 version 2", "condition": "amount > 800", "rule_id": 11, "version": 2, "rule_version_id": 22,
    "content_hash": "00",
}  # fmt: skip
TEXT_TESTED: dict[str, Any] = {
    **TESTED, "name": "rule 11, another text", "condition": "amount > 700", "rule_id": None, "version": None,
    "rule_version_id": None,
}  # fmt: skip
SAMPLE = {
    "event_id": HOSTILE, "event_time": "2026-01-31T08:00:00.000Z", "partition": 1, "offset": 7,
    "event": {"amount": 2**70, "note": HOSTILE},
}  # fmt: skip


def backtest(state: str = "done", tested: dict[str, Any] = TESTED, number: int = 9, **more: Any) -> dict[str, Any]:
    """Return a backtest, with its result once it is done."""
    found = {
        "rule": tested, "matches": 30, "unknown": 5, "unknown_share": 0.05, "curve": [10, 20], "unknown_curve": [5, 0],
        "overlap": [{"rule_id": 12, "description": HOSTILE, "both": 3, "only_this": 27, "only_that": 1}],
        "quality": {"true_positives": 3, "false_positives": 1, "false_negatives": 1, "true_negatives": 95,
                    "precision": 0.75, "recall": 0.75, "f1": None},
        "samples": [SAMPLE],
    }  # fmt: skip
    result = {
        "schema_version": 2, "rule_set_version": 3, "range": {}, "bucket_seconds": 3600, "seconds": 4.2,
        "buckets": ["2026-01-31T08:00:00+00:00", "2026-01-31T09:00:00+00:00"], "events": [50, 50], "event_count": 100,
        "labelled": {"true": 4, "false": 96, "none": 0}, "rules": [found],
        "sweep": [{"value": "500", "matches": 60, "quality": None}],
    }  # fmt: skip
    return {
        "id": number, "pipeline_id": 7, "state": state, "progress": {"phase": "evaluating", "done": 0.4},
        "request": {"rules": [tested], "range": {"from": NOW, "to": NOW, "clock": "event_time"}},
        "result": result if state == "done" else None, "error": None, "created_at": NOW, "started_at": NOW,
        "finished_at": NOW if state == "done" else None, **more,
    }  # fmt: skip


def scorecard(**more: Any) -> dict[str, Any]:
    """Return a scorecard."""
    return {
        "id": 4, "pipeline_id": 7, "name": "card_risk", "is_active": True, "version": 2, "weights": {"large": 60},
        "thresholds": {"review": 50, "decline": 80}, "row_version": 3, **more,
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
        "GET /api/pipelines/7/rule-figures": [
            FIGURES, {**FIGURES, "rule_id": 12, "evaluated": 0, "matched": 0, "unknown": 0, "microseconds": None,
                      "last_alert_at": None},
        ],
        "GET /api/alerts": [alert(3)],
        "GET /api/rules/11/tests": [TEST],
        "POST /api/rules/11/tests/run": RUN,
        "GET /api/rules/11/quality": QUALITY,
        "GET /api/rules/11/rollout": ROLLOUT,
        "GET /api/rules/11/trials": TRIALS,
        "GET /api/pipelines/7/backtests": [backtest()],
        "GET /api/backtests/9": backtest(),
        "GET /api/pipelines/7/labels": [],
        "GET /api/pipelines/7/scorecards": [scorecard()],
        "GET /api/rules/11/outcomes": [OUTCOMES, OUTCOMES],
        "GET /api/rules/11/versions": [version(2, changes=[CHANGE]), version(1)],
        "GET /api/rules/11/versions/diff": {
            "changes": [{"field": "rule_expression", "before": HOSTILE, "after": "amount > 200"}]
        },
        "POST /api/rules/check": VALID,
        "GET /api/pipelines/7/schema": {
            "pipeline_id": 7, "version": 2, "created_at": NOW, "schema": [
                {"name": "amount", "type": "float"}, {"name": "note", "type": "string"},
                {"name": "user_id", "type": "string", "role": "entity"}, {"name": "is_fraud", "type": "boolean"},
            ],
        },
        "GET /api/pipelines/7/explain": EXPLANATION,
        "POST /api/pipelines/7/explain": {**EXPLANATION, "verdict": "match"},
    }  # fmt: skip
    return stub
