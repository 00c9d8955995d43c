"""Notification policies, silences and deliveries, as they are sent and answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue

from config_api.schemas.base import AnswerModel, Moment, RequestModel, Text, Timestamp
from sentinel.catalog.notification_policies import facts_of_policy
from sentinel.domain.delivery import DeliveryState
from sentinel.domain.notification_history import DeliveryDetail, DeliveryFilter, DeliverySummary, Why
from sentinel.domain.notification_policy import NotificationPolicy, PolicyVersion
from sentinel.domain.rule import Severity
from sentinel.domain.silence import Silence
from sentinel.notify.deciding.preview import ImaginedAlert, Preview

Comment = Annotated[Text, Field(max_length=500)]
_POLICY: JsonValue = {
    "defaults": {"channels": ["ops"]},
    "routes": [
        {
            "name": "payments",
            "match": ['pipeline="card-payments"'],
            "channels": ["fraud-team"],
            "quiet_hours": "night",
            "routes": [
                {
                    "name": "payments-critical",
                    "match": ['severity="critical"'],
                    "channels": ["fraud-pager"],
                    "escalation": "fraud",
                    "continue": True,
                }
            ],
        }
    ],
    "inhibitions": [
        {
            "name": "outage",
            "source": ['rule="gateway_down"'],
            "target": ['rule="gateway_slow"'],
            "equal": ["entity.host"],
        }
    ],
    "quiet_hours": {
        "night": {
            "time_zone": "Europe/Vienna",
            "windows": [{"begins": "22:00", "ends": "07:00"}],
            "holidays": ["2026-12-25"],
        }
    },
    "escalations": {"fraud": [{"after_minutes": 15, "channels": ["fraud-lead"]}]},
}


class PolicyRequest(RequestModel):
    """A policy to put in force."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"policy": _POLICY}]})

    policy: NotificationPolicy
    comment: Comment = ""


class PolicyAnswer(AnswerModel):
    """A version of the policy. Version 0: nobody has made one, and rules' own notify() alone counts."""

    version: int
    policy: dict[str, Any]
    problem: str = Field(
        description="Why it cannot be read, of one that another version of the service wrote: the newest that can be "
        "read counts. Empty: it can."
    )
    comment: str
    created_by: str
    created_at: Timestamp | None

    @classmethod
    def of(cls, found: PolicyVersion) -> PolicyAnswer:
        """Return the answer."""
        return cls(
            version=found.version,
            policy=dict(found.document if found.problem else facts_of_policy(found.policy)),
            problem=found.problem,
            comment=found.comment,
            created_by=found.created_by,
            created_at=found.created_at,
        )


class DryRouteRequest(RequestModel):
    """An alert to try: one that there is, or one that is imagined."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"alert_id": 17}, {"rule": "large", "severity": "critical", "tags": ["night"]}]
        },
    )

    alert_id: int | None = Field(default=None, ge=1, le=2**63 - 1)
    pipeline: Text = Field(default="", max_length=128)
    rule: Text = Field(default="", max_length=128)
    severity: Severity = Severity.WARNING
    tags: list[Annotated[Text, Field(max_length=64)]] = Field(default=[], max_length=20)
    entities: dict[Text, Annotated[Text, Field(max_length=2000)]] = Field(default={}, max_length=50)
    notify: list[Annotated[Text, Field(max_length=500)]] = Field(
        default=[], max_length=20, description="What its rule asks for, as `slack:#ops`."
    )
    at: Moment | None = Field(default=None, description="When it comes; now.")
    policy: NotificationPolicy | None = Field(default=None, description="A policy to try; the one in force.")

    @property
    def wanted(self) -> int | ImaginedAlert:
        """The alert."""
        if self.alert_id is not None:
            return self.alert_id
        return ImaginedAlert(self.pipeline, self.rule, self.severity, self.tags, self.entities, self.notify)


class PlannedTargetAnswer(AnswerModel):
    """Where it would go."""

    route: str = Field(description="`rule`: its rule's own notify(); empty: the policy's defaults.")
    channel: str
    group: dict[str, str] = Field(description="Alerts equal in these are told together.")
    told_at: Timestamp | None = Field(description="null: not at all, and muted_by says why.")
    muted_by: str
    quiet_until: Timestamp | None
    escalation: str


class RefusalAnswer(AnswerModel):
    """Why it would not go somewhere."""

    outcome: str
    reason: str
    route: str
    channel: str


class DryRouteAnswer(AnswerModel):
    """What would happen. Nothing was sent or written."""

    policy_version: int
    labels: dict[str, str]
    targets: list[PlannedTargetAnswer]
    refused: list[RefusalAnswer]

    @classmethod
    def of(cls, found: Preview) -> DryRouteAnswer:
        """Return the answer."""
        return cls(
            policy_version=found.policy_version,
            labels=dict(found.labels),
            targets=[PlannedTargetAnswer(**asdict(target)) for target in found.targets],
            refused=[
                RefusalAnswer(
                    outcome=decision.outcome, reason=decision.reason, route=decision.route, channel=decision.channel
                )
                for decision in found.refused
            ],
        )


class SilenceRequest(RequestModel):
    """Alerts of which nobody is to be told for a while."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "matchers": ['rule="gateway_slow"', 'entity.host=~"eu-.*"'],
                    "ends_at": "2030-01-01T06:00:00Z",
                    "comment": "maintenance of the gateway",
                }
            ]
        },
    )

    matchers: list[Annotated[Text, Field(max_length=1000)]] = Field(max_length=100)
    starts_at: Moment | None = Field(default=None, description="now")
    ends_at: Moment
    comment: Annotated[Text, Field(min_length=1, max_length=500)]


