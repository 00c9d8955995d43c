"""The life of a rule, as it is sent and answered."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from config_api.schemas.base import RequestModel, Text
from config_api.schemas.rules import Comment
from sentinel.domain.rule import RuleState

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


class CommentRequest(RequestModel):
    """Why something is done."""

    comment: Comment = ""
