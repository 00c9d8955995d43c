"""Rows of notifications, to and from what the domain calls them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from pydantic import ValidationError

from sentinel.domain.channel import ChannelKind, ChannelStatus
from sentinel.domain.notification import NotifiedAlert
from sentinel.domain.notification_decision import Decision
from sentinel.domain.notification_group import ChannelRef, Group, GroupState, RoutedAlert, Target
from sentinel.domain.notification_policy import Defaults, NotificationPolicy, Plan, PolicyVersion
from sentinel.domain.origin import Origin
from sentinel.domain.rule import Severity
from sentinel.stores.postgres.database import Connection, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("notification_routing")

MAX_EVENT_CHARACTERS = 4_000
"""Of an event, in a notification."""
MAX_EVIDENCE_CHARACTERS = 20_000
"""Of an alert's evidence; longer ones are left out of notifications."""
MAX_ENTITY_CHARACTERS = 500
"""Of the value of an entity; of longer ones the beginning counts, and a hash of all of it."""
_PLAN = asdict(Plan.root(Defaults()))


def json_of(value: Any) -> str:
    """Return plain data as JSON text, times with their zone; NUL, which PostgreSQL refuses, as the sign for it."""
    return orjson.dumps(value).decode().replace("\\u0000", "\\ufffd")


def plan_of(stored: dict[str, Any]) -> Plan:
    """Read a plan; what another version of the service wrote may lack members, or have others."""
    known = {**_PLAN, **{name: value for name, value in stored.items() if name in _PLAN}}
    group_by = known["group_by"]
    return Plan(
        **{
            **known,
            "channels": tuple(known["channels"]),
            "group_by": None if group_by is None else tuple(group_by),
        }
    )


def policy_of(row: Row) -> PolicyVersion:
    """Read a version of a policy; one that another version of the service wrote may not be understood."""
    about = (row["comment"], row["created_by"], row["created_at"])
    try:
        return PolicyVersion(row["version"], NotificationPolicy.model_validate(row["document"]), *about)
    except (ValidationError, RecursionError) as error:
        found = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "it is nested too deep"}
        problem = f"{'/'.join(map(str, found['loc']))}: {found['msg']}".lstrip(": ")[:300]
        return PolicyVersion(row["version"], NotificationPolicy(), *about, problem=problem, document=row["document"])


def channel_of(row: Row) -> ChannelRef:
    """Read a channel, as far as routing needs it."""
    return ChannelRef(
        row["id"],
        row["name"],
        ChannelKind(row["kind"]),
        ChannelStatus(row["status"]),
        row["disabled_reason"],
        row["options"],
    )


def group_of(row: Row) -> Group:
    """Read a group with its channel."""
    channel = channel_of({**row, "id": row["channel_id"], "name": row["channel"], "options": {}})
    return Group(
        id=row["id"],
        key=bytes(row["group_key"]),
        target=Target(channel, row["target"]),
        plan=plan_of(row["plan"]),
        labels=row["labels"],
        state=GroupState(row["state"]),
        flush_at=row["flush_at"],
        is_deferred=row["is_deferred"],
        last_told_at=row["last_told_at"],
        repeat_at=row["repeat_at"],
        thread=row["thread"],
    )


def group_row(group: Group) -> dict[str, Any]:
    """Return a group as plain data."""
    return {
        "group_key": group.key.hex(),
        "channel_id": group.target.channel.id,
        "target": group.target.override,
        "route": group.plan.route,
        "labels": dict(group.labels),
        "plan": asdict(group.plan),
        "state": group.state.value,
        "flush_at": group.flush_at,
        "is_deferred": group.is_deferred,
        "last_told_at": group.last_told_at,
        "repeat_at": group.repeat_at,
    }


def alert_of(row: Row) -> RoutedAlert:
    """Read an alert."""
    actions = row["actions"]
    return RoutedAlert(
        NotifiedAlert(
            alert_id=row["id"],
            rule=row["rule"],
            pipeline=row["pipeline"],
            severity=Severity(row["severity"]),
            description=row["description"],
            alert_timestamp=row["alert_timestamp"],
            event_id=row["event_id"],
            score=row["score"],
            tags=tuple(str(action["value"]) for action in actions if action["kind"] == "tag"),
            entities={name: str(value) for name, value in row["entities"].items()},
            evidence=_evidence(row["evidence"]),
            event=_event(row["event_text"]),
            origin=Origin(row["request_id"], row["traceparent"]),
        ),
        rule_id=row["rule_id"],
        source=row["source"],
        notify=tuple(str(action["value"]) for action in actions if action["kind"] == "notify"),
        refill_id=row["refill_id"],
        subject=row["subject"],
        level=row["level"],
        former_level=row["former_level"],
    )


def write_decisions(connection: Connection, tenant_id: str, decisions: Sequence[Decision]) -> None:
    """Write decisions, in their order."""
    if not decisions:
        return
    rows = [
        {
            "place": place,
            "alert_id": decision.alert_id,
            "delivery_id": decision.delivery_id,
            "outcome": decision.outcome.value,
            "route": decision.route,
            "channel": decision.channel,
            "reason": decision.reason,
            "details": dict(decision.details),
            "decided_at": decision.decided_at,
        }
        for place, decision in enumerate(decisions)
    ]
    connection.execute(_SQL["decide"], {"tenant_id": tenant_id, "decisions": json_of(rows)})


def _event(text: str) -> Any:
    if len(text) <= MAX_EVENT_CHARACTERS:
        try:
            event = orjson.loads(text)
            orjson.dumps(event)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            # A number beyond all measure, or nesting: PostgreSQL keeps what no receiver could read.
            pass
        else:
            return event
    return {"cut": text[:MAX_EVENT_CHARACTERS]}


def _evidence(stored: Any) -> tuple[dict[str, Any], ...]:
    try:
        orjson.dumps(stored)
    except orjson.JSONEncodeError:
        return ()
    return tuple(each for each in stored if isinstance(each, dict)) if isinstance(stored, list) else ()
