"""Mutes and snoozes: what is evaluated and not alerted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import MAX_ID, Answer, OnlyOnce, PipelineId, Reading, Writing, next_link
from config_api.schemas.base import Moment
from config_api.schemas.mutes import MuteAnswer, MuteRequest, SuppressedAnswer
from config_api.schemas.problems import problems

router = APIRouter(prefix="/api", tags=["lifecycle"])

MuteId = Annotated[int, Path(ge=1, le=MAX_ID, description="The mute or snooze.")]


@router.post("/pipelines/{pipeline_id}/mutes", status_code=201, response_model=MuteAnswer, responses=problems(404, 409))
def add_mute(pipeline_id: PipelineId, body: MuteRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Mute a rule, or snooze an entity for one rule or for all. In force from the job's next border on."""

    def work() -> Answer:
        mute = unit.mutes.add(
            pipeline_id,
            rule_id=body.rule_id,
            field=body.field,
            value=body.value,
            expires_at=body.expires_at,
            reason=body.reason,
        )
        return Answer(MuteAnswer(**asdict(mute)), headers={"Location": f"/api/mutes/{mute.id}"})

    return once.run(work, status=201)


@router.get("/pipelines/{pipeline_id}/mutes", responses=problems(404))
def list_mutes(
    pipeline_id: PipelineId,
    unit: Reading,
    request: Request,
    response: Response,
    ended: Annotated[bool, Query(description="Those that count no more as well.")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")] = None,
) -> list[MuteAnswer]:
    """Mutes and snoozes, newest first."""
    found = unit.mutes.list(pipeline_id, ended=ended, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [MuteAnswer(**asdict(mute)) for mute in found[:limit]]


@router.delete("/mutes/{mute_id}", response_model=MuteAnswer, responses=problems(404))
def end_mute(mute_id: MuteId, unit: Writing, once: OnlyOnce) -> Response:
    """End a mute or snooze before its time. It stays in the list of those that ended."""

    def work() -> Answer:
        return Answer(MuteAnswer(**asdict(unit.mutes.end(mute_id))))

    return once.run(work)


@router.get("/pipelines/{pipeline_id}/suppressed", responses=problems(404))
def list_suppressed(
    pipeline_id: PipelineId,
    unit: Reading,
    rule_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    since: Annotated[Moment | None, Query(description="From the hour of this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> list[SuppressedAnswer]:
    """Matches that raised no alert, per rule and hour of their records' timestamps, newest hour first."""
    found = unit.mutes.suppressed(pipeline_id, rule_id=rule_id, since=since, until=until, limit=limit)
    return [SuppressedAnswer(**asdict(count)) for count in found]
