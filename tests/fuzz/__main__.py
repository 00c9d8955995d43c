"""The bad-input campaign: `python -m tests.fuzz [--minutes 20] [--seed 1] [--only topic,judges] [--write]`.

The seed is printed first; the same one sends the same again. Ends with 1 on a finding.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sentinel.domain.api_key import Scope
from sentinel.localstack.java import find_java
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.streaming.query.session import build_session
from sentinel.testing.servers import ServerSet, start_servers
from tests.fuzz import judges
from tests.fuzz.api import Campaign
from tests.fuzz.report import write_report
from tests.fuzz.topic import ROUND_RECORDS, TopicFuzz
from tests.support.detection import Workbench

RESULTS = PROJECT_ROOT / "docs" / "reliability-input.json"
PARTS = ("requests", "openapi", "topic", "judges")
EXAMPLES = 30
# With so much time all of the hostile requests of our own are sent, with less a part.
ALL_REQUESTS_SECONDS = 1_200.0
# Of the time that is given; what is left over goes to whatever comes last.
SHARES = {"requests": 0.2, "openapi": 0.35, "topic": 0.25, "judges": 0.2}


class Run:
    """One run of the campaign.

    Args:
        minutes: In about so long, and the time that starting takes.
    """

    def __init__(self, servers: ServerSet, directory: Path, *, minutes: float, seed: int) -> None:
        self._servers = servers
        self._directory = directory
        self._seconds = minutes * 60
        self._seed = seed
        self.results: dict[str, Any] = {}
        self.failed: list[str] = []

    def all(self, only: set[str]) -> None:
        """Do every part that is asked for, also after one has failed."""
        parts = (self._requests, self._openapi, self._topic, self._judges)
        for name, part in zip(PARTS, parts, strict=True):
            if only and name not in only:
                continue
            try:
                part()
            except Exception:
                traceback.print_exc()
                self.failed.append(name)

    def _part(self, name: str, summary: str, result: dict[str, Any], *, is_clean: bool) -> None:
        print(f"--- {name}\n{summary}".encode(errors="replace").decode(), flush=True)
        self.results[name] = result
        if not is_clean:
            self.failed.append(name)

    def _requests(self) -> None:
        with Campaign(self._servers, self._directory, with_engine=False) as campaign:
            share = min(1.0, self._seconds / ALL_REQUESTS_SECONDS)
            found = campaign.spoil(seed=self._seed, share=share, seconds=self._seconds * SHARES["requests"])
        result = {
            "requests": found.requests,
            "slowest_seconds": round(found.slowest_seconds, 2),
            "statuses": {str(status): count for status, count in sorted(found.statuses.items())},
        }
        self._part("requests", found.summary(), result, is_clean=not found.findings)

    def _openapi(self) -> None:
        seconds = int(self._seconds * SHARES["openapi"] / 2)
        # The rule worker takes half a minute to start.
        with Campaign(self._servers, self._directory, with_engine=seconds >= 120) as campaign:
            for scope in (Scope.ADMIN, Scope.READ):
                found = campaign.run(scope, seed=self._seed, examples=EXAMPLES, seconds=seconds)
                result = {
                    "operations": found.operations,
                    "requests": found.requests,
                    "server_errors": found.server_errors,
                    "slowest_seconds": round(found.slowest_seconds, 2),
                    "statuses": {str(status): count for status, count in sorted(found.statuses.items())},
                }
                self._part(f"openapi, key that may {scope}", found.summary(), result, is_clean=found.is_clean)

    def _topic(self) -> None:
        tenant_id = f"z{uuid.uuid4().hex[:12]}"
        ensure_tenant(self._servers.settings.postgres, tenant_id, "fuzz")
        bench = Workbench(self._servers, tenant_id, self._directory)
        try:
            found = TopicFuzz(bench, self._seed).run(self._rounds())
        finally:
            bench.close()
        self._part("topic", found.summary(), asdict(found), is_clean=True)

    def _rounds(self) -> Iterator[int]:
        deadline = time.monotonic() + self._seconds * SHARES["topic"]
        yield ROUND_RECORDS
        while time.monotonic() < deadline:
            yield ROUND_RECORDS

    def _judges(self) -> None:
        os.environ.setdefault("JAVA_HOME", str(find_java(self._servers.settings.home).home))
        spark = build_session(
            self._servers.settings, app_name="fuzz", master="local[2]", extra={"spark.ui.enabled": "false"}
        )
        seconds = self._seconds * SHARES["judges"]
        found = judges.compare(spark, self._directory, records=10**9, seed=self._seed, seconds=seconds)
        spark.stop()
        result = {
            "records": found.records,
            "interpreted": found.interpreted,
            "doubtful": found.doubtful,
            "causes": dict(found.causes.most_common()),
        }
        self._part("judges", found.summary(), result, is_clean=not found.findings)


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    found = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    found.add_argument("--minutes", type=float, default=20.0, help="about how long")
    found.add_argument("--seed", type=int, default=1, help="the same seed sends the same again")
    found.add_argument("--only", default="", help=f"parts, separated by commas: {', '.join(PARTS)}")
    found.add_argument("--write", action="store_true", help="write docs/reliability-input.json and .md")
    return found


def main() -> int:
    """Run it from the command line."""
    given = parser().parse_args()
    only = {part for part in given.only.split(",") if part}
    if not only <= set(PARTS):
        raise SystemExit(f"--only knows {', '.join(PARTS)}, not {given.only}")
    print(f"seed {given.seed}, {given.minutes:g} minutes", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="sentinel-fuzz-") as name,
        start_servers(Path(name) / "stack") as servers,
    ):
        run = Run(servers, Path(name), minutes=given.minutes, seed=given.seed)
        run.all(only)
    if given.write and not run.failed:
        told = {"seed": given.seed, "minutes": given.minutes, **run.results}
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")
        write_report(RESULTS)
    print(f"failed: {', '.join(run.failed)}" if run.failed else "nothing was found")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
