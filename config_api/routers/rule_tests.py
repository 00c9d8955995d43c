"""Tests beside rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from config_api.dependencies import (
    MAX_ID,
    Answer,
    Asking,
    ExpectedVersion,
    OnlyOnce,
    RawBody,
    Reading,
    RuleId,
    Writing,
)
from config_api.json_member import member_text
from config_api.schemas.problems import problems
from config_api.schemas.rule_tests import RuleTestAnswer, RuleTestRequest, RuleTestRunAnswer, RuleTestRunRequest
from sentinel.catalog.rules import refuse_errors
from sentinel.domain.engine_task import TaskKind
from sentinel.domain.rule_test import Outcome, RuleTest
from sentinel.wiring import Unit

router = APIRouter(prefix="/api/rules/{rule_id}/tests", tags=["rule tests"])

TestId = Annotated[int, Path(ge=1, le=MAX_ID, description="The test.")]


@router.get("", responses=problems(404))
def list_tests(rule_id: RuleId, unit: Reading) -> list[RuleTestAnswer]:
    """The tests of a rule, oldest first."""
    return [RuleTestAnswer.of(test) for test in unit.tests.list(rule_id)]


@router.post("", status_code=201, response_model=RuleTestAnswer, responses=problems(404, 409))
def add_test(rule_id: RuleId, body: RuleTestRequest, unit: Writing, once: OnlyOnce, raw: RawBody) -> Response:
    """Add a test. From then on no version of the rule is published that fails it."""

    def work() -> Answer:
        test = unit.tests.add(rule_id, name=body.name, event=_event_of(body, raw), expected=Outcome(body.expected))
        return _answer(unit, test)

    return once.run(work, status=201)


@router.put("/{test_id}", response_model=RuleTestAnswer, responses=problems(404, 409, 412))
def change_test(
    rule_id: RuleId,
    test_id: TestId,
    body: RuleTestRequest,
    unit: Writing,
    once: OnlyOnce,
    raw: RawBody,
    expected: ExpectedVersion,
) -> Response:
    """Change a test."""

    def work() -> Answer:
        test = unit.tests.change(
            rule_id,
            test_id,
            name=body.name,
            event=_event_of(body, raw),
            expected=Outcome(body.expected),
            expected_version=expected,
        )
        return _answer(unit, test)

    return once.run(work)


@router.delete("/{test_id}", status_code=204, responses=problems(404, 412))
def delete_test(rule_id: RuleId, test_id: TestId, unit: Writing, expected: ExpectedVersion) -> None:
    """Delete a test."""
    unit.tests.delete(rule_id, test_id, expected_version=expected)


@router.post("/run", responses=problems(404, 429))
def run_tests(rule_id: RuleId, body: RuleTestRunRequest, asking: Asking) -> RuleTestRunAnswer:
    """Run the tests of a rule, with what it says now or with an expression that may become its next version.

    Computed by the rule worker with the engine's own expressions; 503 while that is away or still starting.
    """
    with asking.unit() as unit:
        pipeline_id = unit.tests.pipeline_of(rule_id)
        if body.rule_expression is not None:
            checked = unit.rules.check(body.rule_expression, pipeline_id=pipeline_id, schema=None)
            refuse_errors(checked.result)
    wanted = {"rule": rule_id, "rule_expression": body.rule_expression}
    return RuleTestRunAnswer.model_validate(asking.desk.ask(pipeline_id, TaskKind.TEST, wanted))


def _event_of(body: RuleTestRequest, raw: bytes) -> str:
    return body.event_text if body.event_text is not None else member_text(raw, "event") or "null"


def _answer(unit: Unit, test: RuleTest) -> Answer:
    return Answer(RuleTestAnswer.of(test, unit.tests.notes_on(test)), test.version)
