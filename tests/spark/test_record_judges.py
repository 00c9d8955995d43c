"""Spark and Python judge the same odd records the same; `python -m tests.fuzz --only judges` runs it for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.diagnosis import Verdict
from tests.fuzz import judges
from tests.fuzz.judges import compare

pytestmark = pytest.mark.spark


def test_nobody_disagrees(spark: SparkSession, tmp_path: Path) -> None:
    outcome = compare(spark, tmp_path, records=10_000, seed=5)
    assert outcome.findings == [], outcome.summary()
    assert outcome.records == 10_000
    # Every cause there is, and as many events: nothing above was said of one kind alone.
    assert set(outcome.causes) == {"event", *map(str, DeadLetterCause)}
    assert outcome.causes["event"] > 2_000
    assert outcome.interpreted >= 500


def test_a_disagreement_is_noticed(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [Verdict(DeadLetterCause.WRONG_TYPE, "id", "so it is")]
    monkeypatch.setattr(judges, "certain_faults", lambda document, schema: told)
    summary = compare(spark, tmp_path, records=200, seed=5).summary()
    assert "Spark takes what Python refuses (wrong_type of id: so it is)" in summary
    assert "told wrong_type of id: so it is, named" in summary
