"""The calls about backfills of webhook sources, and what they answer."""

from __future__ import annotations

from datetime import datetime

from sentinel.client.models import Model
from sentinel.client.transport import Transport

_PATH = "/api/webhook-sources"


class Backfill(Model):
    """How far a backfill is."""

    api_key_hint: str
    since: datetime | None
    until: datetime | None
    only_failed: bool
    is_complete: bool
    stored: int
    duplicate: int
    conflict: int
    refused: int
    covered_until: datetime | None
    updated_at: datetime | None


class BackfillCalls(Transport):
    """Part of the client."""

    def set_backfill_key(self, source_id: int, api_key: str) -> Backfill:
        """Keep the restricted key that Stripe is asked with."""
        answer = self._send("PUT", f"{_PATH}/{source_id}/backfill", {"api_key": api_key})
        return Backfill.model_validate(answer.json())

    def get_backfill(self, source_id: int) -> Backfill:
        """Return how far it is."""
        return Backfill.model_validate(self._get(f"{_PATH}/{source_id}/backfill").json())

    def delete_backfill_key(self, source_id: int) -> None:
        """Forget the key, and how far it is."""
        self._request("DELETE", f"{_PATH}/{source_id}/backfill")

    def run_backfill(self, source_id: int, *, since: datetime | None = None, only_failed: bool = True) -> Backfill:
        """Ask Stripe for events for about ten seconds; to be called again until it is complete.

        Raises:
            ConflictError: Somebody else works on it, or Stripe refuses the key.
            RateLimitedError: Stripe asks for patience.
        """
        body = {"since": since.isoformat() if since else None, "only_failed": only_failed}
        return Backfill.model_validate(self._send("POST", f"{_PATH}/{source_id}/backfill", body).json())
