"""Spark as it is usually written: foreachBatch, persist, a filter per rule, an insert per alert, Delta."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.settings import JobSettings, LakeSettings, Settings
from sentinel.streaming.query.session import build_session
from tests.bench.peers.contract import Watch, read_task
from tests.bench.workload import FIELDS

RECORDS_PER_BATCH = 200_000

task, watch = read_task(), Watch()
with TemporaryDirectory(dir=task.directory) as scratch:
    settings = Settings(
        home=Path(scratch),
        job=JobSettings(jars_dir=os.environ["PEER_JARS_DIR"], spark_ui_port=0),
        lake=LakeSettings(uri="file:///none"),
    )
    spark = build_session(settings, app_name="usual", master="local[4]", extra={"spark.ui.enabled": "false"})
    schema = ", ".join(f"`{field.name}` {field.type.spark()}" for field in EventSchema.from_json(FIELDS))
    connection = psycopg.connect(task.conninfo)

    def on_batch(batch: DataFrame, _number: int) -> None:
        watch.first()
        batch.persist(StorageLevel.MEMORY_AND_DISK)
        with connection.transaction():
            for rule, condition in task.conditions.items():
                for row in batch.filter(condition).select("event_id", "raw").collect():
                    connection.execute(
                        f"INSERT INTO {task.table} (rule, event_id, event) VALUES (%s, %s, %s)",
                        (rule, row["event_id"], row["raw"]),
                    )
        batch.drop("raw").write.format("delta").mode("append").save(f"{scratch}/lake")
        batch.unpersist()
        watch.last()

    query = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", task.bootstrap)
        .option("subscribe", task.topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", RECORDS_PER_BATCH)
        .load()
        .select(F.col("value").cast("string").alias("raw"))
        .select("raw", F.from_json("raw", schema).alias("event"))
        .select("raw", "event.*")
        .writeStream.foreachBatch(on_batch)
        .option("checkpointLocation", f"{scratch}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    spark.stop()
sys.stdout.flush()
watch.tell()
