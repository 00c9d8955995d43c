"""Backtests, labels and refills: the past of a pipeline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import MAX_ID, Answer, OnlyOnce, PipelineId, RawBody, Reading, Writing, next_link
from config_api.schemas.backtests import (
    BacktestCreateRequest,
    HistoryTaskAnswer,
    LabelSetAnswer,
    RefillCreateRequest,
)
from config_api.schemas.base import Name, Text
from config_api.schemas.problems import problems
from sentinel.domain.engine_task import TaskKind
from sentinel.wiring import Unit

router = APIRouter(prefix="/api", tags=["past"])

TaskId = Annotated[int, Path(ge=1, le=MAX_ID, description="The backtest or refill.", examples=[1])]
LabelSetId = Annotated[int, Path(ge=1, le=MAX_ID, description="The label set.", examples=[1])]
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")]
Column = Annotated[Text | None, Query(max_length=200)]

TEXT_BODY = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.post(
    "/pipelines/{pipeline_id}/backtests",
    status_code=202,
    response_model=HistoryTaskAnswer,
    responses=problems(404, 429),
)
def start_backtest(pipeline_id: PipelineId, body: BacktestCreateRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Test rules on the lake, in the background. Whatever can be told to be wrong is refused at once."""

    def work() -> Answer:
        task = unit.backtests.submit(
            pipeline_id,
            [rule.asked() for rule in body.rules],
            body.start,
            body.end,
            clock=body.clock,
            label_column=body.label_column,
            label_set_id=body.label_set_id,
            sweep=body.sweep.asked() if body.sweep else None,
            against_active=body.against_active,
            samples=body.samples,
        )
        return Answer(HistoryTaskAnswer.of(task), headers={"Location": f"/api/backtests/{task.id}"})

    return once.run(work, status=202)


@router.get("/pipelines/{pipeline_id}/backtests", responses=problems(404))
def list_backtests(
    request: Request,
    response: Response,
    pipeline_id: PipelineId,
    unit: Reading,
    limit: Limit = 50,
    before: Before = None,
) -> list[HistoryTaskAnswer]:
    """The backtests of a pipeline, newest first, without their results. Finished ones are kept for a while."""
    return _list(request, response, unit, pipeline_id, TaskKind.BACKTEST, limit=limit, before=before)


@router.get("/backtests/{task_id}", responses=problems(404))
def get_backtest(task_id: TaskId, unit: Reading) -> HistoryTaskAnswer:
    """One backtest: its state, how far it is, and its result once it is done."""
    return HistoryTaskAnswer.of(unit.backtests.get(task_id))


@router.post("/backtests/{task_id}/cancel", response_model=HistoryTaskAnswer, responses=problems(404, 409))
def cancel_backtest(task_id: TaskId, unit: Writing, once: OnlyOnce) -> Response:
    """End a backtest; one that runs ends within seconds."""
    return once.run(lambda: Answer(HistoryTaskAnswer.of(unit.backtests.cancel(task_id))))


@router.post(
    "/pipelines/{pipeline_id}/refills", status_code=202, response_model=HistoryTaskAnswer, responses=problems(404, 409)
)
def start_refill(pipeline_id: PipelineId, body: RefillCreateRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Make the alerts that rules of today would have raised in a range of time; those that are there stay."""

    def work() -> Answer:
        task = unit.backtests.refill(
            pipeline_id,
            body.start,
            body.end,
            clock=body.clock,
            rule_id=body.rule_id,
            max_alerts=body.max_alerts,
        )
        return Answer(HistoryTaskAnswer.of(task), headers={"Location": f"/api/refills/{task.id}"})

    return once.run(work, status=202)


@router.get("/pipelines/{pipeline_id}/refills", responses=problems(404))
def list_refills(
    request: Request,
    response: Response,
    pipeline_id: PipelineId,
    unit: Reading,
    limit: Limit = 50,
    before: Before = None,
) -> list[HistoryTaskAnswer]:
    """The refills of a pipeline, newest first, without their results."""
    return _list(request, response, unit, pipeline_id, TaskKind.REFILL, limit=limit, before=before)


@router.get("/refills/{task_id}", responses=problems(404))
def get_refill(task_id: TaskId, unit: Reading) -> HistoryTaskAnswer:
    """One refill: its state, how far it is, and what it added once it is done."""
    return HistoryTaskAnswer.of(unit.backtests.get(task_id, TaskKind.REFILL))


@router.post("/refills/{task_id}/cancel", response_model=HistoryTaskAnswer, responses=problems(404, 409))
def cancel_refill(task_id: TaskId, unit: Writing, once: OnlyOnce) -> Response:
    """End a refill; the alerts that it wrote stay."""
    return once.run(lambda: Answer(HistoryTaskAnswer.of(unit.backtests.cancel(task_id, TaskKind.REFILL))))


@router.post(
    "/pipelines/{pipeline_id}/labels",
    status_code=201,
    response_model=LabelSetAnswer,
    responses=problems(404, 409, 413),
    openapi_extra=TEXT_BODY,
)
def add_labels(
    content: RawBody,
    pipeline_id: PipelineId,
    unit: Writing,
    once: OnlyOnce,
    name: Annotated[Name, Query(description="What to call them.")],
    id_column: Column = None,
    label_column: Column = None,
) -> Response:
    """Upload labels as CSV with a heading: event ids in the first column, 1/0, true/false or yes/no in the second.

    Other columns are chosen by name. A file with an error anywhere changes nothing.
    """

    def work() -> Answer:
        labels = unit.backtests.add_labels(pipeline_id, name, content, id_column=id_column, label_column=label_column)
        return Answer(LabelSetAnswer.of(labels))

    return once.run(work, status=201)


@router.get("/pipelines/{pipeline_id}/labels", responses=problems(404))
def list_labels(pipeline_id: PipelineId, unit: Reading) -> list[LabelSetAnswer]:
    """The label sets of a pipeline, newest first."""
    return [LabelSetAnswer.of(labels) for labels in unit.backtests.list_labels(pipeline_id)]


@router.delete("/labels/{label_set_id}", status_code=204, responses=problems(404))
def delete_labels(label_set_id: LabelSetId, unit: Writing) -> None:
    """Forget labels. Backtests that used them keep their results."""
    unit.backtests.delete_labels(label_set_id)


def _list(
    request: Request,
    response: Response,
    unit: Unit,
    pipeline_id: int,
    kind: TaskKind,
    *,
    limit: int,
    before: int | None,
) -> list[HistoryTaskAnswer]:
    found = unit.backtests.list(pipeline_id, kind, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [HistoryTaskAnswer.of(task, with_result=False) for task in found[:limit]]
