"""What grew in a soak, as a table of slopes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Series:
    """Figures over time.

    Attributes:
        seconds: When each look was taken.
        values: Name -> one figure a look; a look that knows nothing of a name has None there.
    """

    seconds: list[float] = field(default_factory=list)
    values: dict[str, list[float | None]] = field(default_factory=dict)

    def add(self, second: float, found: dict[str, float]) -> None:
        """Add a look."""
        for name in found:
            self.values.setdefault(name, [None] * len(self.seconds))
        self.seconds.append(second)
        for name, column in self.values.items():
            column.append(found.get(name))


def slope(seconds: list[float], values: list[float | None]) -> float:
    """Return the growth an hour, by least squares over what comes after the first third; 0 with fewer than 3 looks."""
    known = [(at, value) for at, value in zip(seconds, values, strict=True) if value is not None]
    late = [(at, value) for at, value in known if at >= seconds[-1] / 3]
    if len(late) < 3:
        return 0.0
    at, value = np.array(late).T
    return float(np.polyfit(at / 3600, value, 1)[0])


def write_soak(results: dict[str, Any], path: Path | None) -> None:
    """Print the report, and write it where a path is given."""
    text = markdown(results)
    print(text)
    if path is not None:
        path.write_text(text)


def markdown(results: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    machine, series = results["machine"], results["series"]
    p50, p95, p99, worst = results["latency_ms"]
    first, *later = results["by_minute"]
    waits: dict[str, list[float]] = {}
    for _, what, seconds in results["changes"]:
        waits.setdefault(what, []).append(seconds)
    lines = [
        "# A long run",
        "",
        f"Written by `python -m tests.bench.soak --rate {results['rate']} --minutes {results['seconds'] / 60:g}"
        f" --rule-changes {len(waits.get('rule', []))} --schema-changes {len(waits.get('field', []))}`:",
        f"{results['rate']:,} events/s, {results['rules']} rules, archive every 15 s; {machine['cpus']} CPUs with",
        f"broker, PostgreSQL, Redis, S3 server and load generator on them, {machine['platform']}.",
        f"{results['events']:,} events, {results['alerts']:,} alerts, which equal DuckDB's; `sentinel reconcile` finds",
        "nothing lost and nothing doubled.",
        "",
        "Event to committed alert after the first minute: p50/p95/p99/max",
        f"{p50:.0f}/{p95:.0f}/{p99:.0f}/{worst:.0f} ms. The 95th percentile of the first minute, in a new JVM, is",
        f"{first:.0f} ms, that of later ones {min(later, default=0):.0f} to {max(later, default=0):.0f} ms.",
        "",
    ]
    for what, seconds in waits.items():
        lines.append(
            f"{len(seconds)} times a {what} was added: in force after {np.median(seconds):.1f} s in the median, "
            f"{max(seconds):.1f} s at most."
        )
    lines += ["", "| | at first | in the end | at most | slope an hour |", "|---|---|---|---|---|"]
    for name, values in series["values"].items():
        known = [value for value in values if value is not None]
        if known:
            growth = slope(series["seconds"], values)
            lines.append(f"| {name} | {known[0]:,.1f} | {known[-1]:,.1f} | {max(known):,.1f} | {growth:+,.1f} |")
    return "\n".join(lines) + "\n"
