"""Events by HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials

from config_api.access import BEARER, HEADER, Caller, identify, may
from config_api.bodies import decoded
from config_api.dependencies import PipelineId, RawBody, idempotency_key_of
from config_api.metrics import ProcessMetrics
from config_api.schemas.events import EventsAnswer
from config_api.schemas.problems import problems
from sentinel.catalog.intake import ItemStatus, Taken
from sentinel.clock import monotonic_seconds
from sentinel.domain.api_key import Scope, hash_secret
from sentinel.domain.event_batch import read_batch
from sentinel.domain.origin import REQUEST_ID_HEADER, TRACEPARENT, TRACEPARENT_HEADER
from sentinel.errors import InvalidError, StoreUnavailableError
from sentinel.stores.redis.seen_events import digest_of
from sentinel.telemetry.context import tenant_is
from sentinel.telemetry.traces import MOST_VALUES, Span, Traces
from sentinel.wiring_intake import EventIntake

router = APIRouter(tags=["events"])

_EXAMPLE = {"type": "order", "id": "o-1", "user_id": "u-7", "amount": 750}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One event, an array of events, one event per line, or CloudEvents; gzip and zstd are read.",
        "content": {
            "application/json": {"schema": {}, "examples": {"one": {"value": _EXAMPLE}, "many": {"value": [_EXAMPLE]}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/cloudevents+json": {"schema": {"type": "object"}},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    }
}


# A key that was revoked is noticed so late here.
KEY_SECONDS = 2.0
MOST_KEYS = 10_000


class KnownSenders:
    """Who sent lately: events come too often to look up a key for each request."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[float, Caller]] = {}

    async def identify(
        self, request: Request, bearer: HTTPAuthorizationCredentials | None, header: str | None
    ) -> Caller:
        """Return who sends, as `identify`."""
        presented = bearer.credentials if bearer else header
        if not presented:
            return identify(request, None, None)
        hashed = hash_secret(presented)
        read_at, caller = self._known.get(hashed, (0.0, None))
        if caller is None or monotonic_seconds() - read_at > KEY_SECONDS:
            caller = await run_in_threadpool(identify, request, bearer, header)
            if len(self._known) >= MOST_KEYS:
                self._known.clear()
            self._known[hashed] = (monotonic_seconds(), caller)
        tenant_is(caller.tenant_id)
        return caller


async def _sender(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    header: Annotated[str | None, Depends(HEADER)],
) -> Caller:
    senders: KnownSenders = request.app.state.senders
    return may(Scope.INGEST, await senders.identify(request, bearer, header))


Sender = Annotated[Caller, Depends(_sender)]
IdempotencyKey = Annotated[
    str | None, Header(description="Any text that is new for each request; makes repeating it harmless.")
]


@router.post(
    "/events",
    status_code=202,
    response_model=EventsAnswer,
    responses=problems(400, 404, 413, 415, 422, 429, 503),
    openapi_extra=_BODY,
)
async def send_events(
    request: Request,
    caller: Sender,
    raw: RawBody,
    idempotency_key: IdempotencyKey = None,
    x_sentinel_pipeline: Annotated[
        str | None, Header(description="Their pipeline, by id or name; without it each event's `type` says.")
    ] = None,
) -> Response:
    """Send events. The answer comes when the broker holds those that are accepted.

    Where none of several is accepted, 202 says so all the same; a single event that is rejected is answered 422.
    """
    return await run_in_threadpool(_taken, request, caller, raw, idempotency_key, x_sentinel_pipeline)


