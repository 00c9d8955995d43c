"""What a job says of rules, as it is answered."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from config_api.schemas.base import AnswerModel, RequestModel, Timestamp
from config_api.schemas.rules import Comment
from sentinel.domain.outcome import HourOutcomes, RuleFigures
from sentinel.domain.trial import Disagreement


class QuarantineAnswer(AnswerModel):
    """A rule version that the job took out of its rule set, and why."""

    id: int
    pipeline_id: int
    rule_id: int
    rule_version_id: int
    rule_version: int
    generation_id: int
    cause: str
    source_epoch: int
    kafka_partition: int | None = Field(description="With `kafka_offset` the first record on which it threw.")
    kafka_offset: int | None
    quarantined_at: Timestamp
    released_at: Timestamp | None
    released_by: str | None
    comment: str


class RuleCostAnswer(AnswerModel):
    """What a rule costs."""

    rule_version_id: int
    microseconds: float = Field(description="Of one core, per event.")
    sampled_events: int = Field(description="How many different events it was measured on.")
    measured_at: Timestamp


class TrialHourAnswer(AnswerModel):
    """A version on trial in one hour."""

    hour: Timestamp
    rule_version_id: int
    version: int
    control_version: int | None = Field(description="The version in force that it was compared with.")
    evaluated: int
    unknown: int
    both: int = Field(description="Events that both versions match.")
    only_trial: int = Field(description="Events that only the version on trial matches.")
    only_control: int = Field(description="Events that only the version in force matches.")


class TrialSampleAnswer(AnswerModel):
    """An event that only one of two versions matches."""

    rule_version_id: int
    kind: Disagreement
    event_id: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: Timestamp


class RuleTrialsAnswer(AnswerModel):
    """What is, or was, tried of a rule."""

    hours: list[TrialHourAnswer]
    samples: list[TrialSampleAnswer] = Field(description="A few events of each kind of disagreement.")


class HourOutcomesAnswer(AnswerModel):
    """What a rule said of the events of one hour."""

    hour: Timestamp
    evaluated: int = Field(description="Events counted so far, over all versions of the rule.")
    matched: int = Field(description="Alerts and suppressed matches; the same event id twice counts once.")
    alerts: int
    suppressed: int = Field(description="Matches that were muted, snoozed, or beyond the storm guard's limit.")
    not_matched: int
    unknown: int = Field(description="Events for which it is neither true nor false.")
    missing: dict[str, int] = Field(description="Field -> unknown events that lack it.")

    @classmethod
    def of(cls, hour: HourOutcomes) -> HourOutcomesAnswer:
        """Build the answer."""
        return cls(
            hour=hour.hour,
            evaluated=hour.evaluated,
            matched=hour.matched,
            alerts=hour.alerts,
            suppressed=hour.suppressed,
            not_matched=hour.not_matched,
            unknown=hour.unknown,
            missing=dict(hour.missing),
        )


class RuleFiguresAnswer(AnswerModel):
    """What was counted of a rule over some hours."""

    rule_id: int
    evaluated: int = Field(description="Events counted so far, over all versions of the rule.")
    matched: int = Field(description="Alerts and suppressed matches.")
    alerts: int
    suppressed: int
    unknown: int = Field(description="Events for which it is neither true nor false.")
    microseconds: float | None = Field(
        description="What its version costs, of one core, per event; null: not measured."
    )
    last_alert_at: Timestamp | None = Field(description="When its newest alert was made, however long ago.")

    @classmethod
    def of(cls, figures: RuleFigures) -> RuleFiguresAnswer:
        """Build the answer."""
        return cls(
            rule_id=figures.rule_id,
            evaluated=figures.evaluated,
            matched=figures.alerts + figures.suppressed,
            alerts=figures.alerts,
            suppressed=figures.suppressed,
            unknown=figures.unknown,
            microseconds=figures.microseconds,
            last_alert_at=figures.last_alert_at,
        )


class RuleReleaseRequest(RequestModel):
    """Why a rule may run again."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"comment": "The defect is mended in 4.2.1."}]}
    )

    comment: Comment = ""
