"""A redrive: claim, produce, record; what happens when one of them does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import Pipeline, PipelineConfig, PipelineStatus
from sentinel.domain.redrive import (
    DeadLetterFilter,
    DeadLetterState,
    NotSent,
    RecordVerdict,
    Redrive,
    RedriveCandidate,
)
from sentinel.errors import InvalidError, StoreUnavailableError
from sentinel.ops.dead_letters import DeadLetterHandling
from sentinel.ops.redrive import CHUNK_RECORDS, RedriveOrder, Redriver
from sentinel.stores.base import SchemaVersion
from sentinel.stores.dead_letters import NotWritten, OutgoingRecord, Written

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PIPELINE = Pipeline(7, "p", "topic", PipelineStatus.ACTIVE, PipelineConfig(), "earliest", 0, 1, 0, 1, NOW, NOW, 0)
SCHEMA = EventSchema.from_json([{"name": "id", "type": "string", "nullable": False, "role": "event_id"}])


class FakePipelines:
    def get(self, pipeline_id: int) -> Pipeline | None:
        return PIPELINE if pipeline_id == 7 else None


class FakeSchemas:
    def get(self, pipeline_id: int, version: int) -> Any:
        return SchemaVersion(pipeline_id, version, SCHEMA, "", NOW)


class FakeAudit:
    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, **entry: Any) -> None:
        self.entries.append(entry)


class FakeLetters:
    """Dead letters in memory, with claims."""

    def __init__(self, number: int) -> None:
        self.rows = {
            n: RedriveCandidate(n, DeadLetterState.OPEN, False, "not_json", 10, 10, n, 0) for n in range(1, number + 1)
        }
        self.claims: dict[int, str] = {}
        self.sent: list[Redrive] = []
        self.fails: set[str] = set()

    def redrives_of_request(self, pipeline_id: int, request_key: str) -> list[Redrive]:
        return [each for each in self.sent if each.request_key == request_key]

    def chosen(self, pipeline_id: int, wanted: DeadLetterFilter, *, after: int, limit: int) -> list[int]:
        fit = [n for n, row in sorted(self.rows.items()) if row.state is DeadLetterState.OPEN and n > after]
        return fit[:limit]

    def candidates(self, pipeline_id: int, ids: Sequence[int]) -> list[RedriveCandidate]:
        return [replace(self.rows[n], is_claimed=n in self.claims) for n in ids if n in self.rows]

    def raws(self, pipeline_id: int, ids: Sequence[int]) -> dict[int, bytes | None]:
        return {n: b'{"id": "e%d"}' % n for n in ids}

    def claim(self, pipeline_id: int, ids: Sequence[int], claim: str, *, seconds: float) -> frozenset[int]:
        free = {n for n in ids if n not in self.claims and self.rows[n].state is DeadLetterState.OPEN}
        self.claims |= dict.fromkeys(free, claim)
        return frozenset(free)

    def release(self, pipeline_id: int, ids: Sequence[int], claim: str) -> None:
        for n in ids:
            assert self.claims.pop(n) == claim

    def redriven(self, pipeline_id: int, redrives: Sequence[Redrive], *, by: str, now: datetime) -> None:
        if "redriven" in self.fails:
            raise StoreUnavailableError("PostgreSQL", "gone")
        for each in redrives:
            self.rows[each.dead_letter_id] = replace(self.rows[each.dead_letter_id], state=DeadLetterState.REDRIVEN)
            self.claims.pop(each.dead_letter_id)
        self.sent += redrives


class FakeTopic:
    """Takes records until told otherwise."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.answer: Callable[[OutgoingRecord], NotWritten | None] = lambda _: None

    def write(self, records: Sequence[OutgoingRecord]) -> list[Written | NotWritten]:
        found: list[Written | NotWritten] = []
        for record in records:
            refused = self.answer(record)
            if refused is None:
                self.records.append(record)
            found.append(refused or Written(0, len(self.records) - 1))
        return found


class FakeJudge:
    def __init__(self, refused: Mapping[int, str]) -> None:
        self.refused = refused
        self.asked = 0

    def of_letters(self, pipeline_id: int, ids: Sequence[int]) -> dict[int, RecordVerdict]:
        self.asked += 1
        return {n: RecordVerdict(self.refused.get(n)) for n in ids}

    def of_text(self, pipeline_id: int, value: bytes) -> RecordVerdict:
        self.asked += 1
        return RecordVerdict(None if value == b'{"id": "mended"}' else "not_json")


class World:
    def __init__(self, number: int = 5, refused: Mapping[int, str] | None = None) -> None:
        self.letters, self.topic, self.audit = FakeLetters(number), FakeTopic(), FakeAudit()
        self.judge = FakeJudge(refused or {})
        self.seconds = 0.0
        names = count()
        self.open_units = 0

        @contextmanager
        def units() -> Iterator[DeadLetterHandling]:
            parts: Any = (FakePipelines(), FakeSchemas(), self.letters, self.audit)
            self.open_units += 1
            yield DeadLetterHandling(*parts, caller="ann", now=lambda: NOW)
            self.open_units -= 1

        self.redriver = Redriver(
            units,
            self.topic,
            self.judge,
            caller="ann",
            sleep=self.sleep,
            monotonic=lambda: self.seconds,
            new_claim=lambda: str(next(names)),
        )

    def sleep(self, seconds: float) -> None:
        assert self.open_units == 0, "no transaction is open while it waits"
        self.seconds += seconds

    def states(self) -> set[DeadLetterState]:
        return {row.state for row in self.letters.rows.values()}


def order(key: str = "k", **more: Any) -> RedriveOrder:
    return RedriveOrder(7, key, **more)