@router.post(
    "/api/pipelines/{pipeline_id}/events",
    status_code=202,
    response_model=EventsAnswer,
    responses=problems(400, 404, 413, 415, 422, 429, 503),
    openapi_extra=_BODY,
)
async def send_events_to(
    pipeline_id: PipelineId, request: Request, caller: Sender, raw: RawBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """Send events to one pipeline, whatever their types."""
    return await run_in_threadpool(_taken, request, caller, raw, idempotency_key, str(pipeline_id))


def _taken(request: Request, caller: Caller, raw: bytes, key: str | None, named: str | None) -> Response:
    traces: Traces = request.app.state.traces
    told = {
        "http.request.method": "POST",
        "http.route": str(getattr(request.scope.get("route"), "path", "")),
        "sentinel.request_id": str(request.scope["request_id"]),
        "sentinel.tenant": caller.tenant_id,
    }
    parent = request.headers.get("traceparent", "")
    with traces.span("POST events", told, parent=parent, kind="server") as span:
        return _take(request, caller, raw, key, named, span)


def _take(request: Request, caller: Caller, raw: bytes, key: str | None, named: str | None, span: Span) -> Response:
    door: EventIntake = request.app.state.intake
    metrics: ProcessMetrics = request.app.state.metrics
    max_bytes = request.app.state.settings.ingest.max_body_bytes
    body = decoded(raw, request.headers.get("content-encoding", ""), max_bytes=max_bytes)
    headers = {name.lower(): value for name, value in request.headers.items()}

    def work() -> Taken:
        events, is_single = read_batch(body, headers)
        taken = door.intake.take(caller.tenant_id, events, named=named, headers=record_headers(request, span))
        note_taken(span, taken)
        for status in ItemStatus:
            if count := taken.count(status):
                metrics.events.labels(caller.tenant_id, status.value).inc(count)
        if is_single and taken.outcomes[0].status == ItemStatus.REJECTED:
            problem = taken.outcomes[0].problems[0]
            raise InvalidError(f"the event is rejected: {problem.detail}", details=list(taken.outcomes[0].problems))
        return taken

    if idempotency_key_of(key) is None:
        return _answer(EventsAnswer.of(work()))
    attributes = sorted(pair for pair in headers.items() if pair[0].startswith("ce-"))
    told = [request.url.path, named, headers.get("content-type"), attributes, digest_of(body.decode("latin-1"))]
    content = json.dumps(told)
    return _once(door, caller.tenant_id, str(key), digest_of(content), lambda: EventsAnswer.of(work()))


def note_taken(span: Span, taken: Taken) -> None:
    """Say in a span what became of a request's events: by their ids, an alert finds the trace."""
    if span.traceparent:
        for status in ItemStatus:
            span.note(f"sentinel.{status.value}", taken.count(status))
        span.note("sentinel.event_ids", [item.event_id for item in taken.outcomes[:MOST_VALUES] if item.event_id])


def record_headers(request: Request, span: Span) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that the records of a request's events carry: its id, and the trace that it is part of."""
    found = [(REQUEST_ID_HEADER, str(request.scope["request_id"]).encode())]
    trace = span.traceparent or request.headers.get("traceparent", "")
    if TRACEPARENT.fullmatch(trace):
        found.append((TRACEPARENT_HEADER, trace.encode()))
    return tuple(found)


def _once(door: EventIntake, tenant_id: str, key: str, digest: str, work: Callable[[], EventsAnswer]) -> Response:
    """Answer a request that was answered before as it was.

    Raises:
        InvalidError: The key was used for another request.
    """
    try:
        kept = door.seen.answer(tenant_id, key)
    except StoreUnavailableError:
        # Event ids, and the setting for a Redis that is away, say what happens now.
        return _answer(work())
    if kept is not None:
        if kept["digest"] != digest:
            raise InvalidError(
                f"the Idempotency-Key {key!r} was used for another request; use a new one for each request"
            )
        return JSONResponse(kept["body"], 202, {"Idempotency-Replayed": "true"})
    answer = work()
    body = answer.model_dump(mode="json")
    try:
        door.seen.keep_answer(tenant_id, key, {"digest": digest, "body": body})
    except StoreUnavailableError:
        return _answer(answer)
    return JSONResponse(body, 202)


def install(app: FastAPI) -> None:
    """Set up what the endpoints share."""
    app.state.senders = KnownSenders()


def _answer(answer: EventsAnswer) -> Response:
    return Response(answer.model_dump_json(), 202, media_type="application/json")
