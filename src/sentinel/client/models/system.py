"""The installation itself."""

from __future__ import annotations

from datetime import datetime

from sentinel.client.models.base import Model


class Process(Model):
    """How a process is. `causes`: None for callers who are not the operator."""

    name: str
    status: str
    checks: int
    causes: dict[str, str] | None


class JobState(Model):
    """The job of one of the tenant's pipelines."""

    pipeline_id: int
    name: str
    status: str
    is_running: bool
    phase: str
    lag: int | None
    heartbeat_at: datetime | None


class SystemState(Model):
    """How everything is."""

    is_operator: bool
    processes: list[Process]
    jobs: list[JobState]


class Setting(Model):
    """An effective setting; of a secret only whether it is set."""

    name: str
    value: str
    is_default: bool
