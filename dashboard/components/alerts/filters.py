"""Which alerts are looked at: chosen by widgets, kept in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.components import links
from dashboard.components.text import line
from dashboard.components.times import zone, zone_name
from dashboard.session import Visit
from sentinel.client import models

SEVERITIES = ("critical", "warning", "info")
STATUSES = ("open", "acknowledged", "resolved", "suppressed")
DISPOSITIONS = ("true_positive", "false_positive", "benign")
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
BETWEEN = "between"
_SPAN_WORDS = {"1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}
_BY_WORDS = {"rule": "any rule", "detector": "any detector"}
NAMES = (
    "severity",
    "status",
    "pipeline",
    "rule",
    "by",
    "time",
    "since",
    "until",
    "text",
    "assignee",
    "judged",
    "event",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter as it was chosen; `time` is a span, or `between` with `since` and `until`."""

    severity: str | None = None
    status: str | None = None
    pipeline: int | None = None
    rule: int | None = None
    by: str | None = None
    time: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    assignee: str | None = None
    judged: str | None = None
    event: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all alerts fit."""
        return all(getattr(self, each.name) is None for each in fields(self))

    def wanted(self, now: datetime) -> dict[str, Any]:
        """Return the parameters of `list_alerts`, without those that say nothing."""
        since = now - SPANS[self.time] if self.time in SPANS else self.since
        by_kind = self.by in _BY_WORDS
        found = {
            "severity": self.severity,
            "status": self.status,
            "pipeline_id": self.pipeline,
            "rule_id": self.rule,
            "source": self.by if by_kind else None,
            "detector": None if by_kind else self.by,
            "since": since,
            "until": self.until,
            "text": self.text,
            "assignee": self.assignee,
            "disposition": self.judged,
            "event_id": self.event,
        }
        return {name: value for name, value in found.items() if value is not None}


def choose(visit: Visit, pipelines: Sequence[models.Pipeline]) -> tuple[Chosen, dict[str, DeltaGenerator]]:
    """Draw the filter and return what is chosen, and places for what is said beside `status` and `severity`."""
    _seed()
    top = st.columns(2)
    status = top[0].pills("Status", STATUSES, key=_key("status"))
    severity = top[1].pills("Severity", SEVERITIES, key=_key("severity"))
    beside = {"status": top[0].empty(), "severity": top[1].empty()}
    row = st.columns(4)
    with row[0]:
        pipeline = _pick("Pipeline", "pipeline", {each.id: f"{line(each.name, 60)} ({each.id})" for each in pipelines})
    with row[1]:
        rules = {} if pipeline is None else {each.id: _rule(each) for each in visit.client.list_rules(pipeline)}
        rule = _pick("Rule", "rule", rules, help="Choose a pipeline first.")
    with row[2]:
        time = _pick("Time", "time", {**_SPAN_WORDS, BETWEEN: "from … to …"}, none="any time")
    text = row[3].text_input("Text in the event", key=_key("text"), max_chars=500, placeholder="anywhere, any case")
    since, until = _between() if time == BETWEEN else (None, None)
    with st.expander("More filters", expanded=_more_is_used()):
        more = st.columns(4)
        with more[0]:
            detectors = {each.name: f"detector {line(each.name, 60)}" for each in visit.client.list_detectors()}
            by = _pick("Raised by", "by", {**_BY_WORDS, **detectors}, none="anything")
        judged = more[1].selectbox(
            "It was", [None, *DISPOSITIONS], format_func=lambda word: word or "anything", key=_key("judged")
        )
        assignee = more[2].text_input("Assignee", key=_key("assignee"), max_chars=128)
        event = more[3].text_input("Event id", key=_key("event"), max_chars=2000)
    chosen = Chosen(
        severity, status, pipeline, rule, by, time, since, until, text or None, assignee or None, judged, event or None
    )
    links.keep({name: _written(getattr(chosen, name)) for name in NAMES})
    return chosen, beside


def set_filter(**values: Any) -> None:
    """Choose values as if by their widgets; for a callback, since widgets that are drawn cannot be set any more."""
    for name, value in values.items():
        st.session_state[_key(name)] = value


def clear() -> None:
    """Take every filter away; for a button."""
    for name in NAMES:
        st.session_state.pop(_key(name), None)
    for name in (*NAMES, "before"):
        st.query_params.pop(name, None)


def _key(name: str) -> str:
    return f"alert-filter-{name}"


def _seed() -> None:
    for name, options in (
        ("severity", SEVERITIES),
        ("status", STATUSES),
        ("judged", DISPOSITIONS),
        ("time", (*SPANS, BETWEEN)),
    ):
        links.seed(_key(name), name, links.one_of(options))
    for name in ("pipeline", "rule"):
        links.seed(_key(name), name, links.number)
    for name, most in (("text", 500), ("assignee", 128), ("event", 2000), ("by", 100)):
        links.seed(_key(name), name, links.text_of(most))
    for name in ("since", "until"):
        links.seed(_key(name), name, _moment)


def _pick(label: str, name: str, options: dict[Any, str], *, none: str = "all", help: str | None = None) -> Any:
    """Offer options by what they are called. One that a link names and that is not there is shown as such."""
    wanted = st.session_state.get(_key(name))
    if wanted is not None and wanted not in options:
        if options or name != "rule":
            options = {**options, wanted: f"{line(wanted, 60)} (not there)"}
        else:
            # The pipeline was taken away, and its rules with it.
            st.session_state[_key(name)] = None
    words = {None: none, **options}
    return st.selectbox(
        label, list(words), format_func=lambda option: words.get(option, none), key=_key(name), help=help,
        disabled=not options and name == "rule",
    )  # fmt: skip


def _between() -> tuple[datetime | None, datetime | None]:
    first, last = st.columns(2)
    with first:
        since = st.datetime_input(f"From ({zone_name()})", value=None, key=_key("since"))
    with last:
        until = st.datetime_input(f"To ({zone_name()})", value=None, key=_key("until"))
    return _aware(since), _aware(until)


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=zone()).astimezone(UTC)


def _moment(text: str) -> datetime:
    """Read a time with its zone, as the widgets have it: in the chosen zone, without it."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(zone()).replace(tzinfo=None)


def _written(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _rule(rule: models.Rule) -> str:
    return f"{line(rule.name or rule.description or rule.rule_expression, 60)} ({rule.id})"


def _more_is_used() -> bool:
    return any(st.session_state.get(_key(name)) for name in ("by", "judged", "assignee", "event"))
