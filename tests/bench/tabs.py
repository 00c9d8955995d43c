"""`python -m tests.bench.tabs`: what ten open overviews cost detection and the API, in a real browser.

Event to committed alert at a fixed rate, without a tab, with one and with ten, in turn; requests per second that the
API gets from them. The browser would be on other machines; here it is on the same cores, at the lowest priority.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
import time
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import psutil

from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.servers import start_servers
from tests.bench.detection import PARTITIONS, Bench
from tests.bench.workload import FIELDS, make_events, make_rules
from tests.support.site import Site
from tests.support.visitor import browser

RULES = 100
_REQUESTS = re.compile(r"^http_request_seconds_count\{[^}]*\}\s+([\d.e+]+)", re.M)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tabs", description=__doc__)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement")
    parser.add_argument("--tabs", type=int, nargs="+", default=[0, 1, 10, 0, 10])
    chosen = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        bench = Bench(servers, Path(scratch))
        workbench, tenant = bench.bench, bench.bench.tenant_id
        ensure_tenant(servers.settings.postgres, tenant, "bench")
        topic = workbench.create_topic(PARTITIONS)
        pipeline_id = workbench.create_pipeline(topic, make_rules(RULES), fields=FIELDS)
        total = 60 + len(chosen.tabs) * (chosen.seconds + 30)
        events = make_events(chosen.rate * total, seed=int(uuid.uuid4()) % 1000)
        with workbench.job(pipeline_id) as job, Site(servers.settings, tenant, Path(scratch)) as site:
            workbench.wait_generation(pipeline_id, job)
            sender = threading.Thread(
                target=bench.send_at_rate, args=(topic, events, chosen.rate, time.time()), daemon=True
            )
            sender.start()
            time.sleep(30)
            print(f"{chosen.rate} events/s, {RULES} rules; alerts' delay in ms; requests/s of the dashboard to the API")
            for count in chosen.tabs:
                with browser() as chromium:
                    context = chromium.new_context()
                    for _ in range(count):
                        page = context.new_page()
                        page.goto(site.url)
                        # It refreshes by itself, so it is never done.
                        page.get_by_text("Alerts in 24 h").wait_for()
                    # The browser is somebody else's machine: it takes what the others leave.
                    for process in psutil.Process().children(recursive=True):
                        if process.name().startswith("chrom"):
                            process.nice(19)
                    time.sleep(5)
                    began, asked = time.time(), _asked(site)
                    busy = psutil.cpu_times_percent(chosen.seconds)
                    requests = (_asked(site) - asked) / (time.time() - began)
                p50, p95, p99 = _delays(bench, pipeline_id, began)
                print(
                    f"{count:>3} tabs  p50 {p50:6.1f}  p95 {p95:6.1f}  p99 {p99:6.1f}  requests/s {requests:5.1f}"
                    f"  machine busy {100 - busy.idle:3.0f} %",
                    flush=True,
                )
    sys.exit(0)


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
