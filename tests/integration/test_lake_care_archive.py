"""Care of the lake beside the archive, which commits to the same tables."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from sentinel.domain.lake_care import CarePolicy
from sentinel.errors import TransientError
from sentinel.localstack.s3_client import s3_client
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, spark_uri, storage_options
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.lake_turns import LakeTurns
from sentinel.streaming.sink import archive as archive_module
from sentinel.streaming.sink.lake_table import TableTransaction, append, last_transaction
from tests.chaos.s3_between import S3Between
from tests.integration.test_reconcile import Pipeline
from tests.support.decider import Decider, event
from tests.support.detection import Workbench
from tests.support.lake_desk import POLICY, Desk, never

pytestmark = [pytest.mark.integration, pytest.mark.spark]


class TestArchive:
    @pytest.fixture
    def decider(self, bench: Workbench, database: Database, spark: SparkSession) -> Decider:
        return Decider(bench, database, spark, bench.create_topic(2), archive_interval_seconds=0.2)

    def test_it_appends_while_files_are_merged_and_deleted(
        self, decider: Decider, lake_desk: Desk, spark: SparkSession
    ) -> None:
        decider.send(*[event(number) for number in range(4)])
        decider.drain()
        uri = events_uri(lake_desk.settings.lake, lake_desk.tenant, decider.pipeline_id)
        began = spark.read.format("delta").option("versionAsOf", decider.table().version()).load(spark_uri(uri))
        arrow = decider.table().to_pyarrow_dataset()
        archive, stopped = decider.archive(), threading.Event()
        thread = threading.Thread(target=archive.run, args=(stopped,))
        thread.start()
        merged, sent = 0, 4
        eager = CarePolicy(2, POLICY.target_bytes, POLICY.retention, timedelta(0))
        try:
            for _ in range(4):
                for _ in range(3):
                    decider.send(event(sent), event(sent + 1))
                    sent += 2
                    decider.bench.wait_archived(decider.pipeline_id)
                outcome = lake_desk.carer(policy=eager).run_requested(
                    lake_desk.tenant, decider.pipeline_id, requested_by="test", is_stopped=never
                )
                assert outcome is None or outcome.error is None
                merged += outcome.merged_files if outcome else 0
            decider.send(event(sent), event(sent + 1))
            sent += 2
            decider.bench.wait_archived(decider.pipeline_id)
        finally:
            stopped.set()
            thread.join(60)
        assert merged > 10
        assert archive.alarm is None
        rows = Counter((row["_partition"], row["_offset"]) for row in decider.rows())
        assert rows == Counter({(p, o): 1 for p in (0, 1) for o in range(sent // 2)})
        # Those who began before see what they began with.
        assert (began.count(), arrow.count_rows()) == (4, 4)
        assert spark.read.format("delta").load(spark_uri(uri)).count() == sent
        last = decider.ledger_rows()[-1]
        numbers = storage_options(lake_desk.settings.lake)
        assert last_transaction(uri, numbers, application_of(decider)) == last["seq"]

    def test_its_commits_carry_no_condition_which_is_why_there_are_turns(
        self, settings: Settings, between: S3Between, spark: SparkSession
    ) -> None:
        bucket = f"turns-{uuid.uuid4().hex[:8]}"
        s3_client(settings.lake).create_bucket(Bucket=bucket)
        spark.sparkContext._jsc.hadoopConfiguration().set(f"fs.s3a.bucket.{bucket}.endpoint", between.endpoint)
        between.manner = "no_conditions"
        rows = spark.range(3).selectExpr("id AS _offset", "date'2026-01-31' AS date")
        append(rows, f"s3a://{bucket}/events", TableTransaction("test", 1))
        between.manner = "pass"
        lake = settings.lake.model_copy(update={"uri": f"s3://{bucket}"})
        table = DeltaTable(f"s3://{bucket}/events", storage_options=storage_options(lake))
        assert (table.version(), table.to_pyarrow_table().num_rows) == (0, 3)
        # deltalake's do, so that nothing of Spark's is ever overwritten.
        between.manner = "no_conditions"
        options = storage_options(lake.model_copy(update={"endpoint": between.endpoint}))
        with pytest.raises((DeltaError, OSError)):
            write_deltalake(f"s3://{bucket}/events", table.to_pyarrow_table(), mode="append", storage_options=options)

    def test_it_waits_for_its_turn_and_then_says_so(
        self, decider: Decider, lake_desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive_module, "TURN_WAIT_SECONDS", 0.3)
        care = LakeTurns(lake_desk.database, lake_desk.tenant, decider.pipeline_id, "care", "one")
        assert care.take(60)
        decider.send(event(0))
        with pytest.raises(TransientError, match="are being merged"):
            decider.archive().run_once()
        care.end()
        (commit,) = decider.drain()
        assert commit.seq == 1
        assert len(decider.rows()) == 1

    def test_reconcile_finds_nothing_lost_or_doubled_afterwards(
        self, bench: Workbench, database: Database, spark: SparkSession, lake_desk: Desk
    ) -> None:
        pipeline = Pipeline(bench, database, spark)
        for number in range(3):
            pipeline.send(event(3 + number))
            pipeline.drain()
        pipeline.score()
        at_once = CarePolicy(2, POLICY.target_bytes, timedelta(0), timedelta(0))
        outcome = lake_desk.carer(policy=at_once).run_due(lake_desk.tenant, pipeline.pipeline_id, never)
        assert outcome is not None
        assert (outcome.error, outcome.files_after) == (None, 1)
        assert outcome.deleted_files >= 4
        report = pipeline.reconcile()
        assert {(check.lost, check.doubled) for check in report.checks} == {(0, 0)}
        assert report.ok
        pipeline.send(event(6))
        pipeline.drain()
        assert len(pipeline.rows()) == 9


def application_of(decider: Decider) -> str:
    rows = decider.bench.query("SELECT created_at FROM sentinel.pipelines WHERE id = %s", decider.pipeline_id)
    return f"sentinel/{decider.bench.tenant_id}/{decider.pipeline_id}/{rows[0]['created_at'].timestamp():.6f}"