class SilenceAnswer(AnswerModel):
    """A silence."""

    id: int
    status: str = Field(description="pending, active or expired")
    matchers: list[str]
    starts_at: Timestamp
    ends_at: Timestamp
    comment: str
    created_by: str
    created_at: Timestamp
    ended_at: Timestamp | None
    ended_by: str | None

    @classmethod
    def of(cls, silence: Silence, status: str) -> SilenceAnswer:
        """Return the answer."""
        return cls(**{**asdict(silence), "matchers": list(silence.matchers), "status": status})


class WhyStepAnswer(AnswerModel):
    """One decision, or one try at a delivery."""

    at: Timestamp
    outcome: str
    reason: str
    route: str
    channel: str
    delivery_id: str | None
    attempt: int | None
    details: dict[str, Any]


class FireCountAnswer(AnswerModel):
    """Alerts of the same rule about the same entities."""

    fire_count: int
    first_alert_id: int
    first_fired_at: Timestamp
    last_alert_id: int
    last_fired_at: Timestamp


class WhyAnswer(AnswerModel):
    """Why somebody was told of an alert, or nobody: everything that was decided and happened, in order."""

    alert_id: int
    summary: str
    is_waiting: bool = Field(description="It was not decided yet.")
    steps: list[WhyStepAnswer]
    fired: FireCountAnswer | None = Field(description="How often the same rule fired about the same entities.")

    @classmethod
    def of(cls, why: Why) -> WhyAnswer:
        """Return the answer."""
        return cls(
            alert_id=why.alert_id,
            summary=why.summary,
            is_waiting=why.is_waiting,
            steps=[WhyStepAnswer(**asdict(step)) for step in why.steps],
            fired=None if why.fired is None else FireCountAnswer(**asdict(why.fired)),
        )


class DeliveryAnswer(AnswerModel):
    """A delivery: one notification to one target."""

    id: str
    channel: str
    channel_kind: str
    target: str = Field(description="What a rule named instead of the channel's own target.")
    kind: str
    severity: str
    state: DeliveryState
    alert_count: int
    attempt_count: int
    redrive_count: int
    next_attempt_at: Timestamp | None
    created_at: Timestamp
    finished_at: Timestamp | None
    last_reason: str

    @classmethod
    def of(cls, found: DeliverySummary) -> DeliveryAnswer:
        """Return the answer."""
        return cls(**asdict(found))


class AttemptAnswer(AnswerModel):
    """One try."""

    attempt: int
    outcome: str
    reason: str
    detail: str
    status: int | None
    started_at: Timestamp
    seconds: float
    next_attempt_at: Timestamp | None


class DeliveryDetailAnswer(DeliveryAnswer):
    """A delivery with what it says and every try."""

    content: dict[str, Any]
    alert_ids: list[int] = Field(description="At most 1000.")
    attempts: list[AttemptAnswer]

    @classmethod
    def of_detail(cls, found: DeliveryDetail) -> DeliveryDetailAnswer:
        """Return the answer."""
        return cls(
            **asdict(found.summary),
            content=dict(found.content),
            alert_ids=list(found.alert_ids),
            attempts=[AttemptAnswer(**asdict(attempt)) for attempt in found.attempts],
        )


class RedriveRequest(RequestModel):
    """Dead deliveries to send again. What is left out fits all."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"channel": "crm", "rate_per_minute": 60, "dry_run": True}]},
    )

    channel: Text | None = Field(default=None, max_length=63)
    reason: Text | None = Field(default=None, max_length=100, description="Of the last try, as `status_500`.")
    alert_id: int | None = Field(default=None, ge=1, le=2**63 - 1)
    since: Moment | None = None
    until: Moment | None = None
    rate_per_minute: int = Field(default=60, ge=1, le=6000)
    limit: int = Field(default=1000, ge=1, le=10_000)
    dry_run: bool = False
    insist: bool = Field(default=False, description="Also those that were sent again three times already.")

    @property
    def wanted(self) -> DeliveryFilter:
        """Which."""
        return DeliveryFilter(self.channel, DeliveryState.DEAD, self.alert_id, self.reason, self.since, self.until)


class RedriveAnswer(AnswerModel):
    """What is sent again, or would be."""

    count: int
    delivery_ids: list[str]
    looped: int = Field(description="Left alone: sent again three times already.")
    left: int = Field(description="More that fit.")
    ends_at: Timestamp | None
    dry_run: bool


class OverdueAnswer(AnswerModel):
    """A delivery whose next try lies in the past."""

    id: str
    channel: str
    next_attempt_at: Timestamp
    cause: str = Field(description="circuit_open, channel_disabled, rate_limited or no_worker")
