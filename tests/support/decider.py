"""Stands in for detect where a test is about what comes after it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from sentinel.domain.archive_commit import ArchiveCommit
from sentinel.domain.generation import Lease
from sentinel.errors import BreakingChangeError
from sentinel.settings import JobSettings
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.ledger import LedgerStore, advance_progress, switch_generation
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.sink.archive import Archive
from tests.support.detection import Workbench, definition


class Decider:
    """Does to the ledger what detect does, without running it: generations, borders and progress."""

    def __init__(
        self,
        bench: Workbench,
        database: Database,
        spark: SparkSession,
        topic: str,
        rules: Mapping[str, str] | None = None,
        **job: Any,
    ) -> None:
        self.bench = bench
        self.spark = spark
        self.topic = topic
        self.pipeline_id = bench.create_pipeline(topic, rules or {})
        self.settings = bench.settings.model_copy(update={"job": JobSettings(**job)})
        self.database = database
        self.ledger = LedgerStore(self.database, bench.tenant_id)
        self.lease = self.take_lease("test")
        self.ledger.init_progress(self.lease, dict.fromkeys(bench.topics.partitions(topic), 0))
        self.next_generation()

    def take_lease(self, holder: str) -> Lease:
        lease = self.ledger.acquire_lease(self.pipeline_id, holder, 600)
        assert lease is not None
        return lease

    def next_generation(self, borders: dict[int, int] | None = None) -> int:
        """Start the generation of the current configuration at these offsets, by default the decided ones."""
        snapshot = SnapshotStore(self.database, self.bench.tenant_id).current(self.pipeline_id)
        generation_id = self.ledger.create_generation(self.lease, snapshot, reason="test", marker_every=1)
        decided = {p: found.next_offset for p, found in self.ledger.read_progress(self.pipeline_id).items()}
        with self.database.transaction(self.bench.tenant_id) as tx:
            switch_generation(tx, self.lease, self.bench.tenant_id, generation_id, borders or decided)
        return generation_id

    def change_schema(self, *fields: dict[str, Any]) -> None:
        """Put the next schema version, confirmed where it breaks something."""
        try:
            self._put(fields, None)
        except BreakingChangeError as error:
            self._put(fields, error.plan["confirm"])

    def _put(self, fields: Sequence[dict[str, Any]], confirm: str | None) -> None:
        with self.bench.backend.unit(self.bench.tenant_id, "test") as unit:
            definitions = [definition(field) for field in fields]
            unit.schemas.put(self.pipeline_id, definitions, expected_version=None, confirm=confirm)

    def send(self, *values: bytes | None) -> None:
        """Send records and decide everything that is in the topic."""
        self.bench.send(self.topic, values)
        self.decide()

    def decide(self) -> None:
        highs = {p: place.high for p, place in self.bench.topics.ranges(self.topic).items()}
        with self.database.transaction(self.bench.tenant_id) as tx:
            advance_progress(tx, self.pipeline_id, highs)

    def archive(self, changing: threading.Event | None = None) -> Archive:
        return Archive(
            self.spark,
            self.database,
            self.settings,
            self.bench.tenant_id,
            self.pipeline_id,
            lease=self.lease,
            changing=changing,
        )

    def drain(self) -> list[ArchiveCommit]:
        """Archive until the lake is up to date."""
        archive, commits = self.archive(), []
        while (commit := archive.run_once()) is not None:
            commits.append(commit)
        return commits

    def table(self) -> DeltaTable:
        lake = self.settings.lake
        return DeltaTable(
            events_uri(lake, self.bench.tenant_id, self.pipeline_id), storage_options=storage_options(lake)
        )

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the lake, in the order of the topic."""
        found: list[dict[str, Any]] = self.table().to_pyarrow_table().to_pylist()
        return sorted(found, key=lambda row: (row["_partition"], row["_offset"]))

    def ledger_rows(self) -> list[dict[str, Any]]:
        return self.bench.query(
            "SELECT * FROM sentinel.archive_commits WHERE pipeline_id = %s ORDER BY seq", self.pipeline_id
        )


def event(number: int, **more: Any) -> bytes:
    fields = {"id": f"e{number}", "user_id": "u", "amount": float(number), **more}
    return ("{" + ",".join(f'"{k}":{v!r}'.replace("'", '"') for k, v in fields.items()) + "}").encode()