class TestDryRun:
    def test_says_what_would_be_and_sends_nothing(self) -> None:
        world = World(5, {2: "not_json", 3: "not_json", 4: "empty"})
        found = world.redriver.redrive(order(dry_run=True))
        assert (found.looked_at, found.events, found.by_cause) == (5, 2, {"not_json": 2, "empty": 1})
        assert (world.topic.records, world.letters.claims, world.audit.entries) == ([], {}, [])


class TestSending:
    def test_what_would_be_no_event_is_left(self) -> None:
        world = World(3, {2: "not_json"})
        found = world.redriver.redrive(order())
        assert [each.dead_letter_id for each in found.sent] == [1, 3]
        assert [(each.id, each.why) for each in found.left] == [(2, NotSent.NO_EVENT)]
        assert world.letters.claims == {}

    def test_on_request_everything_without_asking(self) -> None:
        world = World(3, {2: "not_json"})
        assert len(world.redriver.redrive(order(only_events=False)).sent) == 3
        assert world.judge.asked == 0

    def test_goes_to_the_pipelines_own_topic_by_the_key_of_its_event(self) -> None:
        world = World(1)
        world.redriver.redrive(order())
        assert [(each.topic, each.key) for each in world.topic.records] == [("topic", b"e1")]

    def test_an_edited_text_in_place_of_the_record(self) -> None:
        world = World(1)
        assert not world.redriver.redrive(order("a", ids=[1], edited=b"{")).sent
        (sent,) = world.redriver.redrive(order("b", ids=[1], edited=b'{"id": "mended"}')).sent
        assert sent.is_edited
        assert world.topic.records[0].value == b'{"id": "mended"}'

    def test_keeps_its_rate_in_chunks(self) -> None:
        world = World(500)
        world.redriver.redrive(order(limit=500, records_per_second=100))
        assert 4 <= world.seconds <= 5
        world = World(30)
        world.redriver.redrive(order(records_per_second=2))
        assert 14 <= world.seconds <= 15

    def test_the_same_request_again_sends_nothing(self) -> None:
        world = World(4)
        first = world.redriver.redrive(order(limit=2))
        again = world.redriver.redrive(order(limit=2))
        assert (again.is_repeated, again.sent, again.next_after) == (True, first.sent, 2)
        assert len(world.topic.records) == 2
        other = world.redriver.redrive(order("other", limit=2, after=2))
        assert [each.dead_letter_id for each in other.sent] == [3, 4]

    def test_what_another_has_in_hand_is_left(self) -> None:
        world = World(3)
        world.letters.claims[2] = "somebody"
        found = world.redriver.redrive(order())
        assert [(each.id, each.why) for each in found.left] == [(2, NotSent.IN_PROGRESS)]
        assert world.letters.claims == {2: "somebody"}

    def test_one_audit_entry_a_chunk_names_all(self) -> None:
        world = World(3)
        world.redriver.redrive(order(wanted=DeadLetterFilter(cause="not_json")))
        (entry,) = world.audit.entries
        assert (entry["action"], entry["object_id"]) == ("dead_letter.redrive", 0)
        assert entry["after"] == {"ids": [1, 2, 3], "edited": False, "filter": {"cause": "not_json"}}

    @pytest.mark.parametrize("state", [DeadLetterState.REDRIVEN, DeadLetterState.DISCARDED])
    def test_only_open_ones_can_be_wanted(self, state: DeadLetterState) -> None:
        with pytest.raises(InvalidError, match="only open"):
            World().redriver.redrive(order(wanted=DeadLetterFilter(state=state)))


class TestTrouble:
    def test_a_broker_that_is_away_changes_nothing(self) -> None:
        world = World(3)
        world.topic.answer = lambda _: NotWritten("timed out", False)
        with pytest.raises(StoreUnavailableError, match="timed out"):
            world.redriver.redrive(order())
        assert (world.states(), world.letters.claims, world.audit.entries) == ({DeadLetterState.OPEN}, {}, [])

    def test_a_broker_that_goes_away_in_the_middle_ends_it_with_what_was_sent(self) -> None:
        world = World(CHUNK_RECORDS * 3)
        limit = CHUNK_RECORDS + 10
        world.topic.answer = lambda _: NotWritten("gone", False) if len(world.topic.records) >= limit else None
        found = world.redriver.redrive(order(limit=500, records_per_second=500))
        assert (len(found.sent), found.stopped) == (limit, "gone")
        assert world.letters.claims == {}
        world.topic.answer = lambda _: None
        rest = world.redriver.redrive(order("rest", limit=500, after=found.next_after or 0))
        assert len(world.topic.records) == CHUNK_RECORDS * 3
        assert len(found.sent) + len(rest.sent) == CHUNK_RECORDS * 3

    def test_a_record_that_the_topic_refuses_stays_open_and_the_others_go(self) -> None:
        world = World(3)
        world.topic.answer = lambda record: NotWritten("too large", True) if record.key == b"e2" else None
        found = world.redriver.redrive(order())
        assert [each.dead_letter_id for each in found.sent] == [1, 3]
        assert [(each.id, each.why) for each in found.left] == [(2, NotSent.REFUSED)]
        assert world.letters.claims == {}

    def test_a_crash_before_noting_leaves_a_claim_so_that_nobody_sends_it_at_once(self) -> None:
        world = World(1)
        world.letters.fails.add("redriven")
        with pytest.raises(StoreUnavailableError):
            world.redriver.redrive(order())
        assert (world.states(), len(world.topic.records)) == ({DeadLetterState.OPEN}, 1)
        world.letters.fails.clear()
        found = world.redriver.redrive(order("again"))
        assert [each.why for each in found.left] == [NotSent.IN_PROGRESS]
        assert len(world.topic.records) == 1
