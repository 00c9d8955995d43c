"""Who is told of what: the policy, trying it, silences."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import (
    MAX_ID,
    Answer,
    ExpectedVersion,
    Looking,
    OnlyOnce,
    Reading,
    Writing,
    etag,
    next_link,
)
from config_api.schemas.notifications import (
    DryRouteAnswer,
    DryRouteRequest,
    PolicyAnswer,
    PolicyRequest,
    SilenceAnswer,
    SilenceRequest,
)
from config_api.schemas.problems import problems
from sentinel.wiring import Backend
from sentinel.wiring_notify import dry_route

router = APIRouter(prefix="/api", tags=["notifications"])

SilenceId = Annotated[int, Path(ge=1, le=MAX_ID, description="The silence.")]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/notifications/policy", responses=problems())
def get_policy(unit: Reading, response: Response) -> PolicyAnswer:
    """The policy in force."""
    found = unit.policies.current()
    response.headers["ETag"] = etag(found.version)
    return PolicyAnswer.of(found)


@router.put("/notifications/policy", response_model=PolicyAnswer, responses=problems(409, 412))
def replace_policy(body: PolicyRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion) -> Response:
    """Put a policy in force: from the next alert on, and at once for what quiet hours hold back."""

    def work() -> Answer:
        after = unit.policies.replace(body.policy, comment=body.comment, expected_version=expected)
        return Answer(PolicyAnswer.of(after), after.version)

    return once.run(work)


@router.get("/notifications/policy/versions", responses=problems())
def list_policies(
    unit: Reading,
    request: Request,
    response: Response,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Continue after this version.")] = None,
) -> list[PolicyAnswer]:
    """What it was before, newest first."""
    found = unit.policies.versions(before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].version))
    return [PolicyAnswer.of(each) for each in found[:limit]]


@router.post("/notifications/dry-route", responses=problems(404))
def try_route(body: DryRouteRequest, caller: Looking, request: Request) -> DryRouteAnswer:
    """What would happen to an alert, by the policy in force or by another. Sends and writes nothing."""
    backend: Backend = request.app.state.backend
    return DryRouteAnswer.of(dry_route(backend, caller.tenant_id, body.wanted, body.at, body.policy))


@router.post("/silences", status_code=201, response_model=SilenceAnswer, responses=problems(409))
def add_silence(body: SilenceRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Tell nobody of certain alerts for a while; they are raised all the same."""

    def work() -> Answer:
        silence = unit.silences.add(body.matchers, starts_at=body.starts_at, ends_at=body.ends_at, comment=body.comment)
        answer = SilenceAnswer.of(silence, unit.silences.status_of(silence))
        return Answer(answer, headers={"Location": f"/api/silences/{silence.id}"})

    return once.run(work, status=201)


@router.get("/silences", responses=problems())
def list_silences(
    unit: Reading,
    request: Request,
    response: Response,
    expired: Annotated[bool, Query(description="Those that are over as well.")] = False,
    limit: Limit = 50,
    before: Before = None,
) -> list[SilenceAnswer]:
    """Silences, newest first."""
    found = unit.silences.page(expired=expired, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [SilenceAnswer.of(silence, unit.silences.status_of(silence)) for silence in found[:limit]]


@router.get("/silences/{silence_id}", responses=problems(404))
def get_silence(silence_id: SilenceId, unit: Reading) -> SilenceAnswer:
    """One silence."""
    silence = unit.silences.get(silence_id)
    return SilenceAnswer.of(silence, unit.silences.status_of(silence))


@router.delete("/silences/{silence_id}", response_model=SilenceAnswer, responses=problems(404))
def end_silence(silence_id: SilenceId, unit: Writing, once: OnlyOnce) -> Response:
    """End a silence before its time."""

    def work() -> Answer:
        silence = unit.silences.end(silence_id)
        return Answer(SilenceAnswer.of(silence, unit.silences.status_of(silence)))

    return once.run(work)
