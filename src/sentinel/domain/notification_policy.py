"""The notification policy of a tenant: routes, inhibitions, quiet hours, escalations. One document, in versions.

The tree of routes works as in Alertmanager (https://prometheus.io/docs/alerting/latest/configuration/#route): an alert
goes down into the first child whose matchers hold, into further ones where that child says `continue`, and stays where
no child takes it. What a route leaves out, it has from its parent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from sentinel.domain.daily_time import next_time
from sentinel.domain.label_matcher import ALERT_LABEL, Matcher, check_label, matcher_of
from sentinel.domain.quiet_hours import QuietHours, QuietWindow
from sentinel.domain.rule import Severity
from sentinel.errors import InvalidError

MAX_ROUTES = 300
MAX_DEPTH = 6
RULE_ROUTE = "rule"
"""Stands for what a rule asks for by notify()."""
ESCALATION_ROUTE = "escalation"
"""Stands for what an escalation asks for."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

HUMAN_GROUP_BY = ("pipeline", "rule")
MACHINE_GROUP_BY = (ALERT_LABEL,)
GROUP_INTERVAL_SECONDS = 30.0


def _label(name: str) -> str:
    try:
        check_label(name)
    except InvalidError as error:
        raise ValueError(error.message) from error
    return name


def _matcher(text: str) -> str:
    try:
        matcher_of(text)
    except InvalidError as error:
        raise ValueError(error.message) from error
    return text.strip()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name[:64]!r} is no time zone; write an IANA name such as Europe/Vienna") from error
    return name


def _of_yaml(value: object) -> object:
    # YAML reads 22:00 as a number of base 60.
    is_minutes = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60
    return f"{value // 60:02d}:{value % 60:02d}" if isinstance(value, int) and is_minutes else value


def _minute(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f"{text[:20]!r} is no time of day; write HH:MM, 00:00 to 23:59")
    return text


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
LabelName = Annotated[str, StringConstraints(max_length=200), AfterValidator(_label)]
MatcherText = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_matcher)]
Minute = Annotated[str, BeforeValidator(_of_yaml), AfterValidator(_minute)]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
Matchers = Annotated[tuple[MatcherText, ...], Field(max_length=20)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Handling(_Part):
    """How alerts of a route are handled; what is left out is the parent's."""

    group_by: Annotated[tuple[LabelName, ...], Field(max_length=10)] | None = Field(
        default=None,
        description="Alerts equal in these labels are told together; `alert`: each by itself. By default people are "
        "told by pipeline and rule, and webhooks each alert by itself.",
    )
    group_wait_seconds: float | None = Field(
        default=None, ge=0, le=3600, description="Before a group is first told; 0."
    )
    group_interval_seconds: float | None = Field(
        default=None, ge=0, le=86_400, description="Before what came since is told; 30."
    )
    repeat_interval_seconds: float | None = Field(
        default=None,
        description="Before alerts that are still open are told again; 0: never, the default.",
        ge=0,
        le=2_592_000,
    )
    dedup_seconds: float | None = Field(
        default=None,
        ge=0,
        le=604_800,
        description="An alert of the same fingerprint (rule and entities) is not told again so long; 0, the default: "
        "it is.",
    )
    quiet_hours: Slug | Literal[""] | None = Field(default=None, description='Name of quiet hours; "": none.')
    escalation: Slug | Literal[""] | None = Field(default=None, description='Name of an escalation; "": none.')
    tell_resolved: bool | None = Field(
        default=None, description="Whether people are told when the alerts are resolved."
    )


class Defaults(Handling):
    """The root: what routes leave out, and who is told where no route takes an alert."""

    channels: Annotated[tuple[Slug, ...], Field(max_length=20)] = ()


class Route(Handling):
    """Alerts whose labels match, and the channels that are told of them."""

    name: Slug
    match: Matchers = ()
    channels: Annotated[tuple[Slug, ...], Field(max_length=20)] | None = Field(
        default=None, description="Left out: those of the parent. Empty: nobody is told."
    )
    goes_on: bool = Field(default=False, alias="continue", description="Whether routes after this one are tried, too.")
    routes: tuple[Route, ...] = ()

    @cached_property
    def matchers(self) -> tuple[Matcher, ...]:
        """What `match` says."""
        return tuple(map(matcher_of, self.match))


class Inhibition(_Part):
    """While there are open alerts of one kind, those of another are not told."""

    name: Slug
    source: Annotated[tuple[MatcherText, ...], Field(min_length=1, max_length=20)]
    target: Annotated[tuple[MatcherText, ...], Field(min_length=1, max_length=20)]
    equal: Annotated[tuple[LabelName, ...], Field(max_length=10)] = Field(
        default=(), description="Labels that both must have alike."
    )
    seconds: float = Field(
        default=3600, ge=1, le=604_800, description="How long an alert inhibits, unless it is resolved before."
    )


class QuietWindowText(_Part):
    """A stretch of the wall clock. An end at or before the beginning is on the next day."""

    weekdays: tuple[Weekday, ...] = WEEKDAYS
    begins: Minute
    ends: Minute


class QuietHoursText(_Part):
    """When notifications wait, but for those of a severity that passes."""

    time_zone: Zone
    windows: Annotated[tuple[QuietWindowText, ...], Field(max_length=50)] = ()
    holidays: Annotated[tuple[date, ...], Field(max_length=400)] = ()
    passes: tuple[Severity, ...] = (Severity.CRITICAL,)

    @cached_property
    def hours(self) -> QuietHours:
        """The same, as what tells times."""
        return QuietHours(
            ZoneInfo(self.time_zone),
            tuple(
                QuietWindow(
                    frozenset(WEEKDAYS.index(day) for day in window.weekdays),
                    time.fromisoformat(window.begins),
                    time.fromisoformat(window.ends),
                )
                for window in self.windows
            ),
            frozenset(self.holidays),
        )

    @model_validator(mode="after")
    def _ends(self) -> QuietHoursText:
        if all(_is_whole_week(self.windows, day) for day in range(7)):
            raise ValueError("these quiet hours never end; disable the channel instead")
        return self


def _is_whole_week(windows: tuple[QuietWindowText, ...], weekday: int) -> bool:
    quiet: set[int] = set()
    for window in windows:
        begins, ends = (int(text[:2]) * 60 + int(text[3:]) for text in (window.begins, window.ends))
        days = {WEEKDAYS.index(day) for day in window.weekdays}
        if weekday in days:
            quiet.update(range(begins, ends if ends > begins else 1440))
        if ends <= begins and (weekday - 1) % 7 in days:
            quiet.update(range(ends))
    return len(quiet) == 1440


class EscalationStep(_Part):
    """Who is told when nobody has acknowledged."""

    after_minutes: float = Field(gt=0, le=10_080, description="Since the alerts were first told.")
    channels: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=20)]


