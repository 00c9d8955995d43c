"""How the processes beside this one are, as each says itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import httpx
import pytest

from sentinel.ops import processes
from sentinel.ops.processes import MAX_ANSWER_BYTES, Place, ProcessHealth, ProcessWatch

OWN = ProcessHealth("api", "ok", {}, 3)


class Clock:
    """Goes on when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(
    answer: Callable[[httpx.Request], httpx.Response], *places: Place, clock: Clock | None = None
) -> ProcessWatch:
    wanted = list(places) or [Place("worker", "127.0.0.1:9101")]
    return ProcessWatch(lambda: OWN, lambda: wanted, clock or Clock(), httpx.MockTransport(answer))


def ready(status: str, code: int = 200, **causes: str | None) -> httpx.Response:
    checks = {name: {"ok": cause is None, "cause": cause} for name, cause in causes.items()}
    return httpx.Response(code, json={"status": status, "checks": checks})


def of(answer: httpx.Response, path: str = "/readyz") -> ProcessHealth:
    own, found = watch(lambda _: answer, Place("worker", "127.0.0.1:9101", path)).look()
    assert own is OWN
    return found


class TestLook:
    def test_what_a_process_says(self) -> None:
        assert of(ready("ok", postgresql=None)) == ProcessHealth("worker", "ok", {}, 1)
        assert of(ready("degraded", postgresql=None, heartbeat="late")) == ProcessHealth(
            "worker", "degraded", {"heartbeat": "late"}, 2
        )
        assert of(ready("unavailable", 503, postgresql="away")).status == "unavailable"

    def test_one_that_does_not_answer_is_away(self) -> None:
        def refuse(_: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        assert watch(refuse).look()[1].status == "away"

    @pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:99999999", "a b:1", "[::1"])
    def test_an_address_that_cannot_be_is_away(self, address: str) -> None:
        found = watch(lambda _: ready("ok"), Place("worker", address)).look()[1]
        assert found.status in {"ok", "away"}

    @pytest.mark.parametrize(
        "body",
        ["", "{", "[]", "null", '{"status": "fine"}', '{"status": "ok"}', '{"status": "ok", "checks": {"a": 1}}'],
    )
    def test_what_is_none_of_ours_is_not_called_well(self, body: str) -> None:
        found = of(httpx.Response(200, text=body))
        assert found.status == "unavailable"
        assert "none of our processes" in found.causes["answers"]

    def test_an_answer_without_end_is_not_read(self) -> None:
        found = of(httpx.Response(200, content=b"x" * (MAX_ANSWER_BYTES + 1)))
        assert "too long" in found.causes["answers"]

    def test_a_cause_is_cut(self) -> None:
        assert len(of(ready("unavailable", 503, a="x" * 10_000)).causes["a"]) == 500

    def test_a_dashboard_says_only_that_it_lives(self) -> None:
        assert of(httpx.Response(200, text="ok"), "/_stcore/health").status == "ok"
        assert of(httpx.Response(404), "/_stcore/health").status == "unavailable"

    def test_whoever_is_late_is_not_waited_for_and_not_asked_again_for_a_while(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(processes, "LOOK_SECONDS", 0.2)
        clock, goes_on, asked = Clock(), threading.Event(), []

        def own() -> ProcessHealth:
            asked.append("api")
            goes_on.wait(30)
            return OWN

        looking = ProcessWatch(
            own, lambda: [Place("worker", "127.0.0.1:9101")], clock, httpx.MockTransport(lambda _: ready("ok", a=None))
        )
        api, worker = looking.look()
        assert (api.name, api.status, worker.status) == ("api", "degraded", "ok")
        clock.now = 9.0
        assert looking.look() == [api, worker]
        goes_on.set()
        clock.now = 11.0
        assert looking.look()[0] == OWN
        assert asked == ["api", "api"]
        looking.close()

    def test_nobody_is_asked_twice_within_two_seconds(self) -> None:
        clock, asked = Clock(), []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return ready("ok", a=None)

        looking = watch(answer, clock=clock)
        for seconds in (0.0, 1.9, 2.1):
            clock.now = seconds
            looking.look()
        assert asked == ["http://127.0.0.1:9101/readyz"] * 2

    def test_a_redirect_is_not_followed(self) -> None:
        asked = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(json.dumps(str(request.url)))
            return httpx.Response(302, headers={"Location": "http://169.254.169.254/"})

        assert watch(answer).look()[1].status == "unavailable"
        assert len(asked) == 1
