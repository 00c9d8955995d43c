"""The lake tables of a tenant, and what cares for them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from sentinel.batch.lake_care.carer import LakeCarer
from sentinel.clock import monotonic_seconds
from sentinel.domain.lake_care import CarePolicy, CareStatus
from sentinel.domain.pipeline import PipelineConfig, PipelineStatus
from sentinel.settings import Settings
from sentinel.stores.lake.care import DeltaTableCare
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.lake_care import PostgresLakeCare, PostgresLakeCareWork
from sentinel.stores.postgres.lake_turns import LakeTurns
from sentinel.wiring import Backend
from tests.support.detection import definition

POLICY = CarePolicy(
    min_files=3, target_bytes=128 * 1024 * 1024, retention=timedelta(days=7), vacuum_every=timedelta(days=1)
)
DAY = date(2026, 1, 31)
# The tables of these tests are of a day that is over, and quiet.
LATER = timedelta(days=1)


def never() -> bool:
    """Whether a process is asked to stop: it is not."""
    return False


class Desk:
    """The tables of one tenant, and whatever cares for them."""

    def __init__(self, settings: Settings, database: Database, tenant: str) -> None:
        self.settings, self.database, self.tenant = settings, database, tenant
        self.backend = Backend(settings)
        self.backend.open()

    def pipeline(self, tenant: str | None = None) -> int:
        """Create a pipeline whose table was written to."""
        owner = tenant or self.tenant
        with self.backend.unit(owner, "test") as unit:
            made = unit.pipelines.create(
                name=f"p-{uuid.uuid4().hex[:8]}",
                kafka_topic="events",
                definitions=[definition({"name": "id", "type": "string"})],
                config=PipelineConfig(),
                start_at="earliest",
                status=PipelineStatus.ACTIVE,
            )
        turns = LakeTurns(self.database, owner, made.id, "archive", "archive/test")
        assert turns.take(60)
        turns.end()
        return made.id

    def fill(self, pipeline_id: int, commits: int = 8, tenant: str | None = None) -> str:
        uri = events_uri(self.settings.lake, tenant or self.tenant, pipeline_id)
        for number in range(commits):
            offsets = range(number * 10, number * 10 + 10)
            rows = pa.table({"_offset": pa.array(offsets, pa.int64()), "date": pa.array([DAY] * 10, pa.date32())})
            options = storage_options(self.settings.lake)
            write_deltalake(uri, rows, mode="append", partition_by=["date"], storage_options=options)
        return uri

    def carer(self, holder: str = "one", lake: Any = None, **changed: Any) -> LakeCarer:
        tables = DeltaTableCare(
            lake or self.settings.lake, step_seconds=60, memory_mib=512, new_step=lambda: f"{holder}-{time.time_ns()}"
        )
        return LakeCarer(
            changed.get("work") or self.work(holder),
            tables,
            changed.get("policy", POLICY),
            now=lambda: datetime.now(UTC) + LATER,
            monotonic=monotonic_seconds,
            every=timedelta(minutes=10),
            step_seconds=60,
        )

    def work(self, holder: str = "one") -> PostgresLakeCareWork:
        return PostgresLakeCareWork(self.database, holder)

    def status(self, pipeline_id: int) -> CareStatus:
        with self.database.transaction(self.tenant) as connection:
            return PostgresLakeCare(connection).status(pipeline_id, runs=20)

    def offsets(self, uri: str) -> list[int]:
        table = DeltaTable(uri, storage_options=storage_options(self.settings.lake)).to_pyarrow_table()
        return sorted(table["_offset"].to_pylist())

    def file_count(self, uri: str) -> int:
        return len(DeltaTable(uri, storage_options=storage_options(self.settings.lake)).file_uris())


def opened_desk(settings: Settings, database: Database, tenant: str) -> Iterator[Desk]:
    """Yield a desk, and close it."""
    made = Desk(settings, database, tenant)
    yield made
    made.backend.close()
