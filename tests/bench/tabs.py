"""`python -m tests.bench.tabs`: what ten open overviews cost detection, the API and the dashboard.

Event to committed alert at a fixed rate, without a tab, with one, with ten and without again, so that what the machine
does by itself is seen. A tab speaks the page's protocol without drawing anything: the browser would be on another
machine. A run in which a tab was not drawn at its pace, or was drawn an error, is void. `--browser` adds what the same
tabs cost where a Chromium draws them on these cores, at the lowest priority.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import psutil

from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.servers import start_servers
from tests.bench.detection import PARTITIONS, Bench
from tests.bench.processes import Usage, usage
from tests.bench.workload import FIELDS, make_events, make_rules
from tests.support.site import Site
from tests.support.tab import Seen
from tests.support.tabs import Tabs
from tests.support.visitor import browser

RULES = 100
WARM_UP_SECONDS = 30
SETTLE_SECONDS = 5
# What each tab must have drawn for its figures to count: of two seconds' refreshes, this share.
LEAST_DRAWN = 0.5
REFRESH_SECONDS = 2.0
_REQUESTS = re.compile(r"^http_request_seconds_count\{[^}]*\}\s+([\d.e+]+)", re.M)


def main() -> None:
    """Measure and print a table; exit code 1 when a run is void."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tabs", description=__doc__)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement")
    parser.add_argument("--tabs", type=int, nargs="+", default=[0, 1, 10, 0])
    parser.add_argument("--of-pipeline", action="store_true", help="tabs show the pipeline, with its rules")
    parser.add_argument("--browser", action="store_true", help="also with a Chromium that draws them")
    parser.add_argument("--warm-up", type=int, default=WARM_UP_SECONDS, help="seconds of events before the first")
    chosen = parser.parse_args()
    kinds = [("", count) for count in chosen.tabs]
    if chosen.browser:
        kinds += [("Chromium, ", count) for count in chosen.tabs]
    void: list[str] = []
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        bench = Bench(servers, Path(scratch))
        workbench, tenant = bench.bench, bench.bench.tenant_id
        ensure_tenant(servers.settings.postgres, tenant, "bench")
        topic = workbench.create_topic(PARTITIONS)
        pipeline_id = workbench.create_pipeline(topic, make_rules(RULES), fields=FIELDS)
        total = chosen.warm_up + 30 + len(kinds) * (chosen.seconds + 30)
        events = make_events(chosen.rate * total, seed=int(uuid.uuid4()) % 1000)
        with workbench.job(pipeline_id) as job, Site(servers.settings, tenant, Path(scratch)) as site:
            workbench.wait_generation(pipeline_id, job)
            sender = threading.Thread(
                target=bench.send_at_rate, args=(topic, events, chosen.rate, time.time()), daemon=True
            )
            sender.start()
            time.sleep(chosen.warm_up)
            print(
                f"{chosen.rate} events/s, {RULES} rules; delay of alerts in ms; CPU in per cent of a core; "
                f"{psutil.cpu_count()} cores",
                flush=True,
            )
            query = f"pipeline={pipeline_id}" if chosen.of_pipeline else ""
            pids = {name: site.pid(name) for name in ("api", "dashboard")}
            for kind, count in kinds:
                with _opened(site, kind, count, query) as tabs:
                    time.sleep(SETTLE_SECONDS)
                    before, asked, began = tabs.seen() if tabs else [], _asked(site), time.time()
                    spent = usage(pids)
                    busy = psutil.cpu_times_percent(chosen.seconds)
                    seconds = time.time() - began
                    spent, requests = _since(usage(pids), spent), (_asked(site) - asked) / seconds
                    seen = [now.since(was) for now, was in zip(tabs.seen() if tabs else [], before, strict=True)]
                p50, p95, p99 = _delays(bench, pipeline_id, began)
                api, dashboard = (100 * spent.cpu_seconds.get(name, 0.0) / seconds for name in ("api", "dashboard"))
                print(
                    f"{kind}{count:>3} tabs  p50 {p50:6.1f}  p95 {p95:6.1f}  p99 {p99:6.1f}  requests/s {requests:5.1f}"
                    f"  API {api:4.0f} %  dashboard {dashboard:4.0f} %  machine busy {100 - busy.idle:3.0f} %"
                    f"{_drawn(seen, seconds)}",
                    flush=True,
                )
                void += _faults(f"{kind}{count} tabs", seen, seconds)
    for each in void:
        print(f"void: {each}", file=sys.stderr)
    sys.exit(1 if void else 0)


@contextmanager
def _opened(site: Site, kind: str, count: int, query: str) -> Iterator[Tabs | None]:
    if not kind:
        with Tabs(site.url, count, query=query) as tabs:
            yield tabs
        return
    with browser() as chromium:
        context = chromium.new_context()
        for _ in range(count):
            page = context.new_page()
            page.goto(f"{site.url}/?{query}")
            # It refreshes by itself, so it is never done.
            page.get_by_text("Alerts in 24 h").wait_for()
        # The browser is somebody else's machine: it takes what the others leave.
        for process in psutil.Process().children(recursive=True):
            if process.name().startswith("chrom"):
                process.nice(19)
        yield None


def _since(now: Usage, before: Usage) -> Usage:
    return Usage(now.since(before), now.rss_bytes)


def _drawn(seen: list[Seen], seconds: float) -> str:
    if not seen:
        return ""
    pages, fragments = sum(each.pages for each in seen), sum(each.fragments for each in seen)
    faults = sum(each.faults.total() for each in seen)
    kilobytes = sum(each.size_bytes for each in seen) / seconds / len(seen) / 1000
    return (
        f"  of each tab: {fragments / len(seen) / seconds:.1f} parts/s, {pages / len(seen):.1f} full redraws, "
        f"{kilobytes:.0f} kB/s; {faults} errors"
    )


def _faults(name: str, seen: list[Seen], seconds: float) -> list[str]:
    """Return why a run does not count: a tab that was dead, or was drawn errors, would pass as a cheap one."""
    found = [f"{name}: {what}, {count} times" for what, count in sum((e.faults for e in seen), Counter()).items()]
    least = LEAST_DRAWN * seconds / REFRESH_SECONDS
    late = sum(each.metrics["Events/s now"] < least for each in seen)
    if late:
        found.append(f"{name}: {late} tabs were drawn less than {least:.0f} times in {seconds:.0f} s")
    return found


def _asked(site: Site) -> float:
    answer = httpx.get(f"{site.api_url}/metrics", timeout=10, trust_env=False)
    return sum(float(found) for found in _REQUESTS.findall(answer.text))


def _delays(bench: Bench, pipeline_id: int, since: float) -> tuple[float, float, float]:
    rows = bench.bench.query(
        "SELECT 1000 * (extract(epoch FROM pg_xact_commit_timestamp(xmin))"
        " - (transaction_data->>'sent_at')::numeric) AS ms FROM sentinel.alerts"
        " WHERE pipeline_id = %s AND (transaction_data->>'sent_at')::numeric > %s",
        pipeline_id,
        since,
    )
    found = np.percentile([float(row["ms"]) for row in rows], [50, 95, 99])
    return float(found[0]), float(found[1]), float(found[2])


if __name__ == "__main__":
    main()
