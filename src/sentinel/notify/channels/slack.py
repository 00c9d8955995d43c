"""Slack: incoming webhooks, and bots by chat.postMessage (https://api.slack.com/methods/chat.postMessage)."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sentinel.domain.channel import CHANNEL_SECRET, ChannelKind
from sentinel.domain.notification import Notification, NotificationKind, NotifiedAlert
from sentinel.domain.rule import Severity
from sentinel.errors import InvalidError
from sentinel.notify.channels.answers import receipt, refusal
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel, Place, place_of_url, url_problem
from sentinel.notify.channels.texts import cut, facts, json_bytes, newest_first, one_line, untold
from sentinel.notify.reach.guarded_http import HttpAnswer

SLACK_CHANNEL = re.compile(r"[#@]?[\w.-]{1,80}")
API_URL = "https://slack.com/api"
# Blocks of a message: 50 at most, of which each alert takes two.
_MOST_ALERTS = 10
_HEADER_CHARACTERS = 150
_TEXT_CHARACTERS = 3000

# What Slack calls errors, by what they mean for us: the token or webhook is of no use for anybody any more, ...
_GONE = frozenset(
    {
        "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "invalid_token",
        "no_service", "no_service_id", "no_active_hooks", "no_team", "team_disabled", "team_access_not_granted",
        "org_login_required",
    }
)  # fmt: skip
# ... of an incoming webhook, which has one Slack channel, ...
_GONE_FOR_WEBHOOK = frozenset(["channel_not_found", "channel_is_archived", "is_archived", "user_not_found"])
# ... or this message will not be taken, whatever the time.
_DEAD = frozenset(
    {
        "channel_not_found", "channel_is_archived", "is_archived", "not_in_channel", "user_not_found",
        "missing_scope", "no_permission", "restricted_action", "action_prohibited",
        "posting_to_general_channel_denied", "invalid_payload", "invalid_blocks", "invalid_blocks_format",
        "msg_too_long", "no_text", "too_many_attachments", "ekm_access_denied", "access_denied",
        "messages_tab_disabled", "restricted_action_thread_only_channel", "invalid_arguments",
    }
)  # fmt: skip
_THREAD_LOST = frozenset(["thread_not_found", "message_not_found", "cannot_reply_to_message"])
_MARK = {
    Severity.CRITICAL: ":red_circle:",
    Severity.WARNING: ":large_orange_circle:",
    Severity.INFO: ":large_blue_circle:",
}


class SlackOptions(ChannelOptions):
    """How Slack is spoken to."""

    type: Literal["slack"] = "slack"
    mode: Literal["webhook", "bot"] = Field(
        default="webhook",
        description="webhook: the secret is an incoming webhook's URL. bot: it is a token (xoxb-...), which needs the "
        "scope chat:write, and keeps the messages of a group in one thread.",
    )
    channel: str = Field(
        default="",
        max_length=81,
        description="Of a bot: where it posts, as #ops or an id. Of a webhook: what it is set up for, so that rules "
        "may name it.",
        examples=["#ops"],
    )
    api_url: str = Field(default=API_URL, description="Of Slack's API, for GovSlack and trials.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.channel and not SLACK_CHANNEL.fullmatch(self.channel):
            raise ValueError(f"{self.channel!r} is not a Slack channel, as #ops or C024BE91L")
        if self.mode == "bot" and not self.channel:
            raise ValueError("a bot needs the Slack channel that it posts to (channel), as #ops")
        problem = url_problem(self.api_url)
        if problem:
            raise ValueError(f"api_url: {problem}")
        return self


class SlackChannel(ConfiguredChannel[SlackOptions]):
    """Posts Block Kit messages.

    A bot answers within the thread of the group's first message; when that was deleted, beside it.
    """

    kind = ChannelKind.SLACK
    options_type = SlackOptions

    @classmethod
    def secret_problem(cls, options: SlackOptions, secret: str) -> str | None:
        """Return what is wrong with a webhook's URL, or a token."""
        if not CHANNEL_SECRET.fullmatch(secret):
            return "the secret has 8 to 2000 visible ASCII characters"
        if options.mode == "bot":
            return None if secret.startswith("xox") else "the token of a bot begins with xoxb-"
        return url_problem(secret)

    @classmethod
    def places(cls, options: SlackOptions, secret: str | None) -> list[Place]:
        """Return where it connects to."""
        if options.mode == "bot":
            return [place_of_url(options.api_url, "/options/api_url")]
        return [] if secret is None else [place_of_url(secret, "/secret")]

    @classmethod
    def secret_goes_to(cls, options: SlackOptions) -> tuple[Any, ...]:
        """Return what decides who sees the token."""
        return (options.mode, options.api_url)

    def with_target(self, target: str) -> Self:
        """Return a bot that posts to another Slack channel."""
        if same_slack_channel(target, self._options.channel):
            return self
        if self._options.mode != "bot":
            raise InvalidError(f"an incoming webhook posts to one Slack channel, so it cannot go to {target!r}")
        if not SLACK_CHANNEL.fullmatch(target):
            raise InvalidError(f"{target[:100]!r} is not a Slack channel, as #ops")
        return type(self)(self._options.model_copy(update={"channel": target}), self._secrets, self._means)

    def send(self, notification: Notification) -> Receipt:
        """Send it once."""
        message = message_of(notification)
        return self._send_as_bot(notification, message) if self._options.mode == "bot" else self._send_to_hook(message)

    def _send_to_hook(self, message: dict[str, Any]) -> Receipt:
        answer = self._means.http.post(self._secret(), json_bytes(message), {"Content-Type": "application/json"})
        if answer.status == 200:
            return receipt(answer, self._redactor)
        raise self._refusal(answer, answer.text.strip())

    def _send_as_bot(self, notification: Notification, message: dict[str, Any]) -> Receipt:
        thread = notification.thread
        answer, document = self._post({**message, **({"thread_ts": thread} if thread else {})})
        if thread and document.get("error") in _THREAD_LOST:
            thread = None
            answer, document = self._post(message)
        if answer.status != 200 or document.get("ok") is not True:
            raise self._refusal(answer, str(document.get("error", "")))
        first = document.get("ts")
        return Receipt(answer.status, "ok", thread or (first if isinstance(first, str) else None))

    def _post(self, message: dict[str, Any]) -> tuple[HttpAnswer, dict[str, Any]]:
        body = json_bytes({"channel": self._options.channel, **message})
        headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {self._secret()}"}
        answer = self._means.http.post(f"{self._options.api_url.rstrip('/')}/chat.postMessage", body, headers)
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            document = {}
        return answer, document if isinstance(document, dict) else {}

    def _refusal(self, answer: HttpAnswer, error: str) -> AttemptFailedError:
        fate = Fate.RETRY
        if error in _GONE or (self._options.mode == "webhook" and error in _GONE_FOR_WEBHOOK):
            fate = Fate.GONE
        elif error in _DEAD:
            fate = Fate.DEAD
        known = fate is not Fate.RETRY
        reason = error if known else "rate_limited" if error in {"ratelimited", "rate_limited"} else ""
        if not reason and answer.status == 200:
            reason = "not_ok"
        return refusal(
            answer, self._redactor, self._means.now(), fate=fate, receiver="Slack", reason=reason, said=error
        )


