"""Alerts as CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel.client.alert_csv import HEADING, safe_cell, write_alerts
from sentinel.client.models import Alert

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def alert(**more: Any) -> Alert:
    values = {
        "id": 1, "pipeline_id": 7, "rule_id": 11, "severity": "critical", "rule_description": "d", "event_id": "t1",
        "alert_timestamp": NOW, "transaction_data": {"a": 1}, "score": 80, "kafka_partition": 0, "kafka_offset": 1,
        "kafka_timestamp": NOW, **more,
    }  # fmt: skip
    return Alert.model_validate(values)


def rows(*alerts: Alert) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    assert write_alerts(alerts, out) == len(alerts)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


class TestAlertCsv:
    def test_a_heading_even_without_alerts(self) -> None:
        out = io.StringIO(newline="")
        assert write_alerts([], out) == 0
        assert out.getvalue() == ",".join(HEADING) + "\r\n"

    def test_a_row_reads_back(self) -> None:
        (row,) = rows(alert(rule_name='a,"b"\nc', assignee=None, transaction_data={"ü": [1, None]}))
        assert row["rule_name"] == 'a,"b"\nc'
        assert row["assignee"] == ""
        assert row["transaction_data"] == '{"ü": [1, null]}'
        assert row["alert_timestamp"] == "2026-01-31T08:00:00+00:00"

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\r=1", "\n=1", "  =1", "＝1", "\u00a0=1"])
    def test_no_cell_is_a_formula(self, text: str) -> None:
        assert safe_cell(text) == f"'{text}"
        (row,) = rows(alert(event_id=text, rule_description=text, subject=text, transaction_data=text))
        assert {row[name] for name in ("event_id", "rule_description", "subject")} == {f"'{text}"}

    @pytest.mark.parametrize("text", ["", "a=1", "t-4711", "'x", "5"])
    def test_plain_cells_stay(self, text: str) -> None:
        assert safe_cell(text) == text
