"""`python -m tests.bench.capacity [--write]`: what 1 and 10 million events/s take, from what others measured.

Reads docs/performance.json (`make bench`) and docs/stores.json (`python -m tests.bench.stores --write`); measures
nothing itself. The model is linear in what was measured; where it leaves the measured range it says so.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

from sentinel.settings import PROJECT_ROOT
from sentinel.streaming.job.slots import SLOTS_PER_PARTITION

DOCS = PROJECT_ROOT / "docs"
RATES = (1_000_000, 10_000_000)
RULES = 100
# Of a core, and of what a store can take: the rest is for peaks, catching up and what else a machine does.
BUSY = 0.6
# Of a partition's own task: one that falls behind is not helped by idle cores elsewhere.
BUSY_PARTITION = 0.5
EVENT_BYTES = 330
ARCHIVE_SECONDS = 15
MATCHING = 0.001


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured.

    Attributes:
        microseconds: Processor time per event, by part, at 100 rules, archive included.
        alerts_per_second: What one alert writer commits in transactions of 20,000.
    """

    microseconds: dict[str, float]
    alerts_per_second: float


@dataclass(frozen=True, slots=True)
class Need:
    """What a rate takes.

    Attributes:
        cores: By part.
        partitions: Of the topic; each is one task, and one more while a generation hands over.
        pipelines: Into how many the events must be divided so that each one's alert writer keeps up.
        writer_share: Of what one PostgreSQL primary takes of alerts.
        lake_commits: Per minute, of all pipelines.
        lake_bytes: Raw JSON per day, before compression.
    """

    rate: int
    cores: dict[str, int]
    partitions: int
    slots: int
    pipelines: int
    writer_share: float
    lake_commits: float
    lake_bytes: float

    @property
    def all_cores(self) -> int:
        """Of all parts."""
        return sum(self.cores.values())


def read_costs(docs: Path) -> Costs:
    """Read what the benchmarks wrote."""
    performance = json.loads((docs / "performance.json").read_text())
    stores = json.loads((docs / "stores.json").read_text())
    drain = next(each for each in performance["drains"] if each["mode"] == "realtime" and each["rules"] == RULES)
    return Costs(drain["cpu_microseconds_per_event"], stores["alerts"]["size"] / stores["alerts"]["median_seconds"])


def need_of(rate: int, costs: Costs) -> Need:
    """Return what a rate takes at 100 rules, of which one event in a thousand matches."""
    cores = {part: math.ceil(rate * spent / 1e6 / BUSY) for part, spent in costs.microseconds.items() if spent >= 0.05}
    partitions = math.ceil(rate * costs.microseconds["driver JVM"] / 1e6 / BUSY_PARTITION)
    alerts = rate * MATCHING
    pipelines = max(1, math.ceil(alerts / (BUSY * costs.alerts_per_second)))
    return Need(
        rate,
        cores,
        partitions,
        SLOTS_PER_PARTITION * partitions,
        pipelines,
        alerts / costs.alerts_per_second,
        pipelines * 60 / ARCHIVE_SECONDS,
        rate * EVENT_BYTES * 86_400.0,
    )


def markdown(costs: Costs, needs: list[Need]) -> str:
    """Return the model as Markdown."""
    parts = [part for part, spent in costs.microseconds.items() if spent >= 0.05]
    lines = [
        "# Capacity",
        "",
        "Written by `python -m tests.bench.capacity --write` from the figures of `make bench` and `python -m",
        f"tests.bench.stores`: events of {EVENT_BYTES} bytes, {RULES} rules, one event in {1 / MATCHING:,.0f} matches,",
        f"a commit of the archive every {ARCHIVE_SECONDS} s. The model is linear in what two shared cores did; your",
        "machines and data decide, so measure with them before buying.",
        "",
        "| per event | microseconds of a core | events/s of one core |",
        "|---|---|---|",
        *(f"| {part} | {costs.microseconds[part]:.1f} | {1e6 / costs.microseconds[part]:,.0f} |" for part in parts),
        "",
        f"One alert writer commits {costs.alerts_per_second:,.0f} alerts/s in transactions of 20,000.",
        "",
        "| | " + " | ".join(f"{need.rate:,} events/s" for need in needs) + " |",
        "|---" * (1 + len(needs)) + "|",
    ]

    def row(name: str, values: list[str]) -> None:
        lines.append(f"| {name} | " + " | ".join(values) + " |")

    for part in parts:
        row(f"cores for {part}, {BUSY:.0%} busy", [f"{need.cores[part]:,}" for need in needs])
    row("cores in all", [f"{need.all_cores:,}" for need in needs])
    row("partitions of the topic", [f"{need.partitions:,}" for need in needs])
    row("task slots (two a partition)", [f"{need.slots:,}" for need in needs])
    row("pipelines, so that each alert writer keeps up", [f"{need.pipelines:,}" for need in needs])
    row("alerts/s", [f"{need.rate * MATCHING:,.0f}" for need in needs])
    row("of what one writer commits", [f"{need.writer_share:.0%}" for need in needs])
    row("commits to the lake a minute", [f"{need.lake_commits:,.0f}" for need in needs])
    row("to the topic, MB/s", [f"{need.rate * EVENT_BYTES / 1e6:,.0f}" for need in needs])
    row("raw JSON a day, TB", [f"{need.lake_bytes / 1e12:,.1f}" for need in needs])
    lines += [
        "",
        "What breaks first, in this order:",
        "",
        "1. **One driver.** Findings of a pipeline are committed by one writer, and generations by one driver. A",
        "   million events/s want several pipelines by key (a region, a range of customers), each with its own topic.",
        "2. **The broker's network**, before its processors: every event is written once, replicated, read by",
        "   detection and again by the archive, which makes five times the bytes of the topic with three replicas.",
        "3. **PostgreSQL**, where many events match: alerts, evidence and notifications all go to one primary.",
        f"   At {MATCHING:.1%} of the events it is idle; at a hundred times that, tenants want a server each.",
        "4. **Memory of a driver**: rules and lists are held per generation, and twice while one hands over.",
        f"5. **The lake** last: a commit every {ARCHIVE_SECONDS} s and pipeline is far from what S3 takes.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the model and perhaps write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.capacity", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/capacity.md")
    options = parser.parse_args()
    costs = read_costs(DOCS)
    text = markdown(costs, [need_of(rate, costs) for rate in RATES])
    print(text)
    if options.write:
        (DOCS / "capacity.md").write_text(text)


if __name__ == "__main__":
    main()
