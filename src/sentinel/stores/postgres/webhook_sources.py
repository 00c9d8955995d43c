"""Sources of webhooks and what they sent, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from sentinel.domain.webhook import (
    AttemptCount,
    EventOrigin,
    PrunedEvents,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WebhookAttempt,
    WebhookConflict,
    WebhookEvent,
    WebhookKind,
    WebhookSecret,
    WebhookSource,
)
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.secret_box import SecretBox
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("webhook_sources")


class PostgresWebhookSources:
    """The sources of the transaction's tenant."""

    def __init__(self, connection: Connection, box: SecretBox) -> None:
        self._connection = connection
        self._box = box

    def get(self, source_id: int) -> WebhookSource | None:
        """Return the source."""
        return next(iter(self._sources(source_id)), None)

    def list(self) -> Sequence[WebhookSource]:
        """Return all sources, oldest first."""
        return self._sources(None)

    def lock(self, source_id: int) -> WebhookSource | None:
        """Return the source, locked until the transaction ends."""
        self._connection.execute(_SQL["lock"], {"source_id": source_id})
        return self.get(source_id)

    def lock_all(self) -> None:
        """Keep others from adding sources until the transaction ends."""
        self._connection.execute(_SQL["lock_all"])

    def add(
        self,
        *,
        public_id: str,
        name: str,
        kind: WebhookKind,
        pipeline_id: int | None,
        options: TokenOptions,
        created_by: str,
    ) -> WebhookSource | None:
        """Create a source without secrets; None when the name is taken."""
        parameters = {
            "public_id": public_id,
            "name": name,
            "kind": kind,
            "pipeline_id": pipeline_id,
            "options": Jsonb(options.as_json()),
            "created_by": created_by,
        }
        row = self._connection.execute(_SQL["add"], parameters).fetchone()
        return self.get(row["id"]) if row else None

    def change(
        self,
        source_id: int,
        *,
        name: str,
        status: SourceStatus,
        pipeline_id: int | None,
        options: TokenOptions,
    ) -> bool:
        """Change a source; False when the name is taken."""
        parameters = {
            "source_id": source_id,
            "name": name,
            "status": status,
            "pipeline_id": pipeline_id,
            "options": Jsonb(options.as_json()),
        }
        try:
            with self._connection.transaction():
                self._connection.execute(_SQL["change"], parameters)
        except UniqueViolation:
            return False
        return True

    def delete(self, source_id: int) -> None:
        """Delete a source with everything it sent."""
        self._connection.execute(_SQL["delete"], {"source_id": source_id})

    def has_events(self, source_id: int) -> bool:
        """Tell whether a source sent anything that is stored."""
        row = self._connection.execute(_SQL["has_events"], {"source_id": source_id}).fetchone()
        return bool(required(row)["found"])

    def add_secret(self, source_id: int, secret: str, *, hint: str, added_by: str, expires_at: datetime | None) -> int:
        """Keep a secret and return its id. Those that expired are deleted on the way."""
        self._connection.execute(_SQL["forget_expired"], {"source_id": source_id})
        sealed, is_encrypted = self._box.seal(secret)
        parameters = {
            "source_id": source_id,
            "sealed": sealed,
            "is_encrypted": is_encrypted,
            "hint": hint,
            "added_by": added_by,
            "expires_at": expires_at,
        }
        row = required(self._connection.execute(_SQL["add_secret"], parameters).fetchone())
        self._connection.execute(_SQL["touch"], {"source_id": source_id})
        return int(row["id"])

    def expire_others(self, source_id: int, secret_id: int, expires_at: datetime) -> None:
        """Have all secrets but one end at a time, unless they end earlier."""
        parameters = {"source_id": source_id, "secret_id": secret_id, "expires_at": expires_at}
        self._connection.execute(_SQL["expire_others"], parameters)

    def delete_secret(self, source_id: int, secret_id: int) -> str | None:
        """Delete a secret and return its hint; None when there is none."""
        parameters = {"source_id": source_id, "secret_id": secret_id}
        row = self._connection.execute(_SQL["delete_secret"], parameters).fetchone()
        if row is None:
            return None
        self._connection.execute(_SQL["touch"], {"source_id": source_id})
        return str(row["hint"])

    def events(
        self,
        source_id: int,
        *,
        event_type: str | None,
        provider_event_id: str | None,
        unpublished: bool,
        before: int | None,
        limit: int,
    ) -> Sequence[WebhookEvent]:
        """Return events, newest first, without their bodies."""
        wanted = {
            "source_id": source_id,
            "event_type": event_type,
            "provider_event_id": provider_event_id,
            "unpublished": unpublished,
            "before": before,
            "limit": limit,
        }
        return [_event(row) for row in self._connection.execute(_SQL["events"], wanted)]

    def event(self, source_id: int, event_id: int) -> WebhookEvent | None:
        """Return an event with its body."""
        wanted = {"source_id": source_id, "event_id": event_id}
        row = self._connection.execute(_SQL["event"], wanted).fetchone()
        return _event(row) if row else None

    def conflicts(self, source_id: int, *, before: int | None, limit: int) -> Sequence[WebhookConflict]:
        """Return other contents under ids of stored events, newest first."""
        wanted = {"source_id": source_id, "before": before, "limit": limit}
        return [WebhookConflict(**row) for row in self._connection.execute(_SQL["conflicts"], wanted)]

    def attempts(
        self, source_id: int, *, reason: RefusalReason | None, before: int | None, limit: int
    ) -> Sequence[WebhookAttempt]:
        """Return refused deliveries that were kept, newest first."""
        wanted = {"source_id": source_id, "reason": reason, "before": before, "limit": limit}
        rows = self._connection.execute(_SQL["attempts"], wanted)
        return [WebhookAttempt(**{**row, "reason": RefusalReason(row["reason"])}) for row in rows]

    def prune(self, source_id: int, before: datetime, *, after: int, limit: int) -> PrunedEvents:
        """Look at the next events of a source, oldest first; delete old ones that do not wait for the broker."""
        wanted = {"source_id": source_id, "before": before, "after": after, "limit": limit}
        row = required(self._connection.execute(_SQL["prune"], wanted).fetchone())
        return PrunedEvents(row["deleted"], row["last_id"] if row["any_old"] else None)

    def attempt_counts(self, source_id: int, *, limit: int) -> Sequence[AttemptCount]:
        """Return refused deliveries by hour and reason, newest hour first."""
        rows = self._connection.execute(_SQL["attempt_counts"], {"source_id": source_id, "limit": limit})
        return [AttemptCount(row["hour"], RefusalReason(row["reason"]), row["attempt_count"]) for row in rows]

    def _sources(self, source_id: int | None) -> Sequence[WebhookSource]:
        wanted = {"source_id": source_id}
        rows = self._connection.execute(_SQL["list"], wanted).fetchall()
        secrets = self._connection.execute(_SQL["secrets"], wanted).fetchall()
        return [_source(row, (secret for secret in secrets if secret["source_id"] == row["id"])) for row in rows]


def _source(row: Row, secrets: Iterable[Row]) -> WebhookSource:
    return WebhookSource(
        **{
            **row,
            "kind": WebhookKind(row["kind"]),
            "status": SourceStatus(row["status"]),
            "options": TokenOptions.from_json(row["options"]),
            "secrets": tuple(
                WebhookSecret(**{name: value for name, value in secret.items() if name != "source_id"})
                for secret in secrets
            ),
        }
    )


def _event(row: Row) -> WebhookEvent:
    return WebhookEvent(**{**row, "origin": EventOrigin(row["origin"])})
