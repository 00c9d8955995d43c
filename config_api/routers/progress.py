"""How far all pipelines are, in one answer."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from config_api.dependencies import Reading
from config_api.schemas.ledger import JobAnswer, PipelineProgressAnswer
from config_api.schemas.problems import problems

router = APIRouter(prefix="/api/progress", tags=["operation"])


@router.get("", responses=problems())
def list_progress(unit: Reading) -> list[PipelineProgressAnswer]:
    """How far every pipeline is and who runs it, newest pipeline first."""
    return [
        PipelineProgressAnswer(
            pipeline_id=found.pipeline_id,
            decided_records=found.decided_records,
            per_second=found.per_second,
            job=JobAnswer(**asdict(found.job)) if found.job else None,
        )
        for found in unit.ledger.progress_of_all()
    ]
