"""Event schemas of pipelines."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from config_api.dependencies import Answer, ExpectedVersion, OnlyOnce, PipelineId, Reading, Writing, etag
from config_api.schemas.base import Text
from config_api.schemas.event_schemas import SchemaAnswer, SchemaPutAnswer, SchemaPutRequest
from config_api.schemas.problems import problems

router = APIRouter(prefix="/api/pipelines/{pipeline_id}/schema", tags=["schemas"])


@router.get("", responses=problems(404))
def get_schema(
    pipeline_id: PipelineId,
    unit: Reading,
    response: Response,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="An earlier version.")] = None,
) -> SchemaAnswer:
    """The schema in force, or an earlier version."""
    found = unit.schemas.get(pipeline_id, version)
    response.headers["ETag"] = etag(found.version)
    return SchemaAnswer.of(found)


@router.get("/versions", responses=problems(404))
def list_schema_versions(pipeline_id: PipelineId, unit: Reading) -> list[SchemaAnswer]:
    """All versions, newest first."""
    return [SchemaAnswer.of(version) for version in unit.schemas.versions(pipeline_id)]


@router.put("", response_model=SchemaPutAnswer, responses=problems(404, 409, 412))
def put_schema(
    pipeline_id: PipelineId,
    body: SchemaPutRequest,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
    confirm: Annotated[Text | None, Query(description="The token of a breaking change's plan.")] = None,
) -> Response:
    """Write the next version of the schema; the job takes it without a restart.

    A change that only adds nullable fields is made. Any other is refused with 409 and a plan: the rules and lake
    columns it would break, and the token that confirms exactly this plan.
    """

    def work() -> Answer:
        put = unit.schemas.put(
            pipeline_id,
            [field.definition() for field in body.fields],
            expected_version=expected,
            confirm=confirm or body.confirm,
        )
        off = f"; rules switched off: {', '.join(map(str, put.deactivated_rules))}" if put.deactivated_rules else ""
        message = f"schema version {put.version.version}{off}" if put.changed else "this was the schema already"
        answer = SchemaPutAnswer(
            **SchemaAnswer.of(put.version).model_dump(by_alias=True),
            changed=put.changed,
            deactivated_rules=list(put.deactivated_rules),
            message=message,
        )
        return Answer(answer, put.version.version)

    return once.run(work)
