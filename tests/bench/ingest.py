"""Events by HTTP: events/s in batches, and the latency of single events at a fixed rate, against two uvicorn workers.

    python -m tests.bench.ingest [--seconds N] [--batch N] [--rate N]

Broker, PostgreSQL, Redis and the senders run on the same machine. Open loop for the latency: a request is due at its
time, whether or not those before it were answered. Prints one JSON line; every event must be held in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
import uuid
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from sentinel.settings import Settings
from sentinel.testing.servers import start_servers
from tests.bench.api import running_api
from tests.bench.workload import FIELDS, make_events

WORKERS = 2
SENDERS = 8
CONNECTIONS = 32


class Connection:
    """One kept connection of HTTP/1.1: a client that takes a fraction of the server's time."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._head = f"POST {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nContent-Length: "

    async def open(self) -> Connection:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        return self

    async def send(self, body: bytes) -> None:
        """Send a request and read its answer, which must be 202 without a rejection."""
        self._writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        answer = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 202") or b'"rejected":0' not in answer:
            raise SystemExit(f"{head.decode()}{answer[:500].decode()}")


async def flood(url: str, bodies: list[bytes]) -> float:
    """Send all bodies, several at a time; return the seconds it took."""
    left = iter(bodies)

    async def work(connection: Connection) -> None:
        for body in left:
            await connection.send(body)

    connections = [await Connection(url).open() for _ in range(SENDERS)]
    began = time.monotonic()
    await asyncio.gather(*map(work, connections))
    return time.monotonic() - began


async def paced(url: str, bodies: list[bytes], rate: int) -> list[float]:
    """Send one body each 1/rate s; return the milliseconds from when each was due to its answer."""
    spent: list[float] = []
    # In turn: the server closes a connection that is idle for 5 s.
    idle = deque([await Connection(url).open() for _ in range(CONNECTIONS)])

    async def send(body: bytes, due: float) -> None:
        connection = idle.popleft() if idle else await Connection(url).open()
        await connection.send(body)
        spent.append(1000 * (time.monotonic() - due))
        idle.append(connection)

    began = time.monotonic() + 0.2
    tasks = []
    for number, body in enumerate(bodies):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(send(body, due)))
    await asyncio.gather(*tasks)
    return spent


def held(settings: Settings, topic: str) -> int:
    """How many records the topic holds."""
    reader = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "count"})
    try:
        partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
        return sum(reader.get_watermark_offsets(TopicPartition(topic, each), timeout=10)[1] for each in partitions)
    finally:
        reader.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--check", default="strict")
    chosen = parser.parse_args()
    with (
        TemporaryDirectory() as scratch,
        start_servers(Path(scratch) / "stack", ("postgres", "kafka", "redis")) as servers,
    ):
        ingest = {"SENTINEL_INGEST__EVENTS_PER_MINUTE": "0"}
        with running_api(servers.settings, workers=WORKERS, **ingest) as api:
            topic = f"t-{uuid.uuid4().hex}"
            made = httpx.post(
                f"{api.url}/api/pipelines",
                json={"name": "p", "kafka_topic": topic, "schema": FIELDS, "config": {"edge_check": chosen.check}},
            )
            made.raise_for_status()
            url = f"{api.url}/api/pipelines/{made.json()['id']}/events"
            singles = chosen.rate * chosen.seconds
            encoded = list(make_events(chosen.events + 2 * singles).encoded(0, np.zeros(chosen.events + 2 * singles)))
            batches = [
                b"[" + b",".join(encoded[at : at + chosen.batch]) + b"]" for at in range(0, chosen.events, chosen.batch)
            ]
            asyncio.run(flood(url, batches[:100]))
            before = api.cpu_seconds()
            took = asyncio.run(flood(url, batches[100:]))
            cpu = api.cpu_seconds() - before
            asyncio.run(paced(url, encoded[chosen.events : chosen.events + singles], chosen.rate))
            before = api.cpu_seconds()
            spent = asyncio.run(paced(url, encoded[chosen.events + singles :], chosen.rate))
            single_cpu = api.cpu_seconds() - before
            sent = len(encoded)
            if held(servers.settings, topic) != sent:
                raise SystemExit(f"void: {held(servers.settings, topic)} of {sent} events are held")
        counted = len(batches[100:]) * chosen.batch
        p50, p95, p99 = np.percentile(spent, [50, 95, 99])
        print(
            json.dumps(
                {
                    "events_per_second": round(counted / took),
                    "batch": chosen.batch,
                    "api_cpu_microseconds_per_event": round(cpu / counted * 1e6, 1),
                    "single_rate": chosen.rate,
                    "api_cpu_microseconds_per_single": round(single_cpu / singles * 1e6, 1),
                    "p50_ms": round(float(p50), 1),
                    "p95_ms": round(float(p95), 1),
                    "p99_ms": round(float(p99), 1),
                }
            )
        )


if __name__ == "__main__":
    main()
