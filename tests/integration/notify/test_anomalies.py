"""Alerts of detectors are told as those of rules are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.notifications import Desk

pytestmark = pytest.mark.integration


def anomaly(desk: Desk, subject: str, level: str = "high") -> int:
    """Raise an anomaly as a detector does."""
    known = desk.query("SELECT id FROM sentinel.detectors WHERE name = 'spike'")
    made = known or desk.query(
        "INSERT INTO sentinel.detectors (tenant_id, name, kind, mode, schedule, next_run_at) "
        "VALUES (%s, 'spike', 'sql', 'off', '{}', now()) RETURNING id",
        desk.tenant,
    )
    row = desk.query(
        """
        WITH inserted AS (
            INSERT INTO sentinel.alerts
                (tenant_id, event_id, severity, score, transaction_data, content_hash, detector_id, window_start,
                 window_end, subject, alert_timestamp)
            VALUES (%s, 'e', 'warning', 50, jsonb_build_object('level', %s::text), '', %s, %s, %s, %s, %s)
            RETURNING id
        )
        INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event) SELECT %s, id, 'fired' FROM inserted
        RETURNING alert_id
        """,
        *(desk.tenant, level, made[0]["id"], desk.clock.now - timedelta(minutes=5), desk.clock.now, subject),
        *(desk.clock.now, desk.tenant),
    )
    return int(row[0]["alert_id"])


def amend(desk: Desk, alert_id: int, level: str) -> None:
    """Change what an anomaly says."""
    desk.query(
        """
        WITH kept AS (
            INSERT INTO sentinel.alert_amendments (tenant_id, alert_id, version, severity, level, evidence, reason)
            SELECT tenant_id, id, version, severity, transaction_data ->> 'level', evidence, 'late' FROM sentinel.alerts
            WHERE id = %s
        ), changed AS (
            UPDATE sentinel.alerts SET transaction_data = jsonb_build_object('level', %s::text), version = version + 1
            WHERE id = %s
        )
        INSERT INTO sentinel.alert_outbox (tenant_id, alert_id, event) VALUES (%s, %s, 'amended') RETURNING id
        """,
        *(alert_id, level, alert_id, desk.tenant, alert_id),
    )


def test_routes_know_them_by_source_and_name(desk: Desk) -> None:
    hook, other = desk.channel("hook"), desk.channel("other")
    desk.policy(
        routes=[
            {"name": "spikes", "match": ["source=detector", "detector=spike"], "channels": ["hook"]},
            {"name": "rest", "channels": ["other"]},
        ]
    )
    found, alert_id = anomaly(desk, "card"), desk.alert(desk.rule())
    desk.run()
    assert (hook.told, other.told) == ([[found]], [[alert_id]])
    assert (hook.got[0].alerts[0].rule, hook.got[0].alerts[0].pipeline) == ("spike", "")


def test_only_what_became_worse_is_told_again_and_what_is_over_is_resolved(desk: Desk) -> None:
    pager = desk.channel("pager", "pagerduty")
    desk.policy(defaults={"channels": ["pager"], "group_by": ["alert"], "group_interval_seconds": 0})
    found = anomaly(desk, "card", "low")
    desk.run()
    for level in ("low", "high", "medium", "none"):
        desk.clock.turn(seconds=1)
        amend(desk, found, level)
        desk.run()
    assert [notification.kind.value for notification in pager.got] == ["fired", "fired", "resolved"]
    assert desk.outcomes(found) == ["routed", "sent", "amended", "routed", "sent", "amended", "resolved", "sent"]
    assert "no longer so" in desk.why(found).steps[-2].reason


def test_one_subject_has_one_fingerprint_whatever_the_window(desk: Desk) -> None:
    hook = desk.channel("hook")
    desk.policy(defaults={"channels": ["hook"], "dedup_seconds": 3600})
    first = anomaly(desk, "card")
    desk.run()
    desk.clock.turn(minutes=5)
    second, other = anomaly(desk, "card"), anomaly(desk, "wire")
    desk.run()
    assert hook.told == [[first], [other]]
    assert desk.outcomes(second) == ["deduplicated"]
