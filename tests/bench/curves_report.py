"""The curves as a Markdown table."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

PARTS = ("driver JVM", "driver", "PostgreSQL", "Redis", "Kafka", "S3")
NAMES = {"driver": "Python"}


def write_curves(results: dict[str, Any], path: Path | None) -> None:
    """Print the report, and write it where a path is given."""
    text = markdown(results)
    print(text)
    if path is not None:
        path.write_text(text)


def markdown(results: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    machine = results["machine"]
    head = [
        "# What an event costs",
        "",
        "Written by `python -m tests.bench.curves --write`. Processor time of every process that takes part,",
        f"microseconds per event, in {results['seconds']} s of a flow at a fixed rate, {results['warm_up']} s after it",
        f"began; {machine['cpus']} CPUs, {machine['platform']}. Idle: cores that they take while no event comes.",
        "A point counts only if its alerts equal DuckDB's.",
    ]
    lines = list(head)
    for curve, points in groupby(results["points"], key=lambda point: point["curve"]):
        rows = list(points)
        first = sum(rows[0]["cpu_microseconds"].values())
        lines += [
            "",
            f"## By {curve}",
            "",
            "| | events/s | alerts | us/event | of the first | "
            + " | ".join(NAMES.get(part, part) for part in PARTS)
            + " | idle cores | driver RSS MiB |",
            "|---" * (7 + len(PARTS)) + "|",
        ]
        for row in rows:
            cpu = row["cpu_microseconds"]
            total = sum(cpu.values())
            rss = row["rss_mib"].get("driver JVM", 0) + row["rss_mib"].get("driver", 0)
            parts = " | ".join(f"{cpu.get(part, 0.0):.1f}" for part in PARTS)
            lines.append(
                f"| {row['at']} | {row['rate']:,} | {row['alerts']:,} | {total:.1f} | {total / first:.2f} | {parts} "
                f"| {sum(row['idle_cores'].values()):.2f} | {rss:,} |"
            )
    return "\n".join(lines) + "\n"
