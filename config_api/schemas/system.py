"""The installation itself, as it is answered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp


class ProcessAnswer(AnswerModel):
    """How a process is, as it says itself."""

    name: str
    status: Literal["ok", "degraded", "unavailable", "away"] = Field(description="away: it does not answer.")
    checks: int = Field(description="How many things it looks at.")
    causes: dict[str, str] | None = Field(
        description="What is wrong, by check. Null for callers who are not the operator: processes serve all tenants."
    )


class JobStateAnswer(AnswerModel):
    """The job of one of the tenant's pipelines."""

    pipeline_id: int
    name: str
    status: str = Field(description="What the pipeline is set to.")
    is_running: bool
    phase: str
    lag: int | None
    heartbeat_at: Timestamp | None


class SystemAnswer(AnswerModel):
    """How everything is."""

    is_operator: bool = Field(description="Whether the caller may ask for settings and logs.")
    processes: list[ProcessAnswer] = Field(
        description="The API first; of the others those that listen where the API can know it."
    )
    jobs: list[JobStateAnswer]


class SettingAnswer(AnswerModel):
    """An effective setting of the API; of a secret only whether it is set."""

    name: str
    value: str
    is_default: bool


class LogAnswer(AnswerModel):
    """The end of a log."""

    name: str
    lines: list[str] = Field(description="Oldest first, without secrets.")
