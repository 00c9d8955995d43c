"""Reads the ledger."""

from __future__ import annotations

from typing import Any

from sentinel.domain.ledger import (
    Border,
    GenerationEntry,
    PartitionProgress,
    PipelineProgress,
    RecordPlace,
    RunningJob,
)
from sentinel.stores.postgres.database import Connection, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("ledger_reader")


class PostgresLedgerReader:
    """The ledger of the transaction's tenant, for reading."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def generations(self, pipeline_id: int, *, before: int | None, limit: int) -> list[GenerationEntry]:
        """Return generations, newest first."""
        rows = self._rows("generations", {"pipeline_id": pipeline_id, "before": before, "limit": limit})
        return [
            GenerationEntry(**{**row, "borders": tuple(Border(*border) for border in row["borders"])}) for row in rows
        ]

    def progress(self, pipeline_id: int) -> list[PartitionProgress]:
        """Return what is decided, per partition."""
        return [PartitionProgress(**row) for row in self._rows("progress", {"pipeline_id": pipeline_id})]

    def job(self, pipeline_id: int) -> RunningJob | None:
        """Return who runs the pipeline, or ran it last."""
        rows = self._rows("job", {"pipeline_id": pipeline_id})
        return RunningJob(**rows[0]) if rows else None

    def progress_of_all(self) -> list[PipelineProgress]:
        """Return how far every pipeline is, newest pipeline first."""
        found = []
        for row in self._rows("progress_of_all", {}):
            job = {name: row[name] for name in ("holder", "is_running", "heartbeat_at", "expires_at", "details")}
            found.append(
                PipelineProgress(
                    row["pipeline_id"],
                    row["decided_records"],
                    row["per_second"],
                    RunningJob(**job) if row["holder"] is not None else None,
                )
            )
        return found

    def dead_letter_at(self, pipeline_id: int, source_epoch: int, place: RecordPlace) -> str | None:
        """Return the cause when the record at this place is a dead letter."""
        rows = self._rows(
            "dead_letter_at",
            {
                "pipeline_id": pipeline_id,
                "source_epoch": source_epoch,
                "partition": place.partition,
                "offset": place.offset,
            },
        )
        return rows[0]["cause"] if rows else None

    def _rows(self, statement: str, parameters: dict[str, Any]) -> list[Row]:
        return self._connection.execute(_SQL[statement], parameters).fetchall()
