"""What becomes of events when topics or the broker refuse them, without servers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sentinel.catalog.intake import Intake, Taken
from sentinel.catalog.intake_targets import IntakeTarget, IntakeTargets
from sentinel.domain.event_batch import read_batch
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import EdgeCheck
from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.stores.kafka.event_log import AppendFailure, EventRecord
from sentinel.stores.kafka.event_spool import EventSpool
from sentinel.stores.redis.seen_events import EventKey

SCHEMA = EventSchema.from_json([{"name": "id", "type": "string", "nullable": False, "role": "event_id"}])
MISSING = AppendFailure("unknown topic", is_permanent=True, is_missing_topic=True)


@dataclass
class Log:
    """Topics in memory: those that are there, and why others fail."""

    topics: dict[str, AppendFailure | None] = field(default_factory=dict)
    held: list[EventRecord] = field(default_factory=list)

    def append(self, records: Sequence[EventRecord]) -> list[AppendFailure | None]:
        failures = [self.topics.get(record.topic, MISSING) for record in records]
        self.held += [record for record, failure in zip(records, failures, strict=True) if failure is None]
        return failures


class Targets(IntakeTargets):
    """The type of an event is its topic."""

    def __init__(self, log: Log, refusal: Exception | None = None) -> None:
        self.log = log
        self.refusal = refusal

    def of_type(self, tenant_id: str, event_type: str | None) -> IntakeTarget:
        return IntakeTarget(1, event_type or "a", SCHEMA, EdgeCheck.STRICT, 1000)

    def create_topic(self, topic: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.log.topics[topic] = None


@dataclass
class Seen:
    """What was taken, in memory."""

    digests: dict[str, str] = field(default_factory=dict)

    def known(self, tenant_id: str, keys: Sequence[EventKey]) -> list[str | None]:
        return [self.digests.get(key.event_id) for key in keys]

    def remember(self, tenant_id: str, keys: Sequence[EventKey]) -> None:
        self.digests |= {key.event_id: key.digest for key in keys}


class NoLimit:
    """Any number of events."""

    per_minute = 0

    def wait_seconds(self, tenant_id: str, count: int, *, own: bool = False) -> float:
        return 0.0


def take(targets: Targets, seen: Seen, *events: dict[str, str], spool: EventSpool | None = None) -> Taken:
    intake = Intake(targets, targets.log, seen, NoLimit(), spool=spool)
    return intake.take("t", read_batch(json.dumps(events).encode(), {})[0])


def statuses(taken: Taken) -> list[str]:
    return [outcome.status.value for outcome in taken.outcomes]


def test_a_topic_that_is_missing_is_created() -> None:
    log = Log({"a": None})
    assert statuses(take(Targets(log), Seen(), {"id": "1"}, {"id": "2", "type": "b"})) == ["accepted", "accepted"]
    assert [record.topic for record in log.held] == ["a", "b"]


def test_events_that_are_held_are_remembered_when_another_topic_cannot_be_created_now() -> None:
    log, seen = Log({"a": None}), Seen()
    with pytest.raises(StoreUnavailableError, match="away"):
        take(Targets(log, StoreUnavailableError("Kafka", "away")), seen, {"id": "1"}, {"id": "2", "type": "b"})
    assert set(seen.digests) == {"1"}
    # The whole request again, as it is told.
    assert statuses(take(Targets(log), seen, {"id": "1"}, {"id": "2", "type": "b"})) == ["duplicate", "accepted"]
    assert [record.topic for record in log.held] == ["a", "b"]


def test_a_topic_that_can_never_be_created_rejects_its_events_alone() -> None:
    log = Log({"a": None})
    taken = take(Targets(log, ConfigurationError("no such name")), Seen(), {"id": "1"}, {"id": "2", "type": "b"})
    assert statuses(taken) == ["accepted", "rejected"]
    assert "no such name" in taken.outcomes[1].problems[0].detail


def test_a_repetition_of_what_is_rejected_is_no_duplicate_of_something_taken() -> None:
    log, seen = Log({"a": AppendFailure("too large", is_permanent=True)}), Seen()
    taken = take(Targets(log), seen, {"id": "1"}, {"id": "1", "x": "other"})
    assert statuses(taken) == ["rejected", "rejected"]
    assert seen.digests == {}


def test_half_a_character_does_not_reach_the_answer() -> None:
    log = Log({"a": None})
    taken = take(Targets(log), Seen(), {"id": "\ud800"}, {"\ud800": "x"})
    for outcome in taken.outcomes:
        texts = [outcome.event_id or "", *(part for each in outcome.problems for part in (each.pointer, each.detail))]
        assert all(text.encode() for text in texts if text)


class TestSpool:
    def test_a_topic_that_is_missing_is_created_when_the_broker_is_back(self, tmp_path: Path) -> None:
        spool, log = EventSpool(tmp_path / "s.sqlite", max_bytes=10_000), Log({"a": AppendFailure("away")})
        taken = take(Targets(log), Seen(), {"id": "1"}, spool=spool)
        assert (statuses(taken), taken.spooled) == (["accepted"], True)
        del log.topics["a"]
        targets = Targets(log)
        assert spool.drain(log, targets.create_topic) == 0
        assert spool.drain(log, targets.create_topic) == 1
        assert spool.counts() == (0, 0)
        assert [record.value for record in log.held] == [b'{"id": "1"}']

    def test_a_topic_that_is_stuck_does_not_keep_others_waiting(self, tmp_path: Path) -> None:
        spool = EventSpool(tmp_path / "s.sqlite", max_bytes=10_000_000)
        assert spool.put([EventRecord("stuck", b"{}") for _ in range(1200)])
        assert spool.put([EventRecord("b", b"{}", b"k", (("h", b"\xff"),))])
        log = Log({"stuck": AppendFailure("not enough replicas"), "b": None})
        assert spool.drain(log) == 1
        assert log.held == [EventRecord("b", b"{}", b"k", (("h", b"\xff"),))]
        assert spool.counts() == (1200, 0)

    def test_what_the_broker_refuses_for_good_stays_to_be_looked_at(self, tmp_path: Path) -> None:
        spool = EventSpool(tmp_path / "s.sqlite", max_bytes=10_000)
        assert spool.put([EventRecord("a", b"{}")])
        assert spool.drain(Log({"a": AppendFailure("too large", is_permanent=True)})) == 0
        assert spool.counts() == (0, 1)

    def test_it_is_bounded_and_all_or_nothing(self, tmp_path: Path) -> None:
        spool = EventSpool(tmp_path / "s.sqlite", max_bytes=300)
        assert spool.put([EventRecord("a", b"x" * 100)])
        assert not spool.put([EventRecord("a", b"x"), EventRecord("a", b"x" * 200)])
        assert spool.counts() == (1, 0)
