"""Figures for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from config_api.access import Caller, identify
from config_api.dependencies import Reading
from config_api.metrics import ProcessMetrics
from config_api.schemas.problems import problems

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={**problems(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_metrics(request: Request, unit: Reading, caller: Annotated[Caller, Depends(identify)]) -> Response:
    """Requests of this process and pipelines of the caller's tenant, in the text format of Prometheus."""
    metrics: ProcessMetrics = request.app.state.metrics
    told = metrics.told(caller.tenant_id, unit.figures.pipelines(), unit.figures.tenant())
    return Response(told, headers={"Content-Type": CONTENT_TYPE_LATEST})
