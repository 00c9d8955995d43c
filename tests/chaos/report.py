"""docs/reliability.md, written from the results of a campaign."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.chaos.ground import RATE, Case
from tests.chaos.record import Record

IN_A_ROW = 3

_HEAD = """# Reliability

Written by `make chaos` (`tests/chaos/`). Each case happens to a driver that decides
{rate:,} events/s, with PostgreSQL, Kafka, Redis, the S3 server and the sender on the same machine of two cores. A case
is green when, after it, every alert and every dead letter that is due is there **once**, each with its score, the lake
holds every other record once, and `sentinel reconcile` finds 0 lost and 0 doubled.

{summary} A run that fails is kept in docs/reliability.json with its reason, and the count begins anew.

*Silent* is the longest time between two commits of alerts while events flowed: the outage itself, the restart of the
driver, and the catching up. Records, alerts and seconds are of the newest runs in a row that were
green; their number is in the column of that name.

| case | what happens | mode | green | records | alerts | driver ended | silent s, median | worst | failed before |
|---|---|---|---|---|---|---|---|---|---|
"""
_TAIL = """
Run it: `make chaos` (all cases until each was green three times in a row; hours, in as many parts as one likes),
`make chaos ARGS="--only Redis"`, `make chaos ARGS=--list`. The cases of the short form are part of `make test`.

What is not what its name says: *disk full* is a trigger that answers with PostgreSQL's own code for a full disk
(53100), for a disk that is really full would be everybody's on the machine. *S3* faults are made by a server between
the job and the store. *The clock* is that of the driver alone, for a library says what time it is.
"""


def report(record: Record, cases: Sequence[Case]) -> str:
    """Return the Markdown."""
    rows = []
    green = []
    for case in cases:
        for mode in case.modes:
            runs = record.in_a_row(case.name, mode.value)
            green.append(len(runs))
            silent = [run["silence_seconds"] for run in runs]
            median, worst = (f"{statistics.median(silent):.1f}", f"{max(silent):.1f}") if silent else ("-", "-")
            rows.append(
                f"| {case.name} | {case.what} | {mode.value} | {len(runs)} "
                f"| {sum(run['sent'] for run in runs):,} | {sum(run['alerts'] for run in runs):,} "
                f"| {sum(run['deaths'] for run in runs)} | {median} | {worst} "
                f"| {record.failures(case.name, mode.value)} |\n"
            )
    summary = (
        f"{sum(count >= IN_A_ROW for count in green)} of {len(green)} are green {IN_A_ROW} times in a row or more, "
        f"{sum(count > 0 for count in green)} at least once."
    )
    return "".join((_HEAD.format(rate=RATE, summary=summary), *rows, _TAIL))
