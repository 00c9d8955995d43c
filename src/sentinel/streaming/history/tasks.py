"""Backtests and refills as tasks of the rule worker."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa

from sentinel.domain.backtest import BacktestRequest
from sentinel.domain.refill import Refill, RefillRequest
from sentinel.errors import InvalidError, NotFoundError, StoreUnavailableError
from sentinel.stores.postgres.alert_scores import AlertScoreReader
from sentinel.stores.postgres.archive_ledger import ArchiveLedger
from sentinel.stores.postgres.labels import PostgresLabels
from sentinel.stores.postgres.refills import RefilledMatch, RefillStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.stores.redis.scores import ScoreStore, connect
from sentinel.streaming.engine_task import TaskContext
from sentinel.streaming.history.backtest import run_backtest
from sentinel.streaming.history.past import Past, read_past, spark_work
from sentinel.streaming.history.refill import plan_refill
from sentinel.streaming.sink.lake_events import LakeForm
from sentinel.streaming.sink.score_writer import ScoreWriter

log = logging.getLogger(__name__)

# The job's alert writer waits while so many are written.
EVENTS_PER_TRANSACTION = 500


def backtest_task(context: TaskContext) -> dict[str, Any]:
    """Test rules on a pipeline's past."""
    request = BacktestRequest.from_json(context.request)
    past = read_past(context.settings, context.database, context.tenant_id, context.pipeline_id)
    labels = None if request.label_set_id is None else _labels(context, request.label_set_id)
    context.report({"phase": "starting", "done": 0.0})
    result = run_backtest(context.spark, past, request, labels=labels, report=context.report, check=context.check)
    return result.as_json()


def refill_task(context: TaskContext) -> dict[str, Any]:
    """Make the alerts that rules would have raised in a range of time.

    1. Record in the ledger what is evaluated: versions, schema, range, and how far the lake goes.
    2. Count; with more matches than allowed nothing is written.
    3. Write the alerts, some hundreds per transaction. 4. Mark the refill complete. 5. Have the scores follow.

    A crash before 4 repeats all of it over the same records, which adds what is missing: alerts are unique.
    """
    request = RefillRequest.from_json(context.request)
    past = read_past(context.settings, context.database, context.tenant_id, context.pipeline_id)
    store = refill_store(context)
    ledger = ArchiveLedger(context.database, context.tenant_id, context.pipeline_id)
    ends = {epoch: ledger.archived_ends(epoch) for epoch in set(past.form.epochs.values())}
    refill = store.begin(context.task_id, request, past.snapshot, ends)
    rules = store.rules(refill.rule_version_ids)
    form = LakeForm(past.form.kafka_topic, ledger.history(refill.schema_version), past.form.epochs)
    context.report({"phase": "starting", "done": 0.0})
    spark = context.spark
    around = SnapshotStore(context.database, context.tenant_id).rule_set(context.pipeline_id, refill.rule_set_version)
    plan = plan_refill(spark, past.uri, form, refill, rules, around=around, tables=past.tables)
    with spark_work(spark, context.report, context.check, "counting"):
        events, matches = plan.count()
    if matches > request.max_alerts:
        raise InvalidError(
            f"the refill would make up to {matches:,} alerts, more than the {request.max_alerts:,} allowed; nothing "
            "was written. Narrow the range, name one rule, or raise max_alerts"
        )
    written = 0
    chunk: list[RefilledMatch] = []
    with spark_work(spark, lambda _: None, context.check, "writing"):
        for match in plan.matches():
            chunk.append(match)
            if len(chunk) == EVENTS_PER_TRANSACTION:
                context.check()
                store.write(refill, chunk)
                written, chunk = written + len(chunk), []
                context.report({"phase": "writing", "done": round(written / events, 3)})
        context.check()
        store.write(refill, chunk)
    done = store.complete(refill, matches)
    return {**_told(done, past), "events": events, "scores_follow": _follow(context)}


def refill_store(context: TaskContext) -> RefillStore:
    """Return the refills of the task's pipeline."""
    ttl = context.settings.redis.score_ttl_seconds
    return RefillStore(context.database, context.tenant_id, context.pipeline_id, score_ttl_seconds=ttl)


def _told(refill: Refill, past: Past) -> dict[str, Any]:
    return {
        "refill_id": refill.id,
        "rule_version_ids": [*refill.rule_version_ids],
        "schema_version": refill.schema_version,
        "range": refill.range.as_json(),
        "matches": refill.match_count,
        "alerts_added": refill.alert_count,
        "already_there": refill.match_count - refill.alert_count,
        "rule_set_version": past.snapshot.rule_set.version,
    }


def _follow(context: TaskContext) -> bool:
    """Write the scores, which a running job would write within seconds; False: Redis is away, and the job will."""
    redis = connect(context.settings.redis)
    try:
        ttl = context.settings.redis.score_ttl_seconds
        alerts = AlertScoreReader(context.database, context.tenant_id, context.pipeline_id, score_ttl_seconds=ttl)
        scores = ScoreStore(redis, context.settings.redis, context.tenant_id, context.pipeline_id)
        writer = ScoreWriter(alerts, scores, name="refill-scores")
        while writer.catch_up():
            pass
    except StoreUnavailableError as error:
        log.warning("the scores of the refill wait for the job: %s", error)
        return False
    finally:
        redis.close()
    return True


def _labels(context: TaskContext, label_set_id: int) -> pa.Table:
    with context.database.transaction(context.tenant_id) as connection:
        labels = PostgresLabels(connection).content(context.pipeline_id, label_set_id)
    if labels is None:
        raise NotFoundError(f"pipeline {context.pipeline_id} has no label set {label_set_id} any more")
    return pa.table(
        {
            "event_id": pa.array([*labels.true, *labels.false], pa.string()),
            "label": pa.array([True] * len(labels.true) + [False] * len(labels.false), pa.bool_()),
        }
    )
