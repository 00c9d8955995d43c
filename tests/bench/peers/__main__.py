"""`python -m tests.bench.peers`: the same backlog, rules and alerts table for Sentinel and for others.

Bare Spark and a raw count are ceilings; Spark as usually written, Quix Streams, Bytewax and a loop of confluent-kafka
and DuckDB are peers, each in an environment of its own, which is made when it is missing. A peer whose alerts differ
from DuckDB's count is void. Rounds are interleaved; medians go to docs/peers.json and docs/peers.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from sentinel.domain.pipeline import DetectMode
from sentinel.settings import PROJECT_ROOT
from sentinel.testing.servers import start_servers
from tests.bench.detection import Bench, check_alerts
from tests.bench.peers.environments import python_of
from tests.bench.peers.report import write_report
from tests.bench.processes import usage
from tests.bench.workload import Events, expected_alerts, make_events, make_rules, python_source

PEERS = ("raw_count", "usual_spark", "quix", "bytewax_flow", "duckdb_loop")
WITHOUT_ALERTS = {"raw_count", "bare_spark"}


@dataclass(frozen=True)
class Run:
    """One peer, once.

    Attributes:
        cpu_microseconds_per_event: By part: the peer itself, PostgreSQL, Kafka.
    """

    name: str
    events_per_second: float
    cpu_microseconds_per_event: Mapping[str, float]
    alerts: int


class Ring:
    """Where they meet: one topic, one set of rules."""

    def __init__(self, bench: Bench, events: Events, cold: Events, rules: dict[str, str], directory: Path) -> None:
        self.bench = bench
        self.events = events
        self.cold = cold
        self.rules = rules
        self.directory = directory
        self.right = expected_alerts(events, rules)
        self.topic = bench.fill(events)
        self._number = 0

    def run(self, name: str) -> Run:
        """Run a peer, and hold its alerts against the right ones."""
        if name == "sentinel":
            drain = self.bench.drain(self.cold, self.events, self.rules, DetectMode.REALTIME)
            return Run(name, drain.events_per_second, drain.cpu_microseconds_per_event, drain.alerts)
        if name == "bare_spark":
            return Run(name, self.bench.bare_spark(self.topic)["events_per_second"], {}, 0)
        self._number += 1
        table = f"peers.run_{self._number}"
        owner = self.bench.bench.settings.postgres.conninfo("owner")
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS peers")
            connection.execute(
                f"CREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rule text NOT NULL,"
                " event_id text NOT NULL, event jsonb NOT NULL, UNIQUE (rule, event_id))"
            )
            run = self._peer(name, table, owner)
            if name not in WITHOUT_ALERTS:
                rows = connection.execute(f"SELECT rule, count(*) FROM {table} GROUP BY 1").fetchall()
                check_alerts(dict(rows), self.right)
        return run

    def _peer(self, name: str, table: str, owner: str) -> Run:
        settings = self.bench.bench.settings
        rules_file = self.directory / "peer_rules.py"
        rules_file.write_text(python_source(len(self.rules)))
        task = self.directory / f"task-{self._number}.json"
        task.write_text(
            json.dumps(
                {
                    "bootstrap": settings.kafka.bootstrap_servers,
                    "topic": self.topic,
                    "count": len(self.events),
                    "conninfo": owner,
                    "table": table,
                    "conditions": self.rules,
                    "rules_file": str(rules_file),
                    "directory": str(self.directory),
                }
            )
        )
        environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PEER_JARS_DIR": str(settings.jars_dir)}
        servers = {part: self.bench.servers.pid(part) for part in ("postgres", "kafka")}
        before = usage(servers)
        spent = os.times()
        command = [python_of(name), "-m", f"tests.bench.peers.{name}", str(task)]
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)
        after, spent_after = usage(servers), os.times()
        if done.returncode != 0:
            raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
        seconds = json.loads(done.stdout.strip().splitlines()[-1])["seconds"]
        own = spent_after.children_user + spent_after.children_system - spent.children_user - spent.children_system
        parts = {"itself": own, **after.since(before)}
        count = len(self.events)
        with psycopg.connect(owner) as connection:
            (alerts,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
        return Run(name, count / seconds, {part: each / count * 1e6 for part, each in parts.items()}, alerts)


def main() -> None:
    """Run the rounds and write the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--cold-events", type=int, default=200_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["bare_spark", "sentinel", *PEERS])
    parser.add_argument("--output", type=Path, default=PROJECT_ROOT / "docs")
    chosen = parser.parse_args()
    for name in set(chosen.only) & set(PEERS):
        python_of(name)
    began = time.monotonic()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch) / "stack") as servers:
        events, cold = make_events(chosen.events), make_events(chosen.cold_events, seed=2)
        ring = Ring(Bench(servers, Path(scratch)), events, cold, make_rules(chosen.rules), Path(scratch))
        runs = []
        for number in range(chosen.rounds):
            for name in chosen.only:
                runs.append(ring.run(name))
                print(f"{number + 1} {name:<14} {runs[-1].events_per_second:>12,.0f} events/s", file=sys.stderr)
    results = {
        "events": chosen.events,
        "rules": chosen.rules,
        "rounds": chosen.rounds,
        "seconds": round(time.monotonic() - began),
        "runs": [asdict(run) for run in runs],
    }
    write_report(results, chosen.output)


if __name__ == "__main__":
    main()
