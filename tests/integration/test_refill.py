"""Refills and backtests over the lake that the archive wrote, held against alerts, scores and reconciliation."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sentinel.catalog.backtests import AskedRule
from sentinel.domain.engine_task import EngineTask
from sentinel.domain.finding import FindingBatch, Match
from sentinel.domain.generation import Generation
from sentinel.domain.history import Clock
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.refill import RefillRequest
from sentinel.errors import InvalidError, NotFoundError
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.stores.postgres.archive_ledger import ArchiveLedger
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.ledger import hold_lease
from sentinel.stores.postgres.refills import RefilledMatch, RefillStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.engine_task import TaskContext, TaskStoppedError
from sentinel.streaming.history.tasks import backtest_task, refill_task
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.reconcile import ReconcileReport, reconcile
from tests.support.decider import Decider, event
from tests.support.detection import Workbench

pytestmark = [pytest.mark.integration, pytest.mark.spark]

TTL = 7 * 24 * 3600
FROM = datetime.now(UTC) - timedelta(days=2)
TO = datetime.now(UTC) + timedelta(days=2)


class Pipeline(Decider):
    """Forty records, archived under a generation without rules; every amount is the record's number."""

    def __init__(self, bench: Workbench, database: Database, spark: SparkSession) -> None:
        super().__init__(bench, database, spark, bench.create_topic(2))
        self.send(*[event(number) for number in range(40)])
        self.drain()

    def add_rule(self, condition: str, severity: str = "critical") -> int:
        return self.bench.add_rule(self.pipeline_id, condition, condition, severity)

    def snapshot(self) -> PipelineSnapshot:
        return SnapshotStore(self.database, self.bench.tenant_id).current(self.pipeline_id)

    def context(self, task: EngineTask) -> TaskContext:
        return TaskContext(
            tenant_id=self.bench.tenant_id,
            pipeline_id=self.pipeline_id,
            task_id=task.id,
            request=task.request,
            settings=self.settings,
            database=self.database,
            _start_spark=lambda: evaluation_session(self.spark),
        )

    def submit_refill(self, **more: Any) -> EngineTask:
        with self.bench.backend.unit(self.bench.tenant_id, "test") as unit:
            return unit.backtests.refill(self.pipeline_id, more.pop("start", FROM), more.pop("end", TO), **more)

    def refill(self, **more: Any) -> dict[str, Any]:
        return refill_task(self.context(self.submit_refill(**more)))

    def backtest(self, *rules: AskedRule, **more: Any) -> dict[str, Any]:
        with self.bench.backend.unit(self.bench.tenant_id, "test") as unit:
            task = unit.backtests.submit(self.pipeline_id, rules, FROM, TO, **more)
        result: dict[str, Any] = json.loads(json.dumps(backtest_task(self.context(task))))
        return result

    def alerts(self) -> list[dict[str, Any]]:
        return self.bench.query(
            "SELECT * FROM sentinel.alerts WHERE pipeline_id = %s ORDER BY event_id, rule_id", self.pipeline_id
        )

    def reconcile(self) -> ReconcileReport:
        return reconcile(
            self.settings, self.database, self.spark, self.bench.tenant_id, self.pipeline_id, patience_seconds=1
        )


@pytest.fixture
def pipeline(bench: Workbench, database: Database, spark: SparkSession) -> Pipeline:
    return Pipeline(bench, database, spark)


def checks(report: ReconcileReport) -> list[tuple[int, int]]:
    return [(check.lost, check.doubled) for check in report.checks]


