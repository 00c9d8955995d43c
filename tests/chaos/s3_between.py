"""Stands between the job and the S3 server and is as bad as it is told to be."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
import time
from types import TracebackType
from typing import Any, Literal

Manner = Literal["pass", "unavailable", "slow", "no_conditions"]

SLOW_SECONDS = 3.0
_UNAVAILABLE = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 73\r\nConnection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>  "
)
_NOT_IMPLEMENTED = (
    b"HTTP/1.1 501 Not Implemented\r\nContent-Type: application/xml\r\nContent-Length: 80\r\nConnection: close\r\n\r\n"
    b"<Error><Code>NotImplemented</Code><Message>A header is unknown</Message></Error>"
)


class _Handler(socketserver.BaseRequestHandler):
    """One request per connection: what the client keeps open would escape a change of manner."""

    server: S3Between

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._answer()

    def _answer(self) -> None:
        head, rest = self._read_head()
        if not head:
            return
        manner = self.server.manner
        has_condition = b"\r\nif-none-match:" in head.lower() and head.startswith(b"PUT")
        if manner == "unavailable" or (manner == "no_conditions" and has_condition):
            self.server.refused += 1
            self._swallow(head, rest)
            self.request.sendall(_UNAVAILABLE if manner == "unavailable" else _NOT_IMPLEMENTED)
            return
        if manner == "slow":
            self.server.slowed += 1
            time.sleep(SLOW_SECONDS)
        with socket.create_connection(self.server.behind, timeout=60) as upstream:
            first, _, headers = head.partition(b"\r\n")
            headers = re.sub(rb"(?im)^connection:[^\r\n]*\r\n", b"", headers)
            upstream.sendall(first + b"\r\nConnection: close\r\n" + headers + rest)
            sender = threading.Thread(target=self._forward, args=(upstream,), daemon=True)
            sender.start()
            while part := upstream.recv(65536):
                self.request.sendall(part)
        self.request.shutdown(socket.SHUT_RDWR)
        sender.join(10)

    def _forward(self, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := self.request.recv(65536):
                upstream.sendall(part)

    def _read_head(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.request.recv(65536)
            if not part:
                return b"", b""
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", rest

    def _swallow(self, head: bytes, rest: bytes) -> None:
        """Read the body, so that the client hears the answer in place of a reset."""
        if b"\r\nexpect: 100-continue" in head.lower():
            return
        found = re.search(rb"(?im)^content-length:\s*(\d+)", head)
        left = (int(found.group(1)) if found else 0) - len(rest)
        while left > 0 and (part := self.request.recv(min(left, 65536))):
            left -= len(part)


class S3Between(socketserver.ThreadingTCPServer):
    """A server in front of an S3 endpoint. Use as a context manager.

    Attributes:
        manner: `pass` requests on, answer 503 (`unavailable`), wait before each (`slow`), or refuse writes that are
            conditional (`no_conditions`), as stores do that do not know them.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, endpoint: str) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self.behind = (host, int(port))
        self.manner: Manner = "pass"
        self.refused = 0
        self.slowed = 0
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Its address, for SENTINEL_LAKE__ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends is nothing to tell of."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
