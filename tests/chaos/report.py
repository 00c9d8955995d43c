"""docs/reliability.md, written from the results of a campaign."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.ground import Case

_HEAD = """# Reliability

Written by `make chaos` (`tests/chaos/`) from the last whole campaign. Each case happens to a driver that decides
{rate:,} events/s, with PostgreSQL, Kafka, Redis, the S3 server and the sender on the same machine of two cores. A case
is green when, after it, every alert and every dead letter that is due is there **once**, each with its score, the lake
holds every other record once, and `sentinel reconcile` finds 0 lost and 0 doubled. A campaign is written down only if
every case was green in every round.

*Silent* is the longest time between two commits of alerts while events flowed: the outage itself, the restart of the
driver, and the catching up. Median and worst of the rounds.

| case | what happens | mode | rounds | records | alerts | driver ended | silent s, median | worst |
|---|---|---|---|---|---|---|---|---|
"""
_TAIL = """
Run it: `make chaos` (all cases, three rounds, hours), `make chaos ARGS="--only Redis"`, `make chaos ARGS=--list`. The
cases of the short form are part of `make test`.

What is not what its name says: *disk full* is a trigger that answers with PostgreSQL's own code for a full disk
(53100), for a disk that is really full would be everybody's on the machine. *S3* faults are made by a server between
the job and the store. *The clock* is that of the driver alone, for a library says what time it is.
"""


def write_report(results: Path, cases: Sequence[Case]) -> None:
    """Write the Markdown beside the results."""
    found = json.loads(results.read_text())
    lines = [_HEAD.format(rate=found["rate"])]
    for case in cases:
        for mode in case.modes:
            runs = [each for each in found["outcomes"] if (each["case"], each["mode"]) == (case.name, mode.value)]
            if not runs:
                continue
            silent = [each["silence_seconds"] for each in runs]
            lines.append(
                f"| {case.name} | {case.what} | {mode.value} | {len(runs)} "
                f"| {sum(each['sent'] for each in runs):,} | {sum(each['alerts'] for each in runs):,} "
                f"| {sum(each['deaths'] for each in runs)} | {statistics.median(silent):.1f} | {max(silent):.1f} |\n"
            )
    results.with_suffix(".md").write_text("".join((*lines, _TAIL)))
