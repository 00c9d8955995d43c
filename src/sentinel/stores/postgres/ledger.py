"""The ledger: leases, generations with their borders, and progress, in PostgreSQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.generation import Lease, Progress
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.errors import LeaseLostError
from sentinel.stores.postgres.database import Connection, Database, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("ledger")


class LedgerStore:
    """The ledger of one tenant's pipelines."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    # -- lease

    def acquire_lease(self, pipeline_id: int, holder: str, ttl_seconds: float) -> Lease | None:
        """Take the lease, or return None while another holder's is valid.

        Candidates that an earlier holder left are marked failed.
        """
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(
                _SQL["acquire_lease"],
                {
                    "pipeline_id": pipeline_id,
                    "tenant_id": self._tenant_id,
                    "holder": holder,
                    "ttl_seconds": ttl_seconds,
                },
            ).fetchone()
            if row is None:
                return None
            tx.execute(_SQL["fail_orphans"], {"pipeline_id": pipeline_id, "epoch": row["epoch"]})
            return Lease(pipeline_id, holder, row["epoch"])

    def lease_holder(self, pipeline_id: int) -> str:
        """Return who holds the lease and until when, in words."""
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["lease_holder"], {"pipeline_id": pipeline_id}).fetchone()
        return f"{row['holder']} until {row['expires_at']:%H:%M:%S} UTC" if row else "nobody"

    def renew_lease(self, lease: Lease, ttl_seconds: float, details: dict[str, Any]) -> None:
        """Extend the lease and publish what the job says of itself.

        Raises:
            LeaseLostError: Another driver holds it.
        """
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(
                _SQL["renew_lease"], {**asdict(lease), "ttl_seconds": ttl_seconds, "details": Jsonb(details)}
            ).fetchone()
            lag = details.get("lag_records")
            if row is not None and isinstance(lag, int):
                said = {"pipeline_id": lease.pipeline_id, "lag_records": max(0, lag)}
                if required(tx.execute(_SQL["note_lag"], said).fetchone())["is_new"]:
                    forget_minutes(tx, self._tenant_id)
        if row is None:
            raise lost(lease)

    def release_lease(self, lease: Lease) -> None:
        """Give the lease up."""
        with self._database.transaction(self._tenant_id) as tx:
            tx.execute(_SQL["release_lease"], asdict(lease))

    # -- generations

    def create_generation(self, lease: Lease, snapshot: PipelineSnapshot, *, reason: str, marker_every: int) -> int:
        """Record a candidate and return its id.

        Raises:
            LeaseLostError: Another driver holds the pipeline.
        """
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            row = tx.execute(
                _SQL["create_generation"],
                {
                    "tenant_id": self._tenant_id,
                    "pipeline_id": snapshot.pipeline_id,
                    "mode": snapshot.config.mode,
                    "schema_version": snapshot.schema_version,
                    "rule_set_version": snapshot.rule_set.version,
                    "source_epoch": snapshot.source_epoch,
                    "config": Jsonb({**asdict(snapshot.config), "marker_every": marker_every}),
                    "lease_epoch": lease.epoch,
                    "reason": reason,
                },
            ).fetchone()
        assert row is not None  # noqa: S101 - INSERT ... RETURNING gives a row
        return int(row["id"])

    def fail_generation(self, generation_id: int, error: str) -> None:
        """Record that a candidate will not become active, and why."""
        with self._database.transaction(self._tenant_id) as tx:
            tx.execute(_SQL["fail_generation"], {"generation_id": generation_id, "error": error[:2000]})

    def last_active_versions(self, pipeline_id: int) -> tuple[int, int] | None:
        """Return (schema version, rule set version) of the newest generation that was ever active."""
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["last_active"], {"pipeline_id": pipeline_id}).fetchone()
        return (row["schema_version"], row["rule_set_version"]) if row else None

    # -- progress

    def read_progress(self, pipeline_id: int) -> dict[int, Progress]:
        """Return what is decided, by partition."""
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["read_progress"], {"pipeline_id": pipeline_id}).fetchall()
        return {row["partition"]: Progress(**row) for row in rows}

    def note_topic_id(self, lease: Lease, topic_id: str) -> None:
        """Record of which topic the offsets are, where that is not known.

        Raises:
            LeaseLostError: Another driver holds the pipeline.
        """
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            tx.execute(_SQL["note_topic_id"], {"pipeline_id": lease.pipeline_id, "topic_id": topic_id})

    def init_progress(self, lease: Lease, starts: dict[int, int]) -> None:
        """Record where partitions that were never read begin.

        Raises:
            LeaseLostError: Another driver holds the pipeline.
        """
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            for partition, offset in starts.items():
                tx.execute(
                    _SQL["init_progress"],
                    {
                        "pipeline_id": lease.pipeline_id,
                        "tenant_id": self._tenant_id,
                        "partition": partition,
                        "offset": offset,
                    },
                )


def hold_lease(tx: Connection, lease: Lease) -> None:
    """Check inside a transaction that the lease is ours, and keep it so until the commit.

    Raises:
        LeaseLostError: It is another driver's.
    """
    if tx.execute(_SQL["hold_lease"], asdict(lease)).fetchone() is None:
        raise lost(lease)


def lost(lease: Lease) -> LeaseLostError:
    """Build the error of a lost lease."""
    return LeaseLostError(
        f"another driver took over pipeline {lease.pipeline_id} from {lease.holder} (epoch {lease.epoch}); "
        "this one stops and writes nothing more"
    )


def switch_generation(
    tx: Connection, lease: Lease, tenant_id: str, generation_id: int, borders: dict[int, int]
) -> None:
    """Make a generation the active one from these offsets on; the one before ends there. Repeatable."""
    same = {"pipeline_id": lease.pipeline_id, "generation_id": generation_id, "tenant_id": tenant_id}
    for partition, offset in borders.items():
        tx.execute(_SQL["close_border"], {**same, "partition": partition, "offset": offset})
        tx.execute(_SQL["open_border"], {**same, "partition": partition, "offset": offset})
    tx.execute(_SQL["retire_active"], same)
    tx.execute(_SQL["activate_generation"], same)


def advance_progress(tx: Connection, pipeline_id: int, next_offsets: dict[int, int]) -> int:
    """Record that everything below these offsets is decided; return how many records that adds."""
    if not next_offsets:
        return 0
    wanted = {"partitions": list(next_offsets), "next_offsets": list(next_offsets.values())}
    return int(
        required(tx.execute(_SQL["advance_progress"], {"pipeline_id": pipeline_id, **wanted}).fetchone())["decided"]
    )


def count_minute(tx: Connection, tenant_id: str, pipeline_id: int, *, decided: int, dead: int) -> None:
    """Add to what was gone through in this minute."""
    counted = {"tenant_id": tenant_id, "pipeline_id": pipeline_id, "decided": decided, "dead": dead}
    if required(tx.execute(_SQL["count_minute"], counted).fetchone())["is_new"]:
        forget_minutes(tx, tenant_id)


def forget_minutes(tx: Connection, tenant_id: str) -> None:
    """Forget what is older than eight days, a thousand rows at most; whoever begins a minute does it."""
    for statement in ("forget_detection_minutes", "forget_alert_minutes"):
        tx.execute(_SQL[statement], {"tenant_id": tenant_id})
