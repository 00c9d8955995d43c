"""Requests to targets of tenants: where they go, and how long they may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentinel.clock import monotonic_seconds
from sentinel.errors import ConfigurationError
from sentinel.notify.channels.base import AttemptFailedError, Fate
from sentinel.notify.reach.addresses import AddressGuard, resolve_by_system
from sentinel.notify.reach.guarded_http import MAX_ANSWER_BYTES, GuardedHttp, HttpAnswer
from sentinel.settings import NotifySettings
from sentinel.testing.channel_contract import LOCAL
from tests.support.receivers import HttpReceiver, http_receiver, make_certificate

CLOSED = LOCAL.model_copy(update={"allowed_networks": ""})


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as listening:
        yield listening


def client(settings: NotifySettings = LOCAL, guard: AddressGuard | None = None) -> GuardedHttp:
    return GuardedHttp(guard or AddressGuard(settings.networks), settings, monotonic_seconds)


def post(url: str, settings: NotifySettings = LOCAL, guard: AddressGuard | None = None) -> HttpAnswer:
    return client(settings, guard).post(url, b"{}", {})


def failure(url: str, settings: NotifySettings = LOCAL, guard: AddressGuard | None = None) -> AttemptFailedError:
    with pytest.raises(AttemptFailedError) as caught:
        post(url, settings, guard)
    return caught.value


NOWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound


class TestWhereItGoes:
    def test_a_name_that_leads_elsewhere_the_second_time_is_refused_then(self, receiver: HttpReceiver) -> None:
        answers = [["93.184.215.14"], ["127.0.0.1"]]
        asked: list[str] = []

        def rebinding(host: str, _port: int) -> list[str]:
            asked.append(host)
            return answers[min(len(asked), 2) - 1]

        guard = AddressGuard((), rebinding)
        # Checked when it is saved, and public then ...
        guard.addresses("rebind.example", 443, is_encrypted=True, timeout_seconds=1)
        refused = failure(f"https://rebind.example:{receiver.port}/", CLOSED, guard)
        assert (refused.reason, refused.fate, receiver.connections) == ("address_not_allowed", Fate.DEAD, 0)
        assert "127.0.0.1" not in refused.message

    def test_it_connects_to_the_address_that_was_judged_and_resolves_once(self, receiver: HttpReceiver) -> None:
        asked: list[str] = []

        def resolve(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        answer = post(f"http://no-such-name.invalid:{receiver.port}/", LOCAL, AddressGuard(LOCAL.networks, resolve))
        assert (answer.status, asked) == (200, ["no-such-name.invalid"])
        assert receiver.received[0].headers["host"] == f"no-such-name.invalid:{receiver.port}"

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "localhost",
         "localhost.", "0", NOWHERE, "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.",
         "[64:ff9b::7f00:1]", "[2002:7f00:1::]"],
    )  # fmt: skip
    def test_this_machine_is_reached_in_no_way_of_writing_it(self, receiver: HttpReceiver, host: str) -> None:
        for scheme in ("http", "https"):
            refused = failure(f"{scheme}://{host}:{receiver.port}/", CLOSED)
            assert refused.reason in {"address_not_allowed", "unresolved", "bad_url"}
        assert receiver.connections == 0

    def test_a_name_with_one_address_that_is_not_public_is_refused_whole(self, receiver: HttpReceiver) -> None:
        guard = AddressGuard((), lambda *_: ["93.184.215.14", "127.0.0.1"])
        assert failure(f"https://both.example:{receiver.port}/", CLOSED, guard).reason == "address_not_allowed"

    def test_without_tls_only_allowed_networks_are_reached(self) -> None:
        refused = failure("http://public.example/", CLOSED, AddressGuard((), lambda *_: ["93.184.215.14"]))
        assert (refused.reason, "https" in refused.message) == ("address_not_allowed", True)

    def test_a_redirect_is_not_followed(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(302, {"Location": f"{receiver.url}/metadata"}, b"")]
        assert post(f"{receiver.url}/a").status == 302
        assert [received.path for received in receiver.received] == ["/a"]

    def test_the_environment_names_no_proxy(self, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert post(receiver.url).status == 200

    @pytest.mark.parametrize(
        "url", ["https://user:secretword@example.com/", "file:///etc/passwd", "https://", "https://a b/", "x" * 5000]
    )
    def test_what_is_no_url_is_refused_without_repeating_it(self, url: str) -> None:
        refused = failure(url)
        assert (refused.reason, refused.fate) == ("bad_url", Fate.DEAD)
        assert "secretword" not in refused.message

    def test_a_later_address_is_tried_when_the_first_does_not_answer(self, receiver: HttpReceiver) -> None:
        guard = AddressGuard(LOCAL.networks, lambda *_: ["127.0.0.2", "127.0.0.1"])
        assert post(f"http://two.example:{receiver.port}/", LOCAL, guard).status == 200


class TestTls:
    def test_the_name_is_verified_and_an_operators_authority_is_trusted(self, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path, "hooks.example")
        trusting = LOCAL.model_copy(update={"ca_file": str(certificate.file)})
        guard = AddressGuard(LOCAL.networks, lambda *_: ["127.0.0.1"])
        with http_receiver(certificate) as receiver:
            assert post(f"https://hooks.example:{receiver.port}/", trusting, guard).status == 200
            for url, settings in (("hooks.example", LOCAL), ("other.example", trusting)):
                refused = failure(f"https://{url}:{receiver.port}/", settings, guard)
                assert (refused.reason, refused.fate) == ("tls", Fate.RETRY)
            assert len(receiver.received) == 1

    def test_authorities_that_can_not_be_read_are_named(self) -> None:
        with pytest.raises(ConfigurationError, match="SENTINEL_NOTIFY__CA_FILE: /nowhere"):
            client(LOCAL.model_copy(update={"ca_file": "/nowhere"}))


class TestLimits:
    def test_a_body_that_drips_ends_at_the_total_limit(self, receiver: HttpReceiver) -> None:
        receiver.answers, receiver.drip_seconds = [(200, {}, b"x" * 1000)], 0.05
        quick = LOCAL.model_copy(update={"total_timeout_seconds": 0.4})
        began = time.monotonic()
        answer = post(receiver.url, quick)
        assert (answer.status, answer.is_whole) == (200, False)
        assert 0 < len(answer.body) < 1000
        assert time.monotonic() - began < 30

    def test_a_huge_body_is_read_in_part(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(200, {}, b"x" * 5_000_000)]
        answer = post(receiver.url)
        assert (len(answer.body), answer.is_whole) == (MAX_ANSWER_BYTES, False)

    def test_a_bomb_is_not_unpacked(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08")]
        assert post(receiver.url).body == b"\x1f\x8b\x08"
        assert receiver.received[0].headers["accept-encoding"] == "identity"

    def test_headers_that_never_end_are_no_answer(self, receiver: HttpReceiver) -> None:
        receiver.answers = [(200, {"X-Long": "x" * 200_000}, b"")]
        assert failure(receiver.url).reason == "protocol"

    def test_a_resolver_that_says_nothing_is_not_waited_for(self) -> None:
        held = threading.Event()
        quick = LOCAL.model_copy(update={"connect_timeout_seconds": 0.2})

        def silent(*_: object) -> list[str]:
            held.wait(20)
            return []

        refused = failure("https://slow.example/", quick, AddressGuard((), silent))
        held.set()
        assert (refused.reason, refused.fate) == ("unresolved", Fate.RETRY)

    def test_a_name_that_does_not_resolve_may_do_so_later(self) -> None:
        refused = failure("https://nowhere.invalid/", LOCAL, AddressGuard((), resolve_by_system))
        assert (refused.reason, refused.fate) == ("unresolved", Fate.RETRY)


class TestConnections:
    def test_one_is_used_again_and_threads_share_the_client(self, receiver: HttpReceiver) -> None:
        http = client()
        for _ in range(5):
            http.post(receiver.url, b"{}", {})
        assert receiver.connections == 1
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: http.post(receiver.url, b"{}", {}).status, range(40)))
        assert answers == [200] * 40
        http.close()
