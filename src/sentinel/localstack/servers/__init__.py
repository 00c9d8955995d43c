"""The servers of the stack, in the order in which they start."""

from __future__ import annotations

from sentinel.localstack.servers.base import Server, ServerContext
from sentinel.localstack.servers.kafka import KafkaServer
from sentinel.localstack.servers.postgres import PostgresServer
from sentinel.localstack.servers.redis import RedisServer
from sentinel.localstack.servers.s3 import S3Server

SERVERS: dict[str, Server] = {
    server.name: server for server in (KafkaServer(), PostgresServer(), S3Server(), RedisServer())
}

__all__ = ["SERVERS", "Server", "ServerContext"]
