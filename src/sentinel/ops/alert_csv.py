"""Alerts as CSV (RFC 4180) that a spreadsheet may open: a heading, then a row per alert."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from sentinel.domain.alert import Alert
from sentinel.domain.csv_cells import safe_cell

HEADING: Final = (
    "id",
    "alert_timestamp",
    "severity",
    "status",
    "pipeline_id",
    "rule_id",
    "rule_name",
    "rule_description",
    "detector",
    "subject",
    "event_id",
    "score",
    "assignee",
    "disposition",
    "transaction_data",
)


def heading() -> bytes:
    """Return the first line."""
    return _lines([HEADING])


def lines_of(alerts: Iterable[Alert]) -> bytes:
    """Return the lines of alerts. Numbers are as they were stored; no cell is a formula."""
    return _lines(_row(alert) for alert in alerts)


def _row(alert: Alert) -> Sequence[object]:
    return (
        alert.id,
        alert.alert_timestamp.isoformat(),
        alert.severity.value,
        alert.state.status.value,
        alert.pipeline_id,
        alert.rule_id,
        safe_cell(alert.rule_name),
        safe_cell(alert.rule_description),
        safe_cell(alert.detector or ""),
        safe_cell(alert.subject or ""),
        safe_cell(alert.event_id),
        alert.score,
        safe_cell(alert.state.assignee or ""),
        "" if alert.state.disposition is None else alert.state.disposition.value,
        safe_cell(alert.transaction_json),
    )


def _lines(rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
