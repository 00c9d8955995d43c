"""Use cases on backfills: with which key Stripe is asked for missed events, and from when on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sentinel.catalog.audit import Auditor
from sentinel.catalog.webhooks import WebhookCatalog
from sentinel.domain.webhook import SourceStatus, WebhookKind, WebhookSource, secret_hint
from sentinel.domain.webhook_backfill import API_KEY, Backfill, range_to_begin
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.webhooks import BackfillStore


class BackfillCatalog:
    """Backfills of the webhook sources of one tenant."""

    def __init__(
        self,
        sources: WebhookCatalog,
        backfills: BackfillStore,
        auditor: Auditor,
        *,
        caller: str,
        now: Callable[[], datetime],
    ) -> None:
        self._sources = sources
        self._backfills = backfills
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def get(self, source_id: int) -> Backfill:
        """Return how far the backfill of a source is.

        Raises:
            NotFoundError: There is no such source, or it has no key to ask with.
        """
        self._sources.get(source_id)
        return self._found(source_id)

    def set_key(self, source_id: int, key: str) -> Backfill:
        """Keep the restricted key that Stripe is asked with, in place of the one that is there.

        Raises:
            NotFoundError: There is no such source.
            ConflictError: It is none of Stripe.
            InvalidError: It is no restricted key.
        """
        source = self._stripe_source(source_id)
        if not API_KEY.fullmatch(key):
            message = (
                "give a restricted key of Stripe (rk_...) with the permission to read Events, no secret key: that one "
                "may do everything"
            )
            raise InvalidError(message, details=[ErrorDetail("/api_key", message)])
        hint = secret_hint(key)
        self._backfills.set_key(source_id, key, hint=hint, added_by=self._caller)
        self._record("set_api_key", source, {"hint": hint})
        return self._found(source_id)

    def delete_key(self, source_id: int) -> None:
        """Forget the key, and how far the backfill is.

        Raises:
            NotFoundError: There is no such source, or it has no key.
        """
        source = self._sources.get(source_id)
        found = self._found(source_id)
        self._backfills.delete_key(source_id)
        self._record("delete_api_key", source, {"hint": found.key_hint})

    def begin(self, source_id: int, *, since: datetime | None, only_failed: bool) -> None:
        """Have a range asked for; without `since` one that is not complete goes on.

        Raises:
            NotFoundError: There is no such source, or it has no key.
            InvalidError: Stripe does not keep events for so long.
            ConflictError: The source is none of Stripe or disabled, or somebody works on a range.
        """
        source = self._stripe_source(source_id)
        if source.status is SourceStatus.DISABLED:
            raise ConflictError(f"the source {source.name!r} is disabled; set its status to active")
        wanted = range_to_begin(self._found(source_id), since=since, only_failed=only_failed, now=self._now())
        if wanted is None:
            return
        if not self._backfills.begin(source_id, wanted):
            raise ConflictError(
                f"somebody works on the backfill of the source {source.name!r}; try again in a minute, or go on with "
                "it by leaving `since` out"
            )
        said = {"since": wanted.start.isoformat(), "until": wanted.end.isoformat(), "only_failed": wanted.only_failed}
        self._record("backfill", source, said)

    def _stripe_source(self, source_id: int) -> WebhookSource:
        source = self._sources.get(source_id)
        if source.kind is not WebhookKind.STRIPE:
            raise ConflictError(
                f"the source {source.name!r} is of kind {source.kind}; only Stripe can be asked for events"
            )
        return source

    def _found(self, source_id: int) -> Backfill:
        found = self._backfills.get(source_id)
        if found is None:
            raise NotFoundError(
                f"webhook source {source_id} has no key to ask with; give it one by "
                f"PUT /api/webhook-sources/{source_id}/backfill"
            )
        return found

    def _record(self, action: str, source: WebhookSource, after: dict[str, object]) -> None:
        self._auditor.record(
            f"webhook_source.{action}",
            "webhook_source",
            source.id,
            pipeline_id=source.pipeline_id,
            object_name=source.name,
            after=after,
        )
