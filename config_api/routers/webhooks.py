"""Where providers send signed webhooks to. Their signature is their key."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from config_api.access import local_tenant
from config_api.dependencies import RawBody
from config_api.middleware import REFUSED_BYTES
from config_api.schemas.problems import Problem
from config_api.schemas.webhooks import ReceiptAnswer
from sentinel.clock import utc_now
from sentinel.domain.webhook import Delivery
from sentinel.wiring_webhooks import Webhooks

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

PublicId = Annotated[
    str, Path(description="What the source's `path` ends in.", examples=["whs_2hEyM0n7QpXcB9sLkTdR4w"])
]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}} for status in (400, 401, 403, 404, 413, 503)
}
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}


@router.post("/stripe/{source}", responses=_PROBLEMS, openapi_extra=_BODY)
def receive_stripe(source: PublicId, request: Request, body: RawBody) -> ReceiptAnswer:
    """Take in an event of Stripe. 200: it is committed; whatever it is, the same delivery again is harmless."""
    return _receive(source, request, body, is_stripe=True)


@router.post("/in/{source}", responses=_PROBLEMS, openapi_extra=_BODY)
def receive(source: PublicId, request: Request, body: RawBody) -> ReceiptAnswer:
    """Take in an event of another source: Standard Webhooks, GitHub's signature, or a token."""
    return _receive(source, request, body, is_stripe=False)


def _receive(source: str, request: Request, body: bytes, *, is_stripe: bool) -> ReceiptAnswer:
    webhooks: Webhooks = request.app.state.webhooks
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    delivery = Delivery(
        headers=headers,
        body=body,
        body_bytes=request.scope.get(REFUSED_BYTES, len(body)),
        caller_address=request.client.host[:100] if request.client else "",
        received_at=utc_now(),
    )
    receipt = webhooks.receiver.receive(source, delivery, is_stripe=is_stripe, local_tenant=local_tenant(request))
    return ReceiptAnswer(status=receipt.status, event_id=receipt.event_id)
