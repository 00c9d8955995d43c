"""Care of the lake on real servers: PostgreSQL, Delta on S3, and the archive beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from sentinel.batch.lake_care.loop import LakeCareLoop
from sentinel.clock import monotonic_seconds
from sentinel.domain.lake_care import CareCause, CarePolicy
from sentinel.errors import ConflictError
from sentinel.settings import Settings
from sentinel.stores.lake.care import WORKER
from sentinel.stores.lake.location import storage_options
from sentinel.stores.postgres.lake_care import PostgresLakeCareWork
from sentinel.stores.postgres.lake_turns import LOOK_SECONDS, LakeTurns
from sentinel.stores.postgres.migrate import ensure_tenant
from tests.chaos.s3_between import S3Between
from tests.support.lake_desk import DAY, POLICY, Desk, never

pytestmark = [pytest.mark.integration, pytest.mark.spark]


def behind(settings: Settings, between: S3Between) -> Any:
    return settings.lake.model_copy(update={"endpoint": between.endpoint})


class TestRun:
    def test_many_files_become_few_and_the_run_is_kept(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        uri = lake_desk.fill(pipeline_id)
        outcome = lake_desk.carer().run_due(lake_desk.tenant, pipeline_id, never)
        assert outcome is not None
        assert (outcome.files_before, outcome.files_after, outcome.merged_files, outcome.error) == (8, 1, 8, None)
        assert lake_desk.offsets(uri) == list(range(80))
        status = lake_desk.status(pipeline_id)
        (run,) = status.runs
        assert (run.outcome, run.state.value, run.cause.value) == (outcome, "done", "schedule")
        assert (status.file_count, status.failure_count, status.is_running) == (1, 0, False)
        assert status.vacuumed_at is not None

    def test_it_is_due_again_later(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        lake_desk.fill(pipeline_id)
        assert (lake_desk.tenant, pipeline_id) in lake_desk.work().due(1000)
        lake_desk.carer().run_due(lake_desk.tenant, pipeline_id, never)
        assert (lake_desk.tenant, pipeline_id) not in lake_desk.work().due(1000)
        assert lake_desk.carer().run_due(lake_desk.tenant, pipeline_id, never) is None
        with pytest.raises(ConflictError):
            lake_desk.carer().run_requested(lake_desk.tenant, 2**40, requested_by="cli", is_stopped=never)

    def test_what_is_older_than_the_retention_is_deleted(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        uri = lake_desk.fill(pipeline_id)
        at_once = CarePolicy(3, POLICY.target_bytes, timedelta(0), timedelta(0))
        outcome = lake_desk.carer(policy=at_once).run_due(lake_desk.tenant, pipeline_id, never)
        assert outcome is not None
        assert (outcome.merged_files, outcome.deleted_files) == (8, 8)
        assert lake_desk.offsets(uri) == list(range(80))

    def test_another_tenant_s_table_is_seen_by_nobody_else(self, lake_desk: Desk, settings: Settings) -> None:
        other = f"{lake_desk.tenant}-b"
        ensure_tenant(settings.postgres, other, "other")
        theirs = lake_desk.pipeline(other)
        uri = lake_desk.fill(theirs, 4, other)
        assert lake_desk.carer().run_due(lake_desk.tenant, theirs, never) is None
        assert lake_desk.status(theirs).next_at is None
        assert lake_desk.file_count(uri) == 4
        with lake_desk.database.transaction("") as connection:
            assert connection.execute("SELECT 1 FROM sentinel.lake_care").fetchall() == []

    def test_two_workers_share_the_tables(self, lake_desk: Desk) -> None:
        pipelines = [lake_desk.pipeline() for _ in range(3)]
        uris = [lake_desk.fill(each, 4) for each in pipelines]

        class Mine(PostgresLakeCareWork):
            def due(self, limit: int) -> list[tuple[str, int]]:
                return [(lake_desk.tenant, each) for each in pipelines]

        loops = [
            LakeCareLoop(Mine(lake_desk.database, name), lake_desk.carer(name, work=Mine(lake_desk.database, name)))
            for name in ("one", "two")
        ]
        threads = [threading.Thread(target=loop.pass_once, args=(threading.Event(),)) for loop in loops]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [lake_desk.file_count(uri) for uri in uris] == [1, 1, 1]
        assert [len(lake_desk.status(each).runs) for each in pipelines] == [1, 1, 1]

    def test_a_worker_that_is_gone_is_followed_when_its_claim_has_run_out(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        uri = lake_desk.fill(pipeline_id)
        lost = lake_desk.work("gone")
        claim = lost.claim(lake_desk.tenant, pipeline_id, seconds=0.0, only_due=True)
        assert claim is not None
        lost.begin(claim, CareCause.SCHEDULE, "", None)
        time.sleep(0.01)
        outcome = lake_desk.carer("two").run_due(lake_desk.tenant, pipeline_id, never)
        assert outcome is not None
        assert lake_desk.file_count(uri) == 1
        done, failed = lake_desk.status(pipeline_id).runs
        assert (done.state.value, failed.state.value) == ("done", "failed")
        assert "the process that ran it ended" in str(failed.outcome.error)
        assert not lost.keep(claim, seconds=60)


class TestStore:
    @pytest.mark.parametrize("manner", ["unavailable", "no_conditions"])
    def test_a_store_that_refuses_is_told_and_the_next_run_finishes(
        self, lake_desk: Desk, between: S3Between, manner: Any
    ) -> None:
        pipeline_id = lake_desk.pipeline()
        uri = lake_desk.fill(pipeline_id)
        between.manner = manner
        lake = behind(lake_desk.settings, between)
        outcome = lake_desk.carer(lake=lake).run_due(lake_desk.tenant, pipeline_id, never)
        assert outcome is not None
        assert outcome.error == "the lake's store is away or refuses us; the worker's log says more"
        assert between.refused > 0
        assert lake_desk.file_count(uri) == 8
        status = lake_desk.status(pipeline_id)
        assert (status.failure_count, status.runs[0].outcome.error) == (1, outcome.error)
        assert status.next_at is not None
        assert status.looked_at is not None
        assert timedelta(seconds=50) < status.next_at - status.looked_at < timedelta(seconds=70)
        between.manner = "pass"
        again = lake_desk.carer(lake=lake).run_requested(
            lake_desk.tenant, pipeline_id, requested_by="t", is_stopped=never
        )
        assert again is not None
        assert (again.error, lake_desk.file_count(uri)) == (None, 1)
        assert lake_desk.offsets(uri) == list(range(80))
        assert lake_desk.status(pipeline_id).failure_count == 0

    def test_wrong_credentials_are_told_without_them(self, lake_desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
        pipeline_id = lake_desk.pipeline()
        lake_desk.fill(pipeline_id, 2)
        wrong = lake_desk.settings.lake.model_copy(
            update={"access_key": "WRONGKEY", "secret_key": SecretStr("WRONGSECRET")}
        )
        outcome = lake_desk.carer(lake=wrong).run_due(lake_desk.tenant, pipeline_id, never)
        assert outcome is not None
        assert outcome.error == "the lake's store is away or refuses us; the worker's log says more"
        assert "WRONGSECRET" not in caplog.text
        assert "WRONGKEY" not in caplog.text

    def test_killed_in_the_middle_the_table_is_whole_and_the_next_run_finishes(
        self, lake_desk: Desk, between: S3Between
    ) -> None:
        pipeline_id = lake_desk.pipeline()
        uri = lake_desk.fill(pipeline_id)
        # Slow enough to be met between its reads, its new file and its commit.
        between.manner = "slow"
        request = {
            "action": "compact", "uri": uri, "storage_options": storage_options(behind(lake_desk.settings, between)),
            "seconds": 120, "memory_mib": 512, "step": "killed", "day": DAY.isoformat(), "target_bytes": 2**24,
        }  # fmt: skip
        worker = subprocess.Popen([sys.executable, "-m", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert worker.stdin is not None
        worker.stdin.write(orjson.dumps(request))
        worker.stdin.close()
        deadline = monotonic_seconds() + 60
        while between.slowed < 5 and monotonic_seconds() < deadline:
            time.sleep(0.05)
        os.kill(worker.pid, signal.SIGKILL)
        assert worker.wait(10) == -signal.SIGKILL
        assert worker.stdout is not None
        worker.stdout.close()
        assert lake_desk.offsets(uri) == list(range(80))
        assert lake_desk.file_count(uri) == 8
        outcome = lake_desk.carer().run_due(lake_desk.tenant, pipeline_id, never)
        assert outcome is not None
        assert (lake_desk.file_count(uri), outcome.error) == (1, None)
        assert lake_desk.offsets(uri) == list(range(80))


class TestTurns:
    def test_one_at_a_time(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        archive = LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "archive", "archive/a/1")
        care = LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "care", "one")
        assert archive.take(60)
        assert not care.take(60)
        archive.end()
        assert care.take(60)
        assert not archive.take(60)
        assert not LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "care", "two").take(60)
        archive.end()
        assert not archive.take(60)
        care.end()
        assert archive.take(60)

    def test_a_job_follows_one_that_died_in_its_turn_at_once(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        assert LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "archive", "archive/a/1").take(600)
        after = LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "archive", "archive/b/2")
        assert after.take(600)
        assert not LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "care", "one").take(60)

    def test_a_turn_ends_by_its_time(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        assert LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "care", "one").take(0)
        time.sleep(0.01)
        assert LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "archive", "archive/a/1").take(60)

    def test_care_waits_for_the_archive_no_longer_than_it_may(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        assert LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "archive", "archive/a/1").take(600)
        work = lake_desk.work()
        claim = work.claim(lake_desk.tenant, pipeline_id, seconds=60, only_due=True)
        assert claim is not None
        with work.turn(claim, seconds=60, wait_seconds=0.1, is_stopped=never) as is_ours:
            assert not is_ours

    def test_an_archive_that_waits_comes_between_two_steps(self, lake_desk: Desk) -> None:
        pipeline_id = lake_desk.pipeline()
        work = lake_desk.work()
        claim = work.claim(lake_desk.tenant, pipeline_id, seconds=60, only_due=True)
        assert claim is not None
        archive = LakeTurns(lake_desk.database, lake_desk.tenant, pipeline_id, "archive", "archive/a/1")
        came: list[int] = []
        step = [0]

        def wait() -> None:
            while not archive.take(60):
                time.sleep(LOOK_SECONDS)
            came.append(step[0])
            archive.end()

        with work.turn(claim, seconds=60, wait_seconds=10, is_stopped=never) as is_ours:
            assert is_ours
            step[0] = 1
            thread = threading.Thread(target=wait)
            thread.start()
            time.sleep(LOOK_SECONDS)
        with work.turn(claim, seconds=60, wait_seconds=10, is_stopped=never) as is_ours:
            assert is_ours
            step[0] = 2
        thread.join(10)
        assert came == [1]
