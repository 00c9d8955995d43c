"""The life of a rule, as it is sent and answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field

from config_api.schemas.base import AnswerModel, RequestModel, Text
from config_api.schemas.rules import Comment, RolloutAnswer
from sentinel.domain.rollout import ArmCount, guard_rail
from sentinel.domain.rule import Rule, RuleState

_SHARE = "For a rollout: percent of the entities, in steps of 0.01."
_ENTITY = "For a rollout: the field of role entity that it goes by; the first one of the schema without."


class StateRequest(RequestModel):
    """A state to move a rule to."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"state": "shadow"}, {"state": "rollout", "share_percent": 10}]},
    )

    state: RuleState
    share_percent: float | None = Field(default=None, ge=0.01, le=100, description=_SHARE)
    entity: Text | None = Field(default=None, max_length=128, description=_ENTITY)
    comment: Comment = ""

    @property
    def share(self) -> int | None:
        """Buckets of 10,000."""
        return None if self.share_percent is None else round(self.share_percent * 100)


class CandidateStateRequest(StateRequest):
    """A state to move a candidate to."""

    state: Literal[RuleState.DRAFT, RuleState.SHADOW, RuleState.ROLLOUT]


class ArmAnswer(AnswerModel):
    """Alerts of one arm while the rollout had one share."""

    share_percent: float = Field(description="What the candidate decided then.")
    arm: Literal["control", "candidate"]
    version: int
    rule_version_id: int
    match_count: int
    entity_count: int = Field(description="How many different entities they are about.")


class RolloutResultAnswer(AnswerModel):
    """What a rollout has shown so far. Muted and snoozed matches are not in it."""

    rule_id: int
    name: str
    state: RuleState
    rollout: RolloutAnswer | None = Field(description="Null where none is under way.")
    control_version: int | None = Field(description="Null where a new rule is rolled out.")
    candidate_version: int | None
    arms: list[ArmAnswer]
    guard_rail: str | None = Field(description="Why the rollout of the share in force should be aborted.")

    @classmethod
    def of(cls, rule: Rule, counts: Sequence[ArmCount]) -> RolloutResultAnswer:
        """Build the answer."""
        plan = rule.rollout
        now = [count for count in counts if plan is not None and count.share == plan.share]
        control = sum(count.entity_count for count in now if not count.is_candidate)
        candidate = sum(count.entity_count for count in now if count.is_candidate)
        compared = plan is not None and rule.candidate is not None
        return cls(
            rule_id=rule.id,
            name=rule.name,
            state=rule.state,
            rollout=None if plan is None else RolloutAnswer.of(plan),
            control_version=rule.current.version if compared else None,
            candidate_version=None if plan is None else (rule.candidate or rule.current).version,
            arms=[
                ArmAnswer(
                    share_percent=count.share / 100,
                    arm="candidate" if count.is_candidate else "control",
                    version=count.version,
                    rule_version_id=count.rule_version_id,
                    match_count=count.match_count,
                    entity_count=count.entity_count,
                )
                for count in counts
            ],
            guard_rail=guard_rail(control, candidate, plan.share) if plan is not None and compared else None,
        )


class CommentRequest(RequestModel):
    """Why something is done."""

    comment: Comment = ""
