"""The SMTP client of channels: it goes only where requests to targets of tenants may go, and never waits for long."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader

from sentinel.notify.reach.addresses import AddressGuard
from sentinel.settings import NotifySettings

MAX_ANSWER_BYTES = 65_536
FAREWELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        security: `tls` from the first byte, `starttls` before anything else, or `plain`, which only networks that the
            operator allowed are spoken to.
        greets_as: What this side calls itself.
    """

    host: str
    port: int
    security: str
    greets_as: str
    username: str = ""
    password: str = field(default="", repr=False)


def hand_in(
    server: MailServer,
    sender: str,
    recipients: Sequence[str],
    message: bytes,
    *,
    guard: AddressGuard,
    tls: ssl.SSLContext,
    settings: NotifySettings,
) -> dict[str, tuple[int, bytes]]:
    """Hand a message in and return the recipients that the server refused; it took the others.

    Raises:
        AddressNotAllowedError, HostUnresolvedError: As `AddressGuard.addresses`.
        smtplib.SMTPException: The server refused it, or all recipients; or it does not speak TLS.
        OSError: The connection broke, or the total time limit passed (`TimeoutError`).
    """
    with _connected(server, guard, tls, settings) as smtp:
        if server.security == "starttls":
            smtp.starttls(context=tls)
        if server.username:
            smtp.login(server.username, server.password)
        refused = smtp.sendmail(sender, list(recipients), message)
        # The message is taken: a farewell that takes long changes nothing about that.
        with suppress(smtplib.SMTPException, OSError):
            if smtp.sock is not None:
                smtp.sock.settimeout(FAREWELL_SECONDS)
            smtp.quit()
        return refused


@contextmanager
def _connected(
    server: MailServer, guard: AddressGuard, tls: ssl.SSLContext, settings: NotifySettings
) -> Iterator[smtplib.SMTP]:
    """Connect, and cut the connection when the total time limit passes: SMTP's own limits are between two bytes."""
    is_over = threading.Event()
    connections: list[socket.socket] = []

    def cut() -> None:
        is_over.set()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(settings.total_timeout_seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        connection = _connect(server, guard, settings)
        # A handle of its own on the same connection: wrapping in TLS takes the other one away.
        connections.append(connection.dup())
        if is_over.is_set():
            connection.close()
            raise TimeoutError("the total time limit")
        smtp = _Smtp(server, connection, tls, settings.read_timeout_seconds)
        try:
            yield smtp
        finally:
            smtp.close()
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        if is_over.is_set():
            raise TimeoutError("the total time limit") from error
        raise
    finally:
        timer.cancel()
        for handle in connections:
            handle.close()


def _connect(server: MailServer, guard: AddressGuard, settings: NotifySettings) -> socket.socket:
    waits = settings.connect_timeout_seconds
    addresses = guard.addresses(
        server.host, server.port, is_encrypted=server.security != "plain", timeout_seconds=waits
    )
    failure: OSError = ConnectionError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, server.port), waits / len(addresses))
        except OSError as error:
            failure = error
    raise failure


class _Smtp(smtplib.SMTP):
    """smtplib on a connection that is there already, with an end to what is read of answers."""

    def __init__(self, server: MailServer, connection: socket.socket, tls: ssl.SSLContext, timeout: float) -> None:
        self._connection = connection
        self._tls = tls if server.security == "tls" else None
        try:
            super().__init__(server.host, server.port, local_hostname=server.greets_as, timeout=timeout)
        except BaseException:
            connection.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._connection.settimeout(timeout)
        if self._tls is not None:
            self._connection = self._tls.wrap_socket(self._connection, server_hostname=host)
        return self._connection

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer."""
        if self.file is None and self.sock is not None:
            self.file = _BoundedReader(self.sock.makefile("rb"))
        return super().getreply()


class _BoundedReader:
    """Lines of a server, MAX_ANSWER_BYTES in all; then the connection counts as broken."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._left = MAX_ANSWER_BYTES

    def readline(self, size: int = -1) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise ConnectionError("the server talks without end")
        return line

    def close(self) -> None:
        self._file.close()
