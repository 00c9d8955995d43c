"""Dead letters: found, judged with the schema of now, sent again, discarded."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from config_api.dependencies import (
    MAX_ID,
    Answer,
    Looking,
    OnlyOnce,
    PipelineId,
    RawBody,
    Reading,
    Writing,
    WritingCaller,
    idempotency_key_of,
    next_link,
)
from config_api.schemas.base import Moment, Text
from config_api.schemas.dead_letters import (
    CheckAnswer,
    CheckRequest,
    CountsAnswer,
    DeadLetterAnswer,
    DeadLetterDetailAnswer,
    DiscardAnswer,
    DiscardRequest,
    OneRedriveRequest,
    RedriveReportAnswer,
    RedriveRequest,
    ReopenRequest,
)
from config_api.schemas.problems import problems
from sentinel.clock import utc_now
from sentinel.domain.redrive import DeadLetterFilter, DeadLetterState
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.ops.redrive import RedriveOrder
from sentinel.wiring_dead_letters import Redrives

router = APIRouter(prefix="/api/pipelines/{pipeline_id}/dead-letters", tags=["dead letters"])

HOURS_SHOWN = timedelta(days=7)
MOST_HOURS = timedelta(days=92)
LetterId = Annotated[int, Path(ge=1, le=MAX_ID, description="The dead letter.", examples=[17])]
Since = Annotated[Moment | None, Query(description="Found from this time on, with its zone.")]
Until = Annotated[Moment | None, Query(description="Found before this time.")]


def _request_key(
    request: Request,
    raw: RawBody,
    idempotency_key: Annotated[
        str | None, Header(description="Any text that is new for each write; makes repeating it harmless.")
    ] = None,
) -> str:
    """Return what is the same for a request that is repeated, and for no other."""
    key = idempotency_key_of(idempotency_key) or uuid.uuid4().hex
    content = json.dumps([key, request.url.path, hashlib.sha256(raw).hexdigest()])
    return hashlib.sha256(content.encode()).hexdigest()


RequestKey = Annotated[str, Depends(_request_key)]


@router.get("", responses=problems(404))
def list_dead_letters(
    pipeline_id: PipelineId,
    unit: Reading,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")] = None,
    cause: Annotated[Text | None, Query(max_length=100, examples=["not_json"])] = None,
    state: DeadLetterState | None = None,
    since: Since = None,
    until: Until = None,
    raw: Annotated[bool, Query(description="Whether each comes with its record, up to 256 KiB.")] = True,
) -> list[DeadLetterAnswer]:
    """Records that are not events, newest first, with cause and raw bytes."""
    wanted = DeadLetterFilter(state, cause, since, until)
    found = unit.dead_letters.page(pipeline_id, wanted, before=before, limit=limit + 1, with_raw=raw)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [DeadLetterAnswer.of(item) for item in found[:limit]]


@router.get("/counts", responses=problems(404))
def count_dead_letters(
    pipeline_id: PipelineId, unit: Reading, since: Since = None, until: Until = None
) -> CountsAnswer:
    """How many there are by cause and state, and per hour: of the range, or of the 7 days before its end."""
    ends = until or utc_now()
    hours_since = since or ends - HOURS_SHOWN
    if ends - hours_since > MOST_HOURS:
        hours_since = ends - MOST_HOURS
    causes = unit.dead_letters.counts(pipeline_id, since=since, until=until)
    hours = unit.dead_letters.hours(pipeline_id, since=hours_since, until=ends) if hours_since < ends else []
    return CountsAnswer.of(list(causes), list(hours), hours_since)


@router.post("/redrive", responses=problems(404, 409, 429))
def redrive(
    pipeline_id: PipelineId, body: RedriveRequest, caller: WritingCaller, request: Request, key: RequestKey
) -> RedriveReportAnswer:
    """Send dead letters again, as new records of the pipeline's topic; or, by `dry_run`, say what that would do.

    Those that would be no events now are left as they are, unless `only_events` is false. A request that is repeated
    with its `Idempotency-Key` sends nothing again. 503 while the broker is away: nothing has changed then. 409 for the
    seconds in which the job still reads with the schema before the newest.
    """
    order = RedriveOrder(
        pipeline_id,
        key,
        ids=body.ids,
        wanted=body.wanted,
        after=body.after,
        limit=body.limit,
        only_events=body.only_events,
        dry_run=body.dry_run,
        records_per_second=body.records_per_second,
    )
    redrives: Redrives = request.app.state.redrives
    return RedriveReportAnswer.of(redrives.run(caller.tenant_id, caller.name, order), dry_run=body.dry_run)


@router.post("/discard", response_model=DiscardAnswer, responses=problems(404))
def discard(pipeline_id: PipelineId, body: DiscardRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Discard open dead letters with a reason. Nothing is deleted, and `reopen` takes it back."""

    def work() -> Answer:
        result = unit.dead_letters.discard(
            pipeline_id,
            reason=body.reason,
            ids=body.ids,
            wanted=body.wanted,
            after=body.after,
            limit=body.limit,
            dry_run=body.dry_run,
        )
        return Answer(DiscardAnswer.of(result, dry_run=body.dry_run))

    return once.run(work)


