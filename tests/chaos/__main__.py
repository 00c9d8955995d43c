"""The fault campaign: `python -m tests.chaos [--rounds 3] [--only TEXT] [--mode realtime] [--list] [--continue]`.

Every case happens to a driver under a flow of 1,000 events/s and ends with the oracle: the alerts and dead letters
that are due are there once each, and `sentinel reconcile` finds nothing lost or doubled.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
import uuid
from collections.abc import Sequence
from pathlib import Path

from sentinel.domain.pipeline import DetectMode
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.servers import ServerSet, start_servers
from tests.chaos import cases_driver, cases_stores
from tests.chaos.ground import Case, Outcome, play
from tests.chaos.record import Record
from tests.chaos.report import report
from tests.chaos.short import SHORT

CASES: tuple[Case, ...] = (*cases_driver.CASES, *cases_stores.CASES)
RESULTS = PROJECT_ROOT / "docs" / "reliability.json"


def main() -> int:
    """Run the campaign; 0 when every case was green in every round."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each case must be green in a row")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--mode", choices=[mode.value for mode in DetectMode], help="one mode alone")
    parser.add_argument("--short", action="store_true", help="the short form: several faults in turn to one driver")
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.json and .md, anew")
    parser.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="write them, and leave out what was green there in enough rounds in a row",
    )
    options = parser.parse_args()
    chosen = [
        (case, mode)
        for case in (SHORT if options.short else CASES)
        for mode in case.modes
        if options.only in case.name and options.mode in {None, mode.value}
    ]
    if options.list or not chosen:
        for case, mode in chosen:
            print(f"{mode.value:<11} {case.name:<32} {case.what}")
        return 0 if chosen else 2
    is_kept = (options.write or options.go_on) and not options.short
    record = Record(RESULTS if is_kept else None)
    if options.go_on:
        record.load()
    with tempfile.TemporaryDirectory(prefix="sentinel-chaos-") as directory:
        green, failed = _campaign(Path(directory), chosen, options.rounds, record)
    if is_kept:
        RESULTS.with_suffix(".md").write_text(report(record, CASES))
    print(f"{green} green, {len(failed)} failed" + "".join(f"\n  {name}" for name in failed))
    return 1 if failed else 0


def _campaign(
    directory: Path, chosen: Sequence[tuple[Case, DetectMode]], rounds: int, record: Record
) -> tuple[int, list[str]]:
    green, failed = 0, []
    with start_servers(directory / "stack") as servers:
        for number in range(1, rounds + 1):
            for case, mode in chosen:
                if len(record.in_a_row(case.name, mode.value)) >= number:
                    continue
                try:
                    outcome = _one(servers, directory, case, mode)
                except Exception as error:
                    traceback.print_exc()
                    record.add_failure(case.name, mode.value, error)
                    failed.append(f"{case.name} ({mode.value}), round {number}")
                    print(f"FAILED {mode.value:<11} {case.name}", flush=True)
                    continue
                green += 1
                record.add(outcome)
                print(
                    f"{outcome.mode:<11} {outcome.case:<32} {outcome.sent:>7} sent {outcome.alerts:>5} alerts "
                    f"{outcome.deaths:>3} deaths  0 lost, 0 doubled  {outcome.silence_seconds:>5.1f} s silent "
                    f"{outcome.took_seconds:>6.1f} s",
                    flush=True,
                )
    return green, failed


def _one(servers: ServerSet, directory: Path, case: Case, mode: DetectMode) -> Outcome:
    tenant_id = f"c{uuid.uuid4().hex[:10]}"
    ensure_tenant(servers.settings.postgres, tenant_id, "chaos")
    work = directory / tenant_id
    work.mkdir()
    return play(servers, tenant_id, work, case, mode)


if __name__ == "__main__":
    sys.exit(main())
