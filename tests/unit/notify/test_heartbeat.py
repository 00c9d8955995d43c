"""The dead man's heartbeat."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sentinel.clock import monotonic_seconds
from sentinel.errors import ConfigurationError
from sentinel.notify.channels.base import AttemptFailedError, Fate
from sentinel.notify.heartbeat import Heartbeat
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.guarded_http import GuardedHttp, HttpAnswer
from sentinel.settings import NotifySettings
from sentinel.telemetry.health import Check

URL = "https://hc.example/ping/the-secret"


class Receiver(GuardedHttp):
    """Answers in turn with what it is given."""

    def __init__(self, *answers: int | AttemptFailedError) -> None:
        super().__init__(AddressGuard(()), NotifySettings(), monotonic_seconds)
        self.asked: list[str] = []
        self._answers = list(answers)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        self.asked.append(url)
        answer = self._answers.pop(0)
        if isinstance(answer, AttemptFailedError):
            raise answer
        return HttpAnswer(answer, {}, b"")


def heartbeat(receiver: Receiver, *checks: Check) -> Heartbeat:
    return Heartbeat(URL, receiver, lambda: list(checks), seconds=60)


class TestHeartbeat:
    def test_it_is_sent_while_all_is_well(self) -> None:
        receiver = Receiver(200)
        beat = heartbeat(receiver, Check("postgresql"), Check("loop deliveries"))
        assert (beat.round(), beat.trouble) == ("sent", None)
        assert receiver.asked == [URL]

    def test_it_is_withheld_while_a_loop_fails(self) -> None:
        receiver = Receiver()
        beat = heartbeat(receiver, Check("loop deliveries", "failed 3 times: refused"))
        assert beat.round() == "withheld"
        assert receiver.asked == []
        assert "loop deliveries" in str(beat.trouble)

    def test_a_receiver_that_refuses_is_a_failure_that_names_no_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        broken = AttemptFailedError("hc.example could not be connected to", fate=Fate.RETRY, reason="refused")
        beat = heartbeat(Receiver(404, broken))
        assert [beat.round(), beat.round()] == ["failed", "failed"]
        assert "the-secret" not in caplog.text
        assert beat.trouble == "hc.example could not be connected to"

    def test_it_is_sent_again_when_the_receiver_is_back(self) -> None:
        beat = heartbeat(Receiver(500, 204))
        assert [beat.round(), beat.round(), beat.trouble] == ["failed", "sent", None]

    @pytest.mark.parametrize("url", ["ftp://x/y", "hc.example/ping", "https://user:password@hc.example/"])
    def test_what_is_no_url_is_refused_at_the_start(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="SENTINEL_TELEMETRY__HEARTBEAT_URL") as refused:
            Heartbeat(url, Receiver(), list, seconds=60)
        assert "password@" not in str(refused.value)

    def test_addresses_that_are_not_public_are_not_asked(self) -> None:
        guarded = GuardedHttp(AddressGuard(()), NotifySettings(), monotonic_seconds)
        beat = Heartbeat("https://127.0.0.1:1/x", guarded, list, seconds=60)
        assert beat.round() == "failed"
        guarded.close()
