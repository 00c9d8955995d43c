"""`python -m tests.bench.curves`: what an event costs, by rules, matches, shape and number of pipelines.

Every point is a flow at a fixed rate into a driver that is warm, and counts the processor time of every process that
takes part: that stays comparable on a machine that others use, where events/s do not. A point whose alerts differ from
DuckDB's count is void and ends the run. Results go to docs/curves.json and docs/curves.md with `--write`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sentinel.settings import PROJECT_ROOT
from sentinel.testing.servers import start_servers
from tests.bench.curves_report import write_curves
from tests.bench.detection import Bench, check_alerts
from tests.bench.processes import Usage, usage
from tests.bench.shapes import SHAPES, Shape, matching_rules
from tests.bench.workload import Events, expected_alerts, make_rules
from tests.support.detection import Job

WARM_UP_SECONDS = 40
IDLE_SECONDS = 15
RESULTS = PROJECT_ROOT / "docs" / "curves.json"


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement.

    Attributes:
        curve: Which one it belongs to.
        at: Its place on it, in words.
        rate: Events per second, of all pipelines together.
        cpu_microseconds: Per event, by part: "driver JVM", "driver" (Python), "PostgreSQL", "Redis", "Kafka", "S3".
        idle_cores: What each takes while no event comes.
        rss_mib: By part, at the end of the flow.
        alerts: Of the whole flow; they are the right ones.
    """

    curve: str
    at: str
    rate: int
    cpu_microseconds: dict[str, float]
    idle_cores: dict[str, float]
    rss_mib: dict[str, int]
    alerts: int


class Curves:
    """Measures points on one set of servers.

    Args:
        rate: Events per second, of all pipelines together.
        seconds: How long a point is measured, after the warm-up.
    """

    def __init__(self, bench: Bench, rate: int, seconds: int) -> None:
        self._bench = bench
        self._rate = rate
        self._seconds = seconds

    def point(
        self,
        curve: str,
        at: str,
        rules: dict[str, str],
        *,
        shape: Shape = SHAPES["330 B, 12 fields"],
        pipelines: int = 1,
        partitions: int = 4,
        drivers: int = 1,
    ) -> Point:
        """Measure one point: so many pipelines, divided evenly over so many drivers, share the rate."""
        bench, rate = self._bench.bench, self._rate // pipelines
        streams = [shape.make(rate * (WARM_UP_SECONDS + self._seconds), 10 + number) for number in range(pipelines)]
        topics = [bench.create_topic(partitions) for _ in streams]
        ids = [bench.create_pipeline(topic, rules, fields=shape.fields) for topic in topics]
        with ExitStack() as stack:
            jobs = [
                stack.enter_context(
                    bench.job(
                        *ids[number::drivers],
                        SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS="15",
                        SENTINEL_JOB__CHECKPOINT_DIR=str(bench.directory / f"checkpoints-{ids[0]}-{number}"),
                    )
                )
                for number in range(drivers)
            ]
            for pipeline_id in ids:
                bench.wait_generation(pipeline_id, jobs[0])
            time.sleep(IDLE_SECONDS)
            began, idle = time.monotonic(), self._usage(jobs)
            time.sleep(IDLE_SECONDS)
            waited = time.monotonic() - began
            idle_cores = {part: spent / waited for part, spent in self._usage(jobs).since(idle).items()}
            senders = self._send(topics, streams, rate)
            time.sleep(WARM_UP_SECONDS)
            before = self._usage(jobs)
            for sender in senders:
                sender.join()
            after = self._usage(jobs)
            for pipeline_id, topic in zip(ids, topics, strict=True):
                bench.wait_decided(pipeline_id, topic, jobs[0])
        alerts = 0
        for pipeline_id, events in zip(ids, streams, strict=True):
            right = expected_alerts(events, rules)
            check_alerts(bench.alerts_by_rule(pipeline_id), right)
            alerts += sum(right.values())
        count = rate * pipelines * self._seconds
        found = Point(
            curve,
            at,
            rate * pipelines,
            {part: spent / count * 1e6 for part, spent in after.since(before).items()},
            idle_cores,
            {part: size // 2**20 for part, size in after.rss_bytes.items()},
            alerts,
        )
        spent = sum(found.cpu_microseconds.values())
        print(
            f"{curve} {at}: {spent:.1f} us/event, idle {sum(idle_cores.values()):.2f} cores",
            file=sys.stderr,
            flush=True,
        )
        return found

    def _send(self, topics: Sequence[str], streams: Sequence[Events], rate: int) -> list[threading.Thread]:
        # This process is not among those measured, so what the load costs is not counted.
        began = time.time()
        senders = [
            threading.Thread(target=self._bench.send_at_rate, args=(topic, events, rate, began))
            for topic, events in zip(topics, streams, strict=True)
        ]
        for sender in senders:
            sender.start()
        return senders

    def _usage(self, jobs: Sequence[Job]) -> Usage:
        servers = self._bench.pids(jobs[0])
        del servers["driver"]
        cpu: Counter[str] = Counter()
        rss: Counter[str] = Counter()
        for roots in (servers, *({"driver": job.process.pid} for job in jobs)):
            found = usage(roots)
            cpu.update(found.cpu_seconds)
            rss.update(found.rss_bytes)
        return Usage(dict(cpu), dict(rss))


def measure(curves: Curves, chosen: Sequence[str], rule_counts: Sequence[int], pooled: Sequence[int]) -> list[Point]:
    """Measure the chosen curves."""
    points = []
    if "rules" in chosen:
        points += [curves.point("rules", f"{count} rules", make_rules(count)) for count in rule_counts]
    if "matches" in chosen:
        points += [
            curves.point("matches", f"{share} % of events match", matching_rules(share)) for share in (0, 1, 5, 20)
        ]
    if "shape" in chosen:
        points += [curves.point("shape", name, make_rules(100), shape=shape) for name, shape in SHAPES.items()]
    if "pooled" in chosen:
        points += [
            curves.point("pipelines, one driver", f"{count} pipelines", make_rules(20), pipelines=count, partitions=2)
            for count in pooled
        ]
    if "own" in chosen:
        points += [
            curves.point(
                "pipelines, a driver each",
                f"{count} pipelines",
                make_rules(20),
                pipelines=count,
                partitions=2,
                drivers=count,
            )
            for count in pooled
            if count <= 5
        ]
    return points


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.curves", description=__doc__)
    names = ["rules", "matches", "shape", "pooled", "own"]
    parser.add_argument("--curves", nargs="+", choices=names, default=names)
    parser.add_argument("--rules", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--pipelines", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="write docs/curves.json and docs/curves.md")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        curves = Curves(Bench(servers, Path(scratch)), options.rate, options.seconds)
        points = measure(curves, options.curves, options.rules, options.pipelines)
    results = {
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform()},
        "seconds": options.seconds,
        "warm_up": WARM_UP_SECONDS,
        "points": [asdict(point) for point in points],
    }
    if options.write:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write_curves(results, RESULTS.with_suffix(".md") if options.write else None)


if __name__ == "__main__":
    main()
