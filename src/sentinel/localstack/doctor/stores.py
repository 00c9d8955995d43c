"""Checks of PostgreSQL, Kafka and Redis, wherever the settings say they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import psycopg
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sentinel.localstack.doctor.finding import Finding, error, never_started, ok, stopped_server, warning
from sentinel.settings import KafkaSettings, PostgresSettings, RedisSettings, Settings
from sentinel.stores.postgres.database import first_line

_NOT_STARTED = "the local stack was never started; run `sentinel up`, or name a server elsewhere in "


def check_postgres(settings: Settings) -> Iterator[Finding]:
    """Both roles can log in, the server is new enough, and row-level security binds the application role."""
    postgres = settings.postgres
    stopped = stopped_server(settings, "postgres", "PostgreSQL")
    if stopped:
        yield stopped
        return
    if never_started(settings) and postgres == PostgresSettings():
        yield warning("PostgreSQL", "nothing is set up yet", f"{_NOT_STARTED}SENTINEL_POSTGRES__HOST")
        return
    yield from _check_role(postgres, "owner")
    yield from _check_role(postgres, "app")


def _check_role(postgres: PostgresSettings, role: Literal["owner", "app"]) -> Iterator[Finding]:
    user = postgres.owner_user if role == "owner" else postgres.app_user
    where = f"{user} at {postgres.host}:{postgres.port}/{postgres.database}"
    names = f"SENTINEL_POSTGRES__{role.upper()}_USER and SENTINEL_POSTGRES__{role.upper()}_PASSWORD"
    try:
        with psycopg.connect(postgres.conninfo(role)) as connection:
            version = connection.info.server_version
            row = connection.execute(
                "SELECT rolsuper OR rolbypassrls, current_setting('track_commit_timestamp') FROM pg_roles "
                "WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError as problem:
        reason = first_line(problem)
        if "password" in reason or "authentication" in reason or "role" in reason:
            yield error("PostgreSQL", f"{where}: {reason}", f"correct {names}")
        else:
            advice = "start the server, or correct SENTINEL_POSTGRES__HOST and SENTINEL_POSTGRES__PORT"
            yield error("PostgreSQL", f"{where}: {reason}", advice)
        return
    if version < 150000:
        yield error("PostgreSQL", f"{where}: version {version // 10000}", "use PostgreSQL 15 or later")
    elif role == "app" and row and row[0]:
        yield error(
            "PostgreSQL",
            f"{where}: it is a superuser or has BYPASSRLS, so tenants would not be isolated",
            "set SENTINEL_POSTGRES__APP_USER to a plain role",
        )
    else:
        yield ok("PostgreSQL", f"{version // 10000} answers {where}")


def check_kafka(settings: Settings) -> Iterator[Finding]:
    """The broker answers a metadata request."""
    address = settings.kafka.bootstrap_servers
    stopped = stopped_server(settings, "kafka", "Kafka")
    if stopped:
        yield stopped
        return
    if never_started(settings) and settings.kafka == KafkaSettings():
        yield warning("Kafka", "nothing is set up yet", f"{_NOT_STARTED}SENTINEL_KAFKA__BOOTSTRAP_SERVERS")
        return
    client = AdminClient({"bootstrap.servers": address, "log_level": 0, "socket.timeout.ms": 4000})
    try:
        brokers = client.list_topics(timeout=5).brokers
    except KafkaException as problem:
        text = f"{address}: {problem.args[0].str()}"
        yield error("Kafka", text, "start the broker, or correct SENTINEL_KAFKA__BOOTSTRAP_SERVERS")
        return
    yield ok("Kafka", f"{len(brokers)} broker(s) at {address}")


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Redis answers, keeps what it is given, and its version is known to work."""
    group = settings.redis
    where = f"{group.host}:{group.port}"
    stopped = stopped_server(settings, "redis", "Redis")
    if stopped:
        yield stopped
        return
    if never_started(settings) and group == RedisSettings():
        yield warning("Redis", "nothing is set up yet", f"{_NOT_STARTED}SENTINEL_REDIS__HOST")
        return
    password = group.password.get_secret_value() or None
    try:
        with redis.Redis(host=group.host, port=group.port, password=password, socket_timeout=3) as client:
            version = str(client.info("server")["redis_version"])
            policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    except (redis.AuthenticationError, redis.ResponseError) as problem:
        yield error("Redis", f"{where}: {problem}", "correct SENTINEL_REDIS__PASSWORD")
        return
    except redis.RedisError as problem:
        advice = "start the server, or correct SENTINEL_REDIS__HOST and SENTINEL_REDIS__PORT"
        yield error("Redis", f"{where}: {problem}", advice)
        return
    if int(version.split(".", maxsplit=1)[0]) < 6:
        yield error("Redis", f"{where}: version {version}", "use Redis 6 or later")
    elif policy != "noeviction":
        advice = "set maxmemory-policy noeviction; a score that was evicted reads as not matched"
        yield warning("Redis", f"{where}: it forgets keys when full ({policy})", advice)
    else:
        yield ok("Redis", f"{version} at {where}")