class Summary(_Part):
    """What came since the last one, told once a day, on the days that are named."""

    channels: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=20)]
    at: Minute
    time_zone: Zone
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS

    def next_after(self, moment: datetime) -> datetime:
        """Return when it is told next."""
        days = {WEEKDAYS.index(day) for day in self.weekdays}
        return next_time(moment, ZoneInfo(self.time_zone), time.fromisoformat(self.at), days)


class NotificationPolicy(_Part):
    """A tenant's policy."""

    defaults: Defaults = Defaults()
    routes: tuple[Route, ...] = ()
    inhibitions: Annotated[tuple[Inhibition, ...], Field(max_length=50)] = ()
    quiet_hours: Annotated[dict[Slug, QuietHoursText], Field(max_length=50)] = {}
    escalations: Annotated[
        dict[Slug, Annotated[tuple[EscalationStep, ...], Field(min_length=1, max_length=20)]], Field(max_length=50)
    ] = {}
    summaries: Annotated[dict[Slug, Summary], Field(max_length=20)] = {}

    @model_validator(mode="after")
    def _is_whole(self) -> NotificationPolicy:
        routes = list(islice(walk(self.routes), MAX_ROUTES + 1))
        if len(routes) > MAX_ROUTES:
            raise ValueError(f"there are too many routes; a policy has at most {MAX_ROUTES}")
        names: set[str] = set()
        for depth, route in routes:
            if depth > MAX_DEPTH:
                raise ValueError(f"route {route.name!r} is nested too deep; at most {MAX_DEPTH} levels")
            if route.name in names:
                raise ValueError(f"there are two routes named {route.name!r}")
            if depth == 1 and route.name in (RULE_ROUTE, ESCALATION_ROUTE):
                raise ValueError(f"no route may be named {route.name!r}: decisions call something else by it")
            names.add(route.name)
        for handling in (self.defaults, *(route for _, route in routes)):
            where = f"route {handling.name!r}" if isinstance(handling, Route) else "the defaults"
            if handling.quiet_hours and handling.quiet_hours not in self.quiet_hours:
                raise ValueError(f"{where}: there are no quiet hours named {handling.quiet_hours!r}")
            if handling.escalation and handling.escalation not in self.escalations:
                raise ValueError(f"{where}: there is no escalation named {handling.escalation!r}")
        for name, steps in self.escalations.items():
            minutes = [step.after_minutes for step in steps]
            if minutes != sorted(set(minutes)):
                raise ValueError(f"escalation {name!r}: each step comes later than the one before it")
        return self

    @property
    def channel_names(self) -> set[str]:
        """Every channel that it names."""
        named = set(self.defaults.channels)
        for _, route in walk(self.routes):
            named.update(route.channels or ())
        for steps in self.escalations.values():
            for step in steps:
                named.update(step.channels)
        for summary in self.summaries.values():
            named.update(summary.channels)
        return named

    @cached_property
    def matcher_count(self) -> int:
        """How many matchers its routes have."""
        return sum(len(route.match) for _, route in walk(self.routes))

    @cached_property
    def inhibition_matchers(self) -> tuple[tuple[Inhibition, tuple[Matcher, ...], tuple[Matcher, ...]], ...]:
        """Inhibitions with their source and target matchers."""
        return tuple(
            (each, tuple(map(matcher_of, each.source)), tuple(map(matcher_of, each.target)))
            for each in self.inhibitions
        )


