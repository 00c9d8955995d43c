"""A collector of traces: takes OTLP over HTTP as the protocol says, and keeps the spans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import decompress
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.receivers import HttpReceiver, http_receiver


@dataclass(frozen=True, slots=True)
class CollectedSpan:
    """A span as it came. `links` are the traces that it is linked to."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: str = ""
    links: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Collector:
    """What came so far."""

    receiver: HttpReceiver
    url: str = field(default="")

    @property
    def spans(self) -> list[CollectedSpan]:
        """Every span."""
        found = []
        for received in list(self.receiver.received):
            assert received.path == "/v1/traces"
            assert received.headers["content-type"] == "application/x-protobuf"
            is_packed = received.headers.get("content-encoding") == "gzip"
            request = ExportTraceServiceRequest.FromString(decompress(received.body) if is_packed else received.body)
            for resource in request.resource_spans:
                about = {each.key: _value(each.value) for each in resource.resource.attributes}
                found += [
                    CollectedSpan(
                        service=about["service.name"],
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes={each.key: _value(each.value) for each in span.attributes},
                        failed=span.status.message if span.status.code == 2 else "",
                        links=[link.trace_id.hex() for link in span.links],
                    )
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
        return found

    def of(self, name: str) -> list[CollectedSpan]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]


@contextmanager
def collector() -> Iterator[Collector]:
    """Run one."""
    with http_receiver() as receiver:
        receiver.answers[:] = [(200, {"Content-Type": "application/x-protobuf"}, b"")]
        yield Collector(receiver, receiver.url)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
