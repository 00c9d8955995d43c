"""Runs of detectors on real PostgreSQL: each window once, late events, failures, several at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from sentinel.batch.detector import Detector, DetectorParameters
from sentinel.domain.detector import DetectorFinding, Level, Mode, RunState, Window
from sentinel.errors import InvalidError
from sentinel.settings import Settings
from sentinel.stores.detectors import DetectorReader
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.detectors import PostgresDetectors
from tests.support.detectors import NOON, DetectorBench

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(settings: Settings, database: Database, tenant: str) -> DetectorBench:
    return DetectorBench(settings, database, tenant)


class TestOnce:
    def test_two_runs_of_one_window_give_one_anomaly(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=15, succeeded=15)
        first = desk.done(detector, NOON + 5 * MINUTE)
        assert (first.fired_count, first.amended_count) == (1, 0)
        again = desk.done(detector, NOON + 10 * MINUTE)
        assert (again.fired_count, again.amended_count) == (0, 0)
        asked = desk.runner.run_requested(
            desk.tenant, definition(desk, "payment_failure_spike"), NOON + 5 * MINUTE, requested_by="test"
        )
        assert (asked.state, asked.finding_count, asked.fired_count) == (RunState.DONE, 1, 0)
        (anomaly,) = desk.anomalies()
        assert (anomaly["window_start"], anomaly["window_end"]) == (NOON - 30 * MINUTE, NOON)
        assert (anomaly["severity"], anomaly["version"], anomaly["values"]["level"]) == ("critical", 1, "high")
        assert desk.outbox() == [(anomaly["id"], "fired")]

    def test_two_at_once_give_one_anomaly(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        for back in range(1, 6):
            desk.payments(source, NOON - 30 * back * MINUTE, failed=10, succeeded=10)
        wanted, barrier, found = definition(desk, "payment_failure_spike"), threading.Barrier(2), []

        def run() -> None:
            barrier.wait()
            found.append(desk.runner.run_requested(desk.tenant, wanted, None, requested_by="test"))

        desk.now = NOON + 5 * MINUTE
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [run.error for run in found] == [None, None]
        assert [run.finding_count for run in found] == [5, 5]
        assert sum(run.fired_count for run in found) == 5
        assert len(desk.anomalies()) == len(desk.outbox()) == 5
        assert detector

    def test_one_that_is_due_is_claimed_by_one(self, desk: DetectorBench) -> None:
        detector, barrier, found = desk.detector("payment_failure_spike"), threading.Barrier(4), []

        def run() -> None:
            barrier.wait()
            found.append(desk.runner.run_due(desk.tenant, detector, NOON))

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([run for run in found if run is not None]) == 1
        assert len(desk.rows("SELECT id FROM sentinel.detector_runs")) == 1

    def test_a_window_is_evaluated_when_its_grace_has_passed(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike", grace_minutes=10)
        desk.payments(source, NOON - 25 * MINUTE, failed=15, succeeded=15)
        assert desk.done(detector, NOON + 9 * MINUTE).finding_count == 0
        assert desk.done(detector, NOON + 10 * MINUTE).fired_count == 1

    def test_bounds_of_a_window_are_half_open(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike", min_payments=1, min_failed=1)
        desk.payments(source, NOON - 30 * MINUTE, failed=1, succeeded=0)
        desk.payments(source, NOON, failed=1, succeeded=0)
        desk.done(detector, NOON + 40 * MINUTE)
        assert [(row["window_start"], row["values"]["failed"]) for row in desk.anomalies()] == [
            (NOON - 30 * MINUTE, 1),
            (NOON, 1),
        ]


class TestLateEvents:
    def test_they_amend_the_anomaly_and_what_it_said_is_kept(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=6, succeeded=24)
        desk.done(detector, NOON + 5 * MINUTE)
        (before,) = desk.anomalies()
        assert (before["severity"], before["values"]["value"]) == ("info", 0.2)
        desk.payments(source, NOON - 20 * MINUTE, failed=30, succeeded=0)
        run = desk.done(detector, NOON + 10 * MINUTE)
        assert (run.fired_count, run.amended_count) == (0, 1)
        (after,) = desk.anomalies()
        assert after["id"] == before["id"]
        assert (after["severity"], after["version"], after["values"]["failed"]) == ("critical", 2, 36)
        assert after["alert_timestamp"] == before["alert_timestamp"]
        kept = desk.one("SELECT * FROM sentinel.alert_amendments")
        assert (kept["alert_id"], kept["version"], kept["severity"], kept["level"]) == (after["id"], 1, "info", "low")
        assert kept["evidence"] == before["evidence"]
        assert kept["reason"] == "events came late: level low -> high, value 0.2 -> 0.6"
        assert desk.outbox() == [(after["id"], "fired"), (after["id"], "amended")]

    def test_one_that_no_longer_holds_says_so_and_stays(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=6, succeeded=24)
        desk.done(detector, NOON + 5 * MINUTE)
        desk.payments(source, NOON - 20 * MINUTE, failed=0, succeeded=100)
        assert desk.done(detector, NOON + 10 * MINUTE).amended_count == 1
        (gone,) = desk.anomalies()
        assert (gone["values"]["level"], gone["severity"], gone["version"]) == ("none", "info", 2)
        assert gone["evidence"][0]["condition"].startswith("no longer so: 6 of 30 payments")
        assert gone["entities"] == {"webhook_source": "live"}
        assert desk.done(detector, NOON + 15 * MINUTE).amended_count == 0
        desk.payments(source, NOON - 15 * MINUTE, failed=150, succeeded=0)
        assert desk.done(detector, NOON + 20 * MINUTE).amended_count == 1
        (back,) = desk.anomalies()
        assert (back["values"]["level"], back["version"]) == ("high", 3)
        assert [row["level"] for row in desk.rows("SELECT * FROM sentinel.alert_amendments ORDER BY version")] == [
            "low",
            "none",
        ]

    def test_a_window_that_had_none_gets_one(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        assert desk.done(detector, NOON + 5 * MINUTE).fired_count == 0
        desk.payments(source, NOON - 5 * 60 * MINUTE, failed=15, succeeded=15)
        assert desk.done(detector, NOON + 10 * MINUTE).fired_count == 1

    def test_beyond_the_late_hours_nothing_is_looked_at(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike", late_hours=2)
        desk.done(detector, NOON + 5 * MINUTE)
        desk.payments(source, NOON - 150 * MINUTE, failed=15, succeeded=15)
        assert desk.done(detector, NOON + 10 * MINUTE).fired_count == 0

    def test_windows_without_news_are_not_evaluated_again(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=15, succeeded=15)
        assert desk.done(detector, NOON + 5 * MINUTE).window_count == 11
        # What was read counts as news for ten minutes by the database's clock, whatever the test takes for the present.
        desk.one("UPDATE sentinel.detectors SET checked_at = now() + interval '1 hour' RETURNING id")
        assert desk.done(detector, NOON + 40 * MINUTE).window_count == 1

    def test_other_parameters_count_for_windows_that_are_evaluated_again(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=6, succeeded=24)
        desk.done(detector, NOON + 5 * MINUTE)
        desk.one(
            'UPDATE sentinel.detectors SET checked_at = NULL, parameters = \'{"low": 1.5, "medium": 1.8}\' RETURNING id'
        )
        assert desk.done(detector, NOON + 10 * MINUTE).amended_count == 1
        assert desk.one("SELECT reason FROM sentinel.alert_amendments")["reason"].startswith("other parameters: level")


class TestCatchingUp:
    def test_what_passed_while_nothing_ran_is_evaluated(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike", late_hours=0)
        desk.done(detector, NOON + 5 * MINUTE)
        for day in range(1, 4):
            desk.payments(source, NOON + timedelta(days=day, minutes=5), failed=15, succeeded=15)
        run = desk.done(detector, NOON + timedelta(days=4))
        assert run.window_count == 4 * 48 - 1
        assert run.fired_count == 3

    def test_a_crash_leaves_the_rest_to_the_next_run(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("breaking", late_hours=0)
        desk.payments(source, NOON, failed=1, succeeded=0)
        kinds = {"breaking": Breaking()}
        runner = desk.runner_with(kinds)
        desk.run(detector, NOON - 60 * MINUTE, runner)
        Breaking.breaks_at = NOON
        failed = desk.run(detector, NOON + 120 * MINUTE, runner)
        assert (failed.state, failed.window_end) == (RunState.FAILED, NOON)
        assert failed.error == "it breaks at noon"
        Breaking.breaks_at = None
        after = desk.run(detector, NOON + 125 * MINUTE, runner)
        assert (after.state, after.window_start) == (RunState.DONE, NOON)

    def test_a_run_in_the_past_does_not_move_the_schedule(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.done(detector, NOON + 5 * MINUTE)
        past = NOON - timedelta(days=30)
        desk.payments(source, past - 25 * MINUTE, failed=15, succeeded=15)
        before = definition(desk, "payment_failure_spike")
        run = desk.runner.run_requested(desk.tenant, before, past + 5 * MINUTE, requested_by="test")
        assert (run.fired_count, run.window_end) == (1, past)
        assert definition(desk, "payment_failure_spike") == before
        with pytest.raises(InvalidError, match="future"):
            desk.runner.run_requested(desk.tenant, before, desk.now + MINUTE, requested_by="test")

    def test_a_detector_that_is_changed_while_it_runs_is_not_advanced(self, desk: DetectorBench) -> None:
        detector = desk.detector("changed")
        runner = desk.runner_with({"changed": Changed(desk)})
        run = desk.run(detector, NOON, runner)
        assert (run.state, run.window_count) == (RunState.FAILED, 1)
        assert run.error is not None
        assert "changed while it ran" in run.error
        now = definition(desk, "changed")
        assert (now.evaluated_until, now.checked_at) == (run.window_end, None)
        assert len(desk.anomalies()) == 1

    def test_a_run_whose_process_is_gone_is_noted_as_failed(self, desk: DetectorBench) -> None:
        detector = desk.detector("payment_failure_spike")
        claimed = desk.work.claim(desk.tenant, detector, NOON, {})
        assert claimed is not None
        desk.done(detector, NOON + 10 * MINUTE)
        states = [row["state"] for row in desk.rows("SELECT state FROM sentinel.detector_runs ORDER BY id")]
        assert states == ["failed", "done"]


class Breaking(Detector[DetectorParameters]):
    """Finds nothing; fails where the test says so."""

    name: ClassVar[str] = "breaking"
    title: ClassVar[str] = "Breaks"
    parameters = DetectorParameters
    builtin_mode: ClassVar[Mode | None] = None
    breaks_at: ClassVar[datetime | None] = None
    error: ClassVar[Exception] = InvalidError("it breaks at noon")

    def detect(
        self, window: Window, parameters: DetectorParameters, reader: DetectorReader
    ) -> Sequence[DetectorFinding]:
        if window.start == self.breaks_at:
            raise self.error
        return []


class Changed(Breaking):
    """Finds something in each window; in the second somebody changes the detector."""

    name: ClassVar[str] = "changed"

    def __init__(self, desk: DetectorBench) -> None:
        self._desk = desk
        self._windows = 0

    def detect(
        self, window: Window, parameters: DetectorParameters, reader: DetectorReader
    ) -> Sequence[DetectorFinding]:
        self._windows += 1
        if self._windows == 2:
            self._desk.one("UPDATE sentinel.detectors SET version = version + 1 RETURNING id")
        return [DetectorFinding("s", Level.LOW, 1, None, "so")]


class Doubled(Breaking):
    """Finds one subject twice."""

    name: ClassVar[str] = "doubled"

    def detect(
        self, window: Window, parameters: DetectorParameters, reader: DetectorReader
    ) -> Sequence[DetectorFinding]:
        return [DetectorFinding("s", Level.LOW, 1, None, "so")] * 2


class Unexpected(Breaking):
    """Fails with what nobody thought of."""

    name: ClassVar[str] = "unexpected"

    def detect(
        self, window: Window, parameters: DetectorParameters, reader: DetectorReader
    ) -> Sequence[DetectorFinding]:
        raise ZeroDivisionError("secret")


class Slow(Breaking):
    """Takes longer than a run may."""

    name: ClassVar[str] = "slow"

    def detect(
        self, window: Window, parameters: DetectorParameters, reader: DetectorReader
    ) -> Sequence[DetectorFinding]:
        connection: Any = reader
        connection._connection.execute("SELECT pg_sleep(30)")
        return []


class TestFailures:
    @pytest.mark.parametrize(
        ("kind", "said"), [(Doubled(), "twice"), (Unexpected(), "ZeroDivisionError"), (Slow(), "longer than")]
    )
    def test_each_is_told_and_leaves_nothing(self, desk: DetectorBench, kind: Detector[Any], said: str) -> None:
        detector = desk.detector(kind.name)
        run = desk.run(detector, NOON, desk.runner_with({kind.name: kind}, run_seconds=1.5))
        assert run.state is RunState.FAILED
        assert run.error is not None
        assert said in run.error
        assert "secret" not in run.error
        assert run.window_count == 0
        assert desk.anomalies() == []
        assert definition(desk, kind.name).evaluated_until is None

    def test_an_event_that_cannot_be_read_does_not_keep_the_others_back(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        at = NOON - 25 * MINUTE
        for raw in (
            b'{"id":"e","data":{"object":{"object":"charge","customer":"a\\u0000b","amount":1e999}}}',
            b'{"id":"e","data":{"object":{"object":"charge","customer":"\\ud800"}}}',
            b'{"id":"e","data":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
            b"{",
            b'{"id":"e","data":{"object":{"amount":' + b"9" * 5_000 + b"}}}",
        ):
            desk.event(source, "charge.succeeded", at, raw=raw)
        desk.payments(source, at, failed=15, succeeded=15)
        assert desk.done(detector, NOON + 5 * MINUTE).fired_count == 1
        assert desk.rows("SELECT 1 FROM sentinel.webhook_unread") == []
        facts = desk.rows("SELECT customer, amount FROM sentinel.webhook_facts WHERE event_type = 'charge.succeeded'")
        assert {(row["customer"], row["amount"]) for row in facts} == {(None, None)}


def definition(desk: DetectorBench, name: str) -> Any:
    """Return a detector as it is kept."""
    with desk.database.transaction(desk.tenant) as connection:
        return next(found for found in PostgresDetectors(connection).list() if found.name == name)
