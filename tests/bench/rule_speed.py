"""What rules cost: CPU per event of a generation at 1, 10, 100 and 1000 rules, in warm JVMs, over cached records.

    python -m tests.bench.rule_speed [--events N] [--rules N [N ...]] [--rounds N]

Reads JSON, evaluates the benchmark's rules and makes the findings: all that a task does but fetching and sending. Each
number of rules has a JVM of its own. Prints one JSON line each: the CPU microseconds per event (user and system, of
the whole JVM, compilers included) of each round, the median of the last half, and its ratio to that of the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from statistics import median

import numpy as np
import psutil
import pyarrow as pa

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleVersion, Severity
from sentinel.localstack.java import find_java
from sentinel.localstack.paths import jars_root
from sentinel.settings import JobSettings, Settings
from sentinel.streaming.query.detect import findings_of
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.session import build_session, evaluation_session
from tests.bench.workload import FIELDS, expected_alerts, make_events, make_rules

SCHEMA = EventSchema.from_json([{"nullable": True, "role": None, **field} for field in FIELDS])


def generation_of(rules: dict[str, str]) -> Generation:
    """Return a generation of these rules."""
    versions = tuple(
        RuleVersion(number, number, 1, condition, Severity.INFO, name)
        for number, (name, condition) in enumerate(rules.items(), 1)
    )
    rule_set = RuleSet(1, versions)
    snapshot = PipelineSnapshot(
        "t", 1, "p", "t", PipelineStatus.ACTIVE, PipelineConfig(), 1, SCHEMA, rule_set, "earliest", 0
    )
    return Generation(1, snapshot, 256, {0: 0})


def measure(count: int, events: int, rounds: int) -> list[float]:
    """Return CPU microseconds per event of each round; before them the matches are held against DuckDB's."""
    home = Settings.load().home
    os.environ.setdefault("JAVA_HOME", str(find_java(home).home))
    settings = Settings(home=home, job=JobSettings(jars_dir=str(jars_root(home) / "spark"), driver_memory="2g"))
    spark = build_session(settings, app_name="rule speed", master="local[2]", extra={"spark.ui.enabled": "false"})
    session = evaluation_session(spark)
    made, rules = make_events(events), make_rules(count)
    values = pa.table({"value": pa.array(list(made.encoded(0, np.zeros(events))), pa.binary())})
    records = (
        session.createDataFrame(values)
        .selectExpr(
            "value", "0 AS partition", "monotonically_increasing_id() AS offset", "timestamp '2026-01-01' AS timestamp"
        )
        .coalesce(1)
        .cache()
    )
    records.count()
    jvm = psutil.Process(int(spark._jvm.java.lang.ProcessHandle.current().pid()))
    generation = generation_of(rules)
    findings = findings_of(records, generation, compile_rule_set(generation.snapshot.rule_set, SCHEMA))
    matched = sum(1 for row in findings.where("value IS NOT NULL").select("key").collect() if '"m"' in row.key)
    right = expected_alerts(made, {"any": " OR ".join(f"({condition})" for condition in rules.values())})["any"]
    if matched != right:
        raise SystemExit(f"void: {matched} events match a rule, DuckDB says {right}")
    spent = []
    for _ in range(rounds):
        before = sum(jvm.cpu_times()[:2])
        findings.write.format("noop").mode("overwrite").save()
        spent.append((sum(jvm.cpu_times()[:2]) - before) / events * 1e6)
    spark.stop()
    return spent


def main() -> None:
    """Measure each number of rules in a process of its own and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rules", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.rules[0], chosen.events, chosen.rounds)))
        return
    first = 0.0
    for count in chosen.rules:
        command = [sys.executable, "-m", "tests.bench.rule_speed", "--one", "--rules", str(count)]
        command += ["--events", str(chosen.events), "--rounds", str(chosen.rounds)]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rounds = json.loads(said.splitlines()[-1])
        warm = median(rounds[len(rounds) // 2 :])
        first = first or warm
        figures = {"rules": count, "warm": round(warm, 2), "ratio": round(warm / first, 2)}
        print(json.dumps({**figures, "rounds": [round(each, 1) for each in rounds]}), flush=True)


if __name__ == "__main__":
    main()
