"""Engine tasks in PostgreSQL: as their tenant sees them, and as a worker takes them."""

from __future__ import annotations

import json
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.engine_task import LANES, ClaimedTask, EngineTask, Lane, TaskFailure, TaskKind, TaskState
from sentinel.errors import LeaseLostError
from sentinel.stores.postgres.database import Connection, Database, Row, required
from sentinel.stores.postgres.json_text import jsonb_text
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("engine_tasks")
CHANNEL = "sentinel_engine_task"


class PostgresEngineTasks:
    """The tasks of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, pipeline_id: int, kind: TaskKind, request: dict[str, Any], *, created_by: str) -> EngineTask:
        """Keep a task for a worker to take. Finished tasks of long ago are deleted on the way."""
        self._connection.execute(_SQL["prune"])
        parameters = {
            "pipeline_id": pipeline_id,
            "kind": kind,
            "lane": LANES[kind],
            "request": stored(request),
            "created_by": created_by,
        }
        return _task(required(self._connection.execute(_SQL["add"], parameters).fetchone()))

    def get(self, task_id: int) -> EngineTask | None:
        """Return the task."""
        row = self._connection.execute(_SQL["get"], {"task_id": task_id}).fetchone()
        return _task(row) if row else None

    def list(
        self, *, pipeline_id: int | None, kind: TaskKind | None, before: int | None, limit: int
    ) -> list[EngineTask]:
        """Return tasks, newest first."""
        wanted = {"pipeline_id": pipeline_id, "kind": kind, "before": before, "limit": limit}
        return [_task(row) for row in self._connection.execute(_SQL["list"], wanted)]

    def waiting_count(self, lane: Lane) -> int:
        """Return how many tasks of a lane are not finished."""
        return int(required(self._connection.execute(_SQL["waiting_count"], {"lane": lane}).fetchone())["waiting"])

    def cancel(self, task_id: int) -> EngineTask | None:
        """End a task that waits, ask one that runs to end; None where there is none that is not finished."""
        row = self._connection.execute(_SQL["cancel"], {"task_id": task_id}).fetchone()
        return _task(row) if row else None

    def forget(self, task_id: int) -> None:
        """Delete a finished task."""
        self._connection.execute(_SQL["forget"], {"task_id": task_id})


class EngineTaskQueue:
    """The tasks as one worker sees them.

    Which tenants have something to do it learns from the one policy that shows tasks of every tenant, in a transaction
    that names a worker and no tenant. Everything else happens in a transaction of the task's tenant.

    Args:
        tenant_id: Take tasks of this tenant only; empty: of all.
        lease_seconds: A task whose holder was silent for so long is taken up by another.
        max_attempts: How many workers may begin with a task.
    """

    def __init__(
        self, database: Database, worker: str, *, tenant_id: str = "", lease_seconds: float, max_attempts: int
    ) -> None:
        self._database = database
        self._worker = worker
        self._tenant_id = tenant_id
        self._lease = {"lease_seconds": lease_seconds, "max_attempts": max_attempts}

    def waiting(self, lane: Lane, kinds: list[TaskKind]) -> list[tuple[str, int]]:
        """Return (tenant id, task id) of the oldest task of each tenant that nobody holds.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        as_worker = {} if self._tenant_id else {"engine_worker": self._worker}
        with self._database.transaction(self._tenant_id, **as_worker) as tx:
            rows = tx.execute(_SQL["waiting"], {"lane": lane, "kinds": [*kinds], **self._lease}).fetchall()
        return [(row["tenant_id"], row["id"]) for row in rows]

    def claim(self, tenant_id: str, task_id: int) -> ClaimedTask | None:
        """Take a task; None when another worker was quicker, or nobody is to begin with it again.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        why = TaskFailure("internal", f"{self._lease['max_attempts']} workers ended while they did this task")
        parameters = {"task_id": task_id, "worker": self._worker, "error": _failure(why), **self._lease}
        with self._database.transaction(tenant_id) as tx:
            tx.execute(_SQL["abandon"], parameters)
            row = tx.execute(_SQL["claim"], parameters).fetchone()
        if row is None:
            return None
        return ClaimedTask(
            tenant_id, row["id"], row["pipeline_id"], TaskKind(row["kind"]), row["attempts"], row["request"]
        )

    def beat(self, task: ClaimedTask, progress: dict[str, Any] | None) -> bool:
        """Keep a task and publish its progress; return whether it is to be cancelled.

        Raises:
            LeaseLostError: Another worker holds it, or it is gone.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        kept = None if progress is None else stored(progress)
        with self._database.transaction(task.tenant_id) as tx:
            row = tx.execute(_SQL["beat"], {**self._held(task), "progress": kept}).fetchone()
        if row is None:
            raise LeaseLostError(f"task {task.id} is no longer held by this worker")
        return bool(row["cancel_requested"])

    def finish(
        self,
        task: ClaimedTask,
        state: TaskState,
        *,
        result: dict[str, Any] | None = None,
        failure: TaskFailure | None = None,
        progress: dict[str, Any] | None = None,
    ) -> bool:
        """Write the end of a task; False when it is no longer held, and nothing was written.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
            TypeError: The result is not JSON.
        """
        parameters = {
            **self._held(task),
            "state": state,
            "result": None if result is None else stored(result),
            "error": None if failure is None else _failure(failure),
            "progress": None if progress is None else stored(progress),
        }
        with self._database.transaction(task.tenant_id) as tx:
            return tx.execute(_SQL["finish"], parameters).fetchone() is not None

    def give_back(self, task: ClaimedTask, *, counts: bool) -> bool:
        """Put a task back; False when it is no longer held.

        Args:
            counts: Whether this was an attempt.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(task.tenant_id) as tx:
            return tx.execute(_SQL["give_back"], {**self._held(task), "counts": counts}).fetchone() is not None

    def _held(self, task: ClaimedTask) -> dict[str, Any]:
        return {"task_id": task.id, "worker": self._worker, "attempt": task.attempt}


def stored(content: dict[str, Any] | list[dict[str, Any]]) -> Jsonb:
    """Return JSON that JSONB takes, whatever texts and numbers of an event are in it: as `jsonb_text` has it."""
    return Jsonb(content, dumps=lambda value: jsonb_text(json.dumps(value).encode()))


def _failure(failure: TaskFailure) -> Jsonb:
    return stored({"slug": failure.slug, "message": failure.message[:4000]})


def _task(row: Row) -> EngineTask:
    error = row["error"]
    return EngineTask(
        **{
            **row,
            "kind": TaskKind(row["kind"]),
            "state": TaskState(row["state"]),
            "error": TaskFailure(error["slug"], error["message"]) if error else None,
        }
    )
