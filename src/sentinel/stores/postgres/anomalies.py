"""Writes anomalies: alerts of a detector, one per window and subject."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sentinel.domain.detector import SEVERITY_OF, DetectorDefinition, DetectorFinding, Level, Window
from sentinel.domain.rule import Severity
from sentinel.domain.score import score_of
from sentinel.domain.timestamps import utc_text
from sentinel.stores.detectors import WindowOutcome
from sentinel.stores.postgres.database import Connection, Row
from sentinel.stores.postgres.json_text import jsonb_text
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("anomalies")


def write_anomalies(
    connection: Connection,
    definition: DetectorDefinition,
    window: Window,
    findings: Sequence[DetectorFinding],
    context: Mapping[str, Any],
) -> WindowOutcome:
    """Make the anomalies of a window what the findings say, in the caller's transaction, which holds the detector.

    The same findings again change nothing. An anomaly of which level or value differ is amended: what it said stays in
    `alert_amendments`. One whose subject is found no more is amended to level `none`; it keeps its severity, by which
    people know it.
    """
    place = {"detector_id": definition.id, "start": window.start, "end": window.end}
    known = {row["subject"]: row for row in connection.execute(_SQL["of_window"], place)}
    fired = amended = 0
    for finding in findings:
        values = _values(definition, window, finding, context)
        row = known.pop(finding.subject, None)
        if row is None:
            added = connection.execute(_SQL["add"], {**place, **_row(definition, window, values, finding)}).fetchone()
            fired += added is not None
        elif _outcome(_former(row)) != _outcome(values):
            _amend(connection, row, _row(definition, window, values, finding), _reason(_former(row), values))
            amended += 1
    for row in known.values():
        former = _former(row)
        if former.get("level") != Level.NONE:
            _amend(connection, row, _gone(row, context), _reason(former, {**former, "level": Level.NONE, **context}))
            amended += 1
    return WindowOutcome(fired, amended)


def _values(
    definition: DetectorDefinition, window: Window, finding: DetectorFinding, context: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "detector": definition.name,
        "subject": finding.subject,
        "level": finding.level.value,
        "value": finding.value,
        "baseline": finding.baseline,
        "window": {"start": utc_text(window.start), "end": utc_text(window.end)},
        **finding.details,
        "sample_ids": list(finding.sample_ids),
        **context,
    }


def _row(
    definition: DetectorDefinition, window: Window, values: Mapping[str, Any], finding: DetectorFinding
) -> dict[str, Any]:
    severity = SEVERITY_OF[finding.level]
    return {
        "subject": finding.subject,
        # An alert is about an event; that of a detector is that this was so in this window.
        "event_id": f"{definition.name}/{utc_text(window.start)}/{finding.subject}",
        "severity": severity.value,
        "score": score_of([severity]),
        "entities": _json(dict(finding.entities)),
        **_content(finding.condition, values),
    }


def _content(condition: str, values: Mapping[str, Any]) -> dict[str, Any]:
    summary = {name: values[name] for name in ("detector", "subject", "level", "value", "baseline", "window")}
    evidence = _json([{"condition": condition, "values": dict(values)}])
    return {
        "data": _json(summary),
        "evidence": evidence,
        "content_hash": hashlib.md5(evidence.encode(), usedforsecurity=False).digest(),
    }


def _gone(row: Row, context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an anomaly that no longer holds: severity and entities are those it had."""
    values = {**_former(row), "level": Level.NONE.value, **context}
    severity = Severity(row["severity"])
    return {
        "severity": severity.value,
        "score": score_of([severity]),
        "entities": None,
        **_content(f"no longer so: {_condition(row)}", values),
    }


def _amend(connection: Connection, row: Row, changed: Mapping[str, Any], reason: str) -> None:
    former_level = _former(row).get("level", Level.NONE)
    connection.execute(_SQL["keep_former"], {"id": row["id"], "former_level": former_level, "reason": reason})
    connection.execute(_SQL["amend"], {**changed, "id": row["id"]})
    connection.execute(_SQL["tell"], {"id": row["id"]})


def _former(row: Row) -> Mapping[str, Any]:
    found = row["evidence"]
    return found[0]["values"] if found else {}


def _condition(row: Row) -> str:
    said = str(row["evidence"][0]["condition"]) if row["evidence"] else ""
    return said.removeprefix("no longer so: ")


def _outcome(values: Mapping[str, Any]) -> tuple[Any, Any]:
    return values.get("level"), values.get("value")


def _reason(former: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    changes = [
        f"{name} {former.get(name)} -> {values.get(name)}"
        for name in ("level", "value")
        if former.get(name) != values.get(name)
    ]
    why = "events came late"
    if former.get("parameters") != values.get("parameters"):
        why = "other parameters"
    elif former.get("query_version") != values.get("query_version"):
        why = "a newer version of the detector"
    return f"{why}: {', '.join(changes)}"


def _json(value: Any) -> str:
    # Not orjson, which has no integers beyond 64 bits: sums of amounts may be larger.
    return jsonb_text(json.dumps(value, allow_nan=False).encode())
