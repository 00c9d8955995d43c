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


def away(server: str, ground: Ground, seconds: float = AWAY_SECONDS) -> None:
    """A server is stopped for a while."""
    ground.servers.stop(server)
    try:
        ground.calm(seconds)
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
    role = ground.bench.settings.postgres.app_user
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


def flushed(ground: Ground, seconds: float = AWAY_SECONDS) -> None:
    """Redis loses everything, under way and once more while it is away."""
    ground.bench.redis.flushall()
    ground.calm(2)
    ground.bench.redis.flushall()
    away("redis", ground, seconds)


def with_between(ground: Ground) -> dict[str, str]:
    between = ground.tools["s3"] = ground.at_end.enter_context(S3Between(ground.bench.settings.lake.endpoint))
    return {"SENTINEL_LAKE__ENDPOINT": between.endpoint}


def bad_lake(manner: Manner, seconds: float, ground: Ground) -> None:
    """The lake's store is bad for a while; the alerts have nothing to do with it."""
    between = ground.tools["s3"]
    assert isinstance(between, S3Between)
    met_before = between.slowed + between.refused
    between.manner = manner
    before = ground.count_alerts()
    # The archive may rest when it begins.
    ground.bench.wait_until("a request meets the fault", lambda: between.slowed + between.refused > met_before)
    ground.calm(seconds)
    ground.bench.wait_until("there are alerts meanwhile", lambda: ground.count_alerts() > before)
    between.manner = "pass"


def cut_unread(ground: Ground) -> None:
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
    Case("Kafka restarted", "the broker is stopped for 10 s", partial(away, "kafka")),
    Case("Kafka killed", "kill -9 of the broker", partial(_killed, "kafka")),
    Case("retention cut unread records", "records are removed before they are read; an operator gives them up",
         cut_unread, modes=(REALTIME,)),
    Case("PostgreSQL restarted", "PostgreSQL is stopped for 10 s", partial(away, "postgres")),
    Case("PostgreSQL killed", "kill -9 of PostgreSQL", partial(_killed, "postgres")),
    Case("connections cut", "every connection is terminated, five times in 5 s", _cut_connections),
    Case("disk full", "PostgreSQL answers every insert of alerts with 53100 for 10 s", _disk_full),
    Case("table locked", "the table of alerts is locked for 30 s", _locked),
    Case("Redis flushed and down", "Redis loses its data twice and is stopped for 10 s", flushed),
    Case("S3 unavailable", "the lake's store answers 503 for 15 s", partial(bad_lake, "unavailable", 15.0),
         environment=with_between, modes=(REALTIME,)),
    Case("S3 slow", "each request to the lake's store takes 3 s more, for 30 s", partial(bad_lake, "slow", 30.0),
         environment=with_between, modes=(REALTIME,)),
    Case("S3 refuses conditions", "the lake's store refuses conditional writes for 15 s",
         partial(bad_lake, "no_conditions", 15.0), environment=with_between, modes=(REALTIME,)),
    Case("every server killed", "kill -9 of PostgreSQL, Kafka, Redis and S3 at once", _every_server),
)  # fmt: skip
