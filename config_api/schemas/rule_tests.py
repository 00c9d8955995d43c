"""Tests beside rules, as they are sent and answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from config_api.schemas.base import AnswerModel, Name, RequestModel, Text, Timestamp
from sentinel.domain.rule_test import MAX_EVENT_CHARACTERS, RuleTest

_EXAMPLE: dict[str, JsonValue] = {
    "name": "a large payment",
    "event": {"transaction_id": "t-1", "user_id": "u-1", "amount": 20000.0},
    "expected": "match",
}


class RuleTestRequest(RequestModel):
    """An example event and what the rule must be for it."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    event: JsonValue = Field(default=None, description="The event, as a record of the topic would hold it.")
    event_text: Annotated[Text, StringConstraints(max_length=MAX_EVENT_CHARACTERS)] | None = Field(
        default=None, description="Instead of `event`: the text of the record."
    )
    expected: Literal["match", "no_match", "unknown"]

    @model_validator(mode="after")
    def _one_event(self) -> RuleTestRequest:
        if ("event" in self.model_fields_set) == (self.event_text is not None):
            raise ValueError("give either event or event_text")
        return self


class RuleTestAnswer(AnswerModel):
    """A test beside a rule."""

    id: int
    rule_id: int
    name: str
    event_text: str
    expected: Literal["match", "no_match", "unknown"]
    row_version: int = Field(description="Grows with every change; the ETag.")
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    notes: list[str] = Field(description="Of a test that was just written: what is odd about its event.")

    @classmethod
    def of(cls, test: RuleTest, notes: Sequence[str] = ()) -> RuleTestAnswer:
        """Build the answer."""
        return cls.model_validate(
            {
                "id": test.id,
                "rule_id": test.rule_id,
                "name": test.name,
                "event_text": test.event,
                "expected": str(test.expected),
                "row_version": test.version,
                "created_by": test.created_by,
                "created_at": test.created_at,
                "updated_at": test.updated_at,
                "notes": list(notes),
            }
        )


class RuleTestRunRequest(RequestModel):
    """What to run the tests with."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"rule_expression": "amount > 5000"}]}
    )

    rule_expression: Text | None = Field(default=None, description="Default: what the rule says now.")


class RuleTestOutcomeAnswer(AnswerModel):
    """What one test gave."""

    test_id: int
    name: str
    expected: Literal["match", "no_match", "unknown"]
    outcome: Literal["match", "no_match", "unknown", "dead_letter"]
    passed: bool
    detail: str = Field(description="Why, where it is not what was expected.")


class RuleTestRunAnswer(AnswerModel):
    """What the tests of a rule gave."""

    rule_id: int
    rule_expression: str
    schema_version: int
    passed: bool
    tests: list[RuleTestOutcomeAnswer]