def message_of(notification: Notification) -> dict[str, Any]:
    """Return a message in Block Kit. Nothing in it mentions, links or formats but what we wrote."""
    title = one_line(notification.title)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(title, _HEADER_CHARACTERS), "emoji": False}}
    ]
    if notification.labels:
        said = "  ·  ".join(f"{name}: {value}" for name, value in notification.labels.items())
        blocks.append({"type": "context", "elements": [_mrkdwn(one_line(said))]})
    if notification.kind is NotificationKind.TEST:
        blocks.append({"type": "section", "text": _mrkdwn("It arrived: alerts will be told here.")})
    told = newest_first(notification, _MOST_ALERTS)
    for alert in told:
        blocks += _alert(alert)
    more = untold(notification, len(told))
    if more:
        blocks.append({"type": "context", "elements": [_mrkdwn(more)]})
    return {"text": escaped(title, _TEXT_CHARACTERS), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _alert(alert: NotifiedAlert) -> list[dict[str, Any]]:
    lines = [f"{name}: {value}" for name, value in facts(alert)]
    heading = f"{_MARK[alert.severity]} {escaped(one_line(alert.title), 500)}"
    text = {"type": "mrkdwn", "text": f"{heading}\n{escaped(chr(10).join(lines), 2400)}", "verbatim": True}
    return [{"type": "divider"}, {"type": "section", "text": text}]


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": escaped(text, _TEXT_CHARACTERS), "verbatim": True}


def escaped(text: str, most: int) -> str:
    """Return a text in which &, < and > are no markup (Slack, "Escaping text"), with at most so many characters."""
    parts: list[str] = []
    size = 0
    for character in text:
        part = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        size += len(part)
        if size > most - 1:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)


def same_slack_channel(one: str, other: str) -> bool:
    """Tell whether two names mean one Slack channel; an empty one means none."""
    return bool(other) and one.lstrip("#") == other.lstrip("#")
