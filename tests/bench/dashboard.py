"""Measures the dashboard: `python -m tests.bench.dashboard [--alerts 200000] [--runs 10] [--home DIR] [--plans]`.

Starts a PostgreSQL and a Redis of its own, fills 50 pipelines, 500 rules, alerts, states and deliveries by COPY, serves
the API, and runs every page as somebody does who opens its address. Prints p50 and p95 of each page's script with its
calls and its largest answer, then p50 and p95 of each call by itself. --plans prints the plans of the statements that
look through many rows. The filled server is deleted at the end unless --home is given.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from streamlit.testing.v1 import AppTest

from config_api.app import create_app
from dashboard import session
from dashboard.components import shared_reads
from sentinel.client import Client
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.testing.http import serve
from sentinel.testing.servers import start_servers
from tests.bench.alerts_at_scale import home_of, say
from tests.bench.dashboard_data import Filled, fill

VIEWS = PROJECT_ROOT / "dashboard" / "views"
BUDGET_SECONDS = 1.5
MAX_CALLS = 12
MAX_BYTES = 2_000_000


@dataclass
class Calls:
    """What the pages ask the API for, as they do."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0
    largest_bytes: int = 0

    def begin(self) -> None:
        """Count from here."""
        self.count = self.largest_bytes = 0


class Measured(httpx.BaseTransport):
    """Times every call on its way."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its answer."""
        began = time.perf_counter()
        answer = self._inner.handle_request(request)
        answer.read()
        size = len(answer.content)
        self._calls.count += 1
        self._calls.largest_bytes = max(self._calls.largest_bytes, size)
        self._calls.seconds[call_name(request)].append(time.perf_counter() - began)
        return answer


def call_name(request: httpx.Request) -> str:
    """Return what a call is about, without its ids and values."""
    path = "/".join("{id}" if part.isdigit() else part for part in request.url.path.split("/"))
    names = ",".join(sorted(request.url.params.keys()))
    return f"{request.method} {path}{'?' if names else ''}{names}"


def main() -> None:
    """Run the measurement; exit code 1 when a page is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=200_000)
    parser.add_argument("--deliveries", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=10, help="Of each page.")
    parser.add_argument("--home", type=Path, help="Where the servers live; kept and used again.")
    parser.add_argument("--plans", action="store_true", help="Print plans of the statements behind the lists.")
    chosen = parser.parse_args()
    # A line per request would drown the figures.
    logging.disable(logging.INFO)
    with home_of(chosen.home) as home, start_servers(home, ("postgres", "redis")) as servers:
        filled = fill(servers.settings, alerts=chosen.alerts, deliveries=chosen.deliveries)
        if chosen.plans:
            print_plans(servers.settings, filled)
        slow = measure(servers.settings, filled, chosen.runs)
    if slow:
        raise SystemExit(f"over {BUDGET_SECONDS} s, {MAX_CALLS} calls or {MAX_BYTES:,} bytes: {', '.join(slow)}")


def measure(settings: Settings, filled: Filled, runs: int) -> list[str]:
    """Time every page and call, and return the pages that are over a bound."""
    calls, slow = Calls(), []
    with serve(create_app(settings)) as url, visited_as(Client(url, transport=Measured(calls))):
        for name, address in addresses(filled):
            seconds, most_calls, most_bytes = [], 0, 0
            for _ in range(runs + 1):
                calls.begin()
                began = time.perf_counter()
                open_page(name, address)
                seconds.append(time.perf_counter() - began)
                most_calls, most_bytes = max(most_calls, calls.count), max(most_bytes, calls.largest_bytes)
            # The first run imports and compiles; nobody else waits for that.
            p50, p95 = quantiles(seconds[1:])
            shown = "&".join(f"{key}={value}" for key, value in address.items())
            page = f"/{name}{'?' if shown else ''}{shown}"
            say(
                f"{page}: p50 {p50 * 1000:,.0f} ms, p95 {p95 * 1000:,.0f} ms, {most_calls} calls, "
                f"largest answer {most_bytes:,} bytes"
            )
            if p95 > BUDGET_SECONDS or most_calls > MAX_CALLS or most_bytes > MAX_BYTES:
                slow.append(page)
    for call, times in sorted(calls.seconds.items()):
        p50, p95 = quantiles(times)
        say(f"{call}: p50 {p50 * 1000:,.0f} ms, p95 {p95 * 1000:,.0f} ms of {len(times)}")
    return slow


def addresses(filled: Filled) -> list[tuple[str, dict[str, str]]]:
    """Return every page as it opens, and those that ask for most."""
    pipeline, rule, alert = str(filled.pipeline_id), str(filled.rule_id), str(filled.alert_id)
    alerts: list[dict[str, str]] = [
        {"status": "open"},
        {"severity": "critical", "time": "24h"},
        {"pipeline": pipeline, "rule": rule},
        {"text": "nowhere to be found"},
        {"alert": alert},
        {"alert": alert, "show": "same"},
        {"alert": alert, "show": "told"},
    ]
    more: dict[str, list[dict[str, str]]] = {
        "alerts": alerts,
        "rules": [{"pipeline": pipeline, "rule": rule}],
        "pipelines": [{"pipeline": pipeline}],
        "overview": [{"pipeline": pipeline}],
        "notifications": [{"state": "dead"}, {"show": "policy"}, {"show": "silences"}],
    }
    names = sorted(path.stem for path in VIEWS.glob("*.py") if path.stem != "__init__")
    return [(name, address) for name in names for address in ({}, *more.get(name, []))]


def open_page(name: str, address: dict[str, str]) -> None:
    """Run a view once, in a browser session of its own.

    Raises:
        SystemExit: It failed.
    """
    page = AppTest.from_file(str(VIEWS / f"{name}.py"), default_timeout=120)
    for key, value in address.items():
        page.query_params[key] = value
    page.run()
    wrong = [each.value for each in (*page.exception, *page.error)]
    if wrong:
        raise SystemExit(f"{name} {address}: {wrong[0]}; {[each.value for each in page.text][:3]}")


@contextmanager
def visited_as(client: Client) -> Iterator[None]:
    """Let pages speak through a client."""
    former: Callable[[], Any] = session._shared_client
    session._shared_client = lambda: (client, True)
    # Each run is somebody who comes alone: what the one before asked must not be given to the next.
    kept_seconds, shared_reads.SHARED_SECONDS = shared_reads.SHARED_SECONDS, 0.0
    try:
        yield
    finally:
        session._shared_client = former
        shared_reads.SHARED_SECONDS = kept_seconds
        client.close()


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p95."""
    ordered = sorted(seconds)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


def print_plans(settings: Settings, filled: Filled) -> None:
    """Print what PostgreSQL does for the statements that look through many rows."""
    with psycopg.connect(settings.postgres.conninfo("app"), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (settings.tenant,))
        for name, before, statement, values in filled.statements():
            for setting in before:
                connection.execute("SELECT set_config(%s, 'off', false)", (setting,))
            rows = connection.execute("EXPLAIN (ANALYZE, BUFFERS) " + statement, values, prepare=False).fetchall()
            for setting in before:
                connection.execute("SELECT set_config(%s, 'on', false)", (setting,))
            say(f"-- {name}\n" + "\n".join(str(row[0]) for row in rows))


if __name__ == "__main__":
    main()
