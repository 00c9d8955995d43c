"""One physical plan over many micro-batches: the rows that a plan for each gives, and nothing is broadcast twice."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.streaming.query.physical import RECORDS_PER_TASK, PhysicalPlan
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark

ROWS = 40
PARTITIONS = 4


@pytest.fixture
def session(spark: SparkSession) -> SparkSession:
    made = evaluation_session(spark)
    spark.sparkContext.pythonExec = sys.executable
    made.conf.set("spark.sql.adaptive.enabled", "false")
    return made


def stream(session: SparkSession, directory: Path, batches: int, look: Callable[[DataFrame, int], None]) -> None:
    """Let `look` see so many micro-batches of ROWS rows."""
    failed: list[BaseException] = []
    done = threading.Event()

    def on_batch(batch: DataFrame, number: int) -> None:
        if number >= batches:
            done.set()
            return
        try:
            look(batch, number)
        except BaseException as error:
            failed.append(error)
            done.set()
            raise

    source = session.readStream.format("rate-micro-batch").option("rowsPerBatch", ROWS)
    records = source.option("numPartitions", PARTITIONS).load()
    query = records.writeStream.foreachBatch(on_batch).option("checkpointLocation", str(directory)).start()
    try:
        assert done.wait(120)
    finally:
        query.stop()
    if failed:
        raise failed[0]


def computed(batch: DataFrame) -> DataFrame:
    return batch.select("value", (F.col("value") % 7).alias("_rest")).where("_rest < 5").select("value", "_rest")


def rows(found: DataFrame) -> list[Any]:
    return sorted(map(tuple, found.collect()))


def test_every_micro_batch_has_its_own_rows(session: SparkSession, tmp_path: Path) -> None:
    plans: list[PhysicalPlan] = []
    seen: list[list[Any]] = []

    def look(batch: DataFrame, _: int) -> None:
        if not plans:
            plans.append(PhysicalPlan(computed(batch), batch))
            assert plans[0].is_reusable
        found = plans[0].over(batch, ROWS)
        assert found is not None
        assert rows(found) == rows(computed(batch))
        seen.append(rows(found))

    stream(session, tmp_path, 3, look)
    first = [value for found in seen[:3] for value, _ in found]
    assert first == [value for value in range(3 * ROWS) if value % 7 < 5]


def test_few_records_are_one_task(session: SparkSession, tmp_path: Path) -> None:
    def look(batch: DataFrame, _: int) -> None:
        plan = PhysicalPlan(computed(batch), batch)
        found = [plan.over(batch, count) for count in (0, 1, RECORDS_PER_TASK, RECORDS_PER_TASK + 1, 10**9)]
        assert [each and each.rdd.getNumPartitions() for each in found] == [1, 1, 1, 2, PARTITIONS]
        assert all(rows(each) == rows(computed(batch)) for each in found if each is not None)

    stream(session, tmp_path, 1, look)


def test_a_broadcast_is_computed_once(session: SparkSession, tmp_path: Path) -> None:
    evaluated = session.sparkContext.accumulator(0)

    def count(value):  # type: ignore[no-untyped-def]
        evaluated.add(1)
        return value

    known = session.createDataFrame([(n,) for n in range(0, 400, 2)], "id long")
    known = known.select(F.udf(count, "long")("id").alias("id"))
    plans: list[PhysicalPlan] = []

    def look(batch: DataFrame, number: int) -> None:
        joined = batch.join(F.broadcast(known), F.col("value") == F.col("id"), "left").select("value", "id")
        if not plans:
            plans.append(PhysicalPlan(joined, batch))
        found = plans[0].over(batch, ROWS)
        assert found is not None
        expected = [(value, value if value % 2 == 0 else None) for value in range(number * ROWS, (number + 1) * ROWS)]
        assert sorted(map(tuple, found.collect()), key=lambda row: row[0]) == expected

    stream(session, tmp_path, 3, look)
    assert evaluated.value == 200


def test_another_stream_has_to_be_planned(session: SparkSession, tmp_path: Path) -> None:
    plans: list[PhysicalPlan] = []

    def look(batch: DataFrame, _: int) -> None:
        if not plans:
            plans.append(PhysicalPlan(computed(batch), batch))

    def look_again(batch: DataFrame, _: int) -> None:
        assert plans[0].over(batch, ROWS) is None

    stream(session, tmp_path / "first", 1, look)
    stream(session, tmp_path / "second", 1, look_again)


def test_what_is_no_micro_batch_has_to_be_planned(session: SparkSession) -> None:
    table = session.range(10).withColumnRenamed("id", "value")
    plan = PhysicalPlan(computed(table), table)
    assert not plan.is_reusable
    assert plan.over(table, 10) is None


def test_an_adaptive_plan_is_not_used_twice(session: SparkSession, tmp_path: Path) -> None:
    def look(batch: DataFrame, _: int) -> None:
        batch.sparkSession.conf.set("spark.sql.adaptive.enabled", "true")
        known = batch.sparkSession.range(5)
        joined = batch.join(known, F.col("value") == F.col("id")).groupBy("id").count()
        assert not PhysicalPlan(joined, batch).is_reusable

    stream(session, tmp_path, 1, look)
