"""Scorecards, as they are sent and answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, StrictBool, StrictInt

from config_api.schemas.base import AnswerModel, RequestModel, Text, Timestamp
from config_api.schemas.rules import Comment, RuleName
from sentinel.domain.scorecard import (
    MAX_POINTS,
    MAX_WEIGHTS,
    Scorecard,
    ScorecardContent,
    ScorecardVersion,
    Thresholds,
)

_EXAMPLE: dict[str, JsonValue] = {
    "name": "card_risk",
    "weights": {"new_wallet": 30, "large_amount": 40, "known_device": -20},
    "thresholds": {"review": 50, "decline": 80},
}
Points = Annotated[StrictInt, Field(ge=-MAX_POINTS, le=MAX_POINTS)]


class ThresholdsModel(RequestModel):
    """From which score on an event is reviewed, and from which on it is declined."""

    review: Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)]
    decline: Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)]


class ScorecardPutRequest(RequestModel):
    """The content of a scorecard."""

    weights: dict[Text, Points] = Field(description="Rule name -> points.", max_length=MAX_WEIGHTS)
    thresholds: ThresholdsModel
    comment: Comment = Field(default="", description="Why this version is made; kept with it.")

    @property
    def content(self) -> ScorecardContent:
        """The same, for the catalog."""
        return ScorecardContent(self.weights, Thresholds(self.thresholds.review, self.thresholds.decline))


class ScorecardCreateRequest(ScorecardPutRequest):
    """A new scorecard."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    name: RuleName


class ScorecardStatusRequest(RequestModel):
    """On or off."""

    is_active: StrictBool
    comment: Comment = ""


class ScorecardVersionAnswer(AnswerModel):
    """One version of a scorecard; it never changes."""

    version: int
    weights: dict[str, int]
    thresholds: ThresholdsModel
    content_hash: str
    comment: str
    created_by: str
    created_at: Timestamp

    @classmethod
    def of(cls, version: ScorecardVersion) -> ScorecardVersionAnswer:
        """Build the answer."""
        thresholds = version.content.thresholds
        return cls(
            version=version.version,
            weights=dict(version.content.weights),
            thresholds=ThresholdsModel(review=thresholds.review, decline=thresholds.decline),
            content_hash=version.content_hash,
            comment=version.comment,
            created_by=version.created_by,
            created_at=version.created_at,
        )


class ScorecardAnswer(AnswerModel):
    """A scorecard with its current version."""

    id: int
    pipeline_id: int
    name: str
    is_active: bool
    version: int = Field(description="Version of its content.")
    weights: dict[str, int]
    thresholds: ThresholdsModel
    content_hash: str
    row_version: int = Field(description="Grows with every change, also of its status; the ETag.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, card: Scorecard) -> ScorecardAnswer:
        """Build the answer."""
        current = ScorecardVersionAnswer.of(card.current)
        return cls(
            id=card.id,
            pipeline_id=card.pipeline_id,
            name=card.name,
            is_active=card.is_active,
            version=current.version,
            weights=current.weights,
            thresholds=current.thresholds,
            content_hash=current.content_hash,
            row_version=card.version,
            created_at=card.created_at,
            updated_at=card.updated_at,
        )
