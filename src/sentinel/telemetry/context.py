"""Which request is being served: known to every log line and span that comes of it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestContext:
    """One request. Threads that work for it share it: a context that is copied copies the reference.

    Attributes:
        tenant_id: Who asks; empty while nobody knows.
    """

    request_id: str
    tenant_id: str = ""


REQUEST: ContextVar[RequestContext | None] = ContextVar("sentinel_request", default=None)


def request_id() -> str:
    """Return the id of the request that is served; empty: none is."""
    current = REQUEST.get()
    return current.request_id if current else ""


def tenant_is(tenant_id: str) -> None:
    """Note whose request is served."""
    current = REQUEST.get()
    if current is not None:
        current.tenant_id = tenant_id
