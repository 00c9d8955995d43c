"""Sources of webhooks: who may send what, with which secrets, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import (
    MAX_ID,
    Answer,
    ExpectedVersion,
    OnlyOnce,
    Reading,
    Writing,
    etag,
    next_link,
)
from config_api.schemas.base import Text
from config_api.schemas.problems import problems
from config_api.schemas.webhooks import (
    AttemptCountAnswer,
    WebhookAttemptAnswer,
    WebhookConflictAnswer,
    WebhookEventAnswer,
    WebhookEventDetailAnswer,
    WebhookSecretRequest,
    WebhookSourceAnswer,
    WebhookSourcePatchRequest,
    WebhookSourceRequest,
)
from sentinel.domain.webhook import RefusalReason
from sentinel.wiring import Unit
from sentinel.wiring_webhooks import Webhooks

router = APIRouter(prefix="/api/webhook-sources", tags=["webhooks"])

SourceId = Annotated[int, Path(ge=1, le=MAX_ID, description="The source.", examples=[1])]
Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")]


@router.post("", status_code=201, response_model=WebhookSourceAnswer, responses=problems(404, 409))
def create_source(body: WebhookSourceRequest, unit: Writing, once: OnlyOnce, request: Request) -> Response:
    """Register a provider. The first of Stripe makes the pipeline `stripe` with the schema of its events."""

    def work() -> Answer:
        source = unit.webhooks.create(
            name=body.name,
            kind=body.kind,
            pipeline_id=body.pipeline_id,
            options=body.options(),
            secrets=[secret.get_secret_value() for secret in body.secrets],
        )
        _prepare_topic(request, unit, source.id)
        location = {"Location": f"/api/webhook-sources/{source.id}"}
        return Answer(WebhookSourceAnswer.of(source), source.version, location)

    return once.run(work, status=201)


@router.get("", responses=problems())
def list_sources(unit: Reading) -> list[WebhookSourceAnswer]:
    """All sources, oldest first."""
    return [WebhookSourceAnswer.of(source) for source in unit.webhooks.list()]


@router.get("/{source_id}", responses=problems(404))
def get_source(source_id: SourceId, unit: Reading, response: Response) -> WebhookSourceAnswer:
    """One source."""
    source = unit.webhooks.get(source_id)
    response.headers["ETag"] = etag(source.version)
    return WebhookSourceAnswer.of(source)


@router.patch("/{source_id}", response_model=WebhookSourceAnswer, responses=problems(404, 409, 412))
def change_source(
    source_id: SourceId,
    body: WebhookSourcePatchRequest,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
    request: Request,
) -> Response:
    """Rename a source, disable it, send its events elsewhere. Counts from the next delivery on."""

    def work() -> Answer:
        source = unit.webhooks.change(
            source_id,
            name=body.name,
            status=body.status,
            pipeline_id=body.pipeline_id,
            keeps_pipeline="pipeline_id" not in body.model_fields_set,
            options=body.options(unit.webhooks.get(source_id).options),
            expected_version=expected,
        )
        _prepare_topic(request, unit, source.id)
        return Answer(WebhookSourceAnswer.of(source), source.version)

    return once.run(work)


@router.delete("/{source_id}", status_code=204, responses=problems(404, 409, 412))
def delete_source(
    source_id: SourceId,
    unit: Writing,
    expected: ExpectedVersion,
    with_events: Annotated[bool, Query(description="Delete the events it sent as well.")] = False,
) -> None:
    """Delete a source with its secrets and refused attempts."""
    unit.webhooks.delete(source_id, with_events=with_events, expected_version=expected)


@router.post("/{source_id}/secrets", status_code=201, response_model=WebhookSourceAnswer, responses=problems(404, 409))
def add_secret(source_id: SourceId, body: WebhookSecretRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Give a source one more secret: each of them verifies, so a provider can change over."""

    def work() -> Answer:
        source = unit.webhooks.add_secret(
            source_id,
            body.secret.get_secret_value(),
            expires_at=body.expires_at,
            others_expire_at=body.others_expire_at,
        )
        return Answer(WebhookSourceAnswer.of(source), source.version)

    return once.run(work, status=201)


@router.delete("/{source_id}/secrets/{secret_id}", response_model=WebhookSourceAnswer, responses=problems(404))
def delete_secret(
    source_id: SourceId,
    secret_id: Annotated[int, Path(ge=1, le=MAX_ID, description="The secret.")],
    unit: Writing,
    once: OnlyOnce,
) -> Response:
    """Take a secret away. It verifies nothing from the next delivery on."""

    def work() -> Answer:
        source = unit.webhooks.delete_secret(source_id, secret_id)
        return Answer(WebhookSourceAnswer.of(source), source.version)

    return once.run(work)


@router.get("/{source_id}/events", responses=problems(404))
def list_events(
    source_id: SourceId,
    unit: Reading,
    request: Request,
    response: Response,
    event_type: Annotated[Text | None, Query(max_length=255)] = None,
    event_id: Annotated[Text | None, Query(max_length=255, description="The provider's.")] = None,
    unpublished: Annotated[bool, Query(description="Only those that the broker has not confirmed.")] = False,
    limit: Limit = 50,
    before: Before = None,
) -> list[WebhookEventAnswer]:
    """Events that a source sent, newest first, without their bodies."""
    found = unit.webhooks.events(
        source_id,
        event_type=event_type,
        provider_event_id=event_id,
        unpublished=unpublished,
        before=before,
        limit=limit + 1,
    )
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [WebhookEventAnswer.of(event) for event in found[:limit]]


@router.get("/{source_id}/events/{event_id}", responses=problems(404))
def get_event(
    source_id: SourceId,
    event_id: Annotated[int, Path(ge=1, le=MAX_ID, description="Its `id`, not the provider's.")],
    unit: Reading,
) -> WebhookEventDetailAnswer:
    """One event with its body, as it was received."""
    return WebhookEventDetailAnswer.of(unit.webhooks.event(source_id, event_id))


@router.get("/{source_id}/conflicts", responses=problems(404))
def list_conflicts(
    source_id: SourceId,
    unit: Reading,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    before: Before = None,
) -> list[WebhookConflictAnswer]:
    """Deliveries with the id of a stored event and other content, newest first."""
    found = unit.webhooks.conflicts(source_id, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [WebhookConflictAnswer.of(conflict) for conflict in found[:limit]]


@router.get("/{source_id}/attempts", responses=problems(404))
def list_attempts(
    source_id: SourceId,
    unit: Reading,
    request: Request,
    response: Response,
    reason: RefusalReason | None = None,
    limit: Limit = 50,
    before: Before = None,
) -> list[WebhookAttemptAnswer]:
    """Deliveries that were refused, newest first: the first 50 of each hour and reason."""
    found = unit.webhooks.attempts(source_id, reason=reason, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [WebhookAttemptAnswer.of(attempt) for attempt in found[:limit]]


@router.get("/{source_id}/attempt-counts", responses=problems(404))
def list_attempt_counts(
    source_id: SourceId, unit: Reading, limit: Annotated[int, Query(ge=1, le=5000)] = 500
) -> list[AttemptCountAnswer]:
    """How many deliveries were refused, by hour and reason, newest hour first."""
    found = unit.webhooks.attempt_counts(source_id, limit=limit)
    return [AttemptCountAnswer(**asdict(count)) for count in found]


def _prepare_topic(request: Request, unit: Unit, source_id: int) -> None:
    webhooks: Webhooks = request.app.state.webhooks
    topic = unit.webhooks.topic_of(unit.webhooks.get(source_id))
    if topic is not None:
        webhooks.publisher.prepare(topic)
