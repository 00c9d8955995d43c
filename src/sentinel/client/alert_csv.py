"""Alerts as CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TextIO

from sentinel.client.models import Alert

HEADING = (
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
# A spreadsheet takes what begins so for a formula, behind white space as well (OWASP, "CSV Injection"); the wide forms
# are what East Asian keyboards write, and are taken alike.
_FORMULA = tuple("=+-@＝＋－＠")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet computes: with an apostrophe before what would begin a formula."""
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) or text.lstrip().startswith(_FORMULA) else text


def write_alerts(alerts: Iterable[Alert], out: TextIO) -> int:
    """Write a heading and a row per alert, as they come (RFC 4180), and return how many rows.

    Args:
        out: Opened with `newline=""`, or in memory.
    """
    writer = csv.writer(out)
    writer.writerow(HEADING)
    count = 0
    for alert in alerts:
        writer.writerow([_cell(getattr(alert, name)) for name in HEADING])
        count += 1
    return count


def _cell(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return safe_cell(text.replace("\x00", ""))
