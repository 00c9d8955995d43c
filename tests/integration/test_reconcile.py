"""Reconcile finds what is lost, doubled or without a reason, and nothing else."""

from __future__ import annotations

import json
import threading

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.finding import DeadLetter, FindingBatch, Match
from sentinel.domain.generation import Generation
from sentinel.domain.scorecard import ScorecardContent, Thresholds
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.stores.lake.location import events_uri, spark_uri
from sentinel.stores.postgres.alert_scores import AlertScoreReader
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.stores.redis.scores import ScoreStore, connect
from sentinel.streaming.reconcile import Difference, ReconcileReport, reconcile, records
from sentinel.streaming.sink.lake_table import TableTransaction, append
from sentinel.streaming.sink.score_writer import ScoreWriter
from tests.support.decider import Decider, event
from tests.support.detection import Workbench

pytestmark = [pytest.mark.integration, pytest.mark.spark]

TTL = 7 * 24 * 3600


class Pipeline(Decider):
    """Six records in one partition, two of them alerts of one rule and one a dead letter, all archived and scored."""

    def __init__(self, bench: Workbench, database: Database, spark: SparkSession) -> None:
        super().__init__(bench, database, spark, bench.create_topic(1), {"large": "amount > 10"})
        self.send(event(1), event(20), b"not json", event(30), event(20), event(2))
        snapshot = SnapshotStore(database, bench.tenant_id).current(self.pipeline_id)
        rows = bench.query("SELECT id FROM sentinel.generations WHERE pipeline_id = %s", self.pipeline_id)
        self.generation = Generation(rows[0]["id"], snapshot, 1, {0: 0})
        self.commit(
            [self.match(1, 20), self.match(3, 30), self.match(4, 20)],
            [DeadLetter(0, 2, 0, "not_json", None, "", b"not json", 8)],
        )
        self.drain()
        self.scores = ScoreStore(connect(self.settings.redis), self.settings.redis, bench.tenant_id, self.pipeline_id)
        self.score()

    def match(self, offset: int, number: int) -> Match:
        return Match(0, offset, 0, f"e{number}", (0,), {"user_id": "u"}, event(number))

    def commit(self, matches: list[Match], dead: list[DeadLetter]) -> None:
        store = FindingStore(self.database, self.bench.tenant_id, score_ttl_seconds=TTL, plan_evidence=evidence_plan)
        store.commit(self.lease, [GenerationFindings(self.generation, FindingBatch(matches, dead))])

    def score(self) -> None:
        alerts = AlertScoreReader(self.database, self.bench.tenant_id, self.pipeline_id, score_ttl_seconds=TTL)
        writer = ScoreWriter(alerts, self.scores, name="test")
        while writer.catch_up():
            pass

    def reconcile(self) -> ReconcileReport:
        return reconcile(
            self.settings, self.database, self.spark, self.bench.tenant_id, self.pipeline_id, patience_seconds=1
        )

    def execute(self, statement: str) -> None:
        self.bench.execute(statement, self.pipeline_id)


@pytest.fixture
def pipeline(bench: Workbench, database: Database, spark: SparkSession) -> Pipeline:
    return Pipeline(bench, database, spark)


def counts(report: ReconcileReport) -> list[tuple[int, int, int, int]]:
    def of(check: Difference) -> tuple[int, int, int, int]:
        return check.expected, check.found, check.lost, check.doubled

    return [of(check) for check in report.checks]


SOUND = [(6, 6, 0, 0), (2, 2, 0, 0), (3, 3, 0, 0), (0, 0, 0, 0)]


class TestSound:
    def test_a_sound_pipeline_is_reconciled(self, pipeline: Pipeline) -> None:
        report = pipeline.reconcile()
        assert (counts(report), report.ok, report.notes) == (SOUND, True, ())
        assert (report.lake_rows, report.dead_letters, report.not_decided, report.not_archived) == (5, 1, 0, 0)
        assert json.loads(json.dumps(report.as_json()))["ok"] is True

    def test_it_waits_for_no_record_beyond_those_that_it_compares(
        self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "SILENCE_SECONDS", 3600.0)
        assert pipeline.reconcile().ok

    def test_records_that_are_not_there_yet_are_counted_and_no_error(self, pipeline: Pipeline) -> None:
        pipeline.bench.send(pipeline.topic, [event(3)])
        pipeline.decide()
        pipeline.bench.send(pipeline.topic, [event(40), event(5)])
        report = pipeline.reconcile()
        assert (counts(report), report.ok) == (SOUND, True)
        assert (report.not_decided, report.not_archived) == (2, 1)

    def test_an_alert_of_a_record_that_is_not_archived_yet_is_no_error(self, pipeline: Pipeline) -> None:
        pipeline.send(event(50))
        pipeline.commit([pipeline.match(6, 50)], [])
        pipeline.score()
        report = pipeline.reconcile()
        assert [(check.lost, check.doubled) for check in report.checks] == [(0, 0)] * 4

    def test_scores_may_catch_up(self, pipeline: Pipeline) -> None:
        pipeline.send(event(50))
        pipeline.commit([pipeline.match(6, 50)], [])
        later = threading.Timer(0.5, pipeline.score)
        later.start()
        report = pipeline.reconcile()
        later.join()
        assert (report.ok, counts(report)[2]) == (True, (4, 4, 0, 0))

    def test_records_that_retention_removed_are_noted(self, pipeline: Pipeline) -> None:
        pipeline.bench.delete_records(pipeline.topic, {0: 2})
        report = pipeline.reconcile()
        assert report.ok
        assert report.notes == ("partition 0: the topic no longer holds offsets 0 to 1",)
        assert counts(report)[0] == (4, 4, 0, 0)

    def test_rules_are_those_of_each_generation(self, pipeline: Pipeline) -> None:
        pipeline.bench.add_rule(pipeline.pipeline_id, "any", "amount > 0")
        generation_id = pipeline.next_generation()
        snapshot = SnapshotStore(pipeline.database, pipeline.bench.tenant_id).current(pipeline.pipeline_id)
        pipeline.generation = Generation(generation_id, snapshot, 1, {0: 6})
        pipeline.send(event(7))
        pipeline.commit([Match(0, 6, 0, "e7", (1,), {"user_id": "u"}, event(7))], [])
        pipeline.drain()
        pipeline.score()
        report = pipeline.reconcile()
        assert (counts(report)[1], report.ok) == ((3, 3, 0, 0), True)


