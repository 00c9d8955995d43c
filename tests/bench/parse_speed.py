"""How fast `parse` is beside a bare `from_json` with the same schema, over cached records.

    python -m tests.bench.parse_speed [records]

Prints CPU seconds per million records of both, the ratio of their speeds, and the same for bad records. CPU time and
not wall time, so that a busy machine changes little; the best of several rounds counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineConfig
from sentinel.localstack.java import find_java
from sentinel.localstack.paths import jars_root
from sentinel.settings import JobSettings, Settings
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import build_session, evaluation_session

ROUNDS = 6
SCHEMA = EventSchema.from_json(
    [
        {"name": "transaction_id", "type": "string", "nullable": False, "role": "event_id"},
        {"name": "user_id", "type": "string", "nullable": False, "role": "entity"},
        {"name": "card_id", "type": "string"},
        {"name": "merchant_id", "type": "string"},
        {"name": "merchant_category", "type": "string"},
        {"name": "amount", "type": "float", "nullable": False},
        {"name": "currency", "type": "string"},
        {"name": "country", "type": "string"},
        {"name": "channel", "type": "string"},
        {"name": "ip", "type": "string"},
        {"name": "items", "type": "integer"},
        {"name": "event_time", "type": "timestamp", "role": "event_time"},
    ]
)
EVENT = """named_struct(
    'transaction_id', concat('tx-', lpad(id, 12, '0')), 'user_id', concat('user-', id % 5000),
    'card_id', concat('card-', id % 9000), 'merchant_id', concat('merchant-', id % 900),
    'merchant_category', 'groceries', 'amount', round((id % 100000) / 100.0, 2), 'currency', 'EUR', 'country', 'DE',
    'channel', 'pos', 'ip', '192.168.10.20', 'items', {items},
    'event_time', concat('2026-01-02T08:', lpad(id % 60, 2, '0'), ':00.123Z'),
    'note', 'padding so that the record has about 330 bytes')"""


def records(spark: SparkSession, count: int, *, items: str) -> DataFrame:
    """Return cached records of about 330 bytes."""
    made = spark.range(count, numPartitions=2).selectExpr(
        f"cast(to_json({EVENT.format(items=items)}) AS binary) AS value",
        "cast(id % 2 AS int) AS partition",
        "id AS offset",
        "timestamp '2026-01-02 10:00:00' AS timestamp",
    )
    cached = made.cache()
    cached.count()
    return cached


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    home = Settings.load().home
    os.environ.setdefault("JAVA_HOME", str(find_java(home).home))
    settings = Settings(home=home, job=JobSettings(jars_dir=str(jars_root(home) / "spark"), driver_memory="2g"))
    spark = build_session(settings, app_name="parse speed", master="local[2]", extra={"spark.ui.enabled": "false"})
    session = evaluation_session(spark)
    jvm = psutil.Process(int(spark._jvm.java.lang.ProcessHandle.current().pid()))
    columns = ", ".join(f"`{field.name}` {field.type.spark()}" for field in SCHEMA)

    def bare(source: DataFrame) -> DataFrame:
        event = F.from_json(F.col("value").cast("string"), columns)
        return source.select("value", "partition", "offset", "timestamp", event.alias("event"))

    def full(source: DataFrame) -> DataFrame:
        return parse(source, SCHEMA, PipelineConfig(), topic="t", source_epoch=0)

    def cost(plan: Callable[[DataFrame], DataFrame], source: DataFrame) -> float:
        seconds = []
        for _ in range(ROUNDS):
            before = sum(jvm.cpu_times()[:2])
            plan(source).write.format("noop").mode("overwrite").save()
            seconds.append(sum(jvm.cpu_times()[:2]) - before)
        return min(seconds) / count * 1e6

    try:
        for what, items in (("good", "id % 9"), ("bad (wrong type)", "'many'")):
            source = records(session, count, items=items)
            alone, whole = cost(bare, source), cost(full, source)
            ratio = alone / whole
            print(f"{what} records: from_json {alone:.2f} s, parse {whole:.2f} s CPU per million; ratio {ratio:.2f}")
            source.unpersist()
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
