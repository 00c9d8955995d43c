"""Channels of kind slack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pydantic import ValidationError

from sentinel.domain.notification import NotificationKind
from sentinel.errors import InvalidError
from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.configured import Means
from sentinel.notify.channels.slack import SlackChannel, SlackOptions, escaped, message_of
from sentinel.testing.channel_contract import (
    HOSTILE,
    LOCAL,
    ChannelContract,
    failure_of,
    kept,
    make_means,
    notification,
)
from tests.support.channel_receivers import HttpContractReceiver, contract_http
from tests.support.receivers import HttpReceiver, http_receiver

TOKEN = "xoxb-123456789012-abcdefghijkl"
POSTED = b'{"ok": true, "channel": "C1", "ts": "1700000000.000100"}'


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as listening:
        yield listening


def hook(receiver: HttpReceiver) -> SlackChannel:
    return SlackChannel(
        SlackOptions(channel="#ops"), kept(f"{receiver.url}/services/T000/B000/XXXXXXXX"), make_means(LOCAL)
    )


def bot(receiver: HttpReceiver) -> SlackChannel:
    options = SlackOptions(mode="bot", channel="#ops", api_url=f"{receiver.url}/api/")
    return SlackChannel(options, kept(TOKEN), make_means(LOCAL))


class TestContractOfWebhooks(ChannelContract):
    def receiver(self, directory: Path) -> AbstractContextManager[HttpContractReceiver]:
        return contract_http()

    def channel(self, receiver: HttpContractReceiver, means: Means) -> SlackChannel:
        return SlackChannel(SlackOptions(), kept(*self.secrets(receiver)[:1]), means)

    def secrets(self, receiver: HttpContractReceiver) -> list[str]:
        return [f"{receiver.server.url}/services/T0001234/B0001234/secretpart", "secretpart", "/services/T0001234"]


class TestContractOfBots(ChannelContract):
    def receiver(self, directory: Path) -> AbstractContextManager[HttpContractReceiver]:
        return contract_http(200, POSTED)

    def channel(self, receiver: HttpContractReceiver, means: Means) -> SlackChannel:
        options = SlackOptions(mode="bot", channel="#ops", api_url=receiver.server.url)
        return SlackChannel(options, kept(TOKEN), means)

    def secrets(self, receiver: HttpContractReceiver) -> list[str]:
        return [TOKEN]


class TestBot:
    def test_the_messages_of_a_group_are_one_thread(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(200, {}, POSTED)]
        first = bot(receiver).send(notification())
        assert first.thread == "1700000000.000100"
        again = bot(receiver).send(notification(thread=first.thread))
        assert again.thread == first.thread
        bodies = [json.loads(received.body) for received in receiver.received]
        assert [body.get("thread_ts") for body in bodies] == [None, first.thread]
        assert {body["channel"] for body in bodies} == {"#ops"}
        assert receiver.received[0].path == "/api/chat.postMessage"
        assert receiver.received[0].headers["authorization"] == f"Bearer {TOKEN}"

    def test_a_thread_that_was_deleted_is_begun_anew(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(200, {}, b'{"ok": false, "error": "thread_not_found"}'), (200, {}, POSTED)]
        assert bot(receiver).send(notification(thread="1.2")).thread == "1700000000.000100"
        assert "thread_ts" not in json.loads(receiver.received[1].body)

    @pytest.mark.parametrize(
        ("error", "fate"),
        [
            ("invalid_auth", Fate.GONE),
            ("token_revoked", Fate.GONE),
            ("channel_not_found", Fate.DEAD),
            ("is_archived", Fate.DEAD),
            ("msg_too_long", Fate.DEAD),
            ("fatal_error", Fate.RETRY),
            ("something_new", Fate.RETRY),
        ],
    )
    def test_what_slack_calls_an_error(self, receiver: HttpReceiver, error: str, fate: Fate) -> None:
        receiver.answers = [(200, {}, json.dumps({"ok": False, "error": error}).encode())]
        failure = failure_of(bot(receiver), notification())
        assert (failure.fate, error in failure.message) == (fate, True)

    def test_a_limit_is_waited_for(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(429, {"Retry-After": "30"}, b'{"ok": false, "error": "ratelimited"}')]
        failure = failure_of(bot(receiver), notification())
        assert (failure.fate, failure.reason, failure.retry_after_seconds) == (Fate.RETRY, "rate_limited", 30)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"ok": "true"}'])
    def test_an_answer_that_is_none_is_no_success(self, receiver: HttpReceiver, body: bytes) -> None:
        receiver.answers = [(200, {}, body)]
        assert failure_of(bot(receiver), notification()).fate is Fate.RETRY

    def test_a_rule_may_name_another_slack_channel(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(200, {}, POSTED)]
        bot(receiver).with_target("#big-orders").send(notification())
        assert json.loads(receiver.received[0].body)["channel"] == "#big-orders"
        with pytest.raises(InvalidError):
            bot(receiver).with_target("#a b")


class TestWebhook:
    @pytest.mark.parametrize(
        ("status", "text", "fate"),
        [
            (404, b"no_service", Fate.GONE),
            (404, b"channel_not_found", Fate.GONE),
            (410, b"channel_is_archived\n", Fate.GONE),
            (403, b"invalid_token", Fate.GONE),
            (403, b"action_prohibited", Fate.DEAD),
            (400, b"invalid_payload", Fate.DEAD),
            (500, b"rollup_error", Fate.RETRY),
            (302, b"", Fate.RETRY),
        ],
    )
    def test_what_slack_answers(self, receiver: HttpReceiver, status: int, text: bytes, fate: Fate) -> None:
        receiver.answers = [(status, {}, text)]
        failure = failure_of(hook(receiver), notification())
        assert (failure.fate, failure.status) == (fate, status)

    def test_it_has_one_slack_channel(self, receiver: HttpReceiver) -> None:
        assert hook(receiver).with_target("#ops").send(notification()).status == 200
        with pytest.raises(InvalidError, match="one Slack channel"):
            hook(receiver).with_target("#other")


class TestMessage:
    def test_nothing_of_a_user_is_markup_and_the_limits_hold(self) -> None:
        message = message_of(notification(alerts=20, count=5000, text=HOSTILE * 300))
        texts = [block["text"]["text"] for block in message["blocks"] if "text" in block]
        texts += [part["text"] for block in message["blocks"] for part in block.get("elements", [])]
        assert not [text for text in [message["text"], *texts[1:]] if "<" in text or ">" in text]
        assert len(message["blocks"]) <= 50
        assert len(message["blocks"][0]["text"]["text"]) <= 150
        assert max(map(len, texts)) <= 3000
        assert "and 4,990 more" in texts

    def test_escapes_are_not_cut_in_two(self) -> None:
        assert escaped("a<b", 100) == "a&lt;b"
        assert escaped("<" * 10, 12) == "&lt;&lt;…"

    def test_a_test_says_that_it_is_one(self) -> None:
        assert message_of(notification(NotificationKind.TEST, alerts=0))["text"] == "A test of this channel"


class TestOptions:
    @pytest.mark.parametrize(
        "given",
        [
            {"mode": "bot"},
            {"mode": "bot", "channel": "#a b"},
            {"api_url": "ftp://x"},
            {"api_url": "https://u:p@x/"},
            {"token": "x"},
        ],
    )
    def test_what_can_not_work_is_refused(self, given: dict[str, str]) -> None:
        with pytest.raises(ValidationError):
            SlackOptions.model_validate(given)

    def test_the_secret_fits_the_mode(self) -> None:
        bots = SlackOptions(mode="bot", channel="#ops")
        assert SlackChannel.secret_problem(bots, TOKEN) is None
        assert SlackChannel.secret_problem(bots, "https://hooks.slack.com/services/T/B/X")
        assert SlackChannel.secret_problem(SlackOptions(), "https://hooks.slack.com/services/T/B/X") is None
        assert SlackChannel.secret_problem(SlackOptions(), TOKEN)
