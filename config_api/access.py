"""Who calls, and what they may do."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from sentinel.domain.api_key import ApiKey, Scope
from sentinel.errors import ConfigurationError, ForbiddenError, UnauthenticatedError
from sentinel.settings import ApiSettings
from sentinel.telemetry.context import tenant_is
from sentinel.wiring import Backend

BEARER = HTTPBearer(auto_error=False, description="An API key, made by `sentinel keys create`.")
HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same, for tools without Bearer.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        name: For the record: the key's name, which need not be unique, and its id.
        key: None in open mode, where everything is allowed.
    """

    tenant_id: str
    name: str
    key: ApiKey | None


def refuse_open_to_others(settings: ApiSettings) -> None:
    """Refuse to serve without API keys on an address that others reach.

    Raises:
        ConfigurationError: It would.
    """
    if settings.open and not is_loopback(settings.host):
        raise ConfigurationError(
            f"the API would serve without API keys on {settings.host!r}, which other machines reach; "
            "set SENTINEL_API__OPEN=false and make keys with `sentinel keys create`, or SENTINEL_API__HOST=127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine alone."""
    bare = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")


def identify(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    header: Annotated[str | None, Depends(HEADER)],
) -> Caller:
    """Return who calls: by API key, or as the default tenant where the API is open.

    Raises:
        UnauthenticatedError: No key, or not a valid one.
    """
    backend: Backend = request.app.state.backend
    presented = bearer.credentials if bearer else header
    if presented:
        key = backend.authenticate(presented)
        tenant_is(key.tenant_id)
        return Caller(key.tenant_id, f"{key.name} (key:{key.id})", key)
    if not request.app.state.settings.api.open:
        raise UnauthenticatedError("send an API key as `Authorization: Bearer snt_...` or `X-API-Key: snt_...`")
    _refuse_strangers(request)
    tenant_is(request.app.state.settings.tenant)
    return Caller(request.app.state.settings.tenant, "open", None)


def local_tenant(request: Request) -> str | None:
    """Return the tenant that this machine's own tools act for without a key; None for anybody else."""
    if not request.app.state.settings.api.open:
        return None
    try:
        _refuse_strangers(request)
    except UnauthenticatedError:
        return None
    return str(request.app.state.settings.tenant)


def _refuse_strangers(request: Request) -> None:
    """Refuse, in open mode, what does not come from this machine's own tools.

    The address may differ from the settings' when a server was started by hand. The Host and Sec-Fetch-Site headers
    tell a web page that reaches for the loopback interface through somebody's browser (DNS rebinding, cross-site
    requests).

    Raises:
        UnauthenticatedError: It does not.
    """
    client = request.client.host if request.client else ""
    host = request.url.hostname or ""
    if not is_loopback(client) or not is_loopback(host):
        raise UnauthenticatedError(
            f"without an API key only this machine is served, by the name localhost or 127.0.0.1 (caller {client!r}, "
            f"host {host!r}); make a key with `sentinel keys create`"
        )
    if request.headers.get("sec-fetch-site", "none") == "cross-site":
        raise UnauthenticatedError("without an API key no request from another web site is served")


def may(scope: Scope, caller: Caller) -> Caller:
    """Return the caller if the key's scopes include this one.

    Raises:
        ForbiddenError: They do not.
    """
    if caller.key is not None and not caller.key.allows(scope):
        held = ", ".join(sorted(caller.key.scopes))
        raise ForbiddenError(f"this needs the scope {scope.value!r}; the API key {caller.key.prefix}... has {held}")
    return caller