class TestRefill:
    def test_a_gap_is_filled_once_marked_scored_and_reconciled(self, pipeline: Pipeline) -> None:
        large = pipeline.add_rule("amount > 30")
        small = pipeline.add_rule("amount = 35", "info")
        first = pipeline.refill()
        assert (first["events"], first["matches"], first["alerts_added"], first["already_there"]) == (9, 10, 10, 0)
        assert first["scores_follow"] is True
        alerts = pipeline.alerts()
        assert {(alert["rule_id"], alert["event_id"]) for alert in alerts} == {
            *((large, f"e{number}") for number in range(31, 40)),
            (small, "e35"),
        }
        assert {alert["refill_id"] for alert in alerts} == {first["refill_id"]}
        one = alerts[0]
        assert one["transaction_data"] == {"id": "e31", "user_id": "u", "amount": 31.0}
        assert (one["entities"], one["severity"]) == ({"user_id": "u"}, "critical")
        assert abs(one["kafka_timestamp"] - datetime.now(UTC)) < timedelta(minutes=10)
        report = pipeline.reconcile()
        assert (report.ok, checks(report)) == (True, [(0, 0)] * 4)
        assert [check.expected for check in report.checks] == [40, 10, 10, 0]

        second = pipeline.refill()
        assert (second["matches"], second["alerts_added"], second["already_there"]) == (10, 0, 10)
        assert pipeline.alerts() == alerts
        assert pipeline.reconcile().ok

    def test_alerts_that_live_detection_raised_stay_its_own(self, pipeline: Pipeline) -> None:
        rule_id = pipeline.add_rule("amount > 30")
        snapshot = SnapshotStore(pipeline.database, pipeline.bench.tenant_id).current(pipeline.pipeline_id)
        generation = Generation(pipeline.next_generation(), snapshot, 1, {0: 20, 1: 20})
        pipeline.send(event(50))
        match = Match(0, 20, 0, "e50", (0,), {"user_id": "u"}, event(50))
        store = FindingStore(
            pipeline.database, pipeline.bench.tenant_id, score_ttl_seconds=TTL, plan_evidence=evidence_plan
        )
        store.commit(pipeline.lease, [GenerationFindings(generation, FindingBatch([match]))])
        pipeline.drain()
        done = pipeline.refill(rule_id=rule_id)
        assert (done["matches"], done["alerts_added"], done["already_there"]) == (10, 9, 1)
        assert {alert["refill_id"] for alert in pipeline.alerts() if alert["event_id"] == "e50"} == {None}
        assert pipeline.reconcile().ok

    def test_only_what_lies_in_the_range_is_filled(self, pipeline: Pipeline) -> None:
        pipeline.add_rule("amount > 30")
        past = FROM - timedelta(days=10)
        assert pipeline.refill(start=past, end=FROM)["matches"] == 0
        assert pipeline.refill(start=past, end=FROM, clock=Clock.RECORD_TIME)["matches"] == 0
        assert pipeline.refill(clock=Clock.RECORD_TIME)["matches"] == 9
        assert pipeline.reconcile().ok

    def test_records_that_came_after_it_are_not_its_own(self, pipeline: Pipeline) -> None:
        pipeline.add_rule("amount > 30")
        pipeline.refill()
        pipeline.send(event(60))
        pipeline.drain()
        report = pipeline.reconcile()
        assert (report.ok, report.checks[1].expected) == (True, 9)

    def test_a_lost_refilled_alert_and_one_without_reason_are_found(self, pipeline: Pipeline) -> None:
        pipeline.add_rule("amount > 30")
        pipeline.refill()
        pipeline.bench.execute(
            "DELETE FROM sentinel.alerts WHERE pipeline_id = %s AND event_id = 'e31'", pipeline.pipeline_id
        )
        pipeline.bench.execute(
            "UPDATE sentinel.alerts SET event_id = 'e3' WHERE pipeline_id = %s AND event_id = 'e33'",
            pipeline.pipeline_id,
        )
        assert checks(pipeline.reconcile())[1] == (2, 1)

    def test_more_matches_than_allowed_write_nothing(self, pipeline: Pipeline) -> None:
        pipeline.add_rule("amount > 30")
        with pytest.raises(InvalidError, match="9 alerts, more than the 5 allowed; nothing was written"):
            pipeline.refill(max_alerts=5)
        assert pipeline.alerts() == []
        assert pipeline.reconcile().ok

    def test_one_that_is_stopped_halfway_reconciles_and_goes_on(
        self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sentinel.streaming.history.tasks.EVENTS_PER_TRANSACTION", 4)
        pipeline.add_rule("amount > 30")
        task = pipeline.submit_refill()
        context = pipeline.context(task)
        write = RefillStore.write

        def write_and_stop(*arguments: Any) -> int:
            context.stopped.set()
            return write(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(RefillStore, "write", write_and_stop)
            with pytest.raises(TaskStoppedError):
                refill_task(context)
        assert len(pipeline.alerts()) == 4
        report = pipeline.reconcile()
        assert checks(report)[:2] == [(0, 0), (0, 0)]
        done = refill_task(pipeline.context(task))
        assert (done["alerts_added"], len(pipeline.alerts())) == (9, 9)
        assert pipeline.reconcile().ok

    def test_an_event_of_another_schema_keeps_its_identity_and_is_read_under_todays(self, pipeline: Pipeline) -> None:
        fields = [
            {"name": "code", "type": "string", "nullable": False, "role": "event_id"},
            {"name": "id", "type": "string"},
            {"name": "user_id", "type": "string", "role": "entity"},
            {"name": "amount", "type": "string"},
        ]
        pipeline.change_schema(*fields)
        pipeline.next_generation()
        pipeline.send(b'{"code": "c1", "id": "x", "user_id": "u", "amount": "many"}')
        pipeline.drain()
        pipeline.add_rule("id IN ('e7', 'x')")
        pipeline.add_rule("amount = 'many' OR amount = '7'")
        assert pipeline.refill()["alerts_added"] == 3
        found = {(alert["event_id"], alert["rule_version_id"]): alert for alert in pipeline.alerts()}
        assert sorted(event_id for event_id, _ in found) == ["c1", "c1", "e7"]
        assert pipeline.alerts()[2]["transaction_data"] == {"id": "e7", "user_id": "u"}
        assert pipeline.reconcile().ok

    def test_the_job_and_a_refill_do_not_write_at_the_same_time(self, pipeline: Pipeline) -> None:
        """The numbers of alerts become visible in their order: the scores rely on it."""
        task = pipeline.submit_refill(rule_id=pipeline.add_rule("amount > 30"))
        store = RefillStore(pipeline.database, pipeline.bench.tenant_id, pipeline.pipeline_id, score_ttl_seconds=TTL)
        wanted = RefillRequest.from_json(task.request)
        refill = store.begin(task.id, wanted, pipeline.snapshot(), {0: {0: 20, 1: 20}})
        (generation,) = pipeline.bench.generations(pipeline.pipeline_id)
        rules = store.rules(wanted.rule_version_ids)
        match = RefilledMatch(generation["id"], 0, 19, 0, "e38", rules, '{"id": "e38"}', "{}", ("[]",))
        added: list[int] = []
        refilling = threading.Thread(target=lambda: added.append(store.write(refill, [match])))
        with pipeline.database.transaction(pipeline.bench.tenant_id) as writer:
            hold_lease(writer, pipeline.lease)
            refilling.start()
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
            pipeline.bench.wait_until("it waits", lambda: bool(pipeline.bench.query(waiting)), timeout=8)
            assert (pipeline.alerts(), added) == ([], [])
        refilling.join(30)
        assert (len(pipeline.alerts()), added) == (1, [1])
        assert store.write(refill, [match]) == 0

    def test_a_task_that_is_repeated_evaluates_what_it_began_with(self, pipeline: Pipeline) -> None:
        task = pipeline.submit_refill(rule_id=pipeline.add_rule("amount > 30"))
        store = RefillStore(pipeline.database, pipeline.bench.tenant_id, pipeline.pipeline_id, score_ttl_seconds=TTL)
        wanted = RefillRequest.from_json(task.request)
        refill = store.begin(task.id, wanted, pipeline.snapshot(), {0: {0: 18, 1: 0}})
        assert store.begin(task.id, wanted, replace(pipeline.snapshot(), schema_version=9), {}) == refill
        assert refill_task(pipeline.context(task))["alerts_added"] == 2
        assert {alert["event_id"] for alert in pipeline.alerts()} == {"e32", "e34"}
        assert pipeline.reconcile().ok

    def test_strangers_and_empty_lakes_are_refused(
        self, bench: Workbench, database: Database, spark: SparkSession, pipeline: Pipeline
    ) -> None:
        empty = Decider(bench, database, spark, bench.create_topic(1), {"any": "amount > 0"})
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            task = unit.backtests.refill(empty.pipeline_id, FROM, TO)
        context = pipeline.context(task)
        context.pipeline_id = empty.pipeline_id
        with pytest.raises(NotFoundError, match="holds nothing"):
            refill_task(context)
        (rule,) = bench.query("SELECT id FROM sentinel.rules WHERE pipeline_id = %s", empty.pipeline_id)
        with pytest.raises(NotFoundError, match="has no rule"):
            pipeline.refill(rule_id=rule["id"])


class TestBacktest:
    def test_it_says_what_a_refill_then_does(self, pipeline: Pipeline) -> None:
        rule_id = pipeline.add_rule("amount > 30")
        result = pipeline.backtest(
            AskedRule(rule_id=rule_id), AskedRule(expression='when amount > 38 then notify("slack:#x")'), samples=10
        )
        saved, candidate = result["rules"]
        assert (saved["matches"], saved["rule"]["rule_id"], saved["rule"]["version"]) == (9, rule_id, 1)
        with pipeline.bench.backend.unit(pipeline.bench.tenant_id, "test") as unit:
            assert saved["rule"]["content_hash"] == unit.rules.history(rule_id)[0].content_hash
        assert (candidate["matches"], candidate["rule"]["condition"]) == (1, "amount > 38")
        assert candidate["overlap"] == [
            {"rule_id": rule_id, "description": "amount > 30", "both": 1, "only_this": 0, "only_that": 8}
        ]
        assert result["event_count"] == 40
        pipeline.refill(rule_id=rule_id)
        assert {sample["event_id"] for sample in saved["samples"]} == {a["event_id"] for a in pipeline.alerts()}

    def test_uploaded_labels(self, pipeline: Pipeline) -> None:
        rows = "\n".join(f"e{number},{int(number >= 32)}" for number in range(40))
        with pipeline.bench.backend.unit(pipeline.bench.tenant_id, "test") as unit:
            labels = unit.backtests.add_labels(pipeline.pipeline_id, "march", f"id,fraud\n{rows}".encode())
        assert (labels.label_count, labels.true_count) == (40, 8)
        result = pipeline.backtest(AskedRule(expression="amount > 30"), label_set_id=labels.id)
        quality = result["rules"][0]["quality"]
        assert (quality["true_positives"], quality["false_positives"], quality["recall"]) == (8, 1, 1.0)
        with pytest.raises(NotFoundError, match="no label set"):
            pipeline.backtest(AskedRule(expression="amount > 30"), label_set_id=labels.id + 1)


def test_the_ledger_bounds_what_a_refill_sees(pipeline: Pipeline) -> None:
    ledger = ArchiveLedger(pipeline.database, pipeline.bench.tenant_id, pipeline.pipeline_id)
    assert ledger.archived_ends(0) == {0: 20, 1: 20}
