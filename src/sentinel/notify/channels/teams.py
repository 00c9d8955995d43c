"""Microsoft Teams: a workflow that is started by a webhook and posts the Adaptive Card it is sent.

The template "Post to a channel when a webhook request is received"; Adaptive Cards 1.4.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from sentinel.domain.channel import CHANNEL_SECRET, ChannelKind
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.domain.rule import Severity
from sentinel.notify.channels.answers import receipt, refusal
from sentinel.notify.channels.base import Fate, Receipt
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel, Place, place_of_url, url_problem
from sentinel.notify.channels.texts import cut, facts, json_bytes, newest_first, one_line, untold
from sentinel.notify.reach.guarded_http import HttpAnswer

_MOST_ALERTS = 8
# Teams refuses messages of more than 28 kB.
_MOST_BYTES = 26_000
_COLOR = {Severity.CRITICAL: "Attention", Severity.WARNING: "Warning", Severity.INFO: "Accent"}
# Codes of Power Automate: the workflow is gone or its URL was renewed. Who has the old one will never reach it.
_GONE = frozenset(
    {
        "WorkflowNotFound", "WorkflowNotEnabled", "WorkflowTriggerNotFound", "WorkflowTriggerIsNotEnabled",
        "AuthorizationFailed", "DirectApiAuthorizationRequired", "DirectApiInvalidAuthorizationScheme",
    }
)  # fmt: skip


class TeamsOptions(ChannelOptions):
    """Nothing but the secret: the workflow's URL."""

    type: Literal["teams"] = "teams"


class TeamsChannel(ConfiguredChannel[TeamsOptions]):
    """Posts Adaptive Cards."""

    kind = ChannelKind.TEAMS
    options_type = TeamsOptions

    @classmethod
    def secret_problem(cls, options: TeamsOptions, secret: str) -> str | None:
        """Return what is wrong with a workflow's URL."""
        if not CHANNEL_SECRET.fullmatch(secret):
            return "the workflow's URL has 8 to 2000 visible ASCII characters"
        return url_problem(secret)

    @classmethod
    def places(cls, options: TeamsOptions, secret: str | None) -> list[Place]:
        """Return where it connects to."""
        return [] if secret is None else [place_of_url(secret, "/secret")]

    def send(self, notification: Notification) -> Receipt:
        """Send it once."""
        body = message_of(notification)
        answer = self._means.http.post(self._secret(), body, {"Content-Type": "application/json"})
        if 200 <= answer.status < 300:
            return receipt(answer, self._redactor)
        code = _code(answer)
        if answer.status == 410 or code in _GONE:
            fate = Fate.GONE
        else:
            fate = Fate.DEAD if answer.status in {400, 413} else Fate.RETRY
        raise refusal(answer, self._redactor, self._means.now(), fate=fate, receiver="Teams", said=code or None)


def message_of(notification: Notification) -> bytes:
    """Return the message, with as many alerts as fit."""
    for most in range(_MOST_ALERTS, -1, -1):
        body = json_bytes(_message(notification, most))
        if len(body) <= _MOST_BYTES:
            break
    return body


def _message(notification: Notification, most: int) -> dict[str, Any]:
    body = [_text(cut(one_line(notification.title), 300), weight="Bolder", color=_COLOR[notification.severity])]
    if notification.labels:
        said = ", ".join(f"{name}: {value}" for name, value in notification.labels.items())
        body.append(_text(cut(one_line(said), 500), is_subtle=True))
    if notification.kind is NotificationKind.TEST:
        body.append(_text("It arrived: alerts will be told here."))
    told = newest_first(notification, most)
    for alert in told:
        body.append(_text(cut(one_line(alert.title), 300), weight="Bolder", color=_COLOR[alert.severity]))
        body += [_text(f"{name}: {cut(value, 300)}") for name, value in facts(alert)]
    more = untold(notification, len(told))
    if more:
        body.append(_text(more, is_subtle=True))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, *, weight: str = "Default", color: str = "Default", is_subtle: bool = False) -> dict[str, Any]:
    """Return a line. A TextBlock would take it for Markdown, with links; the runs of a RichTextBlock are plain."""
    run = {"type": "TextRun", "text": text, "weight": weight, "color": color, "isSubtle": is_subtle}
    return {"type": "RichTextBlock", "inlines": [run], "spacing": "Medium" if weight == "Bolder" else "Small"}


def _code(answer: HttpAnswer) -> str:
    try:
        error = json.loads(answer.body)["error"]
        return str(error["code"])[:100]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
