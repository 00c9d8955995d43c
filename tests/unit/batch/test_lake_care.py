"""Who cares for which table, step by step, without stores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from sentinel.batch.lake_care.carer import LakeCarer
from sentinel.batch.lake_care.loop import LakeCareLoop
from sentinel.domain.lake_care import (
    CareCause,
    CareOutcome,
    CarePlan,
    CarePolicy,
    Compaction,
    DateFiles,
    TableShape,
    retention_properties,
)
from sentinel.errors import ConflictError, StoreUnavailableError, TransientError
from sentinel.stores.lake_care import ClaimedCare, Merged

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
POLICY = CarePolicy(
    min_files=3, target_bytes=128 * 1024 * 1024, retention=timedelta(days=7), vacuum_every=timedelta(days=1)
)


@dataclass
class Ended:
    """What was noted of a run."""

    run_id: int | None
    outcome: CareOutcome
    next_in_seconds: float
    vacuumed: bool


@dataclass
class Work:
    """Claims and turns, in memory."""

    tables: list[tuple[str, int]] = field(default_factory=lambda: [("acme", 1)])
    is_free: bool = True
    is_kept: bool = True
    has_turn: bool = True
    vacuumed_at: datetime | None = NOW
    failure_count: int = 0
    begun: list[tuple[CareCause, str]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    in_turn: bool = False

    def due(self, limit: int) -> Sequence[tuple[str, int]]:
        return self.tables[:limit]

    def claim(self, tenant_id: str, pipeline_id: int, *, seconds: float, only_due: bool) -> ClaimedCare | None:
        if not self.is_free:
            return None
        return ClaimedCare(tenant_id, pipeline_id, "test/1", self.vacuumed_at, self.failure_count)

    def keep(self, claim: ClaimedCare, *, seconds: float) -> bool:
        return self.is_kept

    def begin(self, claim: ClaimedCare, cause: CareCause, requested_by: str, shape: TableShape | None) -> int:
        self.begun.append((cause, requested_by))
        return len(self.begun)

    def end(
        self, claim: ClaimedCare, run_id: int | None, outcome: CareOutcome, *, next_in_seconds: float, vacuumed: bool
    ) -> None:
        self.ended.append(Ended(run_id, outcome, next_in_seconds, vacuumed))

    @contextmanager
    def turn(
        self, claim: ClaimedCare, *, seconds: float, wait_seconds: float, is_stopped: Callable[[], bool]
    ) -> Iterator[bool]:
        self.in_turn = self.has_turn
        yield self.has_turn
        self.in_turn = False


class Tables:
    """Tables in memory; every change is made in a turn."""

    def __init__(self, work: Work, sizes: Sequence[int] = (10,) * 5) -> None:
        self.work = work
        self.dates = {date(2026, 1, 30): list(sizes)}
        self.properties = retention_properties(POLICY.retention)
        self.deletable = 0
        self.error: Exception | None = None
        self.slow_day: date | None = None
        self.asked: list[str] = []

    def look(self, tenant_id: str, pipeline_id: int, *, is_stopped: Callable[[], bool]) -> TableShape | None:
        self.asked.append("look")
        if isinstance(self.error, StoreUnavailableError):
            raise self.error
        if not self.dates:
            return None
        old = NOW - timedelta(hours=5)
        return TableShape(
            1, tuple(DateFiles(day, tuple(sizes), old) for day, sizes in self.dates.items()), self.properties
        )

    def compact(
        self, tenant_id: str, pipeline_id: int, compaction: Compaction, *, is_stopped: Callable[[], bool]
    ) -> Merged:
        assert self.work.in_turn
        self.asked.append(f"compact {compaction.day}")
        if self.error:
            raise self.error
        if compaction.day == self.slow_day:
            raise TransientError("compact took longer than 120 s")
        files = self.dates[compaction.day]
        self.dates[compaction.day] = [sum(files)]
        return Merged(len(files), 1)

    def set_properties(
        self, tenant_id: str, pipeline_id: int, plan: CarePlan, *, is_stopped: Callable[[], bool]
    ) -> None:
        assert self.work.in_turn
        self.asked.append("properties")
        self.properties = {**self.properties, **plan.properties}

    def vacuum(
        self, tenant_id: str, pipeline_id: int, *, retention_hours: float, dry_run: bool, is_stopped: Callable[[], bool]
    ) -> int:
        assert dry_run or self.work.in_turn
        assert retention_hours == 168
        self.asked.append("count" if dry_run else "vacuum")
        return self.deletable


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def tables(work: Work) -> Tables:
    return Tables(work)


def carer(work: Work, tables: Tables, seconds: Iterator[float] | None = None) -> LakeCarer:
    clock = seconds or iter(lambda: 0.0, 1.0)
    return LakeCarer(
        work,
        tables,
        POLICY,
        now=lambda: NOW,
        monotonic=lambda: next(clock),
        every=timedelta(minutes=10),
        step_seconds=120,
    )


def never() -> bool:
    return False


class TestRun:
    def test_files_are_merged_in_a_turn_and_the_run_is_noted(self, work: Work, tables: Tables) -> None:
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome == CareOutcome(5, 1, 50, 50, merged_files=5, written_files=1)
        assert tables.asked == ["look", "compact 2026-01-30", "look"]
        assert work.begun == [(CareCause.SCHEDULE, "")]
        (ended,) = work.ended
        assert (ended.run_id, ended.next_in_seconds, ended.vacuumed) == (1, 600, False)

    def test_a_look_that_finds_nothing_to_do_is_no_run(self, work: Work, tables: Tables) -> None:
        tables.dates = {date(2026, 1, 30): [10]}
        assert carer(work, tables).run_due("acme", 1, never) is None
        (ended,) = work.ended
        assert (work.begun, ended.run_id, ended.outcome.files_after) == ([], None, 1)

    def test_a_table_that_is_not_there_yet_is_looked_at_later(self, work: Work, tables: Tables) -> None:
        tables.dates = {}
        assert carer(work, tables).run_due("acme", 1, never) is None
        assert work.ended[0].next_in_seconds == 600

    def test_one_that_another_process_has_is_left_to_it(self, work: Work, tables: Tables) -> None:
        work.is_free = False
        assert carer(work, tables).run_due("acme", 1, never) is None
        assert tables.asked == []
        with pytest.raises(ConflictError, match="is being cared for"):
            carer(work, tables).run_requested("acme", 1, requested_by="cli", is_stopped=never)

    def test_deleting_needs_a_turn_only_where_there_is_something(self, work: Work, tables: Tables) -> None:
        work.vacuumed_at = None
        tables.dates = {date(2026, 1, 30): [10]}
        carer(work, tables).run_due("acme", 1, never)
        assert tables.asked == ["look", "count", "look"]
        tables.deletable = 4
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert (outcome.deleted_files, work.ended[1].vacuumed) == (4, True)
        assert tables.asked[3:] == ["look", "count", "vacuum", "look"]

    def test_a_request_looks_for_what_can_be_deleted_too(self, work: Work, tables: Tables) -> None:
        carer(work, tables).run_requested("acme", 1, requested_by="cli", is_stopped=never)
        assert work.begun == [(CareCause.REQUEST, "cli")]
        assert "count" in tables.asked

    def test_the_retention_is_set_on_the_table(self, work: Work, tables: Tables) -> None:
        tables.properties = {}
        carer(work, tables).run_due("acme", 1, never)
        assert tables.properties == retention_properties(POLICY.retention)

    def test_a_preview_changes_nothing(self, work: Work, tables: Tables) -> None:
        tables.deletable = 7
        found = carer(work, tables).preview("acme", 1)
        assert found is not None
        shape, plan, deletable = found
        assert (shape.file_count, [each.file_count for each in plan.compactions], deletable) == (5, [5], 7)
        assert tables.asked == ["look", "count"]
        assert work.ended == []


class TestTrouble:
    def test_a_store_that_is_away_is_told_and_tried_again_later(self, work: Work, tables: Tables) -> None:
        tables.error = StoreUnavailableError("the lake", "http://10.0.0.1 says no")
        work.failure_count = 3
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert outcome.error == "the lake's store is away or refuses us; the worker's log says more"
        assert (work.ended[0].run_id, work.ended[0].next_in_seconds) == (1, 8 * 60)

    def test_a_step_that_fails_leaves_what_was_done_before(self, work: Work, tables: Tables) -> None:
        tables.error = TransientError("compact took longer than 120 s")
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert (outcome.error, outcome.merged_files, outcome.files_before) == (
            "2026-01-30: compact took longer than 120 s",
            0,
            5,
        )
        assert work.ended[0].next_in_seconds == 60

    def test_a_date_that_takes_too_long_does_not_hold_up_the_others(self, work: Work, tables: Tables) -> None:
        work.vacuumed_at, tables.deletable = None, 4
        tables.slow_day = date(2026, 1, 30)
        tables.dates[date(2026, 1, 29)] = [10, 10]
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert outcome.error == "2026-01-30: compact took longer than 120 s"
        assert (outcome.merged_files, outcome.deleted_files, work.ended[0].vacuumed) == (2, 4, True)
        assert tables.asked == ["look", "compact 2026-01-30", "compact 2026-01-29", "count", "vacuum", "look"]
        assert (outcome.files_before, outcome.files_after) == (7, 6)

    def test_an_error_that_nobody_thought_of_is_told_by_its_type(self, work: Work, tables: Tables) -> None:
        tables.error = ZeroDivisionError("secret")
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert outcome.error == "an unexpected error (ZeroDivisionError); the worker's log says more"

    def test_an_archive_without_a_pause_is_not_disturbed(self, work: Work, tables: Tables) -> None:
        work.has_turn = False
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert (outcome.error, outcome.is_complete) == (None, False)
        assert work.ended[0].next_in_seconds == 60
        assert tables.asked == ["look"]

    def test_a_claim_that_was_lost_ends_the_run_before_the_next_step(self, work: Work, tables: Tables) -> None:
        work.is_kept = False
        outcome = carer(work, tables).run_due("acme", 1, never)
        assert outcome is not None
        assert outcome.error == "another process has taken the table over"
        assert tables.asked == ["look"]

    def test_a_run_that_takes_long_leaves_the_rest_to_the_next(self, work: Work, tables: Tables) -> None:
        tables.dates[date(2026, 1, 29)] = [10, 10]
        clock = iter([0.0, 0.0, 601.0, 601.0, 601.0])
        outcome = carer(work, tables, clock).run_due("acme", 1, never)
        assert outcome is not None
        assert (outcome.is_complete, outcome.merged_files) == (False, 5)
        assert work.ended[0].next_in_seconds == 60

    def test_a_process_that_stops_gives_the_table_back_at_once(self, work: Work, tables: Tables) -> None:
        tables.error = TransientError("stopped")

        def is_stopped() -> bool:
            return "compact 2026-01-30" in tables.asked

        outcome = carer(work, tables).run_due("acme", 1, is_stopped)
        assert outcome is not None
        assert (outcome.error, outcome.is_complete) == (None, False)
        assert work.ended[0].next_in_seconds == 0


class TestLoop:
    def test_a_table_that_fails_does_not_hold_up_the_others(self, work: Work, tables: Tables) -> None:
        class Failing(Work):
            def claim(self, tenant_id: str, pipeline_id: int, *, seconds: float, only_due: bool) -> ClaimedCare | None:
                if pipeline_id == 1:
                    raise StoreUnavailableError("PostgreSQL", "away")
                return super().claim(tenant_id, pipeline_id, seconds=seconds, only_due=only_due)

        failing = Failing(tables=[("acme", 1), ("beta", 2)])
        done = LakeCareLoop(failing, carer(failing, Tables(failing))).pass_once(threading.Event())
        assert done == 1
        assert len(failing.ended) == 1

    def test_it_begins_nothing_when_it_is_asked_to_stop(self, work: Work, tables: Tables) -> None:
        stopping = threading.Event()
        stopping.set()
        assert LakeCareLoop(work, carer(work, tables)).pass_once(stopping) == 0
        assert tables.asked == []

    def test_switched_off_it_goes_round_and_does_nothing(self, work: Work, tables: Tables) -> None:
        stopping = threading.Event()
        beats: list[int] = []

        def beat() -> None:
            beats.append(1)
            if len(beats) == 3:
                stopping.set()

        LakeCareLoop(work, carer(work, tables), is_on=False, poll_seconds=0.001, beat=beat).run(stopping)
        assert tables.asked == []
