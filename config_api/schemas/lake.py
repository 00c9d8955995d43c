"""Queries over the lake and its tables, as they are sent and answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from config_api.schemas.base import AnswerModel, RequestModel
from sentinel.domain.lake_table import LakeTable
from sentinel.stores.lake.query import QueryResult
from sentinel.stores.lake.query_guard import MAX_SQL_CHARACTERS

MAX_ROWS = 10_000


class LakeQueryRequest(RequestModel):
    """A query over the tenant's tables."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"sql": "SELECT country, count(*) AS events FROM events_1 GROUP BY country", "limit": 100}]
        }
    )

    sql: Annotated[str, StringConstraints(max_length=MAX_SQL_CHARACTERS)] = Field(
        description="One SELECT in DuckDB's SQL."
    )
    limit: int = Field(default=1_000, ge=1, le=MAX_ROWS, description="Rows that are answered at most.")
    pipeline_id: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="The pipeline that the query calls `events`."
    )


class LakeColumnAnswer(AnswerModel):
    """A column; its type as DuckDB names it."""

    name: str = Field(examples=["amount"])
    type: str = Field(examples=["DOUBLE"])


class LakeQueryAnswer(AnswerModel):
    """What a query gives."""

    columns: list[LakeColumnAnswer]
    rows: list[list[Any]] = Field(
        description="Values in the order of the columns. Text: decimals, integers beyond 64 bits, NaN and infinity, "
        "and times in ISO 8601 (with a time zone: in UTC)."
    )
    truncated: Literal["rows", "bytes"] | None = Field(
        description="There are more rows than these: `limit` was reached, or the bytes that an answer may have."
    )
    seconds: float = Field(description="How long the query ran.")

    @classmethod
    def of(cls, result: QueryResult) -> Self:
        """Build it from what the query gave."""
        columns = zip(result.columns, result.types, strict=True)
        return cls(
            columns=[LakeColumnAnswer(name=name, type=kind) for name, kind in columns],
            rows=result.rows,
            truncated=result.cut_by or None,
            seconds=result.seconds,
        )


class LakeTableAnswer(AnswerModel):
    """A pipeline's table."""

    pipeline_id: int
    pipeline_name: str
    names: list[str] = Field(description="What a query may call it.", examples=[["events_1", "cards"]])
    columns: list[LakeColumnAnswer] = Field(description="Fields of all schema versions, then what every table has.")
    archived_at: AwareDatetime | None = Field(
        description="When events were last written to it; null: never, and a query that names it is refused."
    )

    @classmethod
    def of(cls, table: LakeTable) -> Self:
        """Build it from a table."""
        return cls(
            pipeline_id=table.pipeline_id,
            pipeline_name=table.pipeline_name,
            names=list(table.names),
            columns=[LakeColumnAnswer(name=column.name, type=column.type) for column in table.columns],
            archived_at=table.archived_at,
        )
