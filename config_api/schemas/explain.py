"""Explanations, as they are asked for and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from config_api.schemas.base import AnswerModel, RequestModel, Text
from config_api.schemas.rules import RuleName
from sentinel.domain.rule import RULE_NAME

_EXAMPLE: dict[str, JsonValue] = {"rule": 1, "event": {"transaction_id": "t-1", "user_id": "u-1", "amount": 250.0}}

RULE_OR_NAME = rf"^(?:[1-9][0-9]{{0,18}}|{RULE_NAME.pattern})$"
RuleId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class ExplainRequest(RequestModel):
    """A rule, or the text of one, and an event."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    rule: RuleId | RuleName | None = Field(default=None, description="The rule: its id or its name.")
    version: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Its version; default: the current one.")
    rule_expression: Text | None = Field(default=None, description="Instead of a rule: a text that may become one.")
    event: JsonValue = Field(default=None, description="The event, as a record of the topic would hold it.")
    event_text: Annotated[str, StringConstraints(max_length=1_000_000)] | None = Field(
        default=None, description="Instead of `event`: the text of the record, which need not be JSON."
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> ExplainRequest:
        if (self.rule is None) == (self.rule_expression is None):
            raise ValueError("give either rule or rule_expression")
        if ("event" in self.model_fields_set) == (self.event_text is not None):
            raise ValueError("give either event or event_text")
        if self.version is not None and self.rule is None:
            raise ValueError("a version belongs to a rule")
        return self


class PlaceAnswer(AnswerModel):
    """A part of the rule."""

    text: str
    start: int = Field(description="Place in rule_expression, in characters.")
    end: int
    rule: str | None = Field(description="Name of the rule in whose expression the place is; null: this one's.")


class DecidedByAnswer(PlaceAnswer):
    """A part whose verdict decided."""

    verdict: Literal["true", "false", "unknown"]
    values: dict[str, JsonValue] = Field(description="The fields that it looks at.")


class NotComputableAnswer(PlaceAnswer):
    """A part that has no value."""

    why: str | None = Field(description="What it lacks, where that can be told.")


class NodeAnswer(PlaceAnswer):
    """A node of the rule's tree."""

    kind: str = Field(description="and, or, not, comparison, in, between, pattern, is, case, call, field, literal, ...")
    type: str | None = Field(description="What it gives; null for literals.")
    value: JsonValue = Field(description="Long texts and arrays are cut; times and decimals are texts.")
    verdict: Literal["true", "false", "unknown"] | None = Field(description="Of conditions.")
    is_computed: bool = Field(description="False for parts that have no value of their own, and in very large rules.")
    decided: bool = Field(description="Whether it is on the way to what decided.")
    left_out: int = Field(description="How many items of a long list are not among the children.")
    children: list[NodeAnswer]


class DeadLetterReason(AnswerModel):
    """Why a record is no event."""

    cause: str
    field: str | None
    detail: str


class ExplanationAnswer(AnswerModel):
    """Why a rule is true, false or unknown for an event."""

    pipeline_id: int
    rule_id: int | None
    rule_expression: str
    short_form: str | None
    verdict: Literal["match", "no_match", "unknown", "dead_letter"]
    decided_by: list[DecidedByAnswer]
    missing: list[str] = Field(description="Fields for want of which it is unknown.")
    not_computable: list[NotComputableAnswer] = Field(description="Parts without a value, e.g. a division by zero.")
    tree: NodeAnswer | None
    dead_letter: DeadLetterReason | None = Field(description="Why the record is no event, where it is none.")
    event: JsonValue = Field(description="The event as the rule sees it.")
    event_id: str | None
    source: Literal["pasted", "lake", "alert", "dead_letter", "topic"]
    partition: int | None
    offset: int | None
    rule_version: int | None
    rule_version_id: int | None
    schema_version: int
    generation_id: int | None = Field(description="The generation that decided the event; null: none did.")
    rule_set_version: int | None
    was_in_force: bool | None = Field(description="Whether this version of the rule was, when the event was decided.")
    alert_id: int | None
    notes: list[str]
