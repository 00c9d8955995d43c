"""The dead man's heartbeat: somebody outside is told that all is well, and raises the alarm when that stops."""

from __future__ import annotations

import logging
import threading

from prometheus_client import CollectorRegistry, Counter

from sentinel.errors import ConfigurationError, InvalidError
from sentinel.notify.channels.base import AttemptFailedError
from sentinel.notify.reach.guarded_http import GuardedHttp
from sentinel.notify.reach.urls import read_url
from sentinel.telemetry.health import Checks, status_of

_LOG = logging.getLogger(__name__)

STOP_SECONDS = 2.0


class Heartbeat:
    """Asks a URL (POST, no body) every so often, in a thread of its own, but only while every check is well.

    The other side (healthchecks.io, Better Stack, Opsgenie, ...) notices that nothing came for a while: the process is
    gone, its machine or network is, or a check says what is wrong. A round that takes longer than the period costs
    the ones in between; nothing piles up.

    Args:
        url: Often a secret by its path: neither logs nor metrics show it.
        seconds: From one to the next.

    Raises:
        ConfigurationError: The URL is none.
    """

    def __init__(
        self, url: str, http: GuardedHttp, checks: Checks, *, seconds: float, registry: CollectorRegistry | None = None
    ) -> None:
        try:
            read_url(url)
        except InvalidError as error:
            raise ConfigurationError(f"SENTINEL_TELEMETRY__HEARTBEAT_URL: {error.message}") from error
        self._url = url
        self._http = http
        self._checks = checks
        self._seconds = seconds
        self._rounds = Counter(
            "heartbeats",
            "Rounds of the heartbeat: sent, failed, or withheld since something is wrong here.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("sent", "failed", "withheld"):
            self._rounds.labels(outcome)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the last round was not sent, without the URL; None: it was."""
        return self._trouble

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a request that is under way is left behind."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._http.close()

    def round(self) -> str:
        """Look whether all is well, and say so; return what became of it: sent, failed or withheld."""
        checks = self._checks()
        if status_of(checks) != "ok":
            outcome = "withheld"
            wrong = "; ".join(f"{check.name}: {check.cause}" for check in checks if not check.ok)
            trouble: str | None = f"withheld: {wrong}"
        else:
            trouble = self._send()
            outcome = "sent" if trouble is None else "failed"
        self._rounds.labels(outcome).inc()
        if trouble != self._trouble:
            if trouble:
                _LOG.warning("no heartbeat: %s", trouble)
            else:
                _LOG.info("the heartbeat is sent again")
        self._trouble = trouble
        return outcome

    def _send(self) -> str | None:
        try:
            answer = self._http.post(self._url, b"", {"Content-Length": "0"})
        except AttemptFailedError as error:
            return error.message
        return None if 200 <= answer.status < 300 else f"the receiver answered {answer.status}"

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.round()
            except Exception:
                # Silence is what the other side listens for; the loop goes on.
                _LOG.exception("the heartbeat failed")
            self._stopping.wait(self._seconds)
