"""Tests beside rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sentinel.client.models import Model
from sentinel.client.transport import Transport

Expected = Literal["match", "no_match", "unknown"]


class RuleTest(Model):
    """A test beside a rule."""

    id: int
    rule_id: int
    name: str
    event_text: str
    expected: Expected
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    notes: list[str] = Field(default_factory=list)


class RuleTestOutcome(Model):
    """What one test gave."""

    test_id: int
    name: str
    expected: Expected
    outcome: Literal["match", "no_match", "unknown", "dead_letter"]
    passed: bool
    detail: str


class RuleTestRun(Model):
    """What the tests of a rule gave."""

    rule_id: int
    rule_expression: str
    schema_version: int
    passed: bool
    tests: list[RuleTestOutcome]


class RuleTestCalls(Transport):
    """The part of the client that is about tests beside rules."""

    def list_rule_tests(self, rule_id: int) -> list[RuleTest]:
        """Return the tests of a rule, oldest first."""
        return [RuleTest.model_validate(item) for item in self._get(f"/api/rules/{rule_id}/tests").json()]

    def add_rule_test(self, rule_id: int, name: str, event: Mapping[str, Any] | str, expected: Expected) -> RuleTest:
        """Add a test; an event given as a text is the record as it is."""
        answer = self._send("POST", f"/api/rules/{rule_id}/tests", _body(name, event, expected))
        return RuleTest.model_validate(answer.json())

    def change_rule_test(
        self,
        rule_id: int,
        test_id: int,
        name: str,
        event: Mapping[str, Any] | str,
        expected: Expected,
        *,
        if_version: int | None = None,
    ) -> RuleTest:
        """Change a test. `if_version` is its `row_version`."""
        path = f"/api/rules/{rule_id}/tests/{test_id}"
        answer = self._send("PUT", path, _body(name, event, expected), if_version=if_version)
        return RuleTest.model_validate(answer.json())

    def delete_rule_test(self, rule_id: int, test_id: int) -> None:
        """Delete a test."""
        self._request("DELETE", f"/api/rules/{rule_id}/tests/{test_id}")

    def run_rule_tests(self, rule_id: int, rule_expression: str | None = None) -> RuleTestRun:
        """Run the tests of a rule, with what it says now or with an expression that may become its next version.

        Raises:
            TransientError: The rule worker is away or still starts.
        """
        body = {} if rule_expression is None else {"rule_expression": rule_expression}
        return RuleTestRun.model_validate(self._request("POST", f"/api/rules/{rule_id}/tests/run", json=body).json())


def _body(name: str, event: Mapping[str, Any] | str, expected: Expected) -> dict[str, Any]:
    given = {"event_text": event} if isinstance(event, str) else {"event": dict(event)}
    return {"name": name, "expected": expected, **given}
