"""Receivers as the contract of channels wants them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.receivers import Certificate, HttpReceiver, SmtpReceiver, http_receiver, smtp_receiver


class HttpContractReceiver:
    """An HTTP server."""

    def __init__(self, server: HttpReceiver, taken: tuple[int, bytes]) -> None:
        self.server = server
        server.answers = [(taken[0], {}, taken[1])]

    def bodies(self) -> list[bytes]:
        """Return the bodies of requests."""
        return [received.body for received in self.server.received]

    def refuse_for_now(self) -> None:
        """Answer 503."""
        self.server.answers = [(503, {}, b"busy")]

    def fall_silent(self) -> None:
        """Answer nothing."""
        self.server.hold = threading.Event()

    def repeat_secrets(self, text: str) -> None:
        """Fail with a text."""
        self.server.answers = [(500, {}, f"what of {text}?\n\x1b[31m".encode())]


@contextmanager
def contract_http(status: int = 200, body: bytes = b"ok") -> Iterator[HttpContractReceiver]:
    """Listen."""
    with http_receiver() as server:
        yield HttpContractReceiver(server, (status, body))


class SmtpContractReceiver:
    """A mail server."""

    def __init__(self, server: SmtpReceiver, certificate: Certificate | None) -> None:
        self.server = server
        self.certificate = certificate

    def bodies(self) -> list[bytes]:
        """Return messages."""
        return [content for _, _, content in self.server.messages]

    def refuse_for_now(self) -> None:
        """Answer 451."""
        self.server.answers["DATA"] = "451 later"

    def fall_silent(self) -> None:
        """Answer nothing."""
        self.server.hold = threading.Event()

    def repeat_secrets(self, text: str) -> None:
        """Fail with a text."""
        self.server.answers["."] = f"554 what of {text}?"


@contextmanager
def contract_smtp() -> Iterator[SmtpContractReceiver]:
    """Listen, in plain."""
    with smtp_receiver() as server:
        yield SmtpContractReceiver(server, None)
