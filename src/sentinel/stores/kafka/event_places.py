"""Which records came of which request: a line in the log for who looks from an alert back to its sender."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sentinel.domain.origin import REQUEST_ID_HEADER
from sentinel.stores.kafka.event_log import EventRecord, Place

_LOG = logging.getLogger(__name__)

# Spans of offsets in a line; a request with more takes several.
SPANS_PER_LINE = 200


def log_places(records: Sequence[EventRecord], places: Sequence[Place | None]) -> None:
    """Log, per request, topic and partition, the offsets of what the broker holds.

    The request is the one that the record's header names: what waited in the spool is brought by another.
    """
    found: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for record, place in zip(records, places, strict=True):
        if place is not None:
            found[_request_of(record), record.topic, place[0]].append(place[1])
    for (request_id, topic, partition), offsets in found.items():
        spans = list(spans_of(offsets))
        for start in range(0, len(spans), SPANS_PER_LINE):
            text = ",".join(spans[start : start + SPANS_PER_LINE])
            fields = {"request_id": request_id, "topic": topic, "partition": partition, "offsets": text}
            _LOG.info(
                "events of request %s: topic %s, partition %d, offsets %s",
                request_id,
                topic,
                partition,
                text,
                extra={"fields": fields},
            )


def spans_of(offsets: Sequence[int]) -> Iterator[str]:
    """Return offsets in order as spans: 3, 4, 5, 9 -> `3-5`, `9`."""
    first = last = None
    for offset in sorted(offsets):
        if last is not None and offset == last + 1:
            last = offset
            continue
        if first is not None:
            yield _span(first, last)
        first = last = offset
    if first is not None:
        yield _span(first, last)


def _span(first: int, last: int | None) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _request_of(record: EventRecord) -> str:
    return next((value.decode(errors="replace") for name, value in record.headers if name == REQUEST_ID_HEADER), "")
