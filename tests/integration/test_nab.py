"""The Numenta Anomaly Benchmark: its published scores, replayed through the lake, give its published counts."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from sentinel.batch.detectors import DETECTORS
from sentinel.domain.detector import RunState
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.stores.postgres.database import Database
from tests.support.detectors import DetectorBench

pytestmark = pytest.mark.integration

# NAB counts none of the first rows of a series: 15 % of them, 750 at most.
SQL = """
SELECT series || CASE WHEN place <= least(floor(0.15 * length), 750) THEN ' (probation)' ELSE '' END AS series,
       point_at, anomaly_score AS score
FROM (SELECT *, row_number() OVER (PARTITION BY series ORDER BY line) AS place,
             count(*) OVER (PARTITION BY series) AS length FROM nab)
WHERE point_at >= :window_start AND point_at < :window_end
"""


@pytest.fixture
def nab(shared_data: Path) -> Path:
    directory = shared_data / "nab"
    if not directory.is_dir():
        pytest.skip(f"the benchmark is not at {directory}")
    return directory


def points_of(nab: Path, name: str) -> list[tuple[datetime, float]]:
    """Return time and published score of each row, in the order of the file."""
    with gzip.open(nab / "results" / f"{name}.csv.gz", "rt") as file:
        return [
            (datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC), float(row["anomaly_score"]))
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("scorer", ["windowedGaussian", "numenta"])
def test_published_scores_give_the_published_counts(
    nab: Path, settings: Settings, database: Database, tenant: str, scorer: str
) -> None:
    desk = DetectorBench(settings, database, tenant)
    expected = {
        name: counts
        for name, counts in json.loads((nab / "expected.json").read_text())["replay"].items()
        if name.startswith(f"{scorer}__")
    }
    assert len(expected) == 3
    rows = [(name, line, *point) for name in expected for line, point in enumerate(points_of(nab, name))]
    pipeline = desk.one(
        "INSERT INTO sentinel.pipelines (tenant_id, name, kafka_topic, schema_version) VALUES (%s, 'nab', 'nab', 1) "
        "RETURNING id",
        (tenant,),
    )["id"]
    columns = list(zip(*rows, strict=True))
    write_deltalake(
        events_uri(settings.lake, tenant, pipeline),
        pa.table(
            {
                "series": list(columns[0]),
                "line": list(columns[1]),
                "point_at": pa.array(columns[2], pa.timestamp("us", "UTC")),
                "anomaly_score": list(columns[3]),
            }
        ),
        storage_options=storage_options(settings.lake),
    )
    (threshold,) = {float(counts["rule"].partition(">= ")[2]) for counts in expected.values()}
    week = 7 * 24 * 60
    detector = desk.detector("series", sql=SQL, store="lake", low=threshold, window_minutes=week, late_hours=0)
    desk.one(
        "UPDATE sentinel.detectors SET evaluated_until = '2013-11-28T00:00:00Z' WHERE id = %s RETURNING id", (detector,)
    )
    run = desk.run(detector, datetime(2014, 5, 1, tzinfo=UTC), desk.runner_with(DETECTORS, run_seconds=600))
    assert (run.state, run.error, run.window_count) == (RunState.DONE, None, 21)

    counts: dict[str, int] = {}
    found: dict[str, list[datetime]] = {}
    for anomaly in desk.anomalies():
        subject, values = anomaly["subject"], anomaly["values"]
        counts[subject] = counts.get(subject, 0) + values["value"]
        assert len(values["points"]) == values["value"]
        found.setdefault(subject, []).extend(datetime.fromisoformat(point["at"]) for point in values["points"])
    windows = json.loads((nab / "windows.json").read_text())
    for name, published in expected.items():
        counted = counts.get(name, 0)
        assert counted == published["alerts_after_probation"], name
        assert counted + counts.get(f"{name} (probation)", 0) == published["alerts_all_rows"], name
        ranges = [(_utc(first), _utc(last)) for first, last in windows[name.partition("__")[2]]["windows"]]
        inside = [[first <= at <= last for first, last in ranges] for at in found.get(name, [])]
        hits = [any(each) for each in inside]
        assert (sum(hits), len(hits) - sum(hits)) == (published["TP"], published["FP"]), name
        assert sum(map(any, zip(*inside, strict=True))) == published["windows_detected"], name


def _utc(text: Any) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
