"""What happens to the servers: they end, restart, fill up, are locked, slow or picky."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import psycopg

from sentinel.domain.pipeline import DetectMode
from tests.chaos.flow import PARTITIONS
from tests.chaos.ground import Case, Ground, in_background
from tests.chaos.s3_between import Manner, S3Between

AWAY_SECONDS = 10.0
LOCKED_SECONDS = 30.0
REALTIME = DetectMode.REALTIME


def _away(server: str, ground: Ground) -> None:
    ground.servers.stop(server)
    try:
        ground.calm(AWAY_SECONDS)
    finally:
        ground.servers.start(server)


def _killed(server: str, ground: Ground) -> None:
    ground.servers.kill(server)
    ground.calm(1)
    ground.servers.wait(server)


def _as_owner(ground: Ground, act: Callable[[psycopg.Connection], None]) -> None:
    with psycopg.connect(ground.bench.settings.postgres.conninfo("owner"), autocommit=True) as connection:
        act(connection)


def _cut_connections(ground: Ground) -> None:
    role = ground.bench.settings.postgres.user
    for _ in range(5):
        with psycopg.connect(ground.bench.settings.postgres.conninfo("owner"), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
        ground.calm(1)


def _disk_full(ground: Ground) -> None:
    """Every write of an alert is answered as PostgreSQL does when its disk is full (SQLSTATE 53100)."""

    def fill(connection: psycopg.Connection) -> None:
        connection.execute(
            "CREATE OR REPLACE FUNCTION sentinel.chaos_full() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER chaos_full BEFORE INSERT ON sentinel.alerts"
            " FOR EACH STATEMENT EXECUTE FUNCTION sentinel.chaos_full()"
        )

    def empty(connection: psycopg.Connection) -> None:
        connection.execute("DROP TRIGGER IF EXISTS chaos_full ON sentinel.alerts")
        connection.execute("DROP FUNCTION IF EXISTS sentinel.chaos_full()")

    try:
        _as_owner(ground, fill)
        ground.calm(AWAY_SECONDS)
    finally:
        _as_owner(ground, empty)


def _locked(ground: Ground) -> None:
    with psycopg.connect(ground.bench.settings.postgres.conninfo("owner")) as connection:
        connection.execute("LOCK TABLE sentinel.alerts IN ACCESS EXCLUSIVE MODE")
        ground.calm(LOCKED_SECONDS)


def _flushed(ground: Ground) -> None:
    """Redis loses everything, under way and once more while it is away."""
    ground.bench.redis.flushall()
    ground.calm(2)
    ground.bench.redis.flushall()
    _away("redis", ground)


def _with_between(ground: Ground) -> dict[str, str]:
    between = ground.tools["s3"] = S3Between(ground.bench.settings.lake.endpoint)
    return {"SENTINEL_LAKE__ENDPOINT": between.endpoint}


def _s3(manner: Manner, seconds: float, ground: Ground) -> None:
    between = ground.tools["s3"]
    assert isinstance(between, S3Between)
    between.manner = manner
    before = ground.count_alerts()
    ground.calm(seconds)
    # The alerts have nothing to do with the lake.
    assert ground.count_alerts() > before
    met = between.slowed if manner == "slow" else between.refused
    assert met > 0, "no request met the fault"
    between.manner = "pass"


def _cut_unread(ground: Ground) -> None:
    """Retention removes records that nobody has read: an alarm that names them, until an operator gives them up."""
    ground.pause_driver()
    ground.calm(3)
    decided = ground.bench.decided(ground.pipeline_id)
    archived = ground.bench.archived(ground.pipeline_id)
    cut = {partition: decided[partition] + 200 for partition in range(PARTITIONS)}
    ground.bench.wait_until(
        "there are records to cut",
        lambda: all(ground.bench.topics.ranges(ground.topic)[p].high > cut[p] for p in cut),
    )
    ground.bench.delete_records(ground.topic, cut)
    ground.resume_driver()
    named = f"lost offsets {decided[0]} to {cut[0] - 1}"
    ground.bench.wait_until("the alarm names the offsets", lambda: named in ground.log())
    ground.bench.command("resume-source", str(ground.pipeline_id), "--reason", "retention was too short")
    for partition, end in cut.items():
        ground.skip(partition, decided[partition], end)
        ground.skip_in_lake(partition, archived[partition], decided[partition])


def _every_server(ground: Ground) -> None:
    """All of them are killed at once."""
    threads: list[threading.Thread] = []
    for server in ("postgres", "kafka", "redis", "s3"):
        threads.append(in_background(partial(ground.servers.kill, server)))
    for thread in threads:
        thread.join()
    time.sleep(1)
    for server in ("postgres", "kafka", "redis", "s3"):
        ground.servers.wait(server)


CASES = (
    Case("Kafka restarted", "the broker is stopped for 10 s", partial(_away, "kafka")),
    Case("Kafka killed", "kill -9 of the broker", partial(_killed, "kafka")),
    Case("retention cut unread records", "records are removed before they are read; an operator gives them up",
         _cut_unread, short=(REALTIME,), modes=(REALTIME,)),
    Case("PostgreSQL restarted", "PostgreSQL is stopped for 10 s", partial(_away, "postgres")),
    Case("PostgreSQL killed", "kill -9 of PostgreSQL", partial(_killed, "postgres"), short=(REALTIME,)),
    Case("connections cut", "every connection is terminated, five times in 5 s", _cut_connections),
    Case("disk full", "PostgreSQL answers every insert of alerts with 53100 for 10 s", _disk_full),
    Case("table locked", "the table of alerts is locked for 30 s", _locked),
    Case("Redis flushed and down", "Redis loses its data twice and is stopped for 10 s", _flushed, short=(REALTIME,)),
    Case("S3 unavailable", "the lake's store answers 503 for 15 s", partial(_s3, "unavailable", 15.0),
         environment=_with_between, short=(REALTIME,), modes=(REALTIME,)),
    Case("S3 slow", "each request to the lake's store takes 3 s more, for 30 s", partial(_s3, "slow", 30.0),
         environment=_with_between, modes=(REALTIME,)),
    Case("S3 refuses conditions", "the lake's store refuses conditional writes for 15 s",
         partial(_s3, "no_conditions", 15.0), environment=_with_between, modes=(REALTIME,)),
    Case("every server killed", "kill -9 of PostgreSQL, Kafka, Redis and S3 at once", _every_server),
)  # fmt: skip
