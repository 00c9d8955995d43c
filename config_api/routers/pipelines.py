"""Pipelines."""

from __future__ import annotations

from fastapi import APIRouter, Response

from config_api.dependencies import Answer, ExpectedVersion, OnlyOnce, PipelineId, Reading, Writing, etag
from config_api.schemas.event_schemas import field_answers
from config_api.schemas.pipelines import (
    PipelineAnswer,
    PipelineCreatedAnswer,
    PipelineCreateRequest,
    PipelineDetailAnswer,
    PipelinePatchRequest,
    StatusAnswer,
    StatusRequest,
)
from config_api.schemas.problems import problems
from sentinel.domain.pipeline import PipelineConfig

router = APIRouter(prefix="/api/pipelines", tags=["pipelines"])


@router.post("", status_code=201, response_model=PipelineCreatedAnswer, responses=problems(409))
def create_pipeline(body: PipelineCreateRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Register a topic with the schema of its events. Rules are added afterwards."""

    def work() -> Answer:
        pipeline = unit.pipelines.create(
            name=body.name,
            kafka_topic=body.kafka_topic,
            definitions=[field.definition() for field in body.fields],
            config=body.config.applied_to(PipelineConfig()),
            start_at=body.start_at,
            status=body.status,
        )
        answer = PipelineCreatedAnswer(
            id=pipeline.id,
            message=f"pipeline {pipeline.name!r} reads topic {pipeline.kafka_topic!r}; add rules to it",
            name=pipeline.name,
            kafka_topic=pipeline.kafka_topic,
            status=pipeline.status,
            schema_version=pipeline.schema_version,
        )
        return Answer(answer, pipeline.version, {"Location": f"/api/pipelines/{pipeline.id}"})

    return once.run(work, status=201)


@router.get("", responses=problems())
def list_pipelines(unit: Reading) -> list[PipelineAnswer]:
    """All pipelines, oldest first."""
    return [PipelineAnswer.of(pipeline) for pipeline in unit.pipelines.list()]


@router.get("/{pipeline_id}", responses=problems(404))
def get_pipeline(pipeline_id: PipelineId, unit: Reading, response: Response) -> PipelineDetailAnswer:
    """One pipeline with its schema."""
    pipeline = unit.pipelines.get(pipeline_id)
    rules = unit.rules.list(pipeline_id)
    response.headers["ETag"] = etag(pipeline.version)
    more = {
        "schema": field_answers(unit.schemas.get(pipeline_id, pipeline.schema_version).schema),
        "rule_count": len(rules),
        "active_rule_count": sum(rule.is_active for rule in rules),
    }
    return PipelineDetailAnswer.of(pipeline, **more)


@router.patch("/{pipeline_id}", response_model=PipelineAnswer, responses=problems(404, 412))
def change_pipeline(
    pipeline_id: PipelineId,
    body: PipelinePatchRequest,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
) -> Response:
    """Change how the job runs a pipeline. The job notices by itself."""

    def work() -> Answer:
        config = body.changes().applied_to(unit.pipelines.get(pipeline_id).config)
        pipeline = unit.pipelines.set_config(pipeline_id, config, expected_version=expected)
        return Answer(PipelineAnswer.of(pipeline), pipeline.version)

    return once.run(work)


@router.patch("/{pipeline_id}/status", response_model=StatusAnswer, responses=problems(404, 412))
def change_status(
    pipeline_id: PipelineId, body: StatusRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Set a pipeline active, paused or stopped. Its place in the topic is kept."""

    def work() -> Answer:
        pipeline = unit.pipelines.set_status(pipeline_id, body.status, expected_version=expected)
        answer = StatusAnswer(
            id=pipeline.id,
            status=pipeline.status,
            message=f"pipeline {pipeline.name!r} is {pipeline.status}",
            version=pipeline.version,
        )
        return Answer(answer, pipeline.version)

    return once.run(work)
