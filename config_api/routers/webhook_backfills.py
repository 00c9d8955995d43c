"""Backfills: events that a provider could not deliver, asked for."""

from __future__ import annotations

from fastapi import APIRouter, Request

from config_api.dependencies import Reading, Writing, WritingCaller
from config_api.routers.webhook_sources import SourceId
from config_api.schemas.problems import problems
from config_api.schemas.webhook_backfills import BackfillAnswer, BackfillKeyRequest, BackfillRequest
from sentinel.wiring import Backend
from sentinel.wiring_webhooks import Webhooks

router = APIRouter(prefix="/api/webhook-sources/{source_id}/backfill", tags=["webhooks"])


@router.put("", responses=problems(404, 409))
def set_key(source_id: SourceId, body: BackfillKeyRequest, unit: Writing) -> BackfillAnswer:
    """Keep the restricted key that Stripe is asked with."""
    return BackfillAnswer.of(unit.backfills.set_key(source_id, body.api_key.get_secret_value()))


@router.get("", responses=problems(404))
def get_backfill(source_id: SourceId, unit: Reading) -> BackfillAnswer:
    """How far it is."""
    return BackfillAnswer.of(unit.backfills.get(source_id))


@router.delete("", status_code=204, responses=problems(404))
def delete_key(source_id: SourceId, unit: Writing) -> None:
    """Forget the key, and how far it is."""
    unit.backfills.delete_key(source_id)


@router.post("", responses=problems(404, 409, 429))
def run_backfill(source_id: SourceId, body: BackfillRequest, caller: WritingCaller, request: Request) -> BackfillAnswer:
    """Ask Stripe for events and take them in, for about ten seconds.

    Until `is_complete` send `{}` again: it goes on where it stopped, also after an error. 429 with `Retry-After` is
    Stripe's own.
    """
    backend: Backend = request.app.state.backend
    webhooks: Webhooks = request.app.state.webhooks
    # No transaction is open while Stripe is waited for.
    with backend.unit(caller.tenant_id, caller.name) as unit:
        unit.backfills.begin(source_id, since=body.since, only_failed=body.only_failed)
    webhooks.backfill.run(caller.tenant_id, source_id)
    with backend.unit(caller.tenant_id, caller.name) as unit:
        return BackfillAnswer.of(unit.backfills.get(source_id))
