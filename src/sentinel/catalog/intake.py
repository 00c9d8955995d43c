"""Take events that come by HTTP: find their pipeline, look at them, and have the broker hold them."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sentinel.catalog.intake_targets import IntakeTarget, IntakeTargets
from sentinel.domain.diagnosis import certain_faults
from sentinel.domain.event_batch import Incoming, encodable, record_key, text_of, with_member
from sentinel.domain.json_document import JsonObject
from sentinel.domain.pipeline import EdgeCheck
from sentinel.errors import (
    ConfigurationError,
    ErrorDetail,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    StoreUnavailableError,
)
from sentinel.stores.kafka.event_log import AppendFailure, EventRecord
from sentinel.stores.redis.seen_events import EventKey, digest_of

log = logging.getLogger(__name__)

MAX_TOLD_FAULTS = 20


class ItemStatus(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(slots=True)
class ItemOutcome:
    """What became of one event of a request.

    Attributes:
        event_id: The value of the schema's id field; None where there is none.
        problems: Why it was rejected, or what is to be said of one that was not; pointers into the event.
    """

    status: ItemStatus
    pipeline_id: int | None = None
    event_id: str | None = None
    problems: tuple[ErrorDetail, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request.

    Attributes:
        deduplicated: False while Redis is away: repetitions were taken as well.
        spooled: The broker is away: the events are on disk.
    """

    outcomes: list[ItemOutcome]
    deduplicated: bool = True
    spooled: bool = False

    def count(self, status: ItemStatus) -> int:
        """Return how many events had this outcome."""
        return sum(1 for outcome in self.outcomes if outcome.status == status)


class Log(Protocol):
    """Where events are written."""

    def append(self, records: Sequence[EventRecord]) -> list[AppendFailure | None]:
        """Write records; return, for each, None when it is held, else why not."""


class Spool(Protocol):
    """Where events wait while the log is away."""

    def put(self, records: Sequence[EventRecord]) -> bool:
        """Keep all of them, or none where there is no room."""


class Seen(Protocol):
    """Remembers what was taken."""

    def known(self, tenant_id: str, keys: Sequence[EventKey]) -> list[str | None]:
        """Return the digest under which each event was taken; None for one that was not."""

    def remember(self, tenant_id: str, keys: Sequence[EventKey]) -> None:
        """Note that events were taken."""


class Limiter(Protocol):
    """Counts what each tenant sends."""

    @property
    def per_minute(self) -> int:
        """The limit; 0: there is none."""

    def wait_seconds(self, tenant_id: str, count: int, *, own: bool = False) -> float:
        """Count events, and return 0; or, where they are too many now, return when to come back."""


@dataclass(slots=True)
class _Way:
    """An event on its way to the log."""

    outcome: ItemOutcome
    record: EventRecord
    key: EventKey | None
    same_as: _Way | None = None


