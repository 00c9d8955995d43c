"""Receivers of notifications that really listen: HTTP with or without TLS, and SMTP."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(slots=True)
class Received:
    """A request as it came; names of headers in lower case.

    Attributes:
        at: When, on the monotonic clock.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class HttpReceiver:
    """Answers what it is told to and keeps what it got.

    Attributes:
        answers: What the next requests are answered: (status, headers, body); the last one stays.
        drip_seconds: Between two bytes of an answer's body.
        hold: Requests are not answered until it is set.
    """

    url: str = ""
    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=lambda: [(200, {}, b"ok")])
    drip_seconds: float = 0.0
    hold: threading.Event | None = None
    connections: int = 0


@contextmanager
def http_receiver(certificate: Certificate | None = None) -> Iterator[HttpReceiver]:
    """Listen on the loopback interface."""
    state = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            state.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.received.append(
                Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            )
            if state.hold is not None:
                state.hold.wait(30)
            status, headers, answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if not state.drip_seconds:
                self.wfile.write(answer)
                return
            for byte in answer:
                self.wfile.write(bytes([byte]))
                time.sleep(state.drip_seconds)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Callers end connections when they had enough."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        server.socket = certificate.server_context().wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    state.url = f"http{'s' if certificate else ''}://127.0.0.1:{state.port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield state
    finally:
        if state.hold is not None:
            state.hold.set()
        server.shutdown()
        server.server_close()


@dataclass(slots=True)
class SmtpReceiver:
    """A mail server.

    Attributes:
        answers: Verb (`MAIL`, `RCPT`, `DATA`, `.`, `AUTH`, `EHLO`, `connect`) -> what is answered in place of success;
            of RCPT by `RCPT <address>`, too.
        spoken: Every line that came, before and after TLS.
    """

    port: int = 0
    messages: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    spoken: list[str] = field(default_factory=list)
    offers_starttls: bool = True
    hold: threading.Event | None = None
    drip: bool = False

    def message(self) -> EmailMessage:
        """Return the last message."""
        parsed = message_from_bytes(self.messages[-1][2], policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@contextmanager
def smtp_receiver(certificate: Certificate | None = None, *, is_tls: bool = False) -> Iterator[SmtpReceiver]:
    """Listen on the loopback interface: with STARTTLS where there is a certificate, or with TLS from the start."""
    state = SmtpReceiver(offers_starttls=certificate is not None and not is_tls)

    class Handler(socketserver.StreamRequestHandler):
        def answer(self, verb: str, usual: str) -> bool:
            said = state.answers.get(verb, usual)
            self.wfile.write(said.encode() + b"\r\n")
            return said == usual

        def greet(self) -> None:
            if state.hold is not None:
                state.hold.wait(30)
            while state.drip:
                self.wfile.write(b"220-slow\r\n")
                time.sleep(0.05)
            self.answer("connect", "220 ready")

        def handle(self) -> None:
            self.greet()
            sender, recipients = "", []
            while line := self.rfile.readline(4096):
                text = line.decode("latin-1").strip()
                state.spoken.append(text)
                verb = text.upper().partition(" ")[0]
                if verb == "EHLO":
                    more = "250-STARTTLS\r\n" if state.offers_starttls and not self.is_encrypted() else ""
                    self.answer(verb, f"250-here\r\n{more}250-AUTH PLAIN\r\n250 8BITMIME")
                elif verb == "STARTTLS":
                    assert certificate is not None
                    self.wfile.write(b"220 go on\r\n")
                    self.request = certificate.server_context().wrap_socket(self.request, server_side=True)
                    self.connection = self.request
                    self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
                elif verb == "MAIL":
                    sender, recipients = text.partition(":")[2].partition(">")[0].strip(" <"), []
                    self.answer(verb, "250 fine")
                elif verb == "RCPT":
                    address = text.partition(":")[2].strip(" <>")
                    if self.answer(f"RCPT {address}" if f"RCPT {address}" in state.answers else verb, "250 fine"):
                        recipients.append(address)
                elif verb == "DATA":
                    if self.answer(verb, "354 go on"):
                        content = self.content()
                        if self.answer(".", "250 taken"):
                            state.messages.append((sender, recipients, content))
                elif verb == "QUIT":
                    self.answer(verb, "221 bye")
                    return
                else:
                    self.answer(verb, "235 fine" if verb == "AUTH" else "250 fine")

        def content(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line[1:] if line.startswith(b"..") else line)
            return b"".join(lines)

        def is_encrypted(self) -> bool:
            return isinstance(self.request, ssl.SSLSocket)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Callers end connections when they had enough."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None and is_tls:
        server.socket = certificate.server_context().wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield state
    finally:
        state.drip = False
        if state.hold is not None:
            state.hold.set()
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that signs itself, for names of this machine.

    Attributes:
        file: Certificate and key in PEM.
    """

    file: Path

    def server_context(self) -> ssl.SSLContext:
        """Return what a server offers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


def make_certificate(directory: Path, *names: str) -> Certificate:
    """Make a certificate for names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver of a test")])
    known: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "receiver.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return Certificate(file)
