"""`sentinel demo` on an empty home of its own: exit 0, and the figures are those of the stores."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.cli.demo.scenario import WARM_UP_EVENTS
from sentinel.localstack.paths import jars_root
from sentinel.localstack.ports import free_port
from sentinel.settings import PROJECT_ROOT

pytestmark = pytest.mark.e2e

SECONDS = 20
RATE = 200


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """The command in a home of its own, which is stopped afterwards."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")}
    environment = plain | {
        "SENTINEL_HOME": str(tmp_path_factory.mktemp("a home")),
        "SENTINEL_JARS_DIR": os.environ.get("SENTINEL_JARS_DIR") or str(jars_root(PROJECT_ROOT / ".sentinel")),
        "SENTINEL_API__PORT": str(free_port()),
        "SENTINEL_DASHBOARD__PORT": str(free_port()),
        "SENTINEL_JOB__SPARK_UI_PORT": str(free_port()),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sentinel.cli.app", *arguments],
            env=environment,
            cwd=Path(environment["SENTINEL_HOME"]),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    yield run
    run("down")


def counted_of(name: str, report: str) -> int:
    """The figure that a line of the demo's last table gives."""
    found = re.search(rf"^  {name} +([\d,]+)", report, re.MULTILINE)
    assert found is not None, report
    return int(found.group(1).replace(",", ""))


@pytest.mark.timeout(900)
def test_the_demo_proves_itself(sentinel: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = sentinel("demo", "--seconds", str(SECONDS), "--rate", str(RATE))
    assert done.returncode == 0, done.stderr[-3_000:] + done.stdout
    # Traffic flows on where the rule and the field took longer than it was to last.
    total = counted_of("events sent", done.stdout)
    assert total >= SECONDS * RATE + WARM_UP_EVENTS, done.stdout
    assert counted_of("archived in the lake", done.stdout) == total, done.stdout
    assert re.search(r"dead-lettered +0\n", done.stdout)
    assert re.search(r"all +0 lost, 0 doubled\n", done.stdout)
    assert re.search(r"new rule +\d+\.\d\d s", done.stdout)
    assert re.search(r"new field +\d+\.\d\d s", done.stdout)
    told = {int(count.replace(",", "")) for count in re.findall(r"^  all +([\d,]+)$", done.stdout, re.MULTILINE)}
    lake = sentinel(
        "lake", "query", "--pipeline", "1", "--format", "json",
        "SELECT count(*) AS events, count(device_id) AS with_field, max(_schema_version) AS version FROM events",
    )  # fmt: skip
    assert lake.returncode == 0, lake.stderr
    row = json.loads(lake.stdout)[0]
    assert row["events"] == total
    assert 0 < row["with_field"] < total
    assert row["version"] == 2
    # The whole of it again, from what is stored: the first five rules, counted by SQL over the lake.
    rules = json.loads((PROJECT_ROOT / "examples" / "card_fraud" / "rules.json").read_text())
    counted = sentinel(
        "lake", "query", "--pipeline", "1", "--format", "json",
        "SELECT " + " + ".join(f"count(*) FILTER ({rule['rule_expression']})" for rule in rules) + " AS n FROM events",
    )  # fmt: skip
    assert counted.returncode == 0, counted.stderr
    assert told
    added = re.search(r"Costly electronics bought overseas +([\d,]+)\n", done.stdout)
    assert added is not None
    assert told == {json.loads(counted.stdout)[0]["n"] + int(added.group(1).replace(",", ""))}
