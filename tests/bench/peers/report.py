"""docs/peers.json and docs/peers.md."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

_WHAT = {
    "sentinel": "Sentinel: alerts with evidence, scores, lake, exact borders",
    "bare_spark": "bare Spark: source, `from_json`, `noop`; no rules, no alerts",
    "raw_count": "confluent-kafka counting records; not even parsed",
    "usual_spark": "Spark as usually written: `foreachBatch`, persist, a filter per rule, an insert per alert, Delta",
    "quix": "Quix Streams: all rules in one Python function, COPY; no lake",
    "bytewax_flow": "Bytewax: the same function, orjson, COPY; no lake",
    "duckdb_loop": "confluent-kafka and DuckDB: all rules in one statement per 50,000 events, COPY; no lake",
}


def write_report(results: dict[str, Any], directory: Path) -> None:
    """Write both."""
    (directory / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
    runs: dict[str, list[dict[str, Any]]] = {}
    for run in results["runs"]:
        runs.setdefault(run["name"], []).append(run)
    speed = {name: statistics.median(run["events_per_second"] for run in found) for name, found in runs.items()}
    ours = speed.get("sentinel")
    lines = [
        "# Beside others\n\n",
        "Written by `python -m tests.bench.peers`: one topic, one set of rules, one table for alerts, one machine of\n"
        "two cores with the broker and PostgreSQL on it, interleaved rounds. A run whose alerts are not DuckDB's is\n"
        f"void. {results['events']:,} events of about 330 bytes, {results['rules']} rules,\n"
        f"{results['rounds']} rounds; from the first record to the last commit. Sentinel's and bare Spark's figures\n"
        "are those of a warm JVM, all others begin with their process, which only Spark is slowed by.\n\n",
        "| what | events/s, median | least to most | Sentinel is | CPU µs per event: itself | PostgreSQL | Kafka |\n",
        "|---|---|---|---|---|---|---|\n",
    ]
    for name, found in sorted(runs.items(), key=lambda item: -speed[item[0]]):
        speeds = sorted(run["events_per_second"] for run in found)
        ratio = f"{ours / speed[name]:.2f}x" if ours else ""
        lines.append(
            f"| {_WHAT[name]} | {speed[name]:,.0f} | {speeds[0]:,.0f} to {speeds[-1]:,.0f} | {ratio} "
            f"| {_cpu(found, 'itself', 'driver', 'driver JVM')} | {_cpu(found, 'postgres', 'PostgreSQL')} "
            f"| {_cpu(found, 'kafka', 'Kafka')} |\n"
        )
    (directory / "peers.md").write_text("".join(lines))


def _cpu(runs: list[dict[str, Any]], *parts: str) -> str:
    values = [
        sum(run["cpu_microseconds_per_event"].get(part, 0.0) for part in parts)
        for run in runs
        if run["cpu_microseconds_per_event"]
    ]
    return f"{statistics.median(values):.1f}" if values else "-"
