"""Channels of kind teams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.configured import Means
from sentinel.notify.channels.teams import TeamsChannel, TeamsOptions, message_of
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

PATH = "/workflows/9f0c2d7e/triggers/manual/paths/invoke?api-version=1&sig=AbCdEfGhIjKl%2FMn"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as listening:
        listening.answers = [(202, {}, b"")]
        yield listening


def channel(receiver: HttpReceiver) -> TeamsChannel:
    return TeamsChannel(TeamsOptions(), kept(receiver.url + PATH), make_means(LOCAL))


def texts(message: bytes) -> list[str]:
    card = json.loads(message)["attachments"][0]["content"]
    return [run["text"] for block in card["body"] for run in block["inlines"]]


class TestContract(ChannelContract):
    def receiver(self, directory: Path) -> AbstractContextManager[HttpContractReceiver]:
        return contract_http(202, b"")

    def channel(self, receiver: HttpContractReceiver, means: Means) -> TeamsChannel:
        return TeamsChannel(TeamsOptions(), kept(receiver.server.url + PATH), means)

    def secrets(self, receiver: HttpContractReceiver) -> list[str]:
        return [receiver.server.url + PATH, "AbCdEfGhIjKl%2FMn", "AbCdEfGhIjKl/Mn"]


class TestSend:
    def test_it_is_an_adaptive_card(self, receiver: HttpReceiver) -> None:
        channel(receiver).send(notification())
        (received,) = receiver.received
        assert received.path == PATH
        message: dict[str, Any] = json.loads(received.body)
        assert message["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert texts(received.body)[0] == "[critical] Large payment (+1 more)"

    @pytest.mark.parametrize(
        ("status", "body", "fate"),
        [
            (404, b'{"error": {"code": "WorkflowNotFound", "message": "x"}}', Fate.GONE),
            (401, b'{"error": {"code": "AuthorizationFailed"}}', Fate.GONE),
            (400, b'{"error": {"code": "TriggerInputSchemaMismatch"}}', Fate.DEAD),
            (413, b"", Fate.DEAD),
            (404, b"<html>", Fate.RETRY),
            (429, b"[]", Fate.RETRY),
            (502, b"", Fate.RETRY),
        ],
    )
    def test_what_is_answered(self, receiver: HttpReceiver, status: int, body: bytes, fate: Fate) -> None:
        receiver.answers = [(status, {}, body)]
        assert failure_of(channel(receiver), notification()).fate is fate


class TestMessage:
    def test_it_is_never_larger_than_teams_takes(self) -> None:
        message = message_of(notification(alerts=20, count=5000, text=HOSTILE * 300))
        assert len(message) <= 28_000
        assert texts(message)[-1].startswith("and 4,99")

    def test_texts_of_users_are_in_runs_which_know_no_markdown(self) -> None:
        card = json.loads(message_of(notification(text=HOSTILE)))["attachments"][0]["content"]
        assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
