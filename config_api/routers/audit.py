"""Audit entries: who did what, when and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from config_api.dependencies import MAX_ID, Reading, next_link
from config_api.schemas.audit import AuditAnswer
from config_api.schemas.base import Moment, Text
from config_api.schemas.problems import problems
from sentinel.domain.audit import AuditFilter

router = APIRouter(prefix="/api/audit", tags=["audit"])

Id = Annotated[int | None, Query(ge=1, le=MAX_ID)]
Word = Annotated[Text | None, Query(max_length=200)]


@router.get("", responses=problems())
def list_audit_entries(
    request: Request,
    response: Response,
    unit: Reading,
    pipeline_id: Id = None,
    object_type: Annotated[Text | None, Query(max_length=200, examples=["rule"])] = None,
    object_id: Id = None,
    actor: Word = None,
    action: Annotated[Text | None, Query(max_length=200, examples=["rule.change"])] = None,
    since: Annotated[Moment | None, Query(description="From this time on, with its zone.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this entry.")] = None,
) -> list[AuditAnswer]:
    """Who changed what, newest first. Entries are never changed; the header `Link` leads to the next page."""
    wanted = AuditFilter(pipeline_id, object_type, object_id, actor, action, since, until)
    found = unit.audit.page(wanted, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [AuditAnswer(**asdict(entry)) for entry in found[:limit]]
