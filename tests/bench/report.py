"""Write the figures as JSON and as a Markdown table."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any


def write_report(results: dict[str, Any], directory: Path) -> None:
    """Write performance.json and performance.md, and print the latter."""
    (directory / "performance.json").write_text(json.dumps(results, indent=2) + "\n")
    text = markdown(results)
    (directory / "performance.md").write_text(text)
    print(text)


def cold_speed(drain: dict[str, Any]) -> str:
    """Return the speed of the first backlog; it is not known where a single micro-batch took all of it."""
    speed = drain["cold_events_per_second"]
    return f"{speed:,.0f}" if speed else "-"


def markdown(results: dict[str, Any]) -> str:
    """Return the report as Markdown."""

    def speeds(name: str) -> str:
        return ", ".join(f"{run[name]:,.0f}" for run in results["bare_spark"])

    bare = median(run["events_per_second"] for run in results["bare_spark"])
    lines = [
        "# Performance",
        "",
        "Written by `make bench` (`tests/bench/detection.py`). Broker, PostgreSQL, Redis, S3 server and load generator",
        f"run on the same machine: {results['machine']['cpus']} CPUs, {results['machine']['platform']}.",
        "Events are about 330 bytes with 12 fields, 4 partitions; a run counts only if its alerts equal DuckDB's. Wall",
        "figures of a shared machine vary; compare the ratios and the CPU per event.",
        "",
        "## A backlog drained",
        "",
        "Bare Spark (same events, same `from_json`, no rules, `noop` sink) before and after the runs below:",
        f"{speeds('events_per_second')} events/s in a warm JVM, {speeds('cold_events_per_second')} in a new one.",
        "Sentinel drains two backlogs in one job and writes alerts, scores and the lake: the first in a new JVM",
        "(cold), the second, larger one after a pause in which it came in.",
        "",
        "The archive runs beside it every 15 s and is done when the column says. The last four columns are CPU",
        "microseconds per event of the second one until then: the whole triple write, whichever part of it was done",
        "when everything was decided.",
        "",
        "| mode | rules | alerts | cold events/s | events/s | of bare Spark | in the lake after s | JVM | Python "
        "| PostgreSQL | Kafka |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for drain in results["drains"]:
        cpu = drain["cpu_microseconds_per_event"]
        lines.append(
            f"| {drain['mode']} | {drain['rules']} | {drain['alerts']:,} | {cold_speed(drain)} "
            f"| {drain['events_per_second']:,.0f} | {drain['events_per_second'] / bare:.2f} "
            f"| {drain['archived_after_seconds']:.0f} | {cpu.get('driver JVM', 0):.1f} | {cpu.get('driver', 0):.1f} "
            f"| {cpu.get('PostgreSQL', 0):.1f} | {cpu.get('Kafka JVM', cpu.get('Kafka', 0)):.1f} |"
        )
    lines += [
        "",
        "## Event to committed alert",
        "",
        "Open loop; from the scheduled send time in the event to the commit time of the alert's row. In its second",
        "minute of flow a driver's JVM still compiles what it runs.",
        "",
        "| mode | rules | events/s | seconds of flow | alerts | p50 ms | p95 ms | p99 ms | max ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in results["latencies"]:
        begin = run["after_seconds"]
        lines.append(
            f"| {run['mode']} | {run['rules']} | {run['rate']:,} | {begin} to {begin + run['seconds']} "
            f"| {run['alerts']:,} | {run['p50']:.1f} | {run['p95']:.1f} | {run['p99']:.1f} | {run['max']:.1f} |"
        )
    lines += [
        "",
        "## A change while events flow",
        "",
        "From the request (of many rules at once: from its commit) to the commit of the new generation's borders; one",
        "every 20 s after two minutes of traffic (many rules: after three). And the latest alert on an event due in",
        "the 5 s after the request, or until a second after the borders, beside the 5 s before it.",
        "",
        "| changed | rules | events/s | seconds | latest alert ms | before ms |",
        "|---|---|---|---|---|---|",
    ]
    for change in results["changes"]:
        lines.append(
            f"| {change['what']} | {change['rules']} | {change['rate']:,} | {change['seconds']:.2f} "
            f"| {change['worst_ms']:.0f} | {change['worst_before_ms']:.0f} |"
        )
    return "\n".join(lines) + "\n"
