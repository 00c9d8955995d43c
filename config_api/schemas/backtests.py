"""Backtests, labels and refills, as they are asked for and answered."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from config_api.schemas.base import AnswerModel, Moment, RequestModel, Text, Timestamp
from sentinel.catalog.backtests import AskedRule, AskedSweep
from sentinel.domain.backtest import DEFAULT_SAMPLES, MAX_RULES, MAX_SAMPLES
from sentinel.domain.engine_task import EngineTask, TaskState
from sentinel.domain.history import Clock
from sentinel.domain.labels import LabelSet
from sentinel.domain.refill import DEFAULT_MAX_ALERTS, MOST_ALERTS
from sentinel.rules.sweep import MAX_VALUES

_MAX_ID = 2**63 - 1
Id = Annotated[int, Field(ge=1, le=_MAX_ID)]
ShortText = Annotated[Text, StringConstraints(max_length=200)]
_RULE = "A saved rule by `rule_id` (and `version`; the current one where it is left out), or an `expression`."
_CLOCK = "`event_time`: when it happened; `record_time`: the timestamp of the Kafka record."
_EXAMPLE: dict[str, JsonValue] = {
    "rules": [{"expression": "amount > 500"}],
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-02-01T00:00:00Z",
}
Number = Annotated[Decimal, Field(max_digits=38, allow_inf_nan=False)]


class RuleUnderTest(RequestModel):
    """A rule to test."""

    rule_id: Id | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    expression: Text | None = None
    name: ShortText = Field(default="", description="What to call it in the result.")

    @model_validator(mode="after")
    def _one_rule(self) -> RuleUnderTest:
        if (self.rule_id is None) == (self.expression is None):
            raise ValueError("give either rule_id or expression")
        if self.expression is not None and self.version is not None:
            raise ValueError("version goes with rule_id")
        return self

    def asked(self) -> AskedRule:
        """Return what the use case takes."""
        return AskedRule(self.rule_id, self.version, self.expression, self.name)


class SweepRequest(RequestModel):
    """A number in one of the conditions, and what to put in its place."""

    rule: int = Field(default=0, ge=0, lt=MAX_RULES, description="Index of the rule.")
    constant: ShortText = Field(description="The number as it is written in the condition.", examples=["500"])
    position: int | None = Field(
        default=None, ge=0, le=1_000_000, description="Character it begins at, where it is written more than once."
    )
    values: list[Number] = Field(min_length=1, max_length=MAX_VALUES)

    def asked(self) -> AskedSweep:
        """Return what the use case takes."""
        return AskedSweep(self.rule, self.constant, tuple(self.values), self.position)


class BacktestCreateRequest(RequestModel):
    """Rules to test on a pipeline's past."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    rules: list[RuleUnderTest] = Field(min_length=1, max_length=MAX_RULES, description=_RULE)
    start: Moment = Field(alias="from", description="The first moment that belongs to it, with its zone.")
    end: Moment = Field(alias="to", description="The first moment that does not belong to it any more.")
    clock: Clock = Field(default=Clock.EVENT_TIME, description=_CLOCK)
    label_column: ShortText | None = Field(
        default=None, description="A boolean field of the event, or an integer one that is 0 or 1."
    )
    label_set_id: Id | None = Field(default=None, description="Labels that were uploaded.")
    sweep: SweepRequest | None = None
    against_active: bool = Field(default=True, description="Hold them against the active rules.")
    samples: int = Field(default=DEFAULT_SAMPLES, ge=0, le=MAX_SAMPLES, description="Matching events per rule.")


class RefillCreateRequest(RequestModel):
    """A gap to fill."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "rule_id": 3}]},
    )

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    clock: Clock = Field(default=Clock.EVENT_TIME, description=_CLOCK)
    rule_id: Id | None = Field(default=None, description="One rule; without it all active ones.")
    max_alerts: int = Field(
        default=DEFAULT_MAX_ALERTS, ge=1, le=MOST_ALERTS, description="With more matches nothing is written."
    )


class FailureAnswer(AnswerModel):
    """Why it failed."""

    slug: str
    message: str


class HistoryTaskAnswer(AnswerModel):
    """A backtest or a refill: how far it is, and what it gave."""

    id: int
    pipeline_id: int
    state: TaskState
    progress: dict[str, Any] = Field(description="`phase`, and `done` from 0 to 1.")
    request: dict[str, Any]
    result: dict[str, Any] | None = Field(description="Null until it is done, and in lists.")
    error: FailureAnswer | None
    cancel_requested: bool
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None

    @classmethod
    def of(cls, task: EngineTask, *, with_result: bool = True) -> HistoryTaskAnswer:
        """Build the answer."""
        return cls(
            id=task.id,
            pipeline_id=task.pipeline_id,
            state=task.state,
            progress=task.progress,
            request=task.request,
            result=task.result if with_result else None,
            error=FailureAnswer(slug=task.error.slug, message=task.error.message) if task.error else None,
            cancel_requested=task.cancel_requested,
            created_by=task.created_by,
            created_at=task.created_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
        )


class LabelSetAnswer(AnswerModel):
    """Labels that were uploaded."""

    id: int
    pipeline_id: int
    name: str
    label_count: int
    true_count: int
    content_hash: str = Field(description="Equal for equal labels in equal order.")
    created_by: str
    created_at: Timestamp

    @classmethod
    def of(cls, labels: LabelSet) -> LabelSetAnswer:
        """Build the answer."""
        return cls(
            id=labels.id,
            pipeline_id=labels.pipeline_id,
            name=labels.name,
            label_count=labels.label_count,
            true_count=labels.true_count,
            content_hash=labels.content_hash,
            created_by=labels.created_by,
            created_at=labels.created_at,
        )
