"""The archive's part of the ledger: which offsets the lake holds, and in which generation's schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from sentinel.domain.archive_commit import ArchiveCommit, Border, Ranges, plan_ranges
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.generation import Lease
from sentinel.domain.pipeline import PipelineConfig
from sentinel.errors import NotFoundError, TerminalError
from sentinel.stores.postgres.database import Connection, Database, Row
from sentinel.stores.postgres.ledger import hold_lease
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("archive_ledger")


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """What a pipeline reads. A pipeline that was created anew differs in `created_at`.

    Attributes:
        topic_id: Kafka's id of the topic whose records are decided; empty where it is not known.
    """

    kafka_topic: str
    source_epoch: int
    created_at: datetime
    topic_id: str


@dataclass(frozen=True, slots=True)
class GenerationForm:
    """How a generation parses: its schema, all schema versions up to it, and the limits.

    Attributes:
        history: (version, schema) of every version up to this one, oldest first.
    """

    generation_id: int
    schema_version: int
    rule_set_version: int
    source_epoch: int
    config: PipelineConfig
    history: tuple[tuple[int, EventSchema], ...]

    @property
    def schema(self) -> EventSchema:
        """The schema of its version."""
        return self.history[-1][1]


class ArchiveLedger:
    """The archive commits of one pipeline."""

    def __init__(self, database: Database, tenant_id: str, pipeline_id: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._pipeline_id = pipeline_id

    def source(self) -> ArchiveSource:
        """Return what the pipeline reads.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["source"], {"pipeline_id": self._pipeline_id}).fetchone()
        if row is None:
            raise NotFoundError(f"tenant {self._tenant_id!r} has no pipeline {self._pipeline_id}")
        return ArchiveSource(**row)

    def open_commit(self) -> ArchiveCommit | None:
        """Return the commit that was planned and is not known to be in the lake."""
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["open_commit"], {"pipeline_id": self._pipeline_id}).fetchone()
        return commit_of(row) if row else None

    def last_seq(self) -> int:
        """Return the highest number that was ever given out; 0: none."""
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["last_seq"], {"pipeline_id": self._pipeline_id}).fetchone()
        return int(row["seq"]) if row else 0

    def archived_ends(self, source_epoch: int) -> dict[int, int]:
        """Return, per partition, the offset after the last one that is known to be in the lake."""
        with self._database.transaction(self._tenant_id) as tx:
            same = {"pipeline_id": self._pipeline_id, "source_epoch": source_epoch}
            last = tx.execute(_SQL["last_commit"], same).fetchone()
        if last is None:
            return {}
        place = 1 if last["state"] == "committed" else 0
        return {partition: span[place] for partition, span in ranges_of(last).items()}

    def _ends(self, tx: Connection, source_epoch: int) -> dict[int, int]:
        same = {"pipeline_id": self._pipeline_id, "source_epoch": source_epoch}
        last = tx.execute(_SQL["last_commit"], same).fetchone()
        return {partition: end for partition, (_, end) in ranges_of(last).items()} if last else {}

    def plan(self, lease: Lease | None, source: ArchiveSource, *, max_records: int) -> ArchiveCommit | None:
        """Record the next commit as planned and return it; None when the lake holds everything that is decided.

        Call it only when there is no open commit.

        Args:
            lease: Of the driver that archives; None: the caller knows that nobody else does.

        Raises:
            LeaseLostError: Another driver holds the pipeline; nothing was planned.
            TerminalError: A decided offset belongs to no generation.
        """
        same = {"pipeline_id": self._pipeline_id, "source_epoch": source.source_epoch}
        with self._database.transaction(self._tenant_id) as tx:
            if lease is not None:
                hold_lease(tx, lease)
            progress = tx.execute(_SQL["decided"], same).fetchall()
            decided = {row["partition"]: row["next_offset"] for row in progress}
            archived = {row["partition"]: row["first_offset"] for row in progress} | self._ends(tx, source.source_epoch)
            found = tx.execute(
                _SQL["borders_after"],
                {**same, "partitions": list(archived), "offsets": list(archived.values())},
            )
            borders = [Border(**row) for row in found]
            try:
                planned = plan_ranges(archived, decided, borders, max_records=max_records)
            except ValueError as error:
                raise TerminalError(f"the ledger of pipeline {self._pipeline_id} has a gap: {error}") from error
            if planned is None:
                return None
            generation_id, ranges = planned
            last = tx.execute(_SQL["last_seq"], same).fetchone()
            commit = ArchiveCommit((last["seq"] if last else 0) + 1, generation_id, ranges)
            tx.execute(
                _SQL["plan_commit"],
                {
                    "pipeline_id": self._pipeline_id,
                    "tenant_id": self._tenant_id,
                    "seq": commit.seq,
                    "generation_id": generation_id,
                    "ranges": Jsonb({str(partition): span for partition, span in ranges.items()}),
                },
            )
        return commit

    def mark_committed(self, seq: int, *, event_count: int, dead_count: int) -> None:
        """Record that a commit is in the lake. Repeating it changes nothing."""
        with self._database.transaction(self._tenant_id) as tx:
            tx.execute(
                _SQL["mark_committed"],
                {"pipeline_id": self._pipeline_id, "seq": seq, "event_count": event_count, "dead_count": dead_count},
            )

    def form(self, generation_id: int) -> GenerationForm:
        """Return how a generation parses.

        Raises:
            NotFoundError: There is no such generation.
        """
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["generation"], {"generation_id": generation_id}).fetchone()
            if row is None:
                raise NotFoundError(f"pipeline {self._pipeline_id} has no generation {generation_id}")
            history = self._history(tx, row["schema_version"])
        return GenerationForm(
            generation_id=generation_id,
            schema_version=row["schema_version"],
            rule_set_version=row["rule_set_version"],
            source_epoch=row["source_epoch"],
            config=PipelineConfig.from_json(row["config"]),
            history=history,
        )

    def history(self, schema_version: int) -> tuple[tuple[int, EventSchema], ...]:
        """Return (version, schema) of every schema version up to one, oldest first."""
        with self._database.transaction(self._tenant_id) as tx:
            return self._history(tx, schema_version)

    def _history(self, tx: Connection, schema_version: int) -> tuple[tuple[int, EventSchema], ...]:
        same = {"pipeline_id": self._pipeline_id, "version": schema_version}
        rows = tx.execute(_SQL["schema_versions"], same).fetchall()
        return tuple((row["version"], EventSchema.from_json(row["fields"])) for row in rows)


def commit_of(row: Row) -> ArchiveCommit:
    """Build a commit from its row."""
    return ArchiveCommit(row["seq"], row["generation_id"], ranges_of(row))


def ranges_of(row: Row) -> Ranges:
    """Return the ranges of a row."""
    return {int(partition): (span[0], span[1]) for partition, span in row["ranges"].items()}
