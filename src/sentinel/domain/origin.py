"""Where an event came from: the request that brought it, and the trace that it is part of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

REQUEST_ID_HEADER = "sentinel-request-id"
"""The header of a Kafka record that names the request which brought its event."""
TRACEPARENT_HEADER = "traceparent"
ORIGIN_HEADERS = (REQUEST_ID_HEADER, TRACEPARENT_HEADER)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
# https://www.w3.org/TR/trace-context/#traceparent-header, version 00; ids of zeros alone are none.
TRACEPARENT = re.compile(r"00-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?P<span_id>(?!0{16})[0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What the headers of a record say.

    Attributes:
        request_id: Of the request that brought the event; empty: not known.
        traceparent: Of the span that produced the record (W3C Trace Context); empty: it was not traced.
    """

    request_id: str = ""
    traceparent: str = ""

    @property
    def trace_id(self) -> str:
        """The trace's id; empty: it was not traced."""
        found = TRACEPARENT.fullmatch(self.traceparent)
        return found["trace_id"] if found else ""


UNKNOWN = Origin()


def origin_of(headers: Iterable[tuple[str, bytes]]) -> Origin:
    """Read the headers of a record, of which anybody who may write to the topic writes any: what does not fit is none.

    Of a name that is there more than once the last counts, as in Kafka's own clients.
    """
    said = {name: value.decode("ascii", errors="replace") for name, value in headers if name in ORIGIN_HEADERS}
    request_id, traceparent = said.get(REQUEST_ID_HEADER, ""), said.get(TRACEPARENT_HEADER, "")
    return Origin(
        request_id if REQUEST_ID.fullmatch(request_id) else "",
        traceparent if TRACEPARENT.fullmatch(traceparent) else "",
    )
