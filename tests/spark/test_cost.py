"""The meter tells a rule that backtracks from one that compares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from sentinel.streaming.query.cost import SAMPLE_ROWS, CostMeter
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def meter(spark: SparkSession) -> Iterator[CostMeter]:
    session = evaluation_session(spark)
    made = CostMeter(session.range(5_000).selectExpr("struct(repeat('a', 700) AS text, id AS number) AS event"))
    yield made
    made.close()


def test_the_sample_is_bounded(meter: CostMeter) -> None:
    assert meter.rows == SAMPLE_ROWS


def test_an_expensive_condition_costs_much_more_than_a_comparison(meter: CostMeter) -> None:
    comparison = meter.microseconds("event.number > 100")
    backtracking = meter.microseconds("event.text RLIKE 'a*b'")
    assert backtracking > 100
    assert comparison < backtracking / 20


def test_without_events_there_is_no_figure(spark: SparkSession) -> None:
    empty = CostMeter(evaluation_session(spark).range(0).selectExpr("struct(id) AS event"))
    with pytest.raises(ValueError, match="no events"):
        empty.microseconds("true")
    empty.close()
