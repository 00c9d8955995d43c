"""A small HTTP listener beside a process's work: `/metrics`, `/healthz`, `/readyz`, for the operator alone."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from typing import Any, ClassVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from sentinel.telemetry.health import Checks, document, status_of

_LOG = logging.getLogger(__name__)

# Requests that are answered at the same time. Some more wait; beyond that connections are closed.
WORKERS = 4
MOST_OPEN = 32
# Of each read and write: who asks slowly holds one of the workers for so long.
SOCKET_SECONDS = 5.0
RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the listener answers with.

    Attributes:
        registry: The process's metrics.
        alive: What must hold, or the process is to be started again.
        ready: What it needs to do its work.
    """

    registry: CollectorRegistry
    alive: Checks
    ready: Checks


class TelemetryEndpoint:
    """Answers in threads of its own; nothing that happens here stops the process's work.

    A port that is taken is logged as an error and tried again: work goes on without. On a loopback address only
    requests to a loopback name are answered, so that no web page reaches it through somebody's browser.

    Args:
        port: 0: any that is free, see `address`.
        setting: Names the port in messages.
    """

    def __init__(self, host: str, port: int, told: Told, *, setting: str) -> None:
        self._host = host
        self._port = port
        self._told = told
        self._setting = setting
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin to answer, soon."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        with self._lock:
            self._stopping.set()
            server = self._server
        if server is not None:
            # It serves, or is about to: `shutdown` would wait for ever for one that never does.
            server.shutdown()
        if self._thread.is_alive():
            self._thread.join(SOCKET_SECONDS)

    def address(self, timeout_seconds: float = 10.0) -> tuple[str, int] | None:
        """Return where it listens, waiting for that; None: it does not."""
        if not self._listening.wait(timeout_seconds) or self._server is None:
            return None
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                server = _Server((self._host, self._port), self._told)
            except OSError as error:
                _LOG.error(
                    "metrics and health are not told: %s port %d (%s): %s; trying again",
                    self._host,
                    self._port,
                    self._setting,
                    error.strerror or error,
                )
                self._stopping.wait(RETRY_SECONDS)
                continue
            with self._lock:
                if self._stopping.is_set():
                    server.server_close()
                    return
                self._server = server
            self._listening.set()
            try:
                server.serve_forever(poll_interval=0.25)
            finally:
                server.server_close()
            return


class _Server(HTTPServer):
    """Answers with a bounded number of threads."""

    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], told: Told) -> None:
        self.told = told
        self.one_at_a_time = threading.Lock()
        self.is_loopback = is_loopback(address[0])
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="telemetry")
        self._places = threading.BoundedSemaphore(MOST_OPEN)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        # Last: where the port is taken it closes what is above.
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking a name server for this machine's name, as the base class does."""
        TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of the pool; close at once where too many wait for that."""
        if self._places.acquire(blocking=False):
            self._pool.submit(self._answer, request, client_address)
        else:
            self.shutdown_request(request)

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError as error:
            _LOG.debug("a request for metrics or health broke off: %s", error)
        except Exception:
            _LOG.exception("a request for metrics or health failed")
        finally:
            self._places.release()
            self.shutdown_request(request)

    def server_close(self) -> None:
        """Close, without waiting for answers under way."""
        super().server_close()
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout: ClassVar[float] = SOCKET_SECONDS
    server_version = "Sentinel"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        if self.server.is_loopback and not is_loopback(_name_of(self.headers.get("Host", "localhost"))):
            self._say(HTTPStatus.FORBIDDEN, {"status": "refused", "detail": "ask localhost or 127.0.0.1"})
            return
        path = self.path.partition("?")[0]
        told = self.server.told
        if path == "/metrics":
            self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(told.registry))
        elif path in {"/healthz", "/readyz"}:
            # Checks may ask a store: however often somebody probes, it is asked by one at a time.
            with self.server.one_at_a_time:
                checks = (told.alive if path == "/healthz" else told.ready)()
            is_well = status_of(checks) != "unavailable"
            self._say(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, document(checks))
        else:
            detail = "there are /metrics, /healthz and /readyz"
            self._say(HTTPStatus.NOT_FOUND, {"status": "not found", "detail": detail})

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def _say(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line."""
        _LOG.debug(format, *args)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine alone."""
    bare = host.strip("[]").lower().rstrip(".")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")


def _name_of(host: str) -> str:
    """Return a Host header without its port."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
