"""Channels of kind email."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.domain.notification import NotificationKind
from sentinel.errors import InvalidError
from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.configured import Means
from sentinel.notify.channels.email import EmailChannel, EmailOptions, message_of
from sentinel.settings import NotifySettings
from sentinel.testing.channel_contract import (
    HOSTILE,
    LOCAL,
    ChannelContract,
    failure_of,
    kept,
    make_means,
    notification,
)
from tests.support.channel_receivers import SmtpContractReceiver, contract_smtp
from tests.support.receivers import SmtpReceiver, make_certificate, smtp_receiver

PASSWORD = "correct horse battery"
BASE = {"host": "127.0.0.1", "sender": "sentinel@example.com", "recipients": ["ops@example.com"], "security": "plain"}


@pytest.fixture
def receiver() -> Iterator[SmtpReceiver]:
    with smtp_receiver() as listening:
        yield listening


def options(port: int = 25, **changed: Any) -> EmailOptions:
    return EmailOptions.model_validate({**BASE, "port": port, **changed})


def channel(receiver: SmtpReceiver, *secrets: str, settings: NotifySettings = LOCAL, **changed: Any) -> EmailChannel:
    return EmailChannel(options(receiver.port, **changed), kept(*secrets), make_means(settings))


class TestContract(ChannelContract):
    def receiver(self, directory: Path) -> AbstractContextManager[SmtpContractReceiver]:
        return contract_smtp()

    def channel(self, receiver: SmtpContractReceiver, means: Means) -> EmailChannel:
        return EmailChannel(options(receiver.server.port, username="bot"), kept(PASSWORD), means)

    def secrets(self, receiver: SmtpContractReceiver) -> list[str]:
        spoken = [PASSWORD.encode(), f"\0bot\0{PASSWORD}".encode()]
        return [PASSWORD, *(base64.b64encode(text).decode().rstrip("=") for text in spoken)]


class TestMessage:
    def test_it_has_text_and_html_for_all_recipients(self, receiver: SmtpReceiver) -> None:
        both = ["ops@example.com", "boss@example.org"]
        receipt = channel(receiver, recipients=both).send(notification())
        message = receiver.message()
        assert receiver.messages[0][:2] == ("sentinel@example.com", both)
        assert message["subject"] == "[critical] Large payment (+1 more)"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert "amount > 100 (amount = 750.5" in message.get_body(["plain"]).get_content()  # type: ignore[union-attr]
        assert receipt.thread == message["message-id"] == "<dlv_01@example.com>"

    def test_the_messages_of_a_group_refer_to_the_same(self, receiver: SmtpReceiver) -> None:
        first = channel(receiver).send(notification())
        root = receiver.message()["references"]
        channel(receiver).send(notification(delivery_id="dlv_02", thread=first.thread))
        assert receiver.message()["references"].split() == [root, first.thread]
        assert receiver.message()["in-reply-to"] == first.thread
        channel(receiver).send(notification(delivery_id="dlv_03", group_key="other", thread="x\r\nBcc: y@z"))
        assert receiver.message()["references"] != root
        assert "bcc" not in receiver.message()

    def test_texts_of_users_become_neither_headers_nor_markup(self) -> None:
        raw = message_of(notification(text=HOSTILE), options()).as_bytes()
        head, _, rest = raw.partition(b"\r\n\r\n")
        assert b"\nBcc" not in head
        assert b"<script>" not in rest.partition(b"text/html")[2]
        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 998

    def test_ids_of_a_long_domain_are_not_folded(self) -> None:
        sender = f"s@{'a' * 60}.{'b' * 60}.example.com"
        message = message_of(notification(delivery_id="d" * 200, thread="<x@y>"), options(sender=sender))
        lines = message.as_bytes().split(b"\r\n")
        (found,) = [line for line in lines if line.startswith(b"Message-ID:")]
        assert found.endswith(b".invalid>")
        assert b"=?utf-8" not in message.as_bytes().partition(b"\r\n\r\n")[0]


class TestServer:
    def test_the_connection_is_encrypted_before_anything_is_said(self, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path, "127.0.0.1")
        trusting = LOCAL.model_copy(update={"ca_file": str(certificate.file)})
        for is_tls in (False, True):
            with smtp_receiver(certificate, is_tls=is_tls) as receiver:
                security = "tls" if is_tls else "starttls"
                opened = channel(receiver, PASSWORD, settings=trusting, security=security, username="bot")
                opened.send(notification())
                assert len(receiver.messages) == 1
                verbs = [line.partition(" ")[0].upper() for line in receiver.spoken]
                first = ["EHLO", "AUTH"] if is_tls else ["EHLO", "STARTTLS", "EHLO", "AUTH"]
                assert verbs == [*first, "MAIL", "RCPT", "DATA", "QUIT"]
                refused = failure_of(channel(receiver, security=security), notification())
                assert (refused.fate, refused.reason) == (Fate.RETRY, "tls")

    def test_a_server_without_starttls_gets_nothing(self, receiver: SmtpReceiver) -> None:
        refused = failure_of(channel(receiver, PASSWORD, security="starttls", username="bot"), notification())
        assert (refused.fate, refused.reason) == (Fate.DEAD, "not_supported")
        assert not [line for line in receiver.spoken if line.startswith(("AUTH", "MAIL"))]

    def test_plain_is_for_allowed_networks_only(self, receiver: SmtpReceiver) -> None:
        closed = LOCAL.model_copy(update={"allowed_networks": ""})
        refused = failure_of(channel(receiver, settings=closed), notification())
        assert (refused.reason, receiver.spoken) == ("address_not_allowed", [])

    def test_an_endless_greeting_ends_at_the_total_limit(self, receiver: SmtpReceiver) -> None:
        receiver.drip = True
        quick = LOCAL.model_copy(update={"total_timeout_seconds": 0.4})
        refused = failure_of(channel(receiver, settings=quick), notification())
        assert (refused.fate, refused.reason) == (Fate.RETRY, "timeout")

    def test_a_server_that_talks_without_end_is_left(self, receiver: SmtpReceiver) -> None:
        receiver.answers["connect"] = "\r\n".join(["220-x"] * 50_000)
        assert failure_of(channel(receiver), notification()).fate is Fate.RETRY

    @pytest.mark.parametrize(
        ("answers", "fate", "reason"),
        [
            ({"connect": "421 busy"}, Fate.RETRY, "status_4xx"),
            ({"connect": "554 go away"}, Fate.DEAD, "status_5xx"),
            ({"MAIL": "550 not you"}, Fate.DEAD, "status_5xx"),
            ({"DATA": "452 full"}, Fate.RETRY, "status_4xx"),
            ({".": "552 too large"}, Fate.DEAD, "status_5xx"),
            ({"RCPT": "550 nobody"}, Fate.DEAD, "recipient_refused"),
            ({"RCPT": "450 greylisted"}, Fate.RETRY, "recipient_refused"),
            ({"connect": "nonsense"}, Fate.RETRY, "broken"),
        ],
    )
    def test_what_it_answers(self, receiver: SmtpReceiver, answers: dict[str, str], fate: Fate, reason: str) -> None:
        receiver.answers |= answers
        refused = failure_of(channel(receiver), notification())
        assert (refused.fate, refused.reason) == (fate, reason)

    def test_a_wrong_password_is_not_tried_again(self, receiver: SmtpReceiver) -> None:
        receiver.answers["AUTH"] = f"535 not {PASSWORD}"
        refused = failure_of(channel(receiver, PASSWORD, username="bot"), notification())
        assert (refused.fate, refused.reason, PASSWORD in refused.message) == (Fate.DEAD, "login_refused", False)

    def test_recipients_that_are_refused_are_named_though_others_got_it(self, receiver: SmtpReceiver) -> None:
        both = channel(receiver, recipients=["ops@example.com", "gone@example.com"])
        receiver.answers["RCPT gone@example.com"] = "550 nobody"
        assert "gone@example.com: 550 nobody" in both.send(notification()).answer
        receiver.answers["RCPT gone@example.com"] = "450 later"
        refused = failure_of(both, notification())
        assert (refused.fate, "taken for 1 other" in refused.message) == (Fate.RETRY, True)


class TestOptions:
    @pytest.mark.parametrize(
        "changed",
        [
            {"host": "a b"},
            {"host": ""},
            {"port": 0},
            {"port": 65536},
            {"sender": "nobody"},
            {"sender": "a@b\r\nBcc: x@y"},
            {"sender": "Ops <a@b.example>"},
            {"recipients": ["a@b.example", "x"]},
            {"recipients": ["a@b.example,c@d.example"]},
            {"recipients": ["ü@b.example"]},
            {"recipients": []},
            {"allowed_domains": ["@b"]},
            {"username": "a\r\nb"},
            {"security": "none"},
            {"password": "x"},
        ],
    )
    def test_what_can_not_work_is_refused(self, changed: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            options(**changed)

    def test_a_rule_may_name_listed_recipients_and_allowed_domains_only(self, receiver: SmtpReceiver) -> None:
        opened = channel(receiver, allowed_domains=["Team.example"])
        for address in ("ops@example.com", "anyone@team.EXAMPLE"):
            opened.with_target(address).send(notification())
            assert receiver.messages[-1][1] == [address]
        for address in ("other@example.com", "x@sub.team.example", "no address", "a@team.example\r\nBcc: x@y.z"):
            with pytest.raises(InvalidError):
                opened.with_target(address)

    def test_a_password_needs_a_user_name(self) -> None:
        assert EmailChannel.secret_problem(options(), PASSWORD)
        assert EmailChannel.secret_problem(options(username="bot"), PASSWORD) is None

    def test_a_channel_for_rules_alone_has_no_recipients(self, receiver: SmtpReceiver) -> None:
        opened = channel(receiver, recipients=[], allowed_domains=["team.example"])
        assert failure_of(opened, notification(NotificationKind.TEST)).reason == "no_recipient"
