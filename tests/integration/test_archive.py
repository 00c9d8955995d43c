"""The archive on real servers: Kafka, PostgreSQL and Delta on S3."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sentinel.errors import LeaseLostError, SourceGapError, StoreUnavailableError, TerminalError
from sentinel.stores.postgres.database import Database
from sentinel.streaming.sink import archive as archive_module
from sentinel.streaming.sink import calm
from sentinel.streaming.sink.archive import Archive
from tests.support.decider import Decider, event
from tests.support.detection import Workbench

pytestmark = [pytest.mark.integration, pytest.mark.spark]


@pytest.fixture
def decider(bench: Workbench, database: Database, spark: SparkSession) -> Decider:
    return Decider(bench, database, spark, bench.create_topic(2))


def offsets(rows: Sequence[dict[str, Any]]) -> Counter[tuple[int, int]]:
    return Counter((row["_partition"], row["_offset"]) for row in rows)


class TestCommits:
    def test_decided_events_reach_the_lake_with_their_record(self, decider: Decider) -> None:
        decider.send(event(0), b"not json", event(1), event(2), None)
        (commit,) = decider.drain()
        rows = decider.rows()
        assert [(row["id"], row["amount"], row["_partition"], row["_offset"]) for row in rows] == [
            ("e0", 0.0, 0, 0),
            ("e1", 1.0, 0, 1),
            ("e2", 2.0, 1, 1),
        ]
        assert {(row["_topic"], row["_schema_version"], row["_generation_id"]) for row in rows} == {
            (decider.topic, 1, commit.generation_id)
        }
        assert all(row["date"] == row["_timestamp"].date() and isinstance(row["date"], date) for row in rows)
        (found,) = decider.ledger_rows()
        assert (found["state"], found["event_count"], found["dead_count"]) == ("committed", 3, 2)
        assert found["ranges"] == {"0": [0, 3], "1": [0, 2]}

    def test_nothing_new_means_no_commit(self, decider: Decider) -> None:
        assert decider.drain() == []
        decider.send(event(0))
        assert len(decider.drain()) == 1
        assert decider.archive().run_once() is None

    def test_what_is_not_decided_is_not_archived(self, decider: Decider) -> None:
        decider.send(event(0), event(1))
        decider.bench.send(decider.topic, [event(2), event(3)])
        decider.drain()
        assert len(decider.rows()) == 2
        decider.decide()
        decider.drain()
        assert [row["id"] for row in decider.rows()] == ["e0", "e2", "e1", "e3"]

    def test_a_commit_of_dead_letters_only_is_a_commit(self, decider: Decider) -> None:
        decider.send(b"x", b"y")
        decider.drain()
        assert [(row["event_count"], row["dead_count"]) for row in decider.ledger_rows()] == [(0, 2)]
        decider.send(event(0))
        decider.drain()
        assert len(decider.rows()) == 1

    def test_commits_are_bounded(self, bench: Workbench, database: Database, spark: SparkSession) -> None:
        decider = Decider(bench, database, spark, bench.create_topic(2), archive_max_records=6)
        decider.send(*[event(number) for number in range(20)])
        commits = decider.drain()
        assert [commit.offset_count for commit in commits] == [6, 6, 6, 2]
        assert offsets(decider.rows()) == Counter({(p, o): 1 for p in (0, 1) for o in range(10)})

    def test_a_commit_is_of_one_generation(self, decider: Decider) -> None:
        decider.send(event(0), event(1))
        decider.change_schema(
            {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
            {"name": "user_id", "type": "string", "role": "entity"},
            {"name": "amount", "type": "float"},
            {"name": "sent_at", "type": "float"},
            {"name": "city", "type": "string"},
        )
        second = decider.next_generation()
        decider.send(event(2, city="Bonn"), event(3, city="Ulm"))
        commits = decider.drain()
        assert len(commits) == 2
        assert [(row["id"], row.get("city"), row["_schema_version"]) for row in decider.rows()] == [
            ("e0", None, 1),
            ("e2", "Bonn", 2),
            ("e1", None, 1),
            ("e3", "Ulm", 2),
        ]
        assert commits[1].generation_id == second


class TestCrashes:
    def fail_after_write(self, decider: Decider, monkeypatch: pytest.MonkeyPatch) -> None:
        def crash(name: str) -> None:
            if name == "archive_written":
                raise RuntimeError("crash")

        with monkeypatch.context() as patched:
            patched.setattr(archive_module, "fault_point", crash)
            with pytest.raises(RuntimeError, match="crash"):
                decider.archive().run_once()

    def test_a_crash_after_the_delta_commit_doubles_nothing(
        self, decider: Decider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decider.send(event(0), b"x", event(1))
        self.fail_after_write(decider, monkeypatch)
        assert [row["state"] for row in decider.ledger_rows()] == ["planned"]
        version = decider.table().version()
        (commit,) = decider.drain()
        assert commit.seq == 1
        assert decider.table().version() == version
        assert sum(offsets(decider.rows()).values()) == 2
        (found,) = decider.ledger_rows()
        assert (found["state"], found["event_count"], found["dead_count"]) == ("committed", 2, 1)

    def test_delta_itself_ignores_a_number_that_it_knows(
        self, decider: Decider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decider.send(event(0), event(1))
        self.fail_after_write(decider, monkeypatch)
        monkeypatch.setattr(archive_module, "last_transaction", lambda *_: 0)
        monkeypatch.setattr(archive_module.Observation, "get", {"events": 2, "dead": 0}, raising=False)
        decider.drain()
        assert sum(offsets(decider.rows()).values()) == 2

    def test_a_crash_before_the_delta_commit_repeats_what_was_planned(
        self, decider: Decider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(name: str) -> None:
            raise RuntimeError(name)

        decider.send(event(0))
        with monkeypatch.context() as patched:
            patched.setattr(archive_module, "fault_point", crash)
            with pytest.raises(RuntimeError, match="archive_planned"):
                decider.archive().run_once()
        decider.send(event(1), event(2))
        commits = decider.drain()
        assert [commit.ranges for commit in commits] == [{0: (0, 1), 1: (0, 0)}, {0: (1, 2), 1: (0, 1)}]
        assert sum(offsets(decider.rows()).values()) == 3

    def test_a_lake_that_is_ahead_of_the_ledger_stops_the_archive(self, decider: Decider) -> None:
        decider.send(event(0))
        decider.drain()
        decider.bench.execute("DELETE FROM sentinel.archive_commits WHERE pipeline_id = %s", decider.pipeline_id)
        with pytest.raises(TerminalError, match=r"holds commit 1 .* only knows 0"):
            decider.archive().run_once()

    def test_a_lost_lease_plans_nothing(self, decider: Decider) -> None:
        decider.send(event(0))
        old = decider.archive()
        decider.bench.execute(
            "UPDATE sentinel.leases SET expires_at = now() - interval '1 minute' WHERE pipeline_id = %s",
            decider.pipeline_id,
        )
        decider.lease = decider.take_lease("another")
        with pytest.raises(LeaseLostError):
            old.run_once()
        assert decider.ledger_rows() == []


class TestSource:
    def test_records_that_are_gone_are_an_alarm_with_their_offsets(self, decider: Decider) -> None:
        decider.send(*[event(number) for number in range(10)])
        decider.bench.delete_records(decider.topic, {0: 3})
        with pytest.raises(SourceGapError, match=r"partition 0: offsets 0 to 2$"):
            decider.archive().run_once()

    def test_a_changed_type_goes_on_in_a_column_of_its_own(self, decider: Decider) -> None:
        base = [
            {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
            {"name": "user_id", "type": "string", "role": "entity"},
        ]
        decider.send(event(1))
        decider.drain()
        for kind, value in (("string", b'"7"'), ("float", b"7.5")):
            decider.change_schema(*base, {"name": "amount", "type": kind})
            decider.next_generation()
            decider.send(b'{"id":"x","amount":' + value + b"}")
            decider.drain()
        rows = sorted(decider.rows(), key=lambda row: row["_schema_version"])
        assert [(row["amount"], row["amount__v2"]) for row in rows] == [(1.0, None), (None, "7"), (7.5, None)]


class TestLoop:
    @pytest.fixture
    def running(self, bench: Workbench, database: Database, spark: SparkSession) -> Iterator[tuple[Decider, Archive]]:
        decider = Decider(bench, database, spark, bench.create_topic(2), archive_interval_seconds=0.2)
        archive, stopped = decider.archive(), threading.Event()
        thread = threading.Thread(target=archive.run, args=(stopped,))
        thread.start()
        yield decider, archive
        stopped.set()
        thread.join(60)
        assert not thread.is_alive()

    def test_an_outage_of_the_lake_is_waited_for(self, running: tuple[Decider, Archive]) -> None:
        decider, archive = running
        decider.send(event(0), event(1))
        decider.bench.wait_archived(decider.pipeline_id)
        decider.bench.servers.stop("s3")
        try:
            decider.send(event(2), event(3))
            decider.bench.wait_until("the archive noticed", lambda: archive.alarm is not None)
            assert "the lake" in str(archive.alarm)
        finally:
            decider.bench.servers.start("s3")
        decider.bench.wait_archived(decider.pipeline_id)
        decider.bench.wait_until("the alarm is over", lambda: archive.alarm is None)
        assert offsets(decider.rows()) == Counter({(p, o): 1 for p in (0, 1) for o in (0, 1)})


class TestBesideAChange:
    @pytest.mark.parametrize("how", ["it ends", "it takes too long"])
    def test_no_commit_is_begun_before(self, decider: Decider, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
        changing, stopped = threading.Event(), threading.Event()
        changing.set()
        if how == "it takes too long":
            monkeypatch.setattr(calm, "CALM_WAIT_SECONDS", 2.0)
        decider.send(event(0))
        archive = decider.archive(changing)
        thread = threading.Thread(target=archive.run, args=(stopped,))
        thread.start()
        try:
            stopped.wait(1.0)
            assert decider.ledger_rows() == []
            if how == "it ends":
                changing.clear()
            decider.bench.wait_until(
                "it is archived", lambda: [row["state"] for row in decider.ledger_rows()] == ["committed"]
            )
        finally:
            stopped.set()
            thread.join(60)
        assert not thread.is_alive()

    def test_it_ends_when_it_is_told_to(self, decider: Decider) -> None:
        changing, stopped = threading.Event(), threading.Event()
        changing.set()
        thread = threading.Thread(target=decider.archive(changing).run, args=(stopped,))
        thread.start()
        stopped.set()
        thread.join(10)
        assert not thread.is_alive()


def test_the_store_of_a_lake_that_is_away_is_named(bench: Workbench, database: Database, spark: SparkSession) -> None:
    decider = Decider(bench, database, spark, bench.create_topic(1))
    lake = decider.settings.lake.model_copy(update={"endpoint": "http://127.0.0.1:1"})
    decider.settings = decider.settings.model_copy(update={"lake": lake})
    decider.send(event(0))
    with pytest.raises(StoreUnavailableError, match="the lake does not answer"):
        decider.archive().run_once()
