"""Webhooks by Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks, spec)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from standardwebhooks import Webhook

from sentinel.domain.channel import ChannelKind, SecretRule
from sentinel.domain.notification import Notification
from sentinel.domain.webhook import WebhookKind, secret_problem
from sentinel.notify.channels.answers import receipt, refusal
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel, Place, place_of_url, url_problem
from sentinel.notify.channels.texts import alert_as_json, json_bytes, moment, one_line, plain_text
from sentinel.notify.reach.urls import MAX_URL_CHARACTERS, read_url


class WebhookOptions(ChannelOptions):
    """Where a webhook goes."""

    type: Literal["webhook"] = "webhook"
    url: str = Field(
        max_length=MAX_URL_CHARACTERS,
        description="Takes the notifications. It is not secret: the signature says who sends.",
        examples=["https://example.com/alerts"],
    )

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        problem = url_problem(value)
        if problem:
            raise ValueError(problem)
        return value


class WebhookChannel(ConfiguredChannel[WebhookOptions]):
    """Posts signed JSON.

    The body of a delivery is the same in every attempt; id and body are signed with the time of the attempt, by each
    secret that is valid then. 2xx is success, 410 means that nobody is there any more, anything else is tried again.
    """

    kind = ChannelKind.WEBHOOK
    options_type = WebhookOptions

    @classmethod
    def secret_rule(cls, options: WebhookOptions) -> SecretRule:
        """Return that a secret is made where none is given."""
        return SecretRule.GENERATED

    @classmethod
    def secret_problem(cls, options: WebhookOptions, secret: str) -> str | None:
        """Return what is wrong with a secret: 24 to 64 bytes in Base64 after `whsec_`."""
        if not secret.startswith("whsec_"):
            return "a secret of Standard Webhooks begins with `whsec_`"
        return secret_problem(WebhookKind.STANDARD, secret)

    @classmethod
    def places(cls, options: WebhookOptions, secret: str | None) -> list[Place]:
        """Return where it connects to."""
        return [place_of_url(options.url, "/options/url")]

    def send(self, notification: Notification) -> Receipt:
        """Send it once."""
        body = json_bytes(payload(notification))
        now = self._means.now()
        secrets = [secret.value for secret in self._secrets if secret.is_valid_at(now)]
        if not secrets:
            raise AttemptFailedError(
                "the webhook has no secret that is valid now; rotate it", fate=Fate.DEAD, reason="no_secret"
            )
        signed = [Webhook(secret).sign(notification.delivery_id, now, body.decode("ascii")) for secret in secrets]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notification.delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signed),
        }
        if notification.traceparent:
            headers["traceparent"] = notification.traceparent
        answer = self._means.http.post(self._options.url, body, headers)
        if 200 <= answer.status < 300:
            return receipt(answer, self._redactor)
        fate = Fate.GONE if answer.status == 410 else Fate.RETRY
        receiver = read_url(self._options.url).host
        raise refusal(answer, self._redactor, now, fate=fate, receiver=receiver)


def payload(notification: Notification) -> dict[str, Any]:
    """Return what receivers of webhooks get. `alert_id` and `alert_type` are those of the newest alert."""
    newest = notification.alerts[-1] if notification.alerts else None
    return {
        "alert_id": newest.alert_id if newest else None,
        "alert_type": newest.rule if newest else notification.kind.value,
        "tenant_id": notification.tenant_id,
        "severity": notification.severity.value,
        "title": one_line(notification.title),
        "message": plain_text(notification),
        "timestamp": moment(notification.created_at),
        "details": {
            "kind": notification.kind.value,
            "labels": dict(notification.labels),
            "alert_count": notification.alert_count,
            "alerts": [alert_as_json(alert) for alert in notification.alerts],
        },
    }
