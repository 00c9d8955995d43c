"""Rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from config_api.dependencies import (
    Answer,
    ExpectedVersion,
    OnlyOnce,
    PipelineId,
    Reading,
    RuleId,
    TestsRun,
    Writing,
    etag,
)
from config_api.schemas.problems import problems
from config_api.schemas.rules import (
    ActionAnswer,
    IssueAnswer,
    RuleAnswer,
    RuleBatchAnswer,
    RuleBatchRequest,
    RuleChangeRequest,
    RuleCheckAnswer,
    RuleCheckRequest,
    RuleCreateRequest,
    RuleDiffAnswer,
    RuleRollbackRequest,
    RuleStatusRequest,
    RuleVersionAnswer,
)
from sentinel.domain.rule import Rule, RuleState
from sentinel.domain.schema_definition import read_schema
from sentinel.errors import InvalidError
from sentinel.wiring import Unit

router = APIRouter(prefix="/api", tags=["rules"])


@router.post("/pipelines/{pipeline_id}/rules", status_code=201, response_model=RuleAnswer, responses=problems(404, 409))
def add_rule(pipeline_id: PipelineId, body: RuleCreateRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Add a rule; a running job takes it without a restart. A rule that cannot work is refused with every issue."""

    def work() -> Answer:
        rule = unit.rules.add(
            pipeline_id,
            rule_expression=body.rule_expression,
            severity=body.severity,
            description=body.description,
            name=body.name,
            state=body.first_state,
            comment=body.comment,
        )
        return _written(unit, rule, {"Location": f"/api/rules/{rule.id}"})

    return once.run(work, status=201)


@router.post("/pipelines/{pipeline_id}/rules/batch", response_model=RuleBatchAnswer, responses=problems(404, 409, 412))
def write_rules(pipeline_id: PipelineId, body: RuleBatchRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Add and change many rules at once: all of it or nothing, and a running job takes all of it at the same border.

    Tests are not run for it: an active rule whose tests have not passed with its new text is refused.
    """

    def work() -> Answer:
        rules = unit.rule_batch.write(pipeline_id, [each.entry for each in body.rules])
        issues = unit.rules.issues_of(rules)
        version = unit.pipelines.get(pipeline_id).rule_set_version
        answers = [RuleAnswer.of(rule, issues.get(rule.id, unit.rules.told_of(rule))) for rule in rules]
        return Answer(RuleBatchAnswer(rule_set_version=version, rules=answers))

    return once.run(work)


@router.get("/pipelines/{pipeline_id}/rules", responses=problems(404))
def list_rules(
    pipeline_id: PipelineId,
    unit: Reading,
    state: Annotated[RuleState | None, Query(description="Only rules in this state.")] = None,
    archived: Annotated[bool, Query(description="Those that are archived as well.")] = False,
) -> list[RuleAnswer]:
    """The rules of a pipeline, oldest first; archived ones only where they are asked for."""
    rules = unit.rules.list(pipeline_id, archived=archived or state is RuleState.ARCHIVED)
    issues = unit.rules.issues_of(rules)
    return [RuleAnswer.of(rule, issues.get(rule.id, ())) for rule in rules if state in (None, rule.state)]


@router.post("/rules/check", responses=problems(404))
def check_rule(body: RuleCheckRequest, unit: Reading) -> RuleCheckAnswer:
    """Check an expression without saving it: every issue with its place in the text."""
    schema = None
    if body.fields is not None:
        schema, wrong = read_schema([field.definition() for field in body.fields])
        if wrong:
            raise InvalidError(wrong[0].detail, details=wrong)
    checked = unit.rules.check(body.rule_expression, pipeline_id=body.pipeline_id, schema=schema, name=body.name)
    return RuleCheckAnswer(
        valid=checked.result.valid,
        issues=[IssueAnswer.model_validate(issue.as_json()) for issue in checked.result.issues],
        columns=sorted(checked.result.columns),
        rule_expression=checked.rule_expression,
        actions=[ActionAnswer.of(action) for action in checked.actions],
    )


@router.get("/rules/{rule_id}", responses=problems(404))
def get_rule(rule_id: RuleId, unit: Reading, response: Response) -> RuleAnswer:
    """One rule."""
    rule = unit.rules.get(rule_id)
    response.headers["ETag"] = etag(rule.version)
    return rule_answer(unit, rule)


@router.put("/rules/{rule_id}", response_model=RuleAnswer, responses=problems(404, 409, 412))
def change_rule(
    rule_id: RuleId,
    body: RuleChangeRequest,
    tested: TestsRun,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
) -> Response:
    """Write the next version of a rule. Earlier versions stay what they were.

    The tests beside an active rule must pass with it: they are run first, by the rule worker.
    """

    def work() -> Answer:
        rule = unit.rules.change(
            rule_id,
            rule_expression=body.rule_expression,
            severity=body.severity,
            description=body.description,
            expected_version=expected,
            name=body.name,
            comment=body.comment,
        )
        return _written(unit, rule)

    return once.run(work)


@router.get("/rules/{rule_id}/versions", responses=problems(404))
def list_rule_versions(rule_id: RuleId, unit: Reading) -> list[RuleVersionAnswer]:
    """All versions, newest first: who made each, when, why, and what it changed."""
    entries = unit.rules.history(rule_id)
    befores = [None, *entries]
    return [RuleVersionAnswer.of(entry, before) for entry, before in zip(entries, befores, strict=False)][::-1]


@router.get("/rules/{rule_id}/versions/diff", responses=problems(404))
def diff_rule_versions(
    rule_id: RuleId,
    unit: Reading,
    from_version: Annotated[int, Query(alias="from", ge=1, le=2**31 - 1)],
    to_version: Annotated[int, Query(alias="to", ge=1, le=2**31 - 1)],
) -> RuleDiffAnswer:
    """What lies between two versions of a rule, in either direction."""
    return RuleDiffAnswer.of(unit.rules.version(rule_id, from_version), unit.rules.version(rule_id, to_version))


@router.post("/rules/{rule_id}/rollback", response_model=RuleAnswer, responses=problems(404, 409, 412))
def roll_back_rule(
    rule_id: RuleId,
    body: RuleRollbackRequest,
    tested: TestsRun,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
) -> Response:
    """Write the content of an earlier version as the next one; a running job takes it without a restart."""

    def work() -> Answer:
        rule = unit.rules.roll_back(rule_id, body.version, expected_version=expected, comment=body.comment)
        return _answer(unit, rule)

    return once.run(work)


@router.patch("/rules/{rule_id}/status", response_model=RuleAnswer, responses=problems(404, 409, 412))
def change_rule_status(
    rule_id: RuleId, body: RuleStatusRequest, tested: TestsRun, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Switch a rule on or off."""

    def work() -> Answer:
        return _answer(unit, unit.rules.set_active(rule_id, is_active=body.is_active, expected_version=expected))

    return once.run(work)


def rule_answer(unit: Unit, rule: Rule) -> RuleAnswer:
    """Return a rule as it is answered; a draft with what its check says."""
    return RuleAnswer.of(rule, unit.rules.issues_of([rule]).get(rule.id, ()))


def _written(unit: Unit, rule: Rule, headers: dict[str, str] | None = None) -> Answer:
    """Return a rule whose text was just checked, with what was said of it."""
    issues = unit.rules.issues_of([rule]).get(rule.id, unit.rules.told_of(rule))
    return Answer(RuleAnswer.of(rule, issues), rule.version, headers or {})


def _answer(unit: Unit, rule: Rule, headers: dict[str, str] | None = None) -> Answer:
    return Answer(rule_answer(unit, rule), rule.version, headers or {})
