"""Go through what jobs do at their start, so that the JVM can archive its classes: `python jobs/list_classes.py DIR`.

Run by the local stack with `-XX:ArchiveClassesAtExit` among the driver's Java options. Needs no server; what it
asks of Kafka and S3 is refused at once, after their clients' classes were loaded.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from sentinel.domain.event_schema import EventSchema, Field, ScalarType
from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.settings import KafkaSettings, LakeSettings, Settings
from sentinel.streaming.query.detect import rehearse
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.session import build_session, evaluation_session

# Nothing listens on port 1.
_NOWHERE = "127.0.0.1:1"
_LAKE = LakeSettings(uri="s3://nowhere", endpoint=f"http://{_NOWHERE}")
_SCHEMA = EventSchema(
    (
        Field("id", ScalarType("string"), nullable=False, role="event_id"),
        Field("entity", ScalarType("string"), role="entity"),
        Field("amount", ScalarType("float")),
        Field("at", ScalarType("timestamp"), role="event_time"),
    )
)
_CONDITIONS = ("amount > 1", "entity IN ('a', 'b') AND amount BETWEEN 1 AND 2", "entity RLIKE 'a.*b' OR at IS NULL")


def main(arguments: list[str]) -> int:
    """Start a session, evaluate rules, write a lake, stream, and end the JVM gracefully."""
    directory = Path(arguments[0])
    settings = Settings.load()
    settings = settings.model_copy(update={"lake": _LAKE, "kafka": KafkaSettings(bootstrap_servers=_NOWHERE)})
    spark = build_session(settings, app_name="classes", master="local[2]", extra={"spark.ui.port": "0"})
    try:
        evaluate(spark)
        write_and_read(spark, directory)
        reach_for_servers(spark)
    finally:
        spark.stop()
        end_jvm()
    return 0


def evaluate(spark: SparkSession) -> None:
    """Plan, compile and run a generation."""
    rules = tuple(
        RuleVersion(number, number, 1, condition, Severity.INFO, "") for number, condition in enumerate(_CONDITIONS)
    )
    snapshot = PipelineSnapshot(
        "t", 1, "p", "topic", PipelineStatus.ACTIVE, PipelineConfig(), 1, _SCHEMA, RuleSet(1, rules), "earliest", 0
    )
    generation = Generation(1, snapshot, 1, {0: 0})
    rehearse(evaluation_session(spark), generation, compile_rule_set(snapshot.rule_set, _SCHEMA))


def write_and_read(spark: SparkSession, directory: Path) -> None:
    """Append to a Delta table, read it, and run a micro-batch."""
    table, checkpoint = str(directory / "table"), str(directory / "checkpoint")
    rows = spark.range(20).selectExpr("id", "CAST(id AS string) AS text", "to_json(struct(id)) AS value")
    for _ in range(2):
        rows.write.format("delta").mode("append").save(table)
    spark.read.format("delta").load(table).where("id > 3").groupBy("text").count().collect()
    stream = spark.readStream.format("rate").load()
    query = (
        stream.writeStream.foreachBatch(lambda batch, _id: batch.limit(1).toArrow())
        .option("checkpointLocation", checkpoint)
        .trigger(once=True)
        .start()
    )
    query.awaitTermination()


def reach_for_servers(spark: SparkSession) -> None:
    """Have the classes of Kafka's and of S3's clients loaded."""
    kafka = spark.read.format("kafka").option("kafka.bootstrap.servers", _NOWHERE).option("subscribe", "none")
    kafka = kafka.option("kafka.default.api.timeout.ms", "1500").option("kafka.request.timeout.ms", "1000")
    # The refusals are what is expected; which exceptions they come as is of no interest.
    with contextlib.suppress(Exception):
        kafka.load().count()
    with contextlib.suppress(Exception):
        spark.read.parquet("s3a://nowhere/none").count()


def end_jvm() -> None:
    """Let the JVM end by itself: one that is killed writes no archive."""
    gateway = SparkContext._gateway
    if gateway is not None:
        process = gateway.proc
        SparkContext._gateway = None
        gateway.shutdown()
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
