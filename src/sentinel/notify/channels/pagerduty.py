"""PagerDuty, Events API v2 (https://developer.pagerduty.com/docs/events-api-v2)."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

from pydantic import Field, field_validator

from sentinel.domain.channel import ChannelKind
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.notify.channels.answers import receipt, refusal
from sentinel.notify.channels.base import Fate, Receipt
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel, Place, place_of_url, url_problem
from sentinel.notify.channels.texts import cut, facts, json_bytes, moment, one_line, untold
from sentinel.notify.reach.guarded_http import HttpAnswer

ENDPOINT = "https://events.pagerduty.com"
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_SUMMARY_CHARACTERS = 1024
_DEDUP_CHARACTERS = 255
_ACTIONS = {NotificationKind.ACKNOWLEDGED: "acknowledge", NotificationKind.RESOLVED: "resolve"}


class PagerDutyOptions(ChannelOptions):
    """Where PagerDuty takes events."""

    type: Literal["pagerduty"] = "pagerduty"
    endpoint: str = Field(
        default=ENDPOINT, description="Of the Events API; https://events.eu.pagerduty.com for accounts in the EU."
    )

    @field_validator("endpoint")
    @classmethod
    def _is_url(cls, value: str) -> str:
        problem = url_problem(value)
        if problem:
            raise ValueError(problem)
        return value.rstrip("/")


class PagerDutyChannel(ConfiguredChannel[PagerDutyOptions]):
    """Triggers, acknowledges and resolves one incident per group. A test triggers one of its own and resolves it."""

    kind = ChannelKind.PAGERDUTY
    options_type = PagerDutyOptions
    tells = frozenset(NotificationKind) - {NotificationKind.SUMMARY}

    @classmethod
    def secret_problem(cls, options: PagerDutyOptions, secret: str) -> str | None:
        """Return what is wrong with an integration key."""
        return None if _ROUTING_KEY.fullmatch(secret) else "the integration key (routing key) has 32 letters and digits"

    @classmethod
    def places(cls, options: PagerDutyOptions, secret: str | None) -> list[Place]:
        """Return where it connects to."""
        return [place_of_url(options.endpoint, "/options/endpoint")]

    @classmethod
    def secret_goes_to(cls, options: PagerDutyOptions) -> tuple[Any, ...]:
        """Return what decides who sees the routing key."""
        return (options.endpoint,)

    def send(self, notification: Notification) -> Receipt:
        """Send it once."""
        if notification.kind is not NotificationKind.TEST:
            return self._receipt(self._post(notification, _ACTIONS.get(notification.kind, "trigger")))
        self._receipt(self._post(notification, "trigger"))
        return self._receipt(self._post(notification, "resolve"))

    def _post(self, notification: Notification, action: str) -> HttpAnswer:
        event = {"routing_key": self._secret(), **event_of(notification, action)}
        headers = {"Content-Type": "application/json"}
        return self._means.http.post(f"{self._options.endpoint}/v2/enqueue", json_bytes(event), headers)

    def _receipt(self, answer: HttpAnswer) -> Receipt:
        if 200 <= answer.status < 300:
            return receipt(answer, self._redactor)
        # 4xx says that the event is at fault; time does not mend that, but for 408 and 429.
        is_final = 400 <= answer.status < 500 and answer.status not in {408, 429}
        fate = Fate.DEAD if is_final else Fate.RETRY
        raise refusal(answer, self._redactor, self._means.now(), fate=fate, receiver="PagerDuty")


def event_of(notification: Notification, action: str) -> dict[str, Any]:
    """Return an event without its routing key."""
    event: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(notification)}
    if action != "trigger":
        return event
    newest = notification.alerts[-1] if notification.alerts else None
    details: dict[str, Any] = {
        "kind": notification.kind.value,
        "alert_count": notification.alert_count,
        **({"alert_id": newest.alert_id, **dict(facts(newest))} if newest else {}),
    }
    more = untold(notification, 1) if newest else ""
    event["payload"] = {
        "summary": cut(one_line(notification.title), _SUMMARY_CHARACTERS),
        "source": cut((newest.pipeline if newest else "") or "sentinel", 255),
        "severity": notification.severity.value,
        "timestamp": moment(notification.created_at),
        "component": cut(newest.rule if newest else "sentinel", 255),
        "group": notification.tenant_id,
        "class": newest.rule if newest else notification.kind.value,
        "custom_details": {**details, "labels": dict(notification.labels), **({"more": more} if more else {})},
    }
    return event


def dedup_key(notification: Notification) -> str:
    """Return what PagerDuty tells one incident by: the group; for a test its own id."""
    key = notification.delivery_id if notification.kind is NotificationKind.TEST else notification.group_key
    return key if 0 < len(key) <= _DEDUP_CHARACTERS else hashlib.sha256(key.encode()).hexdigest()
