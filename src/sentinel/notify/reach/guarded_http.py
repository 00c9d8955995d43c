"""The HTTP client of channels: it goes only where requests to targets of tenants may go, and never waits for long.

httpcore rather than httpx above it: its network backend is where a connection can be made to exactly the address that
was judged, and nothing of it follows redirects, reads the environment or unpacks an answer.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from sentinel.errors import AddressNotAllowedError, ConfigurationError, InvalidError
from sentinel.notify.channels.base import AttemptFailedError, Fate
from sentinel.notify.reach.addresses import AddressGuard, HostUnresolvedError
from sentinel.notify.reach.urls import read_url
from sentinel.settings import NotifySettings

MAX_ANSWER_BYTES = 65_536
_MAX_CONNECTIONS = 512
_MAX_IDLE = 64
_IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a receiver answered.

    Attributes:
        headers: Names in lower case; of several of one name the last.
        body: At most MAX_ANSWER_BYTES of it.
        is_whole: False: the body was longer, or did not end in time.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode(errors="replace")


class GuardedHttp:
    """Sends requests to targets that tenants named. Thread-safe; one per process.

    Every connection goes to an address that `AddressGuard` judged, while host header and TLS name stay those of the
    URL. Connections are used again for the same origin. No redirect is followed, no proxy and no credential is taken
    from the environment, no body is unpacked, at most 64 kB of an answer are read, and the total time limit holds
    whatever the receiver does: for the resolver, TLS, headers and body together.
    """

    def __init__(self, guard: AddressGuard, settings: NotifySettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._deadline = _Deadline(monotonic)
        context = trusting_context(settings)
        self._encrypted, self._plain = (
            httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_MAX_IDLE,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=_GuardedBackend(guard, self._deadline, is_encrypted=is_encrypted),
            )
            for is_encrypted in (True, False)
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send a request and return what is answered, whatever its status.

        An answer that begins and does not end is returned as far as it came: its status says what became of the
        request.

        Raises:
            AttemptFailedError: Nothing was answered. The message names the host, nothing else of the URL.
        """
        try:
            target = read_url(url)
        except InvalidError as error:
            raise AttemptFailedError(error.message, fate=Fate.DEAD, reason="bad_url") from error
        settings = self._settings
        limits = {
            "connect": settings.connect_timeout_seconds,
            "read": settings.read_timeout_seconds,
            "write": settings.read_timeout_seconds,
            "pool": settings.connect_timeout_seconds,
        }
        usual = {"Host": target.authority, "Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Sentinel"}
        # In parts: taken apart a second time, it might be something else.
        parts = httpcore.URL(
            scheme=b"https" if target.is_encrypted else b"http",
            host=target.host.encode("ascii"),
            port=target.port,
            target=target.path.encode("ascii"),
        )
        pool = self._encrypted if target.is_encrypted else self._plain
        self._deadline.begin(settings.total_timeout_seconds)
        try:
            with pool.stream(
                "POST", parts, headers=list({**usual, **headers}.items()), content=body, extensions={"timeout": limits}
            ) as response:
                found, is_whole = _read(response)
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                return HttpAnswer(response.status, told, found, is_whole)
        except AddressNotAllowedError as error:
            raise AttemptFailedError(error.message, fate=Fate.DEAD, reason="address_not_allowed") from error
        except HostUnresolvedError as error:
            raise AttemptFailedError(error.message, fate=Fate.RETRY, reason="unresolved") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise self._failure(error, target.host) from error
        finally:
            self._deadline.end()

    def close(self) -> None:
        """Close every connection."""
        self._encrypted.close()
        self._plain.close()

    def _failure(self, error: Exception, host: str) -> AttemptFailedError:
        settings = self._settings
        cause = error.__cause__ if error.__cause__ is not None else error.__context__
        if isinstance(error, httpcore.ConnectTimeout):
            said, reason = (
                f"{host} could not be connected to within {settings.connect_timeout_seconds:.3g} s",
                "timeout",
            )
        elif isinstance(error, httpcore.TimeoutException):
            said, reason = f"{host} did not answer in time", "timeout"
        elif isinstance(error, ssl.SSLError) or isinstance(cause, ssl.SSLError):
            said, reason = f"{host}: TLS failed: {_tls_reason(error, cause)}", "tls"
        elif isinstance(error, httpcore.ConnectError):
            said, reason = f"{host} could not be connected to", "refused"
        elif isinstance(error, httpcore.ProtocolError):
            said, reason = f"{host} did not answer by HTTP, or ended the connection before its answer", "protocol"
        else:
            said, reason = f"the connection to {host} broke", "broken"
        return AttemptFailedError(said, fate=Fate.RETRY, reason=reason)


def trusting_context(settings: NotifySettings) -> ssl.SSLContext:
    """Return a TLS context that verifies names and certificates; with the operator's own authorities besides.

    Raises:
        ConfigurationError: SENTINEL_NOTIFY__CA_FILE cannot be read.
    """
    context = httpx.create_ssl_context(verify=True, trust_env=False)
    if settings.ca_file:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"SENTINEL_NOTIFY__CA_FILE: {settings.ca_file} holds no certificates in PEM: {error}"
            ) from error
    return context


def _tls_reason(*errors: BaseException | None) -> str:
    for error in errors:
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        if isinstance(error, ssl.SSLError) and error.reason:
            return error.reason
    return "the handshake ended"


def _read(response: httpcore.Response) -> tuple[bytes, bool]:
    found = bytearray()
    try:
        for chunk in response.iter_stream():
            found += chunk
            if len(found) > MAX_ANSWER_BYTES:
                return bytes(found[:MAX_ANSWER_BYTES]), False
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        return bytes(found), False
    return bytes(found), True


class _Deadline(threading.local):
    """When the request of this thread has to be over. httpcore does all of a request's work in the thread that asks."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends_at: float | None = None

    def begin(self, seconds: float) -> None:
        self._ends_at = self._monotonic() + seconds

    def end(self) -> None:
        self._ends_at = None

    def bound(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Return what remains of a time limit.

        Raises:
            Exception: Nothing: `error`.
        """
        if self._ends_at is None:
            return timeout
        remaining = self._ends_at - self._monotonic()
        if remaining <= 0:
            raise error("the total time limit")
        return remaining if timeout is None else min(timeout, remaining)


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to judged addresses only."""

    def __init__(self, guard: AddressGuard, deadline: _Deadline, *, is_encrypted: bool) -> None:
        self._guard = guard
        self._deadline = deadline
        self._is_encrypted = is_encrypted
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Try each address of the host in turn, within the time limit together."""
        waits = self._deadline.bound(timeout, httpcore.ConnectTimeout)
        addresses = self._guard.addresses(
            host, port, is_encrypted=self._is_encrypted, timeout_seconds=5.0 if waits is None else waits
        )
        failure: Exception | None = None
        for position, address in enumerate(addresses):
            waits = self._deadline.bound(timeout, httpcore.ConnectTimeout)
            # One that does not answer must leave time for the next.
            share = None if waits is None else waits / min(2, len(addresses) - position)
            try:
                stream = self._sockets.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, self._deadline)
        raise failure or httpcore.ConnectError("no address")


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every step ends with the deadline of the thread that uses it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.bound(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.bound(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        bounded = self._deadline.bound(timeout, httpcore.ConnectTimeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, bounded), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
