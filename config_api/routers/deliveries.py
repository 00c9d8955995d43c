"""What became of notifications."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import MAX_ID, Answer, OnlyOnce, Reading, Writing, next_link
from config_api.schemas.base import Moment, Text
from config_api.schemas.notifications import (
    DeliveryAnswer,
    DeliveryDetailAnswer,
    OverdueAnswer,
    RedriveAnswer,
    RedriveRequest,
    WhyAnswer,
)
from config_api.schemas.problems import problems
from sentinel.domain.delivery import DeliveryState
from sentinel.domain.notification_history import DeliveryFilter

router = APIRouter(prefix="/api", tags=["notifications"])

AlertId = Annotated[int, Path(ge=1, le=MAX_ID, description="The alert.")]
DeliveryId = Annotated[Text, Path(min_length=1, max_length=100, description="The delivery.")]


@router.get("/alerts/{alert_id}/why", responses=problems(404))
def why(alert_id: AlertId, unit: Reading) -> WhyAnswer:
    """Why somebody was told of an alert, or nobody: what was decided and what happened, in order."""
    return WhyAnswer.of(unit.deliveries.why(alert_id))


@router.get("/deliveries", responses=problems())
def list_deliveries(
    unit: Reading,
    request: Request,
    response: Response,
    channel: Annotated[Text | None, Query(max_length=63)] = None,
    state: DeliveryState | None = None,
    alert_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    reason: Annotated[Text | None, Query(max_length=100, description="Of the last try.")] = None,
    since: Annotated[Moment | None, Query(description="Made from this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Made before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[Text | None, Query(max_length=100, description="Continue after this one.")] = None,
) -> list[DeliveryAnswer]:
    """Deliveries, newest first."""
    wanted = DeliveryFilter(channel, state, alert_id, reason, since, until)
    found = unit.deliveries.page(wanted, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [DeliveryAnswer.of(each) for each in found[:limit]]


@router.get("/deliveries/overdue", responses=problems())
def list_overdue(unit: Reading, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[OverdueAnswer]:
    """Deliveries whose next try lies more than a minute in the past, with the reason; there should be none."""
    return [
        OverdueAnswer(id=each.id, channel=each.channel, next_attempt_at=each.next_attempt_at, cause=each.cause)
        for each in unit.deliveries.overdue(limit=limit)
    ]


@router.post("/deliveries/redrive", response_model=RedriveAnswer, responses=problems(409))
def redrive(body: RedriveRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Send dead deliveries again under their ids, oldest first, at a rate."""

    def work() -> Answer:
        driven = unit.deliveries.redrive(
            body.wanted,
            rate_per_minute=body.rate_per_minute,
            limit=body.limit,
            dry_run=body.dry_run,
            insist=body.insist,
        )
        return Answer(
            RedriveAnswer(
                count=len(driven.delivery_ids),
                delivery_ids=list(driven.delivery_ids),
                looped=driven.looped,
                left=driven.left,
                ends_at=driven.ends_at,
                dry_run=body.dry_run,
            )
        )

    return once.run(work)


@router.get("/deliveries/{delivery_id}", responses=problems(404))
def get_delivery(delivery_id: DeliveryId, unit: Reading) -> DeliveryDetailAnswer:
    """One delivery with what it says and every try."""
    return DeliveryDetailAnswer.of_detail(unit.deliveries.get(delivery_id))