def walk(routes: tuple[Route, ...], depth: int = 1) -> Iterator[tuple[int, Route]]:
    """Yield every route with its depth, parents first."""
    for route in routes:
        yield depth, route
        yield from walk(route.routes, depth + 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How alerts of one route are handled, everything inherited.

    Attributes:
        route: The names of the route and those above it, e.g. `payments/large`; `` for the root, `rule` for what a rule
            itself asks for by notify().
        group_by: None: by the kind of channel.
        quiet_hours, escalation: Names; empty: none.
        tell_resolved: None: by the kind of channel.
    """

    route: str
    channels: tuple[str, ...]
    group_by: tuple[str, ...] | None
    group_wait_seconds: float
    group_interval_seconds: float
    repeat_interval_seconds: float
    dedup_seconds: float
    quiet_hours: str
    escalation: str
    tell_resolved: bool | None

    @classmethod
    def root(cls, defaults: Defaults) -> Plan:
        """Return the plan of a policy's root."""
        return cls(
            "",
            defaults.channels,
            defaults.group_by,
            defaults.group_wait_seconds or 0.0,
            GROUP_INTERVAL_SECONDS if defaults.group_interval_seconds is None else defaults.group_interval_seconds,
            defaults.repeat_interval_seconds or 0.0,
            defaults.dedup_seconds or 0.0,
            defaults.quiet_hours or "",
            defaults.escalation or "",
            defaults.tell_resolved,
        )

    def child(self, route: Route) -> Plan:
        """Return the plan of a route below this one."""
        return Plan(
            f"{self.route}/{route.name}".lstrip("/"),
            _or(route.channels, self.channels),
            _or(route.group_by, self.group_by),
            _or(route.group_wait_seconds, self.group_wait_seconds),
            _or(route.group_interval_seconds, self.group_interval_seconds),
            _or(route.repeat_interval_seconds, self.repeat_interval_seconds),
            _or(route.dedup_seconds, self.dedup_seconds),
            _or(route.quiet_hours, self.quiet_hours),
            _or(route.escalation, self.escalation),
            _or(route.tell_resolved, self.tell_resolved),
        )


_T = TypeVar("_T")


def _or(own: _T | None, inherited: _T) -> _T:
    return inherited if own is None else own


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One immutable version of a policy.

    Attributes:
        version: 0: nobody has made one, and the default holds.
        problem: Why this version of the service cannot read it; empty: it can. `policy` is the default then.
        document: What is stored, of one that cannot be read.
    """

    version: int
    policy: NotificationPolicy
    comment: str
    created_by: str
    created_at: datetime | None
    problem: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def initial(cls) -> PolicyVersion:
        """Return what holds before there is any: rules' own notify() alone."""
        return cls(0, NotificationPolicy(), "", "", None)
