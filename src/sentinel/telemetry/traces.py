"""Traces by OpenTelemetry, where the environment names a collector; else nothing, and nothing of it is imported.

Set up as OpenTelemetry prescribes (https://opentelemetry.io/docs/specs/otel/protocol/exporter/): by
OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, with OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER
and all else. A collector that is away costs spans, never work: they wait in a bounded queue of a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Literal, Protocol

from sentinel.errors import ConfigurationError

Value = str | int | float | bool | Sequence[str]
Kind = Literal["internal", "server", "producer", "consumer", "client"]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# Of the values of one attribute. A request may bring ten thousand events.
MOST_VALUES = 100


class Span(Protocol):
    """Something that takes time."""

    @property
    def traceparent(self) -> str:
        """What carries it on (W3C Trace Context); empty: it is not recorded."""

    def note(self, name: str, value: Value) -> None:
        """Say something of it. Never a secret, never a body."""

    def link(self, traceparent: str) -> None:
        """Say that it is also about what another span is part of; a `traceparent` that is none is left out."""

    def failed(self, why: str) -> None:
        """Say that it failed."""


class Traces(Protocol):
    """Where spans are begun."""

    def span(
        self,
        name: str,
        attributes: Mapping[str, Value] | None = None,
        *,
        parent: str = "",
        kind: Kind = "internal",
        began_at: datetime | None = None,
    ) -> AbstractContextManager[Span]:
        """Begin a span within the one of this thread; an exception that leaves it has failed it.

        Args:
            parent: A `traceparent` that it continues instead; empty: none.
            began_at: When it began, where that was earlier; None: now.
        """

    def close(self) -> None:
        """Send what waits, within seconds."""


class _NoSpan:
    traceparent = ""

    def note(self, name: str, value: Value) -> None:
        """Nothing."""

    def link(self, traceparent: str) -> None:
        """Nothing."""

    def failed(self, why: str) -> None:
        """Nothing."""


class _NoTraces:
    @contextmanager
    def span(
        self,
        name: str,
        attributes: Mapping[str, Value] | None = None,
        *,
        parent: str = "",
        kind: Kind = "internal",
        began_at: datetime | None = None,
    ) -> Iterator[Span]:
        """Nothing."""
        yield _NO_SPAN

    def close(self) -> None:
        """Nothing."""


_NO_SPAN = _NoSpan()
NO_TRACES: Traces = _NoTraces()


def begin_traces(process: str, environment: Mapping[str, str]) -> Traces:
    """Return where spans are begun, as the environment says.

    Args:
        process: The last part of `service.name`, unless OTEL_SERVICE_NAME says another.

    Raises:
        ConfigurationError: A collector is named, and the packages for it are not installed.
    """
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or not any(environment.get(name) for name in ENDPOINTS):
        return NO_TRACES
    try:
        # Only here: importing them takes longer than all else that a process imports for its start.
        from sentinel.telemetry.otlp import open_traces  # noqa: PLC0415
    except ImportError as error:
        named = next(name for name in ENDPOINTS if environment.get(name))
        raise ConfigurationError(
            f"{named} is set, and the packages for traces are not installed ({error}); "
            "install sentinel-detect[otel], or unset it"
        ) from error
    return open_traces(environment.get("OTEL_SERVICE_NAME") or f"sentinel-{process}")
