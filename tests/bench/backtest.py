"""How long a backtest takes: 1 M events of a lake in a directory, 20 rules, held against 20 active ones.

Run as `python -m tests.bench.backtest [--events N] [--rules N] [--active N]`; prints one JSON line per case.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.backtest import BacktestRequest, BacktestRule, Sweep
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import TimeRange
from sentinel.localstack.java import find_java
from sentinel.rules.sweep import replace_number
from sentinel.settings import PROJECT_ROOT, JobSettings, LakeSettings, Settings
from sentinel.streaming.history.backtest import run_backtest
from sentinel.streaming.query.session import build_session
from tests.support.lake import DirectoryLake

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
SCHEMA = EventSchema.from_json(
    [
        {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
        {"name": "at", "type": "timestamp", "role": "event_time"},
        {"name": "user_id", "type": "string", "role": "entity"},
        {"name": "merchant_id", "type": "integer"},
        {"name": "amount", "type": "float"},
        {"name": "country", "type": "string"},
        {"name": "channel", "type": "string"},
        {"name": "lat", "type": "float"},
        {"name": "long", "type": "float"},
        {"name": "is_fraud", "type": "boolean"},
    ]
)
FORMS = (
    "amount > {n}00",
    "merchant_id = {n} AND amount > 20",
    "country IN ('DE', 'FR', 'U{n}') AND amount BETWEEN {n} AND 9{n}",
    "distance_km(lat, long, 50.{n}, 8.{n}) > 100 AND channel = 'web'",
    "hour(at) < 6 AND NOT (country = 'DE') AND amount > {n}",
)


def condition(number: int) -> str:
    """Return one of many rules."""
    return FORMS[number % len(FORMS)].format(n=number + 1)


def main() -> None:
    """Write the lake, then test cold and warm, without and with labels and a sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=20)
    parser.add_argument("--active", type=int, default=20)
    chosen = parser.parse_args()
    home = PROJECT_ROOT / ".sentinel"
    os.environ.setdefault("JAVA_HOME", str(find_java(home).home))
    with TemporaryDirectory() as scratch:
        settings = Settings(
            home=Path(scratch),
            job=JobSettings(jars_dir=str(home / "jars" / "spark"), spark_ui_port=0),
            lake=LakeSettings(uri="file:///none"),
        )
        spark = build_session(settings, app_name="bench", master="local[2]", extra={"spark.ui.enabled": "false"})
        lake = DirectoryLake(spark, Path(scratch) / "events", SCHEMA)
        for part in range(10):
            lake.archive(records(lake.spark, chosen.events // 10, part))
        past = lake.past(*[condition(number) for number in range(100, 100 + chosen.active)])
        asked = tuple(BacktestRule(condition(number), condition(number)) for number in range(chosen.rules))
        wanted = TimeRange(FIRST, FIRST + timedelta(days=DAYS))
        values = tuple(Decimal(value) for value in range(20, 1020, 20))
        swept = Sweep(0, "100", values, tuple(replace_number(asked[0].condition, "100", values, position=None)))
        plain = BacktestRequest(asked, wanted)
        full = BacktestRequest(asked, wanted, label_column="is_fraud", sweep=swept)
        for name, request in (("cold", plain), ("warm", plain), ("labels, sweep of 50", full)):
            result = run_backtest(spark, past, request)
            figures: dict[str, Any] = {
                "case": name,
                "events": result.event_count,
                "rules": len(asked),
                "active": chosen.active,
                "seconds": result.seconds,
                "events_per_second": round(result.event_count / result.seconds),
                "matches": sum(outcome.matches for outcome in result.rules),
                "python_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
            }
            print(json.dumps(figures), flush=True)
        spark.stop()


def records(spark: SparkSession, count: int, part: int) -> Any:
    """Return records as Kafka's source gives them, made by Spark itself; the same each time."""
    number = F.col("id") + F.lit(part * count)
    lot = F.pmod(F.xxhash64(number), F.lit(1_000_000))
    seconds = F.pmod(F.xxhash64(number, F.lit(1)), F.lit(DAYS * 86_400)) + F.lit(int(FIRST.timestamp()))
    event = F.struct(
        F.concat(F.lit("t-"), number.cast("string")).alias("id"),
        F.date_format(F.timestamp_seconds(seconds), "yyyy-MM-dd'T'HH:mm:ss'Z'").alias("at"),
        F.concat(F.lit("u"), F.pmod(lot, F.lit(5000)).cast("string")).alias("user_id"),
        F.pmod(lot, F.lit(500)).alias("merchant_id"),
        F.when(lot % 50 != 0, F.round(F.lit(3000) / (lot % 1000 + 1) + lot % 37, 2)).alias("amount"),
        F.element_at(F.array(*[F.lit(c) for c in ("DE", "FR", "US", "GB", "ES")]), (lot % 5 + 1).cast("int")).alias(
            "country"
        ),
        F.when(lot % 3 == 0, "web").otherwise("pos").alias("channel"),
        (F.lit(45.0) + (lot % 1000) / 100).alias("lat"),
        (F.lit(5.0) + (lot % 777) / 100).alias("long"),
        (lot % 97 == 0).alias("is_fraud"),
    )
    return spark.range(count, numPartitions=2).select(
        F.encode(F.to_json(event), "UTF-8").alias("value"),
        F.lit(0).alias("partition"),
        number.alias("offset"),
        F.timestamp_seconds(F.lit(int(FIRST.timestamp()))).alias("timestamp"),
    )


if __name__ == "__main__":
    main()
