"""Figures over time: of a tenant, and of one pipeline."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request

from config_api.dependencies import Looking, PipelineId, Reading
from config_api.schemas.figures import FiguresAnswer, HistoryAnswer
from config_api.schemas.problems import problems
from sentinel.clock import utc_now
from sentinel.domain.period import MAX_HISTORY_HOURS, MAX_HOURS, Period, span_of
from sentinel.kept import Kept
from sentinel.wiring import Backend, Unit

router = APIRouter(prefix="/api", tags=["operation"])


@router.get("/figures", responses=problems())
def get_figures(
    request: Request,
    caller: Looking,
    hours: Annotated[int, Query(ge=1, le=MAX_HOURS, description="How long the period is.")] = 24,
) -> FiguresAnswer:
    """The tenant's figures of a period that ends now, beside those of the period before.

    An answer that took long is given again for a moment: `as_of` says when it was made.
    """
    backend: Backend = request.app.state.backend
    kept: Kept[FiguresAnswer] = request.app.state.figures

    def make() -> FiguresAnswer:
        with backend.unit(caller.tenant_id, caller.name) as unit:
            return _figures(unit, hours)

    return kept.get((caller.tenant_id, hours), make)


def _figures(unit: Unit, hours: int) -> FiguresAnswer:
    now = utc_now()
    period = Period.of(now, hours)
    current, previous = unit.periods.totals(period)
    return FiguresAnswer.model_validate(
        {
            **asdict(period),
            "as_of": now,
            "now": asdict(unit.periods.present(now, period.since)),
            "period": asdict(current),
            "previous": asdict(previous),
            "hours": [asdict(each) for each in unit.periods.alert_hours(period.since, period.until)],
        }
    )


@router.get("/pipelines/{pipeline_id}/history", responses=problems(404))
def get_history(
    pipeline_id: PipelineId,
    unit: Reading,
    hours: Annotated[int, Query(ge=1, le=MAX_HISTORY_HOURS, description="How far back.")] = 24,
) -> HistoryAnswer:
    """Throughput, lag, alerts and their delay of a pipeline over time, at most 100 points."""
    unit.pipelines.get(pipeline_id)
    period, span = Period.of(utc_now(), hours), span_of(hours)
    points = unit.periods.history(pipeline_id, period.since, period.until, span)
    return HistoryAnswer.model_validate(
        {
            "pipeline_id": pipeline_id,
            "since": period.since,
            "until": period.until,
            "span_seconds": int(span.total_seconds()),
            "points": [asdict(each) for each in points],
        }
    )
