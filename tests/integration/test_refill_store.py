"""Refills in PostgreSQL, without Spark: the ledger, and alerts that are marked and never doubled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel.domain.history import Clock, TimeRange
from sentinel.domain.refill import RefillRequest
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.refills import RefilledMatch, RefillStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from tests.support.detection import Workbench

pytestmark = pytest.mark.integration

RANGE = TimeRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), Clock.RECORD_TIME)


class Desk:
    """A pipeline with two rules and a generation, and a refill of both."""

    def __init__(self, bench: Workbench, database: Database) -> None:
        self.bench = bench
        self.database = database
        self.pipeline_id = bench.create_pipeline("a-topic", {"large": "amount > 1000"})
        bench.add_rule(self.pipeline_id, "user 7", "user_id = 'u7'", severity="info")
        ledger = LedgerStore(database, bench.tenant_id)
        lease = ledger.acquire_lease(self.pipeline_id, "me", 60)
        assert lease is not None
        snapshot = self.snapshot = SnapshotStore(database, bench.tenant_id).current(self.pipeline_id)
        self.generation_id = ledger.create_generation(lease, snapshot, reason="test", marker_every=1)
        self.store = RefillStore(database, bench.tenant_id, self.pipeline_id, score_ttl_seconds=3600)
        versions = tuple(rule.rule_version_id for rule in snapshot.rule_set.rules)
        self.rules = self.store.rules(versions)
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            task = unit.backtests.refill(self.pipeline_id, RANGE.start, RANGE.end, clock=RANGE.clock)
        self.task_id = task.id
        self.request = RefillRequest.from_json(task.request)
        self.refill = self.store.begin(task.id, self.request, snapshot, {0: {0: 7, 3: 9}, 1: {}})

    def match(self, number: int = 1, **more: Any) -> RefilledMatch:
        made = RefilledMatch(
            generation_id=self.generation_id,
            partition=0,
            offset=number,
            timestamp_ms=1_700_000_000_000,
            event_id=f"e{number}",
            rules=self.rules,
            evidence=('[{"condition": "amount > 1000"}]', "[]"),
            event_json='{"id": "e1", "user_id": "u7", "note": "a\\u0000b"}',
            entities_json='{"user_id": "u7"}',
        )
        return replace(made, **more)

    def alerts(self) -> list[dict[str, Any]]:
        return self.bench.query("SELECT * FROM sentinel.alerts WHERE pipeline_id = %s ORDER BY id", self.pipeline_id)


@pytest.fixture
def desk(bench: Workbench, database: Database) -> Desk:
    return Desk(bench, database)


class TestLedger:
    def test_what_is_evaluated_is_recorded_once(self, desk: Desk) -> None:
        again = desk.store.begin(desk.task_id, desk.request, replace(desk.snapshot, schema_version=9), {})
        assert (again, desk.store.list()) == (desk.refill, [desk.refill])
        assert (desk.refill.range, desk.refill.ends) == (RANGE, {0: {0: 7, 3: 9}, 1: {}})
        assert desk.refill.rule_version_ids == tuple(rule.rule_version_id for rule in desk.rules)
        done = desk.store.complete(desk.refill, 12)
        assert (done.is_complete, done.match_count, done.alert_count) == (True, 12, 0)

    def test_another_tenant_sees_none_of_it(self, desk: Desk) -> None:
        other = RefillStore(desk.database, "default", desk.pipeline_id, score_ttl_seconds=3600)
        assert (other.list(), other.rules(desk.refill.rule_version_ids)) == ([], ())


class TestAlerts:
    def test_they_are_marked_and_have_what_live_ones_have(self, desk: Desk) -> None:
        assert desk.store.write(desk.refill, [desk.match()]) == 2
        first, second = desk.alerts()
        assert {first["refill_id"], second["refill_id"]} == {desk.refill.id}
        assert [alert["severity"] for alert in (first, second)] == ["critical", "info"]
        assert first["transaction_data"] == {"id": "e1", "user_id": "u7", "note": "a\ufffdb"}
        assert [alert["evidence"] for alert in (first, second)] == [[{"condition": "amount > 1000"}], []]
        assert (first["generation_id"], first["kafka_offset"]) == (desk.generation_id, 1)
        assert first["kafka_timestamp"] == datetime.fromtimestamp(1_700_000_000, UTC)

    def test_the_same_again_adds_nothing(self, desk: Desk) -> None:
        matches = [desk.match(number) for number in range(3)]
        assert [desk.store.write(desk.refill, matches) for _ in range(2)] == [6, 0]
        assert (len(desk.alerts()), desk.store.list()[0].alert_count) == (6, 6)

    def test_an_event_that_came_twice_is_one_alert_per_rule(self, desk: Desk) -> None:
        assert desk.store.write(desk.refill, [desk.match(), desk.match(offset=5)]) == 2

    def test_entities_are_counted_once(self, desk: Desk) -> None:
        for _ in range(2):
            desk.store.write(desk.refill, [desk.match(1), desk.match(2)])
        (counted,) = desk.bench.query("SELECT * FROM sentinel.entity_scores WHERE pipeline_id = %s", desk.pipeline_id)
        assert (counted["critical_count"], counted["warning_count"], counted["info_count"]) == (2, 0, 2)

    def test_nothing_is_written_of_nothing(self, desk: Desk) -> None:
        assert desk.store.write(desk.refill, []) == 0
