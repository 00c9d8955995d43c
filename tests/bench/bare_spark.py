"""The ceiling: a Spark job that reads the same topic, parses with the same from_json and writes to `noop`.

Run as `python -m tests.bench.bare_spark TOPIC BOOTSTRAP JARS_DIR`; prints one JSON line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.settings import JobSettings, LakeSettings, Settings
from sentinel.streaming.query.session import build_session
from tests.bench.workload import FIELDS


def main(topic: str, bootstrap: str, jars_dir: str) -> None:
    """Drain the topic twice, first in a cold JVM, then in a warm one, and print the speeds."""
    with TemporaryDirectory() as scratch:
        settings = Settings(
            home=Path(scratch),
            job=JobSettings(jars_dir=jars_dir, spark_ui_port=0),
            lake=LakeSettings(uri="file:///none"),
        )
        spark = build_session(settings, app_name="bare", master="local[4]", extra={"spark.ui.enabled": "false"})
        schema = ", ".join(f"`{field.name}` {field.type.spark()}" for field in EventSchema.from_json(FIELDS))
        speeds = {}
        for turn in ("cold", "warm"):
            query = (
                spark.readStream.format("kafka")
                .option("kafka.bootstrap.servers", bootstrap)
                .option("subscribe", topic)
                .option("startingOffsets", "earliest")
                .load()
                .select(F.from_json(F.col("value").cast("string"), schema).alias("event"))
                .writeStream.format("noop")
                .option("checkpointLocation", f"{scratch}/{turn}")
                .trigger(availableNow=True)
                .start()
            )
            query.awaitTermination()
            batches = [batch for batch in query.recentProgress if batch["numInputRows"]]
            records = sum(batch["numInputRows"] for batch in batches)
            seconds = sum(batch["durationMs"]["triggerExecution"] for batch in batches) / 1000
            speeds[turn] = records / seconds
        print(json.dumps({"cold_events_per_second": speeds["cold"], "events_per_second": speeds["warm"]}))
        spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