@router.post("/reopen", response_model=DiscardAnswer, responses=problems(404))
def reopen(pipeline_id: PipelineId, body: ReopenRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Take back that dead letters were discarded. What was redriven stays so."""
    return once.run(lambda: Answer(DiscardAnswer.of(unit.dead_letters.reopen(pipeline_id, body.ids))))


@router.get("/{letter_id}", responses=problems(404))
def get_dead_letter(pipeline_id: PipelineId, letter_id: LetterId, unit: Reading) -> DeadLetterDetailAnswer:
    """One dead letter with its record, and how it was sent again."""
    return DeadLetterDetailAnswer.of_dossier(unit.dead_letters.get(pipeline_id, letter_id))


@router.post("/{letter_id}/check", responses=problems(404, 409, 429))
def check_dead_letter(
    pipeline_id: PipelineId, letter_id: LetterId, caller: Looking, request: Request, body: CheckRequest | None = None
) -> CheckAnswer:
    """Whether the record, or what it was edited to, would be an event now. Sends nothing.

    Judged by the rule worker with the engine's own parser; 503 while that is away or still starting.
    """
    redrives: Redrives = request.app.state.redrives
    edited = _encoded(None if body is None else body.text)
    return CheckAnswer.of(redrives.of(caller.tenant_id, caller.name).check(pipeline_id, letter_id, edited))


@router.post("/{letter_id}/redrive", responses=problems(404, 409, 429))
def redrive_one(
    pipeline_id: PipelineId,
    letter_id: LetterId,
    caller: WritingCaller,
    request: Request,
    key: RequestKey,
    body: OneRedriveRequest | None = None,
) -> RedriveReportAnswer:
    """Send one dead letter again, as it is kept or edited. 409 says why it cannot be.

    A request that is repeated with its `Idempotency-Key` sends nothing again.
    """
    chosen = body or OneRedriveRequest()
    order = RedriveOrder(
        pipeline_id, key, ids=[letter_id], edited=_encoded(chosen.text), only_events=chosen.only_events
    )
    redrives: Redrives = request.app.state.redrives
    report = redrives.run(caller.tenant_id, caller.name, order)
    for left in report.left:
        if left.why == "missing":
            raise NotFoundError(f"pipeline {pipeline_id} has no dead letter {letter_id}")
        raise ConflictError(
            f"dead letter {letter_id} was not sent: {left.detail}", details=[ErrorDetail("", left.why.value)]
        )
    return RedriveReportAnswer.of(report, dry_run=False)


def _encoded(text: str | None) -> bytes | None:
    try:
        return None if text is None else text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(
            f"the text holds half a character at place {error.start + 1}, which no record may",
            details=[ErrorDetail("/text", "half a character")],
        ) from error
