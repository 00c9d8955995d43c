"""Scorecards: rules with points, whose sum decides about an event."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from config_api.dependencies import (
    MAX_ID,
    Answer,
    ExpectedVersion,
    OnlyOnce,
    PipelineId,
    Reading,
    Writing,
    etag,
)
from config_api.schemas.problems import problems
from config_api.schemas.scorecards import (
    ScorecardAnswer,
    ScorecardCreateRequest,
    ScorecardPutRequest,
    ScorecardStatusRequest,
    ScorecardVersionAnswer,
)
from sentinel.domain.scorecard import Scorecard

router = APIRouter(prefix="/api", tags=["scorecards"])

ScorecardId = Annotated[int, Path(ge=1, le=MAX_ID, description="The scorecard.")]


@router.post(
    "/pipelines/{pipeline_id}/scorecards",
    status_code=201,
    response_model=ScorecardAnswer,
    responses=problems(404, 409),
)
def add_scorecard(pipeline_id: PipelineId, body: ScorecardCreateRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Add a scorecard. From the job's next border on it decides about each event that one of its rules matches."""

    def work() -> Answer:
        card = unit.scorecards.add(pipeline_id, body.name, body.content, comment=body.comment)
        return _answer(card, {"Location": f"/api/scorecards/{card.id}"})

    return once.run(work, status=201)


@router.get("/pipelines/{pipeline_id}/scorecards", responses=problems(404))
def list_scorecards(pipeline_id: PipelineId, unit: Reading) -> list[ScorecardAnswer]:
    """The scorecards of a pipeline, oldest first."""
    return [ScorecardAnswer.of(card) for card in unit.scorecards.list(pipeline_id)]


@router.get("/scorecards/{scorecard_id}", responses=problems(404))
def get_scorecard(scorecard_id: ScorecardId, unit: Reading, response: Response) -> ScorecardAnswer:
    """One scorecard."""
    card = unit.scorecards.get(scorecard_id)
    response.headers["ETag"] = etag(card.version)
    return ScorecardAnswer.of(card)


@router.put("/scorecards/{scorecard_id}", response_model=ScorecardAnswer, responses=problems(404, 412))
def change_scorecard(
    scorecard_id: ScorecardId, body: ScorecardPutRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Write the next version of a scorecard. Earlier versions, and what they decided, stay what they were."""

    def work() -> Answer:
        return _answer(
            unit.scorecards.change(scorecard_id, body.content, expected_version=expected, comment=body.comment)
        )

    return once.run(work)


@router.get("/scorecards/{scorecard_id}/versions", responses=problems(404))
def list_scorecard_versions(scorecard_id: ScorecardId, unit: Reading) -> list[ScorecardVersionAnswer]:
    """All versions, newest first."""
    return [ScorecardVersionAnswer.of(version) for version in unit.scorecards.versions(scorecard_id)]


@router.patch("/scorecards/{scorecard_id}/status", response_model=ScorecardAnswer, responses=problems(404, 412))
def change_scorecard_status(
    scorecard_id: ScorecardId,
    body: ScorecardStatusRequest,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
) -> Response:
    """Switch a scorecard on or off."""

    def work() -> Answer:
        return _answer(
            unit.scorecards.set_active(scorecard_id, body.is_active, expected_version=expected, comment=body.comment)
        )

    return once.run(work)


def _answer(card: Scorecard, headers: dict[str, str] | None = None) -> Answer:
    return Answer(ScorecardAnswer.of(card), card.version, headers or {})
