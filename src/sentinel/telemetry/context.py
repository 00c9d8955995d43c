"""Which request is being served: known to every log line and span that comes of it."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass

# https://www.w3.org/TR/trace-context/#traceparent-header, version 00; ids of zeros alone are none.
TRACEPARENT = re.compile(r"00-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?P<span_id>(?!0{16})[0-9a-f]{16})-[0-9a-f]{2}")
# The header of a Kafka record that names the request which brought its event.
REQUEST_ID_HEADER = "sentinel-request-id"


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
