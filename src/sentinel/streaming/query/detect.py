"""Detect: the Real-Time Mode query of one generation, from the source topic to the findings topic."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from sentinel.domain.generation import Generation
from sentinel.settings import JobSettings, KafkaSettings
from sentinel.streaming.faults import fault_point
from sentinel.streaming.query.evaluate import CompiledRuleSet
from sentinel.streaming.query.findings import finding_columns
from sentinel.streaming.query.parse import parse
from sentinel.streaming.topics import MAX_FINDING_BYTES

# A record is at most waited for this long by the source's poll; it bounds the reaction to a stop, not the latency.
FETCH_WAIT_MS = 50
# Findings of so many milliseconds share a request. With 1 the broker, the tasks and the writer take a quarter of a core
# more at 5,000 events/s, and on two cores that everything shares an alert is 4 ms later than with 8, not earlier.
LINGER_MS = 8


def start_realtime_query(
    spark: SparkSession,
    generation: Generation,
    compiled: CompiledRuleSet,
    *,
    kafka: KafkaSettings,
    job: JobSettings,
    findings_topic: str,
    checkpoint_dir: Path,
) -> StreamingQuery:
    """Start the query of a generation at its start offsets.

    The checkpoint is fresh for every generation and of no further use: where to go on after a crash is decided by the
    progress in the ledger. Needs one task slot per partition for as long as it runs. Delivery to the findings topic is
    at least once within the query; the alert writer makes it effectively once.
    """
    fault_point("start_generation")
    snapshot = generation.snapshot
    offsets = {str(partition): offset for partition, offset in generation.start_offsets.items()}
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka.bootstrap_servers)
        .option("assign", json.dumps({snapshot.kafka_topic: sorted(generation.start_offsets)}))
        .option("startingOffsets", json.dumps({snapshot.kafka_topic: offsets}))
        .option("failOnDataLoss", "true")
        .option("kafka.isolation.level", "read_committed")
        .option("kafka.fetch.max.wait.ms", str(FETCH_WAIT_MS))
        .option("includeHeaders", str(job.record_headers).lower())
        .load()
    )
    findings = findings_of(records, generation, compiled)
    shutil.rmtree(checkpoint_dir, ignore_errors=True)
    return (
        findings.writeStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka.bootstrap_servers)
        .option("topic", findings_topic)
        .option("kafka.max.request.size", str(MAX_FINDING_BYTES))
        .option("kafka.linger.ms", str(LINGER_MS))
        # A batch that expired while later ones of its partition are delivered would be lost: they say that everything
        # before them is decided.
        .option("kafka.delivery.timeout.ms", str(2**31 - 1))
        .option("kafka.batch.size", "131072")
        .option("checkpointLocation", f"file://{checkpoint_dir}")
        .outputMode("update")
        .trigger(realTime=f"{job.realtime_batch_minutes} minutes")
        .queryName(f"detect-{snapshot.pipeline_id}-g{generation.generation_id}")
        .start()
    )


def findings_of(records: DataFrame, generation: Generation, compiled: CompiledRuleSet) -> DataFrame:
    """Build what a generation writes to the findings topic from the records of its source."""
    snapshot = generation.snapshot
    parsed = parse(
        records,
        snapshot.schema,
        snapshot.config,
        topic=snapshot.kafka_topic,
        source_epoch=snapshot.source_epoch,
    )
    return finding_columns(
        compiled.evaluate(parsed),
        compiled,
        snapshot.schema,
        generation_id=generation.generation_id,
        marker_every=generation.marker_every,
        first_offsets=generation.start_offsets,
        config=snapshot.config,
    )


def rehearse(spark: SparkSession, generation: Generation, compiled: CompiledRuleSet) -> None:
    """Go through planning, compiling and running a generation on no records.

    A JVM plans its first queries several times slower than later ones. Rehearsed a few times, a change of rules takes
    effect in a fraction of the time.
    """
    records = spark.range(2, numPartitions=1).selectExpr(
        "CAST('' AS binary) AS value",
        "0 AS partition",
        "id AS offset",
        "timestamp '1970-01-01 00:00:00' AS timestamp",
        "CAST(NULL AS array<struct<key:string,value:binary>>) AS headers",
    )
    findings_of(records, generation, compiled).write.format("noop").mode("overwrite").save()
