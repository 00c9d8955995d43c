"""`python -m tests.bench.scale_out`: the same job in its driver alone, and on a cluster with one and with two workers.

Each worker of the cluster has one processor of the machine to itself and nothing else runs tasks, so that a second
worker is a second processor. The driver, the broker, PostgreSQL, Redis and the S3 server share what is left with them:
what a worker adds is less than on a machine of its own. A run whose alerts differ from DuckDB's is void.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from sentinel.domain.pipeline import DetectMode
from sentinel.localstack.cluster import start_cluster, stop_cluster, worker_names
from sentinel.settings import PROJECT_ROOT
from sentinel.streaming.job.slots import slots_for
from sentinel.testing.servers import ServerSet, start_servers
from tests.bench.detection import PARTITIONS, Bench, Drain
from tests.bench.workload import make_events, make_rules

RESULTS = PROJECT_ROOT / "docs" / "scale-out.json"
PLACES = ("in the driver", "1 worker", "2 workers")


@contextmanager
def bench_at(workers: int, servers: ServerSet, directory: Path) -> Iterator[Bench]:
    """Open a bench whose drivers run their tasks on so many workers; with none: in themselves."""
    if workers == 0:
        yield Bench(servers, directory)
        return
    master = start_cluster(servers.stack, cores=slots_for(PARTITIONS), workers=workers)
    try:
        pids = {name: servers.pid(name) for name in worker_names(workers)}
        for processor, pid in enumerate(pids.values()):
            hold(pid, processor % (os.cpu_count() or 1))
        yield Bench(servers, directory, master=master, parts=pids)
    finally:
        stop_cluster(servers.stack)


def hold(pid: int, processor: int) -> None:
    """Keep a worker to one processor, and the executors that it will start."""
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        for thread in process.threads():
            psutil.Process(thread.id).cpu_affinity([processor])


def markdown(results: dict[str, object], drains: list[tuple[str, Drain]]) -> str:
    """Return the report."""
    lines = [
        "# Scale-out",
        "",
        f"Written by `python -m tests.bench.scale_out --write`; {results['machine']}.",
        "One processor for each worker; driver, broker, PostgreSQL, Redis and S3 server on the same two. 100 rules,",
        f"the whole triple write, {drains[0][1].events:,} events after {results['cold']:,} cold ones; alerts equal"
        " those of DuckDB.",
        "",
        "| tasks run | mode | cold events/s | events/s | processor us per event | of these the executors |",
        "|---|---|---|---|---|---|",
    ]
    for place, each in drains:
        cpu = each.cpu_microseconds_per_event
        executors = sum(spent for part, spent in cpu.items() if part.startswith("spark-worker"))
        lines.append(
            f"| {place} | {each.mode} | {each.cold_events_per_second:,.0f} | {each.events_per_second:,.0f} "
            f"| {sum(cpu.values()):.1f} | {executors:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale_out", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--cold-events", type=int, default=100_000)
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--mode", choices=[each.value for each in DetectMode], default=DetectMode.REALTIME.value)
    parser.add_argument("--write", action="store_true", help="write docs/scale-out.json and .md")
    options = parser.parse_args()
    cold, events = make_events(options.cold_events, seed=2), make_events(options.events)
    drains = []
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        for number, place in enumerate(options.places):
            directory = Path(scratch) / str(number)
            directory.mkdir()
            with bench_at(PLACES.index(place), servers, directory) as bench:
                drains.append((place, bench.drain(cold, events, make_rules(100), DetectMode(options.mode))))
            print(f"{place}: {drains[-1][1].events_per_second:,.0f} events/s", file=sys.stderr, flush=True)
    results = {
        "machine": f"{os.cpu_count()} CPUs, {platform.platform()}",
        "cold": options.cold_events,
        "drains": [{"place": place, **asdict(drain)} for place, drain in drains],
    }
    text = markdown(results, drains)
    print(text)
    if options.write:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        RESULTS.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
