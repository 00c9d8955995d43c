"""Care of lake tables in PostgreSQL: who does it, whose turn it is, and what came of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sentinel.clock import monotonic_seconds
from sentinel.domain.lake_care import (
    KEPT_RUN_DAYS,
    CareCause,
    CareOutcome,
    CareRun,
    CareState,
    CareStatus,
    TableShape,
)
from sentinel.stores.lake_care import ClaimedCare
from sentinel.stores.postgres.database import Connection, Database, Row, required
from sentinel.stores.postgres.lake_turns import LOOK_SECONDS, LakeTurns
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("lake_care")


class PostgresLakeCare:
    """How the tables of the transaction's tenant are cared for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def status(self, pipeline_id: int, *, runs: int) -> CareStatus:
        """Return how a pipeline's table is cared for, with so many of its runs at most."""
        row = self._connection.execute(_SQL["status"], {"pipeline_id": pipeline_id}).fetchone()
        found = self._connection.execute(_SQL["runs"], {"pipeline_id": pipeline_id, "runs": runs}).fetchall()
        kept = tuple(_run(each) for each in found)
        if row is None:
            return CareStatus(pipeline_id, None, None, None, 0, None, None, is_running=False, runs=kept)
        return CareStatus(**row, runs=kept)


class PostgresLakeCareWork:
    """The tables of all tenants that are due. Each call is a transaction of its own.

    Args:
        name: Of claims and turns; unlike that of any other process.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._numbers = itertools.count(1)

    def due(self, limit: int) -> Sequence[tuple[str, int]]:
        """Return (tenant, pipeline) of tables that are due, those that have waited longest first."""
        with self._database.transaction("", lake_care="all") as tx:
            return [(row["tenant_id"], row["pipeline_id"]) for row in tx.execute(_SQL["due"], {"limit": limit})]

    def claim(self, tenant_id: str, pipeline_id: int, *, seconds: float, only_due: bool) -> ClaimedCare | None:
        """Take a table; None: another has it, or it is not due (any more)."""
        holder = f"{self._name}/{next(self._numbers)}"
        wanted = {"pipeline_id": pipeline_id, "holder": holder, "seconds": seconds, "only_due": only_due}
        with self._database.transaction(tenant_id) as tx:
            row = tx.execute(_SQL["claim"], wanted).fetchone()
        return ClaimedCare(tenant_id, pipeline_id, holder, **row) if row else None

    def keep(self, claim: ClaimedCare, *, seconds: float) -> bool:
        """Keep a claim for so long from now; False: it was lost."""
        with self._database.transaction(claim.tenant_id) as tx:
            return tx.execute(_SQL["keep"], {**_held(claim), "seconds": seconds}).rowcount == 1

    def begin(self, claim: ClaimedCare, cause: CareCause, requested_by: str, shape: TableShape | None) -> int:
        """Note a run and return its id. Runs of long ago are forgotten on the way.

        Args:
            shape: None: the table could not be looked at; it counts as it was when it last could.
        """
        parameters = {
            "pipeline_id": claim.pipeline_id,
            "cause": cause.value,
            "requested_by": requested_by,
            "files": shape.file_count if shape else None,
            "bytes": shape.size_bytes if shape else None,
            "days": KEPT_RUN_DAYS,
        }
        with self._database.transaction(claim.tenant_id) as tx:
            tx.execute(_SQL["lose_runs"], parameters)
            tx.execute(_SQL["prune_runs"], parameters)
            return int(required(tx.execute(_SQL["begin"], parameters).fetchone())["id"])

    def end(
        self, claim: ClaimedCare, run_id: int | None, outcome: CareOutcome, *, next_in_seconds: float, vacuumed: bool
    ) -> None:
        """Note what came of it, and give the table back.

        Args:
            run_id: None: there was nothing to do.
        """
        failed = outcome.error is not None
        is_seen = not failed or outcome.files_before > 0
        with self._database.transaction(claim.tenant_id) as tx:
            if run_id is not None:
                state = CareState.FAILED if failed else CareState.DONE
                tx.execute(
                    _SQL["finish"],
                    {
                        "run_id": run_id,
                        "is_seen": is_seen,
                        "state": state.value,
                        "files_after": outcome.files_after,
                        "bytes_after": outcome.bytes_after,
                        "merged_files": outcome.merged_files,
                        "written_files": outcome.written_files,
                        "deleted_files": outcome.deleted_files,
                        "is_complete": outcome.is_complete,
                        "error": outcome.error,
                    },
                )
            tx.execute(
                _SQL["give_back"],
                {
                    **_held(claim),
                    "next_in_seconds": next_in_seconds,
                    "vacuumed": vacuumed,
                    "failed": failed,
                    "files": outcome.files_after if is_seen else None,
                    "bytes": outcome.bytes_after if is_seen else None,
                },
            )

    @contextmanager
    def turn(
        self, claim: ClaimedCare, *, seconds: float, wait_seconds: float, is_stopped: Callable[[], bool]
    ) -> Iterator[bool]:
        """Be the only one who commits to the table for so long; whether it came to that within `wait_seconds`."""
        turns = LakeTurns(self._database, claim.tenant_id, claim.pipeline_id, "care", claim.holder)
        deadline = monotonic_seconds() + wait_seconds
        pause = threading.Event()
        while not turns.take(seconds):
            if is_stopped() or monotonic_seconds() >= deadline:
                yield False
                return
            pause.wait(LOOK_SECONDS)
        try:
            with turns.held():
                yield True
        finally:
            # Whoever waits looks that often: it comes before our next step.
            if not is_stopped():
                pause.wait(3 * LOOK_SECONDS)


def _held(claim: ClaimedCare) -> dict[str, Any]:
    return {"pipeline_id": claim.pipeline_id, "holder": claim.holder}


def _run(row: Row) -> CareRun:
    return CareRun(
        id=row["id"],
        cause=CareCause(row["cause"]),
        requested_by=row["requested_by"],
        state=CareState(row["state"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        outcome=CareOutcome(
            files_before=row["files_before"],
            files_after=row["files_after"],
            bytes_before=row["bytes_before"],
            bytes_after=row["bytes_after"],
            merged_files=row["merged_files"],
            written_files=row["written_files"],
            deleted_files=row["deleted_files"],
            is_complete=row["is_complete"],
            error=row["error"],
        ),
    )
