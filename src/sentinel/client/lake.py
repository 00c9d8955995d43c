"""The calls about the lake, and what they answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from sentinel.client.models import Model
from sentinel.client.transport import Transport

_AFTER = re.compile(r"[?&]after=(\d+)")


class LakeColumn(Model):
    """A column; its type as DuckDB names it."""

    name: str
    type: str


class LakeTable(Model):
    """A pipeline's table. `archived_at` is None where nothing was written to it yet."""

    pipeline_id: int
    pipeline_name: str
    names: list[str]
    columns: list[LakeColumn]
    archived_at: datetime | None


class LakeTablePage(Model):
    """A page of tables, and after which pipeline the next one begins."""

    tables: list[LakeTable]
    next_after: int | None


class LakeAnswer(Model):
    """What a query gave; `truncated` says which limit cut the rows."""

    columns: list[LakeColumn]
    rows: list[list[Any]]
    truncated: Literal["rows", "bytes"] | None
    seconds: float


class LakeCareRun(Model):
    """A run of care: `merged_files` became `written_files`, `deleted_files` left the store."""

    id: int
    cause: str
    requested_by: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    merged_files: int
    written_files: int
    deleted_files: int
    is_complete: bool
    error: str | None


class LakeCare(Model):
    """How a table is cared for; `file_count` and `size_bytes` are of `looked_at`."""

    pipeline_id: int
    looked_at: datetime | None
    next_at: datetime | None
    vacuumed_at: datetime | None
    failure_count: int
    file_count: int | None
    size_bytes: int | None
    is_running: bool
    runs: list[LakeCareRun]


class LakeCalls(Transport):
    """The part of the client about the lake."""

    def list_lake_tables(self, *, limit: int = 50, after: int = 0) -> LakeTablePage:
        """Return a page of the tables that a query may name, by the ids of their pipelines."""
        answer = self._get("/api/lake/tables", limit=limit, after=after)
        found = _AFTER.search(answer.links.get("next", {}).get("url", ""))
        tables = [LakeTable.model_validate(item) for item in answer.json()]
        return LakeTablePage(tables=tables, next_after=int(found[1]) if found else None)

    def query_lake(self, sql: str, *, limit: int = 1_000, pipeline_id: int | None = None) -> LakeAnswer:
        """Run one SELECT over the tenant's tables.

        Args:
            pipeline_id: The pipeline that the query calls `events`.

        Raises:
            InvalidQueryError: It cannot run; `position` says where in the text.
            InvalidError: It goes beyond a limit.
            NotFoundError: A table it names holds nothing yet.
            RateLimitedError: Another query of the tenant runs, or as many as may at once.
        """
        body = {"sql": sql, "limit": limit, "pipeline_id": pipeline_id}
        return LakeAnswer.model_validate(self._request("POST", "/api/lake/query", json=body).json())

    def lake_care(self, pipeline_id: int, *, limit: int = 20) -> LakeCare:
        """Return how a pipeline's table is cared for, with so many runs at most.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        return LakeCare.model_validate(self._get(f"/api/pipelines/{pipeline_id}/lake/care", limit=limit).json())
