"""What notifications say, as plain text and as JSON; channels dress it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sentinel.domain.notification import Notification, NotifiedAlert

MAX_DEPTH = 100
_CUT = "…"


def cut(text: str, most: int) -> str:
    """Return a text with at most so many characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _CUT


def one_line(text: str) -> str:
    """Return a text without line breaks and other characters that cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def moment(value: datetime) -> str:
    """Return a time as RFC 3339 in UTC."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_bytes(value: Any) -> bytes:
    """Return JSON in ASCII, the same for the same value. What JSON does not know is written as its text."""
    return json.dumps(value, separators=(",", ":"), default=_told).encode("ascii")


def _told(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def tellable(value: Any) -> Any:
    """Return a value, or a sentence in place of one that is nested too deep for writers and readers of JSON."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return value
    return f"nested deeper than {MAX_DEPTH} levels, so it is not told"


def newest_first(notification: Notification, most: int) -> Sequence[NotifiedAlert]:
    """Return the newest alerts, the newest first."""
    return notification.alerts[::-1][:most]


def untold(notification: Notification, told: int) -> str:
    """Return a sentence about the alerts that are not among those told; empty when there are none."""
    left = notification.alert_count - told
    return f"and {left:,} more" if left > 0 else ""


def because(alert: NotifiedAlert) -> list[str]:
    """Return each condition that was true, with its values."""
    lines = []
    for item in alert.evidence:
        values = item.get("values") or {}
        seen = ", ".join(f"{name} = {shown(value)}" for name, value in values.items())
        lines.append(one_line(str(item.get("condition", ""))) + (f" ({seen})" if seen else ""))
    return lines


def shown(value: Any) -> str:
    """Return a value as people read it, on one line."""
    text = value if isinstance(value, str) else json.dumps(tellable(value), ensure_ascii=False, default=_told)
    return cut(one_line(text[:1000]), 200)


def facts(alert: NotifiedAlert) -> list[tuple[str, str]]:
    """Return what there is to say of an alert, as (name, value)."""
    pairs = [("Rule", alert.rule), ("Pipeline", alert.pipeline), ("Severity", alert.severity.value)]
    pairs += [("Time", moment(alert.alert_timestamp)), ("Event", alert.event_id)]
    pairs += [(name, shown(value)) for name, value in alert.entities.items()]
    pairs += [("Score", str(alert.score)), ("Tags", ", ".join(alert.tags)), ("Because", "; ".join(because(alert)))]
    return [(name, one_line(value)) for name, value in pairs if value]


def plain_text(notification: Notification, *, most: int = 20) -> str:
    """Return the whole notification as plain text of several lines."""
    lines = [one_line(notification.title)]
    if notification.labels:
        lines.append(", ".join(f"{one_line(name)}: {shown(value)}" for name, value in notification.labels.items()))
    told = newest_first(notification, most)
    for alert in told:
        lines += ["", one_line(f"[{alert.severity.value}] {alert.title} (alert {alert.alert_id})")]
        lines += [f"  {name}: {cut(value, 500)}" for name, value in facts(alert)]
    more = untold(notification, len(told))
    return "\n".join([*lines, "", more] if more else lines)


def alert_as_json(alert: NotifiedAlert) -> dict[str, Any]:
    """Return an alert with everything that is known of it."""
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "pipeline": alert.pipeline,
        "severity": alert.severity.value,
        "description": alert.description,
        "alert_timestamp": moment(alert.alert_timestamp),
        "event_id": alert.event_id,
        "score": alert.score,
        "tags": list(alert.tags),
        "entities": dict(alert.entities),
        "evidence": [tellable(item) for item in alert.evidence],
        "event": tellable(alert.event),
        "request_id": alert.origin.request_id or None,
        "trace_id": alert.origin.trace_id or None,
    }
