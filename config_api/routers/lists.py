"""Lists: reference tables that rules read in subqueries."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from config_api.dependencies import (
    Answer,
    ExpectedVersion,
    OnlyOnce,
    RawBody,
    Reading,
    Writing,
    etag,
    next_link,
)
from config_api.schemas.base import Text
from config_api.schemas.lists import (
    Comment,
    ListAnswer,
    ListChangeAnswer,
    ListCreateRequest,
    ListDetailAnswer,
    ListEditRequest,
    ListPreviewAnswer,
    ListReaderAnswer,
    ListRowAnswer,
    ListUploadRequest,
    ListVersionAnswer,
    RowChangeAnswer,
)
from config_api.schemas.problems import problems
from sentinel.catalog.lists import ListChange
from sentinel.errors import ErrorDetail, InvalidError

router = APIRouter(prefix="/api/lists", tags=["lists"])

ListName = Annotated[Text, Path(max_length=200, description="The list.", examples=["whitelist_table"])]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="An earlier version.")]
After = Annotated[Text | None, Query(max_length=2000, description="Continue after this key.")]
_CSV: dict[str, Any] = {"schema": {"type": "string"}, "example": "user_id,note\nu-1,test account\n"}
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": _CSV,
            "application/json": {"schema": ListUploadRequest.model_json_schema()},
        },
    }
}


@router.post("", status_code=201, response_model=ListChangeAnswer, responses=problems(409))
def create_list(body: ListCreateRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Create a list. Its columns stay as they are; its rows may change, in versions."""

    def work() -> Answer:
        change = unit.lists.create(
            name=body.name,
            columns=[column.definition() for column in body.columns],
            key=body.key,
            description=body.description,
            rows=body.rows,
            comment=body.comment,
        )
        return _answer(change, {"Location": f"/api/lists/{body.name}"})

    return once.run(work, status=201)


@router.get("", responses=problems())
def list_lists(unit: Reading) -> list[ListAnswer]:
    """All lists, by name."""
    return [ListAnswer(**ListAnswer.members(found)) for found in unit.lists.list()]


@router.get("/{name}", responses=problems(404))
def get_list(name: ListName, unit: Reading, response: Response) -> ListDetailAnswer:
    """One list, and the active rules that read it."""
    found = unit.lists.get(name)
    response.headers["ETag"] = etag(found.version)
    read_by = [ListReaderAnswer(pipeline_id=pipeline, rule_id=rule) for pipeline, rule in unit.lists.readers(name)]
    return ListDetailAnswer(**ListAnswer.members(found), read_by=read_by)


@router.delete("/{name}", status_code=204, responses=problems(404, 409, 412))
def delete_list(name: ListName, unit: Writing, expected: ExpectedVersion) -> None:
    """Delete a list that no rule ever read."""
    unit.lists.delete(name, expected_version=expected)


@router.get("/{name}/versions", responses=problems(404))
def list_list_versions(name: ListName, unit: Reading) -> list[ListVersionAnswer]:
    """All versions, newest first: who made each, when, why, and how many rows it changed."""
    return [ListVersionAnswer.of(version) for version in unit.lists.versions(name)]


@router.get("/{name}/rows", responses=problems(404))
def list_list_rows(
    name: ListName,
    request: Request,
    unit: Reading,
    response: Response,
    version: Version = None,
    key: Annotated[Text | None, Query(max_length=2000, description="Only the row of this key.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> list[ListRowAnswer]:
    """Rows of a version in the order of their keys. `Link: <...>; rel="next"` leads on."""
    found, rows = unit.lists.rows(name, version=version, after=after, key=key, limit=limit + 1)
    response.headers["ETag"] = etag(found.version)
    if len(rows) > limit:
        response.headers.update(next_link(request, after=rows[limit - 1].key, version=version or found.version))
    return [ListRowAnswer.of(found.definition, row) for row in rows[:limit]]


@router.get("/{name}/diff", responses=problems(404))
def diff_list(
    name: ListName,
    request: Request,
    unit: Reading,
    response: Response,
    before: Annotated[int, Query(alias="from", ge=1, le=2**31 - 1, description="The earlier version.")],
    to: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The later one; default: the newest.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> list[RowChangeAnswer]:
    """What became of each key between two versions. `Link: <...>; rel="next"` leads on."""
    found, changes = unit.lists.diff(name, before, to, from_key=after, limit=limit + 1)
    if len(changes) > limit:
        response.headers.update(next_link(request, after=changes[limit - 1].key, to=to or found.version))
    return [RowChangeAnswer.of(found.definition, change) for change in changes[:limit]]


@router.put("/{name}/rows", response_model=ListChangeAnswer, responses=problems(404, 412, 413), openapi_extra=_UPLOAD)
def upload_list(
    name: ListName,
    request: Request,
    body: RawBody,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
    comment: Annotated[Comment, Query(description="Why, for an upload as CSV.")] = "",
) -> Response:
    """Make these all rows of a list, as CSV or JSON: the next version, which running jobs take without a restart.

    A broken upload changes nothing and names line, column and value. The same rows again make no new version.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def work() -> Answer:
        if kind == "text/csv":
            return _answer(unit.lists.upload_csv(name, body, expected_version=expected, comment=comment))
        if kind == "application/json":
            sent = _read_json(body)
            return _answer(
                unit.lists.upload_rows(name, sent.rows, expected_version=expected, comment=sent.comment or comment)
            )
        raise InvalidError(f"the content type {kind[:100]!r} is not known; send text/csv or application/json")

    return once.run(work)


@router.post(
    "/{name}/rows/preview",
    responses=problems(404, 413),
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": _CSV}}},
)
def preview_upload(
    name: ListName,
    body: RawBody,
    unit: Writing,
    limit: Annotated[int, Query(ge=0, le=1000, description="Changes to show.")] = 100,
) -> ListPreviewAnswer:
    """What these rows, as CSV, would change were they all rows of the list. Nothing is changed."""
    return ListPreviewAnswer.of(unit.lists.preview_csv(name, body, limit=limit))


@router.post("/{name}/rows", response_model=ListChangeAnswer, responses=problems(404, 412))
def edit_list(
    name: ListName, body: ListEditRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Add, replace and delete single rows: the next version, which running jobs take without a restart."""

    def work() -> Answer:
        change = unit.lists.edit(
            name, upsert=body.upsert, delete=body.delete, expected_version=expected, comment=body.comment
        )
        return _answer(change)

    return once.run(work)


def _read_json(body: bytes) -> ListUploadRequest:
    try:
        return ListUploadRequest.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise InvalidError(f"nothing was changed: the upload is not JSON: {error}") from error
    except ValidationError as error:
        details = [
            ErrorDetail("/" + "/".join(map(str, item["loc"])), str(item["msg"])) for item in error.errors()[:100]
        ]
        raise InvalidError(
            f"nothing was changed: {details[0].pointer or 'the body'}: {details[0].detail}", details=details
        ) from error


def _answer(change: ListChange, headers: dict[str, str] | None = None) -> Answer:
    return Answer(ListChangeAnswer.of(change), change.list.version, headers or {})
