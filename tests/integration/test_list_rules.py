"""Rules with subqueries on a list that changes under traffic (whole data sets: test_replay.py)."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from sentinel.catalog.lists import ColumnDefinition
from sentinel.clock import utc_now
from sentinel.domain.alert import AlertFilter
from sentinel.domain.pipeline import DetectMode
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

# (version of the list, rule, user). Amounts are 10 and, of u0, also 5000; u8 has no limit.
FIRST = {(1, "blocked", "u7")}
SECOND = {(2, "blocked", "u0"), (2, "blocked", "u8"), (2, "over limit", "u0")}
THIRD = {(3, "blocked", "u8")}


def test_a_list_that_changes_under_traffic_takes_effect_with_exact_borders_in_both_modes(bench: Workbench) -> None:
    columns = [ColumnDefinition("user_id", "string"), ColumnDefinition("limit_amount", "float")]
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        rows = [{"user_id": "u7", "limit_amount": 100}]
        unit.lists.create(name="blocked", columns=columns, key="user_id", description="", rows=rows)
    topic = bench.create_topic(2)
    rules = {
        "blocked": "user_id IN (SELECT user_id FROM blocked)",
        "over limit": "amount > (SELECT limit_amount FROM blocked WHERE user_id = event.user_id)",
        "large": "amount > 1000",
    }
    ids = [bench.create_pipeline(topic, rules, mode=mode) for mode in DetectMode]
    # Each list serves until what it finds is there, however slow the machine is.
    changed: list[int] = []
    looked = 0.0

    def step(_sent: int, seconds: float) -> bool:
        nonlocal looked
        if seconds < looked + 1:
            return False
        looked = seconds
        # What both have found.
        found = set.intersection(*(matches(bench, pipeline_id) for pipeline_id in ids))
        if not changed and found >= FIRST:
            changed.append(2)
            later = (utc_now() + timedelta(days=1)).isoformat()
            added = [{"user_id": "u8"}, {"user_id": "u0", "limit_amount": 5, "expires_at": later}]
            with bench.backend.unit(bench.tenant_id, "test") as unit:
                unit.lists.edit("blocked", upsert=added, delete=["u7"], expected_version=1)
        elif changed == [2] and found >= FIRST | SECOND:
            changed.append(3)
            bench.execute("UPDATE sentinel.list_rows SET expires_at = now() WHERE key = 'u0'")
        return seconds > 240 or found >= FIRST | SECOND | THIRD

    with bench.job(*ids, SENTINEL_JOB__LIST_EXPIRY_SECONDS="1") as job:
        for pipeline_id in ids:
            bench.wait_generation(pipeline_id, job, timeout=300)
        sent = bench.send_steadily(topic, 300, step)
        for pipeline_id in ids:
            bench.wait_settled(pipeline_id, topic, job)
    for pipeline_id in ids:
        assert bench.alerts_by_rule(pipeline_id)["large"] == (sent + 99) // 100
        assert matches(bench, pipeline_id) == FIRST | SECOND | THIRD
        assert_told(bench, pipeline_id)
        assert_borders_meet(bench, pipeline_id)
        # Every record is judged by the list of its generation: computed anew from the lake, none missing or extra.
        assert_reconciled(bench, pipeline_id)


def assert_told(bench: Workbench, pipeline_id: int) -> None:
    """Alerts name the version of the list that their rule read."""
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        told = {
            (alert.list_versions.get("blocked"), alert.rule_description)
            for alert in unit.alerts.page(AlertFilter(pipeline_id=pipeline_id), before=None, limit=1000).alerts
        }
    assert {(None, "large"), (3, "blocked")} <= told
    assert told <= {(None, "large"), *((version, rule) for version, rule, _ in FIRST | SECOND | THIRD)}


def assert_borders_meet(bench: Workbench, pipeline_id: int) -> None:
    """Where a generation ends, the next one begins."""
    borders = bench.query(
        "SELECT b.partition, b.start_offset, b.end_offset FROM sentinel.borders b JOIN sentinel.generations g"
        " ON g.id = b.generation_id WHERE g.pipeline_id = %s ORDER BY b.partition, g.id",
        pipeline_id,
    )
    for before, after in itertools.pairwise(borders):
        if before["partition"] == after["partition"]:
            assert before["end_offset"] == after["start_offset"]


def matches(bench: Workbench, pipeline_id: int) -> set[tuple[int, str, str]]:
    """Return (version of the list, rule, user) of the alerts of rules that read it."""
    rows = bench.query(
        "SELECT DISTINCT used.value::integer AS version, a.rule_description AS rule,"
        " a.transaction_data->>'user_id' AS user_id FROM public.fraud_alerts a"
        " JOIN sentinel.generations g ON g.id = a.generation_id"
        " JOIN sentinel.rule_sets s ON s.pipeline_id = g.pipeline_id AND s.version = g.rule_set_version"
        " CROSS JOIN jsonb_each_text(s.members -> 'lists') AS used"
        " WHERE a.pipeline_id = %s AND a.rule_description <> 'large'",
        pipeline_id,
    )
    return {(row["version"], row["rule"], row["user_id"]) for row in rows}
