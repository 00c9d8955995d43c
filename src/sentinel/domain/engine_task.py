"""Engine tasks: work that needs the engine itself, done by a rule worker and asked for through a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskKind(StrEnum):
    """What is to be done."""

    EXPLAIN = "explain"
    TEST = "test"
    CHECK = "check"
    BACKTEST = "backtest"
    REFILL = "refill"


class Lane(StrEnum):
    """Tasks of one lane are done one after the other; the lanes do not wait for each other."""

    SHORT = "short"
    LONG = "long"


LANES: Mapping[TaskKind, Lane] = {
    TaskKind.EXPLAIN: Lane.SHORT,
    TaskKind.TEST: Lane.SHORT,
    TaskKind.CHECK: Lane.SHORT,
    TaskKind.BACKTEST: Lane.LONG,
    TaskKind.REFILL: Lane.LONG,
}


class TaskState(StrEnum):
    """How far a task is. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self not in (TaskState.QUEUED, TaskState.RUNNING)


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why a task failed: an error of `sentinel.errors` by its slug, and its message."""

    slug: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineTask:
    """A task as its tenant sees it.

    Attributes:
        request: What the kind's handler needs.
        progress: What the handler last told of it.
        result: What the handler returned; None until it is done.
        attempts: How often a worker began with it.
    """

    id: int
    pipeline_id: int
    kind: TaskKind
    state: TaskState
    request: dict[str, Any]
    progress: dict[str, Any]
    result: dict[str, Any] | None
    error: TaskFailure | None
    attempts: int
    cancel_requested: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task that a worker holds.

    Attributes:
        attempt: Counts who held it: only the holder of the newest attempt may write.
    """

    tenant_id: str
    id: int
    pipeline_id: int
    kind: TaskKind
    attempt: int
    request: dict[str, Any] = field(repr=False)
