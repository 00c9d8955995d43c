"""The lake: which tables there are, and SQL over them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from config_api.dependencies import MAX_ID, Looking, Reading, next_link
from config_api.schemas.lake import LakeQueryAnswer, LakeQueryRequest, LakeTableAnswer
from config_api.schemas.problems import problems
from sentinel.wiring import Backend
from sentinel.wiring_lake import LakeQueries

router = APIRouter(prefix="/api/lake", tags=["lake"])


@router.get("/tables", responses=problems())
def list_tables(
    unit: Reading,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="Continue after this pipeline.")] = 0,
) -> list[LakeTableAnswer]:
    """The tables that a query may name, one per pipeline, with their columns."""
    found = unit.lake.tables(after=after, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, after=found[limit - 1].pipeline_id))
    return [LakeTableAnswer.of(table) for table in found[:limit]]


@router.post("/query", responses=problems(404, 429))
def run_query(body: LakeQueryRequest, caller: Looking, request: Request) -> LakeQueryAnswer:
    """Run one SELECT over the tenant's tables. It changes nothing, so reading is enough.

    It runs in a process of its own, with a limit of time, memory and bytes; one query of a tenant at a time.
    """
    backend: Backend = request.app.state.backend
    queries: LakeQueries = request.app.state.lake_queries
    with backend.unit(caller.tenant_id, caller.name) as unit:
        tables = unit.lake.names(body.pipeline_id)
    # No transaction is open while it runs.
    return LakeQueryAnswer.of(queries.run(caller.tenant_id, body.sql, tables, rows=body.limit))