class TestDecisions:
    @pytest.fixture
    def decided(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline with a scorecard from offset 6 on, and three records more."""
        with pipeline.bench.backend.unit(pipeline.bench.tenant_id, "test") as unit:
            (rule,) = unit.rules.list(pipeline.pipeline_id)
            card = ScorecardContent({rule.name: 7}, Thresholds(5, 9))
            unit.scorecards.add(pipeline.pipeline_id, "risk", card)
        generation_id = pipeline.next_generation()
        snapshot = SnapshotStore(pipeline.database, pipeline.bench.tenant_id).current(pipeline.pipeline_id)
        pipeline.generation = Generation(generation_id, snapshot, 1, {0: 6})
        pipeline.send(event(50), event(5), event(60))
        pipeline.commit([pipeline.match(6, 50), pipeline.match(8, 60)], [])
        pipeline.drain()
        pipeline.score()
        return pipeline

    def test_each_generation_decides_by_its_scorecards(self, decided: Pipeline) -> None:
        report = decided.reconcile()
        assert (counts(report)[3], report.ok) == ((2, 2, 0, 0), True)

    def test_a_lost_decision_is_found(self, decided: Pipeline) -> None:
        decided.execute("DELETE FROM sentinel.decisions WHERE pipeline_id = %s AND event_id = 'e50'")
        report = decided.reconcile()
        assert (counts(report)[3], report.ok) == ((2, 1, 1, 0), False)
        assert "event e50" in report.checks[3].examples[0]

    def test_another_decision_is_found(self, decided: Pipeline) -> None:
        decided.execute("UPDATE sentinel.decisions SET score = 8 WHERE pipeline_id = %s AND event_id = 'e60'")
        report = decided.reconcile()
        assert counts(report)[3] == (2, 2, 0, 1)
        assert report.checks[3].examples[0].endswith("event e60: review by 8 points")


class TestUnsound:
    def test_a_missing_dead_letter_is_a_lost_record(self, pipeline: Pipeline) -> None:
        pipeline.execute("DELETE FROM sentinel.dead_letters WHERE pipeline_id = %s")
        report = pipeline.reconcile()
        assert (counts(report)[0], report.ok) == ((6, 5, 1, 0), False)
        assert report.checks[0].examples == ("lost: partition 0, offset 2",)

    def test_a_record_in_the_lake_and_in_the_dead_letters_is_doubled(self, pipeline: Pipeline) -> None:
        pipeline.commit([], [DeadLetter(0, 0, 0, "empty", None, "", b"", 0)])
        assert counts(pipeline.reconcile())[0] == (6, 7, 0, 1)

    def test_a_doubled_row_of_the_lake_is_found(self, pipeline: Pipeline) -> None:
        lake = pipeline.settings.lake
        uri = spark_uri(events_uri(lake, pipeline.bench.tenant_id, pipeline.pipeline_id))
        row = pipeline.spark.read.format("delta").load(uri).where("_offset = 3")
        append(row, uri, TableTransaction("somebody else", 1))
        report = pipeline.reconcile()
        assert counts(report)[0] == (6, 7, 0, 1)
        assert report.checks[0].examples == ("2 times: partition 0, offset 3",)

    def test_a_missing_alert_is_found(self, pipeline: Pipeline) -> None:
        pipeline.execute("DELETE FROM sentinel.alerts WHERE pipeline_id = %s AND event_id = 'e30'")
        report = pipeline.reconcile()
        assert counts(report)[1] == (2, 1, 1, 0)
        assert "event e30" in report.checks[1].examples[0]

    def test_an_alert_without_a_reason_is_found(self, pipeline: Pipeline) -> None:
        pipeline.commit([pipeline.match(0, 1)], [])
        assert counts(pipeline.reconcile())[1] == (2, 3, 0, 1)

    def test_a_missing_and_a_wrong_score_are_found(self, pipeline: Pipeline) -> None:
        pipeline.bench.redis.delete(pipeline.scores.event_key("e20"))
        pipeline.bench.redis.set(pipeline.scores.event_key("e30"), 1, ex=1000)
        report = pipeline.reconcile()
        assert (counts(report)[2], report.ok) == ((3, 2, 1, 1), False)

    def test_scores_that_do_not_follow_are_lost(self, pipeline: Pipeline) -> None:
        pipeline.send(event(50))
        pipeline.commit([pipeline.match(6, 50)], [])
        report = pipeline.reconcile()
        # The new event has no score, and its entity the score of one alert less.
        assert (counts(report)[2], report.ok) == ((4, 3, 1, 1), False)
