"""`sentinel backtest` and `sentinel refill` with a rule worker of its own, over a lake that the archive wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.database import Database
from tests.support.decider import Decider, event
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(600)]

FROM = (datetime.now(UTC) - timedelta(days=2)).isoformat()
TO = (datetime.now(UTC) + timedelta(days=2)).isoformat()


@pytest.fixture
def worker(bench: Workbench, tmp_path: Path) -> Iterator[None]:
    """A rule worker of the tenant."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")},
        "PYTHONPATH": f"{PROJECT_ROOT / 'src'}{os.pathsep}{PROJECT_ROOT}",
        "SENTINEL_HOME": str(bench.settings.home),
        "SENTINEL_JOB__JARS_DIR": str(bench.settings.jars_dir),
    }
    command = [sys.executable, str(PROJECT_ROOT / "jobs" / "rule_worker.py"), "--tenant", bench.tenant_id]
    with (tmp_path / "worker.log").open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=tmp_path)
    yield
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


@pytest.mark.usefixtures("worker")
def test_a_rule_is_tested_and_then_refilled(
    bench: Workbench, database: Database, spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = Decider(bench, database, spark, bench.create_topic(2))
    pipeline.send(*[event(number) for number in range(40)])
    pipeline.drain()
    labels = tmp_path / "labels.csv"
    labels.write_text("id,fraud\n" + "".join(f"e{number},{int(number > 34)}\n" for number in range(40)))
    number = str(pipeline.pipeline_id)
    told = bench.command(
        "backtest", number, "--rule", "amount > 30", "--from", FROM, "--to", TO, "--labels", str(labels),
        "--sweep", "30=10,34", "--json",
    )  # fmt: skip
    result = json.loads(told)
    assert (result["event_count"], result["rules"][0]["matches"]) == (40, 9)
    assert result["rules"][0]["quality"]["precision"] == 5 / 9
    assert [(point["value"], point["matches"]) for point in result["sweep"]] == [("10", 29), ("34", 5)]
    rule_id = bench.add_rule(pipeline.pipeline_id, "large", "amount > 30")
    shown = bench.command("refill", "--pipeline", number, "--from", FROM, "--to", TO, "--rule", str(rule_id))
    assert shown.splitlines()[0] == "9 matches of 9 events"
    assert "9 alerts added" in shown
    again = bench.command("refill", "--pipeline", number, "--from", FROM, "--to", TO)
    assert "0 alerts added" in again
    assert "9 were there already" in again
    assert bench.alerts_by_rule(pipeline.pipeline_id) == {"large": 9}
    assert_reconciled(bench, pipeline.pipeline_id)
