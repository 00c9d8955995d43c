"""The endpoint of Stripe's webhooks at a rate: milliseconds to the answer, which comes after the commit.

Run as `python -m tests.bench.webhooks [--rate 200] [--seconds 30]`; prints one JSON line. The API is a process of its
own, with PostgreSQL and Kafka beside it; events are of about 2 kB, sent over 24 connections when they are due, and
timed from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from sentinel.clock import monotonic_seconds
from sentinel.testing.servers import start_servers
from tests.bench.api import running_api
from tests.support.webhooks import STRIPE_SECRET, stripe_headers

CHARGE = {
    "object": "charge",
    "amount": 1999,
    "currency": "usd",
    "customer": "cus_1",
    "status": "succeeded",
    "payment_method_details": {"card": {"brand": "visa", "country": "US", "fingerprint": "Xt5EWLLDS7FJjR1c"}},
    "metadata": {f"key_{number}": "value " * 6 for number in range(30)},
}
WARM_UP = 400
CALLERS = 24


def body_of(number: int) -> bytes:
    """Return an event of its own."""
    charge = {**CHARGE, "id": f"ch_{number}"}
    event = {"id": f"evt_{number}", "object": "event", "type": "charge.succeeded", "created": int(time.time())}
    return json.dumps({**event, "livemode": True, "data": {"object": charge}}).encode()


class Caller:
    """One connection that is kept open. Bare, since a client's own work would be most of what is measured."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path

    async def deliver_all(self, numbers: Iterator[int], begin: float, rate: float, taken: list[float]) -> None:
        """Send the next event when it is due, until there are no more, and note how long after that each took."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number in numbers:
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - monotonic_seconds()))
            body = body_of(number)
            lines = [f"POST {self._path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in stripe_headers(body).items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            answer = await reader.readexactly(int(length.split(b":")[1]))
            assert head.startswith(b"HTTP/1.1 200"), answer
            taken.append(monotonic_seconds() - due)
        writer.close()


async def deliver(port: int, path: str, numbers: range, rate: float) -> tuple[list[float], float]:
    """Send events at a rate and return the seconds that each took, and all of them."""
    taken: list[float] = []
    begin = monotonic_seconds() + 0.1 - numbers.start / rate
    remaining = iter(numbers)
    await asyncio.gather(*(Caller(port, path).deliver_all(remaining, begin, rate, taken) for _ in range(CALLERS)))
    return taken, monotonic_seconds() - begin - numbers.start / rate


def measure(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Send and return the figures."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        body = {"name": "bench", "kind": "stripe", "secrets": [STRIPE_SECRET]}
        source = client.post("/api/webhook-sources", json=body).json()
        asyncio.run(deliver(port, source["path"], range(WARM_UP), rate))
        count = int(rate * seconds)
        taken, elapsed = asyncio.run(deliver(port, source["path"], range(WARM_UP, WARM_UP + count), rate))
        unpublished = published_after(client, source["id"])
    ordered = sorted(1000 * value for value in taken)
    quantiles = {f"p{share:g}_ms": round(ordered[int(share / 100 * (count - 1))], 1) for share in (50, 95, 99, 99.9)}
    return {
        "rate": rate,
        "events": count,
        "per_second": round(count / elapsed, 1),
        **quantiles,
        "max_ms": round(ordered[-1], 1),
        "all_published_after_ms": unpublished,
    }


def published_after(client: httpx.Client, source_id: int) -> float:
    """Return how many milliseconds after the last answer nothing waits any more."""
    began = monotonic_seconds()
    while client.get(f"/api/webhook-sources/{source_id}/events?unpublished=true&limit=1").json():
        time.sleep(0.01)
    return round(1000 * (monotonic_seconds() - began), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    with (
        TemporaryDirectory() as directory,
        start_servers(Path(directory) / "home", ("postgres", "kafka")) as servers,
        running_api(servers.settings) as api,
    ):
        figures = measure(api.port, arguments.rate, arguments.seconds)
    print(json.dumps({**figures, "load": [round(value, 1) for value in os.getloadavg()]}))


if __name__ == "__main__":
    main()
