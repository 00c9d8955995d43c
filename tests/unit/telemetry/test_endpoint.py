"""The listener for metrics and health."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from sentinel.telemetry.endpoint import MOST_OPEN, SOCKET_SECONDS, TelemetryEndpoint, Told
from sentinel.telemetry.health import Check


@contextmanager
def listening(told: Told, port: int = 0) -> Iterator[str]:
    endpoint = TelemetryEndpoint("127.0.0.1", port, told, setting="SENTINEL_TELEMETRY__WORKER_PORT")
    endpoint.start()
    try:
        address = endpoint.address()
        assert address is not None
        yield f"http://{address[0]}:{address[1]}"
    finally:
        endpoint.stop()


def told(*checks: Check, alive: Check | None = None) -> Told:
    registry = CollectorRegistry()
    Counter("things", "Things.", ["kind"], registry=registry).labels("a").inc(3)
    return Told(registry, lambda: [alive] if alive else [], lambda: list(checks))


class TestTelemetryEndpoint:
    def test_metrics_are_told_in_the_text_format(self) -> None:
        with listening(told()) as url:
            answer = httpx.get(f"{url}/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert 'things_total{kind="a"} 3.0' in answer.text

    def test_ready_is_200_when_all_is_well(self) -> None:
        with listening(told(Check("postgresql"))) as url:
            answer = httpx.get(f"{url}/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")

    def test_not_ready_is_503_with_the_cause(self) -> None:
        with listening(told(Check("postgresql", "refused"), Check("loop x"))) as url:
            answer = httpx.get(f"{url}/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "unavailable",
            "checks": {"postgresql": {"ok": False, "cause": "refused"}, "loop x": {"ok": True, "cause": None}},
        }

    def test_what_is_not_vital_is_degraded_and_200(self) -> None:
        with listening(told(Check("heartbeat", "no answer", is_vital=False))) as url:
            answer = httpx.get(f"{url}/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")

    def test_a_process_that_must_begin_anew_is_not_alive(self) -> None:
        with listening(told(alive=Check("loop x", "its last turn was 500 s ago"))) as url:
            assert httpx.get(f"{url}/healthz").status_code == 503

    def test_a_check_that_fails_ends_neither_the_listener_nor_the_process(self) -> None:
        def fail() -> list[Check]:
            raise ValueError("a mistake")

        with listening(Told(CollectorRegistry(), list, fail)) as url:
            with pytest.raises(httpx.HTTPError):
                httpx.get(f"{url}/readyz")
            assert httpx.get(f"{url}/healthz").status_code == 200

    def test_another_path_is_404(self) -> None:
        with listening(told()) as url:
            assert httpx.get(f"{url}/").status_code == 404

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:9100", "10.0.0.1", "[2001:db8::1]:1"])
    def test_a_web_page_does_not_reach_it_by_a_name_of_its_own(self, host: str) -> None:
        with listening(told()) as url:
            assert httpx.get(f"{url}/metrics", headers={"Host": host}).status_code == 403

    def test_callers_that_say_nothing_do_not_keep_others_waiting(self) -> None:
        with listening(told()) as url:
            host, port = url.removeprefix("http://").split(":")
            silent = [socket.create_connection((host, int(port))) for _ in range(4)]
            assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
            for each in silent:
                each.close()

    def test_connections_beyond_a_number_are_closed(self) -> None:
        with listening(told()) as url:
            host, port = url.removeprefix("http://").split(":")
            opened = [socket.create_connection((host, int(port))) for _ in range(MOST_OPEN + 8)]
            opened[-1].settimeout(SOCKET_SECONDS - 1)
            assert opened[-1].recv(1) == b""
            for each in opened:
                each.close()
            assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200

    @pytest.mark.parametrize("number", range(20))
    def test_it_stops_at_any_moment(self, number: int) -> None:
        endpoint = TelemetryEndpoint("127.0.0.1", 0, told(), setting="x")
        endpoint.start()
        threading.Event().wait(number / 5_000)
        endpoint.stop()
        assert not any(thread.name == "telemetry" and thread.is_alive() for thread in threading.enumerate())

    def test_a_port_that_is_taken_is_said_and_stops_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            port = taken.getsockname()[1]
            endpoint = TelemetryEndpoint("127.0.0.1", port, told(), setting="SENTINEL_TELEMETRY__WORKER_PORT")
            endpoint.start()
            assert endpoint.address(timeout_seconds=0.5) is None
            endpoint.stop()
        assert "SENTINEL_TELEMETRY__WORKER_PORT" in caplog.text
