"""Whether the processes beside this one can do their work, as each says itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Literal

import httpx

# Many visitors look at the same few processes.
KEPT_SECONDS = 2.0
# Where somebody did not answer in time, asking costs each look that time: it is done less often.
KEPT_SECONDS_LATE = 10.0
ANSWER_SECONDS = 1.5
# A visitor waits no longer; who has not answered by then is late.
LOOK_SECONDS = 1.0
MAX_PROCESSES = 50
# A process says a few sentences; what says more is none of ours.
MAX_ANSWER_BYTES = 262_144
_MAX_CAUSE = 500
# This process's.
OWN_NAME = "api"

HealthStatus = Literal["ok", "degraded", "unavailable", "away"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process says how it is.

    Attributes:
        address: `host:port`.
        path: Of what says it; `/readyz` of ours answers with checks.
    """

    name: str
    address: str
    path: str = "/readyz"


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """How a process is.

    Attributes:
        status: away: it does not answer.
        causes: Check -> what is wrong. They tell of all tenants: for the operator.
        checks: How many things it looked at.
    """

    name: str
    status: HealthStatus
    causes: Mapping[str, str]
    checks: int


class ProcessWatch:
    """Asks processes how they are; answers of the last two seconds are not asked for again (ten, where one was late).

    Safe for many threads.

    Args:
        own: How this process is itself.
        places: Whom to ask; called each time, since processes come and go.
        monotonic_seconds: A clock.
        transport: In place of the network, for tests.
    """

    def __init__(
        self,
        own: Callable[[], ProcessHealth],
        places: Callable[[], list[Place]],
        monotonic_seconds: Callable[[], float],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._own = own
        self._places = places
        self._clock = monotonic_seconds
        self._http = httpx.Client(timeout=ANSWER_SECONDS, transport=transport, trust_env=False, follow_redirects=False)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="processes")
        # Until when, and the answers.
        self._known: tuple[float, list[ProcessHealth]] | None = None

    def close(self) -> None:
        """Close the connections; whoever was asked is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def look(self) -> list[ProcessHealth]:
        """Return how each process is, this one first. Takes a second at most."""
        with self._lock:
            if self._known is None or self._clock() > self._known[0]:
                places = self._places()[:MAX_PROCESSES]
                asked = [self._pool.submit(self._own), *(self._pool.submit(self._ask, place) for place in places)]
                done, late = wait(asked, timeout=LOOK_SECONDS)
                for each in late:
                    each.cancel()
                found = [
                    each.result() if each in done else _late(name)
                    for each, name in zip(asked, (OWN_NAME, *(place.name for place in places)), strict=True)
                ]
                self._known = (self._clock() + (KEPT_SECONDS_LATE if late else KEPT_SECONDS), found)
            return self._known[1]

    def _ask(self, place: Place) -> ProcessHealth:
        try:
            with self._http.stream("GET", f"http://{place.address}{place.path}") as response:
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        return _odd(place, "its answer is too long to be one of ours")
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return ProcessHealth(place.name, "away", {"answers": f"{type(error).__name__} at {place.address}"}, 1)
        if place.path != "/readyz":
            return ProcessHealth(place.name, "ok", {}, 1) if status < 400 else _odd(place, f"it answers with {status}")
        return _read(place, body)


def _late(name: str) -> ProcessHealth:
    if name == OWN_NAME:
        return ProcessHealth(name, "degraded", {"stores": f"not all of them answered within {LOOK_SECONDS:g} s"}, 1)
    return ProcessHealth(name, "away", {"answers": f"none within {LOOK_SECONDS:g} s"}, 1)


def _read(place: Place, body: bytes) -> ProcessHealth:
    try:
        said = _Said.of(httpx.Response(200, content=body).json())
    except (ValueError, RecursionError):
        return _odd(place, "what answers there is none of our processes")
    return ProcessHealth(place.name, said.status, said.causes, said.checks)


@dataclass(frozen=True, slots=True)
class _Said:
    status: HealthStatus
    causes: dict[str, str]
    checks: int

    @classmethod
    def of(cls, document: Any) -> _Said:
        """Read what `/readyz` answers.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(document, dict) or document.get("status") not in {"ok", "degraded", "unavailable"}:
            raise ValueError("no status")
        checks = document.get("checks")
        if not isinstance(checks, dict) or not all(isinstance(each, dict) for each in checks.values()):
            raise ValueError("no checks")
        causes = {
            str(name)[:100]: str(each.get("cause") or "no cause told")[:_MAX_CAUSE]
            for name, each in checks.items()
            if each.get("ok") is not True
        }
        return cls(document["status"], causes, len(checks))


def _odd(place: Place, cause: str) -> ProcessHealth:
    return ProcessHealth(place.name, "unavailable", {"answers": f"{cause} ({place.address})"}, 1)
