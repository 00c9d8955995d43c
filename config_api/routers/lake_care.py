"""How a pipeline's lake table is cared for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from config_api.dependencies import PipelineId, Reading
from config_api.schemas.lake_care import LakeCareAnswer
from config_api.schemas.problems import problems

router = APIRouter(prefix="/api/pipelines/{pipeline_id}/lake", tags=["lake"])


@router.get("/care", responses=problems(404))
def get_lake_care(
    pipeline_id: PipelineId,
    unit: Reading,
    limit: Annotated[int, Query(ge=1, le=200, description="Runs that are answered at most.")] = 20,
) -> LakeCareAnswer:
    """When the files of the pipeline's table were merged and deleted, and with what result."""
    unit.pipelines.get(pipeline_id)
    return LakeCareAnswer.of(unit.lake_care.status(pipeline_id, runs=limit))
