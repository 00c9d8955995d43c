"""What an evaluation of a pipeline's past needs to know, and how its Spark work is watched."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.rule import RuleSet
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, spark_uri, storage_options
from sentinel.stores.postgres.archive_ledger import ArchiveLedger
from sentinel.stores.postgres.database import Database, first_line
from sentinel.stores.postgres.explain_reader import ExplainReader
from sentinel.stores.postgres.lists import ListSnapshotStore
from sentinel.stores.postgres.reconcile_reader import ReconcileReader
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.history.outcomes import NOTHING_AROUND
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.sink.archive import cause_of
from sentinel.streaming.sink.lake_events import LakeForm

Report = Callable[[dict[str, Any]], None]
Check = Callable[[], None]

_POLL_SECONDS = 0.5
_GROUP = "spark.jobGroup.id"


@dataclass(frozen=True, slots=True)
class Past:
    """A pipeline's lake and how it is read.

    Attributes:
        uri: The Delta table, as Spark names it.
        snapshot: The pipeline as it is configured now.
        form: Reads rows under the schema of the snapshot.
        around: What rules may refer to: other rules and lists, as they are now.
        tables: Where the rows of lists come from.
    """

    uri: str
    snapshot: PipelineSnapshot
    form: LakeForm
    around: RuleSet = NOTHING_AROUND
    tables: LookupTables | None = None

    def table(self, spark: SparkSession) -> DataFrame:
        """Return the rows of the lake.

        Raises:
            StoreUnavailableError: The lake does not answer.
        """
        try:
            return spark.read.format("delta").load(self.uri)
        except (PySparkException, Py4JError) as error:
            raise StoreUnavailableError("the lake", cause_of(error)) from error


def read_past(settings: Settings, database: Database, tenant_id: str, pipeline_id: int) -> Past:
    """Read what is known of a pipeline's past.

    Raises:
        NotFoundError: The tenant has no such pipeline, or its lake holds nothing yet.
        StoreUnavailableError: A store does not answer.
    """
    snapshot = SnapshotStore(database, tenant_id).current(pipeline_id)
    uri = events_uri(settings.lake, tenant_id, pipeline_id)
    try:
        exists = DeltaTable.is_deltatable(uri, storage_options=storage_options(settings.lake) or None)
    except (DeltaError, OSError, RuntimeError, ValueError) as error:
        raise StoreUnavailableError("the lake", first_line(error)) from error
    if not exists:
        raise NotFoundError(f"the lake holds nothing for pipeline {pipeline_id} yet: its job has not archived")
    reader = ExplainReader(database, tenant_id, pipeline_id)
    around = replace(snapshot.rule_set, references=reader.references(), lists=tuple(reader.lists().values()))
    tables = LookupTables(ListSnapshotStore(database, tenant_id))
    return Past(spark_uri(uri), snapshot, lake_form(database, tenant_id, snapshot), around, tables)


def lake_form(database: Database, tenant_id: str, snapshot: PipelineSnapshot) -> LakeForm:
    """Return how the lake is read under the schema of a snapshot."""
    history = ArchiveLedger(database, tenant_id, snapshot.pipeline_id).history(snapshot.schema_version)
    generations = ReconcileReader(database, tenant_id, snapshot.pipeline_id).generations()
    epochs = {generation.generation_id: generation.source_epoch for generation in generations}
    return LakeForm(snapshot.kafka_topic, history, epochs)


@contextmanager
def spark_work(spark: SparkSession, report: Report, check: Check, phase: str) -> Iterator[None]:
    """Watch the Spark jobs that run inside: tell how far they are, and translate what they raise.

    Raises:
        StoreUnavailableError: Spark could not do it, usually since the lake does not answer; it may be tried again.
    """
    context = spark.sparkContext
    if context.master.startswith("local"):
        # Else Spark's Python workers are whatever `python3` is on the path.
        context.pythonExec = sys.executable
    group = context.getLocalProperty(_GROUP)
    own = group is None
    if own:
        group = uuid.uuid4().hex
        context.setJobGroup(group, phase, interruptOnCancel=True)
    done = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(context.statusTracker(), group, report, phase, done), name="spark-progress", daemon=True
    )
    report({"phase": phase, "done": 0.0})
    watcher.start()
    try:
        yield
    except (PySparkException, Py4JError) as error:
        check()
        raise StoreUnavailableError("the lake or Spark", cause_of(error)) from error
    finally:
        done.set()
        watcher.join()
        if own:
            context.setLocalProperty(_GROUP, None)


def _watch(tracker: Any, group: str, report: Report, phase: str, done: threading.Event) -> None:
    before = set(tracker.getJobIdsForGroup(group))
    while not done.wait(_POLL_SECONDS):
        finished = wanted = 0
        for job_id in set(tracker.getJobIdsForGroup(group)) - before:
            job = tracker.getJobInfo(job_id)
            for stage_id in job.stageIds if job else ():
                stage = tracker.getStageInfo(stage_id)
                if stage is not None:
                    finished += stage.numCompletedTasks
                    wanted += stage.numTasks
        if wanted:
            report({"phase": phase, "done": round(finished / wanted, 3)})