class Intake:
    """Takes events for all tenants. Safe for many threads.

    An event is remembered only after it is held, so one whose sender was not answered can be sent again: nothing is
    lost, and of two that cross only their ids tell that they are the same. Alerts are unique by that id anyway.
    """

    def __init__(
        self,
        targets: IntakeTargets,
        log: Log,
        seen: Seen,
        limiter: Limiter,
        *,
        spool: Spool | None = None,
        needs_redis: bool = False,
        create_topic: bool = True,
    ) -> None:
        self._targets = targets
        self._log = log
        self._seen = seen
        self._limiter = limiter
        self._spool = spool
        self._needs_redis = needs_redis
        self._create_topic = create_topic

    def take(
        self,
        tenant_id: str,
        events: Sequence[Incoming],
        *,
        named: str | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> Taken:
        """Take the events of one request.

        Args:
            named: The pipeline, by id or name; None: each event's type says.
            headers: What their records carry besides.

        Raises:
            NotFoundError: There is no pipeline of that name.
            RateLimitedError: The tenant has sent too many; none of these was taken.
            InvalidError: They are more than the tenant may send in a minute.
            StoreUnavailableError: A store does not answer. Some may have been taken: the whole request can be repeated.
        """
        self._count(tenant_id, len(events))
        fixed = self._targets.by_name(tenant_id, named) if named is not None else None
        if named is not None and fixed is None:
            raise NotFoundError(f"there is no pipeline {named[:200]!r}")
        outcomes, ways = [], []
        for event in events:
            if event.document is None:
                problem = ErrorDetail(event.pointer, event.fault)
                outcomes.append(ItemOutcome(ItemStatus.REJECTED, problems=(problem,)))
                continue
            target = fixed or self._targets.of_type(tenant_id, text_of(event.document, "type"))
            outcome, way = _judged(event.text, event.document, target, headers)
            outcomes.append(outcome)
            if way is not None:
                ways.append(way)
        deduplicated = self._without_known(tenant_id, ways)
        open_ways = [way for way in ways if way.outcome.status == ItemStatus.ACCEPTED]
        spooled = self._write(tenant_id, open_ways)
        self._remember(tenant_id, open_ways)
        for way in ways:
            if way.same_as is not None and way.same_as.outcome.status == ItemStatus.REJECTED:
                way.outcome.status = ItemStatus.REJECTED
                way.outcome.problems = way.same_as.outcome.problems
        for outcome in outcomes:
            outcome.event_id = None if outcome.event_id is None else encodable(outcome.event_id)
            outcome.problems = tuple(
                ErrorDetail(encodable(each.pointer), encodable(each.detail)) for each in outcome.problems
            )
        return Taken(outcomes, deduplicated, spooled)

    def _count(self, tenant_id: str, count: int) -> None:
        limit = self._limiter.per_minute
        if limit and count > limit:
            raise InvalidError(f"{count} events at once; a tenant may send {limit} in a minute")
        try:
            wait = self._limiter.wait_seconds(tenant_id, count)
        except StoreUnavailableError:
            if self._needs_redis:
                raise
            wait = self._limiter.wait_seconds(tenant_id, count, own=True)
        if wait:
            raise RateLimitedError(
                f"{limit} events in a minute are allowed, and these {count} would be more; come back in {wait:g} s",
                retry_after_seconds=wait,
            )

    def _without_known(self, tenant_id: str, ways: list[_Way]) -> bool:
        """Mark the events that were taken before, or twice in this request; return whether the former is known."""
        first: dict[tuple[int, str], _Way] = {}
        for way in ways:
            if way.key is not None:
                earlier = first.setdefault((way.key.pipeline_id, way.key.event_id), way)
                if earlier is not way and earlier.key is not None:
                    way.same_as = earlier
                    _mark_duplicate(way, earlier.key.digest)
        asked = [way for way in ways if way.key and way.outcome.status == ItemStatus.ACCEPTED]
        try:
            known = self._seen.known(tenant_id, [way.key for way in asked if way.key])
        except StoreUnavailableError:
            if self._needs_redis:
                raise
            return False
        for way, digest in zip(asked, known, strict=True):
            if digest is not None:
                _mark_duplicate(way, digest)
        return True

    def _write(self, tenant_id: str, ways: Sequence[_Way]) -> bool:
        failed = self._append(ways)
        if self._create_topic and any(failure.is_missing_topic for _, failure in failed):
            failed = self._append_anew(failed)
        for way, failure in failed:
            if failure.is_permanent:
                way.outcome.status = ItemStatus.REJECTED
                way.outcome.problems = (ErrorDetail("", f"the topic {way.record.topic!r}: {failure.reason}"),)
        passing = [(way, failure) for way, failure in failed if not failure.is_permanent]
        if not passing:
            return False
        if self._spool is not None and self._spool.put([way.record for way, _ in passing]):
            return True
        late = {id(way) for way, _ in passing}
        self._remember(tenant_id, [way for way in ways if id(way) not in late])
        raise StoreUnavailableError("Kafka", passing[0][1].reason)

    def _append_anew(self, failed: Sequence[tuple[_Way, AppendFailure]]) -> list[tuple[_Way, AppendFailure]]:
        """Create the topics that are missing, and write what is for them; return what fails still."""
        left = [pair for pair in failed if not pair[1].is_missing_topic]
        by_topic: dict[str, list[_Way]] = {}
        for way, failure in failed:
            if failure.is_missing_topic:
                by_topic.setdefault(way.record.topic, []).append(way)
        for topic, ways in by_topic.items():
            try:
                self._targets.create_topic(topic)
                left += self._append(ways)
            except ConfigurationError as error:
                left += [(way, AppendFailure(error.message, is_permanent=True)) for way in ways]
            except StoreUnavailableError as error:
                left += [(way, AppendFailure(error.message)) for way in ways]
        return left

    def _append(self, ways: Sequence[_Way]) -> list[tuple[_Way, AppendFailure]]:
        failures = self._log.append([way.record for way in ways])
        return [(way, failure) for way, failure in zip(ways, failures, strict=True) if failure is not None]

    def _remember(self, tenant_id: str, ways: Sequence[_Way]) -> None:
        keys = [way.key for way in ways if way.key and way.outcome.status == ItemStatus.ACCEPTED]
        try:
            if keys:
                self._seen.remember(tenant_id, keys)
        except StoreUnavailableError as error:
            # They are held: an error would have them sent again.
            log.warning("%d events were taken and are not remembered: %s", len(keys), error.message)


def _judged(
    text: str, document: JsonObject, target: IntakeTarget, headers: tuple[tuple[str, bytes], ...]
) -> tuple[ItemOutcome, _Way | None]:
    id_field = target.schema.event_id
    if id_field and target.gives_ids and id_field.name not in document.values:
        text, document = with_member(text, document, id_field.name, uuid.uuid4().hex)
    value = text.encode()
    event_id = text_of(document, id_field.name) if id_field else None
    rejected = ItemOutcome(ItemStatus.REJECTED, target.pipeline_id, event_id)
    if len(value) > target.max_bytes:
        rejected.problems = (ErrorDetail("", f"it has {len(value)} bytes; the pipeline takes {target.max_bytes}"),)
        return rejected, None
    problems: tuple[ErrorDetail, ...] = ()
    if target.edge_check != EdgeCheck.OFF:
        faults = certain_faults(document, target.schema)[:MAX_TOLD_FAULTS]
        problems = tuple(ErrorDetail(f"/{fault.field}", fault.detail) for fault in faults)
        if problems and target.edge_check == EdgeCheck.STRICT:
            rejected.problems = problems
            return rejected, None
    outcome = ItemOutcome(ItemStatus.ACCEPTED, target.pipeline_id, event_id, problems)
    record = EventRecord(target.topic, value, record_key(document, target.schema), headers)
    key = EventKey(target.pipeline_id, event_id, digest_of(text)) if event_id else None
    return outcome, _Way(outcome, record, key)


def _mark_duplicate(way: _Way, digest: str) -> None:
    assert way.key is not None  # noqa: S101 - only events with an id can be known
    way.outcome.status = ItemStatus.DUPLICATE
    if way.key.digest != digest:
        way.outcome.problems = (ErrorDetail("", "another event with this id was taken before; this one was not"),)
