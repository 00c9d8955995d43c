"""How the client reaches the API: one connection pool, errors as in `sentinel.errors`, repeatable writes."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from sentinel.client.problems import refuse
from sentinel.errors import StoreUnavailableError
from sentinel.settings import Settings

# Of this process.
_SECRET = secrets.token_bytes(32)


class Transport:
    """Sends requests to the configuration API. Safe to share between threads.

    A write carries an `Idempotency-Key` of its own, so it is repeated once when the connection breaks.

    Attributes:
        identity: Equal for clients of one address with one key. Nothing can be learnt of the key by it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self.identity = hashlib.blake2b(f"{base_url}\n{api_key}".encode(), key=_SECRET).digest()
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(
            base_url=base_url, headers=headers, timeout=timeout_seconds, transport=transport, trust_env=False
        )

    @classmethod
    def of(cls, settings: Settings, *, api_key: str | None = None) -> Self:
        """Build the client of the API that the settings describe.

        Args:
            api_key: None: the dashboard's key if there is one.
        """
        key = settings.dashboard.api_key.get_secret_value() if api_key is None else api_key
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.api.host, settings.api.host)  # noqa: S104
        return cls(f"http://{f'[{host}]' if ':' in host else host}:{settings.api.port}", api_key=key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _get(self, path: str, **parameters: Any) -> httpx.Response:
        wanted = {name: value for name, value in parameters.items() if value is not None}
        return self._request("GET", path, params=wanted)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any], *, if_version: int | None = None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if if_version is not None:
            headers["If-Match"] = f'"{if_version}"'
        return self._request(method, path, json=dict(body), headers=headers)

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        response = self._raw(method, path, **more)
        refuse(response)
        return response

    def _raw(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            try:
                return self._http.request(method, path, **more)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            reason = f"{error or type(error).__name__} at {self.base_url}; `sentinel status` shows what runs"
            raise StoreUnavailableError("the API", reason) from error
