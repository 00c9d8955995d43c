"""What every kind of channel has to do; the tests of a kind subclass `ChannelContract`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from sentinel.clock import monotonic_seconds
from sentinel.domain.channel import KeptSecret
from sentinel.domain.notification import Notification, NotificationKind, NotifiedAlert
from sentinel.domain.rule import Severity
from sentinel.notify.channels.base import AttemptFailedError, Channel, Fate
from sentinel.notify.channels.configured import ConfiguredChannel, Means
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.guarded_http import GuardedHttp, trusting_context
from sentinel.settings import NotifySettings

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
LOCAL = NotifySettings(
    allowed_networks="127.0.0.0/8", connect_timeout_seconds=2, read_timeout_seconds=0.5, total_timeout_seconds=2
)
HOSTILE = "<script>&*_`[x](http://evil.example)\r\nBcc: x@evil.example\x00\ud800 <!channel>"


class Receiver(Protocol):
    """A stand-in for what a channel speaks to, on the loopback interface."""

    def bodies(self) -> list[bytes]:
        """Return what was received, byte for byte."""

    def refuse_for_now(self) -> None:
        """From now on, fail as a receiver does that may be back later."""

    def fall_silent(self) -> None:
        """From now on, take connections and answer nothing."""

    def repeat_secrets(self, text: str) -> None:
        """From now on, fail and say this."""


class ChannelContract(ABC):
    """Sends through a channel to a receiver that really listens."""

    @abstractmethod
    def receiver(self, directory: Path) -> AbstractContextManager[Receiver]:
        """Start a receiver."""

    @abstractmethod
    def channel(self, receiver: Any, means: Means) -> ConfiguredChannel[Any]:
        """Return a channel that leads to it, with `secrets`."""

    @abstractmethod
    def secrets(self, receiver: Any) -> list[str]:
        """Return the secrets of the channel."""

    def open(self, receiver: Receiver, settings: NotifySettings = LOCAL) -> Channel:
        """Return a channel that leads to a receiver."""
        return self.channel(receiver, make_means(settings))

    def test_what_is_taken_gives_a_receipt(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            self.open(receiver).send(notification())
            assert receiver.bodies()

    @pytest.mark.parametrize("kind", list(NotificationKind))
    def test_every_kind_that_it_tells_is_taken(self, tmp_path: Path, kind: NotificationKind) -> None:
        with self.receiver(tmp_path) as receiver:
            channel = self.channel(receiver, make_means(LOCAL))
            if kind in channel.tells:
                channel.send(notification(kind=kind, alerts=0 if kind is NotificationKind.TEST else 2))
                assert receiver.bodies()

    def test_the_same_delivery_twice_has_an_equal_body(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            self.open(receiver).send(notification())
            count = len(receiver.bodies())
            later = make_means(LOCAL, now=NOW.replace(hour=20))
            self.channel(receiver, later).send(notification())
            bodies = receiver.bodies()
            assert bodies[:count] == bodies[count:]

    def test_hostile_text_and_twenty_large_alerts_are_taken(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            self.open(receiver).send(notification(alerts=20, count=5000, text=HOSTILE * 50))
            assert receiver.bodies()

    def test_a_receiver_that_fails_is_tried_again(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            receiver.refuse_for_now()
            failure = failure_of(self.open(receiver), notification())
            assert failure.fate is Fate.RETRY
            assert failure.status is not None

    def test_a_receiver_that_answers_nothing_is_tried_again(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            receiver.fall_silent()
            failure = failure_of(self.open(receiver), notification())
            assert (failure.fate, failure.reason) == (Fate.RETRY, "timeout")

    def test_a_receiver_that_is_away_is_tried_again(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            channel = self.open(receiver)
        failure = failure_of(channel, notification())
        assert (failure.fate, failure.reason) == (Fate.RETRY, "refused")

    def test_an_address_that_is_not_allowed_is_not_connected_to(self, tmp_path: Path) -> None:
        closed = LOCAL.model_copy(update={"allowed_networks": ""})
        with self.receiver(tmp_path) as receiver:
            failure = failure_of(self.open(receiver, closed), notification())
            assert (failure.fate, failure.reason) == (Fate.DEAD, "address_not_allowed")
            assert "SENTINEL_NOTIFY__ALLOWED_NETWORKS" in failure.message
            assert receiver.bodies() == []

    def test_no_secret_is_in_an_error_though_the_receiver_repeats_them(self, tmp_path: Path) -> None:
        with self.receiver(tmp_path) as receiver:
            secrets = self.secrets(receiver)
            receiver.repeat_secrets(" ".join(secrets))
            failure = failure_of(self.open(receiver), notification())
            told = f"{failure!r} {failure} {failure.message} {failure.reason} {failure.__cause__!r}"
            assert not [secret for secret in secrets if secret in told]
            assert failure.message.isprintable()


def make_means(settings: NotifySettings, guard: AddressGuard | None = None, now: datetime = NOW) -> Means:
    """Return what channels send with, on a clock that stands."""
    used = guard or AddressGuard(settings.networks)
    http = GuardedHttp(used, settings, monotonic_seconds)
    return Means(http, used, trusting_context(settings), settings, lambda: now)


def kept(*secrets: str) -> list[KeptSecret]:
    """Return secrets that do not expire."""
    return [KeptSecret(secret) for secret in secrets]


def failure_of(channel: Channel, sent: Notification) -> AttemptFailedError:
    """Return how an attempt fails."""
    with pytest.raises(AttemptFailedError) as caught:
        channel.send(sent)
    return caught.value


def notification(
    kind: NotificationKind = NotificationKind.FIRED,
    *,
    alerts: int = 2,
    count: int | None = None,
    text: str = "Large payment",
    thread: str | None = None,
    group_key: str = "1:rule=large",
    delivery_id: str = "dlv_01",
) -> Notification:
    """Return a notification about some alerts."""
    return Notification(
        delivery_id=delivery_id,
        tenant_id="acme",
        kind=kind,
        severity=Severity.CRITICAL,
        group_key=group_key,
        labels={"rule": text},
        alerts=tuple(_alert(number, text) for number in range(1, alerts + 1)),
        alert_count=alerts if count is None else count,
        created_at=NOW,
        thread=thread,
    )


def _alert(number: int, text: str) -> NotifiedAlert:
    return NotifiedAlert(
        alert_id=number,
        rule="large",
        pipeline="payments",
        severity=Severity.CRITICAL,
        description=text,
        alert_timestamp=NOW,
        event_id=f"t-{number}",
        score=80,
        tags=("money",),
        entities={"user_id": text},
        evidence=({"condition": "amount > 100", "values": {"amount": 750.5, "note": text}},),
        event={"transaction_id": f"t-{number}", "amount": 750.5, "note": text},
    )
