"""What a job says of rules: how often they match or cannot be told, and which ones it took out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from config_api.dependencies import Answer, OnlyOnce, PipelineId, Reading, RuleId, Writing
from config_api.schemas.alert_states import RuleQualityAnswer, VersionQualityAnswer
from config_api.schemas.base import Moment
from config_api.schemas.problems import problems
from config_api.schemas.rule_outcomes import (
    HourOutcomesAnswer,
    QuarantineAnswer,
    RuleCostAnswer,
    RuleFiguresAnswer,
    RuleReleaseRequest,
    RuleTrialsAnswer,
    TrialHourAnswer,
    TrialSampleAnswer,
)
from config_api.schemas.rules import RuleAnswer
from sentinel.clock import utc_now
from sentinel.errors import ErrorDetail, InvalidError, NotFoundError

router = APIRouter(prefix="/api", tags=["rules"])

QUALITY_DAYS = 30


@router.get("/pipelines/{pipeline_id}/quarantines", responses=problems(404))
def list_quarantines(pipeline_id: PipelineId, unit: Reading) -> list[QuarantineAnswer]:
    """The quarantines of a pipeline's rules, newest first, ended ones too."""
    return [QuarantineAnswer(**asdict(found)) for found in unit.quarantines.of_pipeline(pipeline_id)]


@router.get("/rules/{rule_id}/quarantines", responses=problems(404))
def list_rule_quarantines(rule_id: RuleId, unit: Reading) -> list[QuarantineAnswer]:
    """The quarantines of a rule, newest first, ended ones too."""
    return [QuarantineAnswer(**asdict(found)) for found in unit.quarantines.of_rule(rule_id)]


@router.get("/rules/{rule_id}/outcomes", responses=problems(404))
def list_rule_outcomes(
    rule_id: RuleId, unit: Reading, hours: Annotated[int, Query(ge=1, le=24 * 31, description="How far back.")] = 24
) -> list[HourOutcomesAnswer]:
    """How many events a rule matched, did not match or could not tell, by hour of their records, newest first.

    Counted from the lake: a minute or two behind. `missing` says which fields the unknown ones lacked.
    """
    rule = unit.rules.get(rule_id)
    since = utc_now() - timedelta(hours=hours)
    return [HourOutcomesAnswer.of(hour) for hour in unit.outcomes.of_rule(rule.pipeline_id, rule_id, since=since)]


@router.get("/pipelines/{pipeline_id}/rule-figures", responses=problems(404))
def list_rule_figures(
    pipeline_id: PipelineId,
    unit: Reading,
    hours: Annotated[int, Query(ge=1, le=24 * 31, description="How far back.")] = 24,
) -> list[RuleFiguresAnswer]:
    """What was counted of every rule that is not archived, what it costs and when it alerted last; in one answer."""
    unit.pipelines.get(pipeline_id)
    since = utc_now() - timedelta(hours=hours)
    return [RuleFiguresAnswer.of(figures) for figures in unit.outcomes.of_pipeline(pipeline_id, since=since)]


@router.get("/rules/{rule_id}/trials", responses=problems(404))
def get_rule_trials(
    rule_id: RuleId, unit: Reading, hours: Annotated[int, Query(ge=1, le=24 * 31, description="How far back.")] = 24
) -> RuleTrialsAnswer:
    """Versions in shadow, and candidates of rollouts, held against the version in force on the same events.

    Counted from the lake: a minute or two behind.
    """
    unit.rules.get(rule_id)
    since = utc_now() - timedelta(hours=hours)
    return RuleTrialsAnswer(
        hours=[TrialHourAnswer(**asdict(hour)) for hour in unit.outcomes.trials_of(rule_id, since=since)],
        samples=[TrialSampleAnswer(**asdict(sample)) for sample in unit.outcomes.samples_of(rule_id)],
    )


@router.get("/rules/{rule_id}/cost", responses=problems(404))
def get_rule_cost(rule_id: RuleId, unit: Reading) -> RuleCostAnswer:
    """What the current version of a rule costs per event, measured by the job on events of the pipeline."""
    unit.rules.get(rule_id)
    cost = unit.outcomes.cost_of(rule_id)
    if cost is None:
        raise NotFoundError(f"the cost of rule {rule_id} is not measured yet; a running job does it within minutes")
    return RuleCostAnswer(**asdict(cost))


@router.get("/rules/{rule_id}/quality", responses=problems(404))
def get_rule_quality(
    rule_id: RuleId,
    unit: Reading,
    since: Annotated[
        Moment | None, Query(description=f"Of the alerts; without it {QUALITY_DAYS} days before `until`.")
    ] = None,
    until: Annotated[Moment | None, Query(description="Before this time; without it now.")] = None,
) -> RuleQualityAnswer:
    """What people found the alerts of a rule to be, per version: precision, and how long they took."""
    rule = unit.rules.get(rule_id)
    end = utc_now() if until is None else until
    start = end - timedelta(days=QUALITY_DAYS) if since is None else since
    if start >= end:
        raise InvalidError("since must be before until", details=[ErrorDetail("", "since must be before until")])
    *versions, total = unit.quality.of_rule(rule.id, since=start, until=end)
    return RuleQualityAnswer(
        since=start,
        until=end,
        total=VersionQualityAnswer.of(total),
        versions=[VersionQualityAnswer.of(found) for found in versions],
    )


@router.post("/rules/{rule_id}/release", response_model=RuleAnswer, responses=problems(404, 409))
def release_rule(rule_id: RuleId, body: RuleReleaseRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Let a rule run again as it is. A new version of a rule needs no release."""

    def work() -> Answer:
        rule = unit.quarantines.release(rule_id, comment=body.comment)
        return Answer(RuleAnswer.of(rule), rule.version, {})

    return once.run(work)
