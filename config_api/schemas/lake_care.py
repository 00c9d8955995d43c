"""How a lake table is cared for, as it is answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Self

from pydantic import AwareDatetime, Field

from config_api.schemas.base import AnswerModel
from sentinel.domain.lake_care import CareCause, CareRun, CareState, CareStatus


class LakeCareRunAnswer(AnswerModel):
    """A run. A look that found nothing to do is none."""

    id: int
    cause: CareCause = Field(description="`schedule`, or `request`: by `sentinel lake care --now`.")
    requested_by: str
    state: CareState
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    files_before: int
    files_after: int = Field(description="With those that the archive added meanwhile.")
    bytes_before: int
    bytes_after: int
    merged_files: int = Field(description="So many became `written_files`.")
    written_files: int
    deleted_files: int = Field(description="From the store: no version within the retention refers to them.")
    is_complete: bool = Field(description="False: the next run does the rest.")
    error: str | None

    @classmethod
    def of(cls, run: CareRun) -> Self:
        """Build it from a run."""
        return cls(
            id=run.id,
            cause=run.cause,
            requested_by=run.requested_by,
            state=run.state,
            started_at=run.started_at,
            finished_at=run.finished_at,
            **asdict(run.outcome),
        )


class LakeCareAnswer(AnswerModel):
    """How a pipeline's table is cared for."""

    pipeline_id: int
    looked_at: AwareDatetime | None = Field(description="When it was last looked at; null: never.")
    next_at: AwareDatetime | None = Field(
        description="When it is looked at again; null: nothing was written to it yet."
    )
    vacuumed_at: AwareDatetime | None = Field(description="When it was last looked for files to delete.")
    failure_count: int = Field(description="How often in a row it failed.")
    file_count: int | None = Field(description="Of `looked_at`, as `size_bytes`.")
    size_bytes: int | None
    is_running: bool
    runs: list[LakeCareRunAnswer] = Field(description="The last ones, newest first; they are kept for 30 days.")

    @classmethod
    def of(cls, status: CareStatus) -> Self:
        """Build it from the status."""
        return cls(
            pipeline_id=status.pipeline_id,
            looked_at=status.looked_at,
            next_at=status.next_at,
            vacuumed_at=status.vacuumed_at,
            failure_count=status.failure_count,
            file_count=status.file_count,
            size_bytes=status.size_bytes,
            is_running=status.is_running,
            runs=[LakeCareRunAnswer.of(run) for run in status.runs],
        )
