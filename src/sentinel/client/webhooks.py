"""The calls about webhook sources, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sentinel.client.models import Model
from sentinel.client.transport import Transport

_PATH = "/api/webhook-sources"


class WebhookSecret(Model):
    """A secret, without the secret."""

    id: int
    hint: str
    is_encrypted: bool
    added_at: datetime
    added_by: str
    expires_at: datetime | None


class WebhookSource(Model):
    """A source of webhooks. `path` is where the provider is to send to."""

    id: int
    name: str
    kind: str
    status: str
    path: str
    pipeline_id: int | None
    header: str
    id_pointer: str
    type_pointer: str
    version: int
    created_at: datetime
    updated_at: datetime
    secrets: list[WebhookSecret]


class WebhookEvent(Model):
    """An event that a provider delivered. `event_id` is the provider's."""

    id: int
    event_id: str
    event_type: str
    received_at: datetime
    occurred_at: datetime | None
    content_hash: str
    body_bytes: int
    topic: str | None
    published_at: datetime | None
    publish_error: str | None
    conflict_count: int
    origin: str = "delivered"


class WebhookEventDetail(WebhookEvent):
    """An event with its body, as it was received."""

    body: str


class WebhookConflict(Model):
    """Other content under the id of a stored event."""

    id: int
    stored_id: int
    event_id: str
    content_hash: str
    seen_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    body_bytes: int
    body: str


class WebhookAttempt(Model):
    """A delivery that was refused."""

    id: int
    reason: str
    received_at: datetime
    caller_address: str
    body_bytes: int
    body_sha256: str


class AttemptCount(Model):
    """Refused deliveries of one hour."""

    hour: datetime
    reason: str
    attempt_count: int


class WebhookCalls(Transport):
    """Part of the client."""

    def create_webhook_source(
        self,
        name: str,
        kind: str,
        *,
        pipeline_id: int | None = None,
        secrets: Sequence[str] = (),
        header: str = "",
        id_pointer: str = "",
        type_pointer: str = "",
    ) -> WebhookSource:
        """Register a provider: of kind `stripe`, `standard`, `github` or `token`.

        Raises:
            InvalidError: It cannot work; `details` lists everything.
            ConflictError: The name is taken.
        """
        body = {
            "name": name,
            "kind": kind,
            "pipeline_id": pipeline_id,
            "secrets": list(secrets),
            "header": header,
            "id_pointer": id_pointer,
            "type_pointer": type_pointer,
        }
        return WebhookSource.model_validate(self._send("POST", _PATH, body).json())

    def list_webhook_sources(self) -> list[WebhookSource]:
        """Return all sources, oldest first."""
        return [WebhookSource.model_validate(item) for item in self._get(_PATH).json()]

    def change_webhook_source(self, source_id: int, *, if_version: int | None = None, **changes: Any) -> WebhookSource:
        """Change `name`, `status`, `pipeline_id`, `header`, `id_pointer` or `type_pointer`."""
        answer = self._send("PATCH", f"{_PATH}/{source_id}", changes, if_version=if_version)
        return WebhookSource.model_validate(answer.json())

    def delete_webhook_source(self, source_id: int, *, with_events: bool = False) -> None:
        """Delete a source, and what it sent where that is said.

        Raises:
            ConflictError: It sent events, and they are not to be deleted.
        """
        self._request("DELETE", f"{_PATH}/{source_id}", params={"with_events": with_events})

    def add_webhook_secret(
        self,
        source_id: int,
        secret: str,
        *,
        expires_at: datetime | None = None,
        others_expire_at: datetime | None = None,
    ) -> WebhookSource:
        """Give a source one more secret; `others_expire_at` ends those that are there."""
        body = {
            "secret": secret,
            "expires_at": expires_at.isoformat() if expires_at else None,
            "others_expire_at": others_expire_at.isoformat() if others_expire_at else None,
        }
        return WebhookSource.model_validate(self._send("POST", f"{_PATH}/{source_id}/secrets", body).json())

    def delete_webhook_secret(self, source_id: int, secret_id: int) -> WebhookSource:
        """Take a secret away."""
        answer = self._request("DELETE", f"{_PATH}/{source_id}/secrets/{secret_id}")
        return WebhookSource.model_validate(answer.json())

    def webhook_events(
        self,
        source_id: int,
        *,
        event_type: str | None = None,
        event_id: str | None = None,
        unpublished: bool = False,
        limit: int = 50,
        before: int | None = None,
    ) -> list[WebhookEvent]:
        """Return events of a source, newest first, without their bodies."""
        answer = self._get(
            f"{_PATH}/{source_id}/events",
            event_type=event_type,
            event_id=event_id,
            unpublished=unpublished,
            limit=limit,
            before=before,
        )
        return [WebhookEvent.model_validate(item) for item in answer.json()]

    def get_webhook_event(self, source_id: int, event_id: int) -> WebhookEventDetail:
        """Return an event with its body, by its `id`."""
        return WebhookEventDetail.model_validate(self._get(f"{_PATH}/{source_id}/events/{event_id}").json())

    def webhook_conflicts(self, source_id: int, *, limit: int = 50, before: int | None = None) -> list[WebhookConflict]:
        """Return other contents under ids of stored events, newest first."""
        answer = self._get(f"{_PATH}/{source_id}/conflicts", limit=limit, before=before)
        return [WebhookConflict.model_validate(item) for item in answer.json()]

    def webhook_attempts(
        self, source_id: int, *, reason: str | None = None, limit: int = 50, before: int | None = None
    ) -> list[WebhookAttempt]:
        """Return refused deliveries that were kept, newest first."""
        answer = self._get(f"{_PATH}/{source_id}/attempts", reason=reason, limit=limit, before=before)
        return [WebhookAttempt.model_validate(item) for item in answer.json()]

    def webhook_attempt_counts(self, source_id: int) -> list[AttemptCount]:
        """Return refused deliveries by hour and reason, newest hour first."""
        answer = self._get(f"{_PATH}/{source_id}/attempt-counts")
        return [AttemptCount.model_validate(item) for item in answer.json()]
