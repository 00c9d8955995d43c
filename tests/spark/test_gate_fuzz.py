"""A short run of the fuzz of the gate, always over the same texts; `python -m tests.fuzz.gate` runs it for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.dsl.check import CheckedRule, check_rule
from sentinel.streaming.query.gate import refused_conditions
from tests.fuzz import gate
from tests.fuzz.gate import Fuzz

pytestmark = pytest.mark.spark


def test_nothing_is_found(spark: SparkSession, tmp_path: Path) -> None:
    outcome = Fuzz(spark, tmp_path, seed=5).run(texts=1_000)
    assert outcome.findings == [], outcome.summary()
    assert outcome.tried >= 1_000
    assert outcome.read >= 300
    assert outcome.evaluated >= 90
    assert len(outcome.codes) >= 30
    assert outcome.slowest_seconds < gate.SLOWEST_CHECK_SECONDS


def test_what_must_not_be_is_noticed(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, schema: EventSchema) -> CheckedRule:
        if text == "amount > 100":
            raise ValueError("broken")
        if text == "amount >= 42.5":
            (tmp_path / "marker.txt").read_text(encoding="utf-8")
        return check_rule(text, schema)

    def distrustful(session: SparkSession, conditions: list[str]) -> dict[int, list[str]]:
        return refused_conditions(session, conditions) | {0: ["distrust"]}

    fuzz = Fuzz(spark, tmp_path, seed=5)
    monkeypatch.setattr(gate, "check_rule", broken)
    monkeypatch.setattr(gate, "refused_conditions", distrustful)
    monkeypatch.setattr(gate, "EVALUATED_SHARE", 0.01)
    summary = fuzz.run(texts=0).summary()
    assert "the check raises ValueError: broken" in summary
    assert 'the check does ["open (' in summary
    assert "marker.txt was opened or read" in summary
    assert "the job's gate refuses it: ['distrust']" in summary
