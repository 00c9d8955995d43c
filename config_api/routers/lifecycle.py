"""The life of a rule: states, candidates, rollout."""

from __future__ import annotations

from fastapi import APIRouter, Response

from config_api.dependencies import Answer, ExpectedVersion, OnlyOnce, Reading, RuleId, Writing
from config_api.routers.rules import rule_answer
from config_api.schemas.lifecycle import CandidateStateRequest, CommentRequest, RolloutResultAnswer, StateRequest
from config_api.schemas.problems import problems
from config_api.schemas.rules import RuleAnswer, RulePutRequest
from sentinel.domain.rule import Rule
from sentinel.wiring import Unit

router = APIRouter(prefix="/api/rules", tags=["lifecycle"])


@router.post("/{rule_id}/state", response_model=RuleAnswer, responses=problems(404, 409, 412))
def change_rule_state(
    rule_id: RuleId, body: StateRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Move a rule to another state; a refusal names the states that can follow. Archived is for good."""

    def work() -> Answer:
        rule = unit.lifecycle.set_state(
            rule_id,
            body.state,
            expected_version=expected,
            entity=body.entity,
            share=body.share,
            comment=body.comment,
        )
        return _answer(unit, rule)

    return once.run(work)


@router.put("/{rule_id}/candidate", response_model=RuleAnswer, responses=problems(404, 409, 412))
def put_candidate(
    rule_id: RuleId, body: RulePutRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Write a version beside the current one, which stays in force. It is a draft and may have errors."""

    def work() -> Answer:
        rule = unit.lifecycle.propose(
            rule_id,
            rule_expression=body.rule_expression,
            severity=body.severity,
            description=body.description,
            expected_version=expected,
            comment=body.comment,
        )
        return _answer(unit, rule)

    return once.run(work)


@router.post("/{rule_id}/candidate/state", response_model=RuleAnswer, responses=problems(404, 409, 412))
def change_candidate_state(
    rule_id: RuleId, body: CandidateStateRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Move the candidate to draft, shadow or rollout, or change the share of its rollout."""

    def work() -> Answer:
        rule = unit.lifecycle.set_candidate_state(
            rule_id,
            body.state,
            expected_version=expected,
            entity=body.entity,
            share=body.share,
            comment=body.comment,
        )
        return _answer(unit, rule)

    return once.run(work)


@router.post("/{rule_id}/promote", response_model=RuleAnswer, responses=problems(404, 409, 412))
def promote(
    rule_id: RuleId, body: CommentRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Make what is tried the rule: the candidate, or the version of a rule in shadow or rollout."""

    def work() -> Answer:
        return _answer(unit, unit.lifecycle.promote(rule_id, expected_version=expected, comment=body.comment))

    return once.run(work)


@router.post("/{rule_id}/abort", response_model=RuleAnswer, responses=problems(404, 409, 412))
def abort(rule_id: RuleId, body: CommentRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion) -> Response:
    """Give up what is tried: the current version stays; a rule in shadow or rollout is paused."""

    def work() -> Answer:
        return _answer(unit, unit.lifecycle.abort(rule_id, expected_version=expected, comment=body.comment))

    return once.run(work)


@router.get("/{rule_id}/rollout", responses=problems(404))
def get_rollout(rule_id: RuleId, unit: Reading) -> RolloutResultAnswer:
    """What the rollout of a rule has shown so far: alerts per arm and share, and what the guard rail says."""
    rule = unit.rules.get(rule_id)
    return RolloutResultAnswer.of(rule, unit.lifecycle.arm_counts(rule))


def _answer(unit: Unit, rule: Rule) -> Answer:
    return Answer(rule_answer(unit, rule), rule.version)
