"""Explanations: why a rule is true, false or unknown for an event."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Query

from config_api.dependencies import MAX_ID, Asking, PipelineId, RawBody
from config_api.json_member import member_text
from config_api.schemas.base import Text
from config_api.schemas.explain import RULE_OR_NAME, ExplainRequest, ExplanationAnswer
from config_api.schemas.problems import problems
from sentinel.catalog.rules import refuse_errors
from sentinel.domain.engine_task import TaskKind
from sentinel.errors import NotFoundError

router = APIRouter(prefix="/api/pipelines/{pipeline_id}", tags=["explain"])


@router.get("/explain", responses=problems(404, 409, 429))
def explain_event(
    pipeline_id: PipelineId,
    asking: Asking,
    event: Annotated[Text, Query(min_length=1, max_length=2000, description="An event id, or partition:offset.")],
    rule: Annotated[Text, Query(pattern=RULE_OR_NAME, description="The rule: its id or its name.")],
    version: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Default: the version that decided the event.")
    ] = None,
) -> ExplanationAnswer:
    """Why a rule matched an event, or did not: its tree with the value and verdict of each part, and what decided.

    The event is looked for in the lake, among alerts and dead letters, and in the topic. Computed by the rule worker
    with the engine's own expressions; 503 while that is away or still starting.
    """
    wanted = {"rule": _rule_id(asking, pipeline_id, rule), "version": version, "event": event}
    return ExplanationAnswer.model_validate(asking.desk.ask(pipeline_id, TaskKind.EXPLAIN, wanted))


@router.post("/explain", responses=problems(404, 409, 429))
def explain_pasted(pipeline_id: PipelineId, body: ExplainRequest, asking: Asking, raw: RawBody) -> ExplanationAnswer:
    """The same for an event that is sent along, and also for a rule that is not saved.

    Of a record that would be no event the reason is told.
    """
    if body.rule_expression is not None:
        with asking.unit() as unit:
            checked = unit.rules.check(body.rule_expression, pipeline_id=pipeline_id, schema=None)
        refuse_errors(checked.result)
    text = body.event_text if body.event_text is not None else member_text(raw, "event") or "null"
    wanted = {
        "rule": None if body.rule is None else _rule_id(asking, pipeline_id, str(body.rule)),
        "version": body.version,
        "rule_expression": body.rule_expression,
        "event_base64": base64.b64encode(text.encode(errors="replace")).decode(),
    }
    return ExplanationAnswer.model_validate(asking.desk.ask(pipeline_id, TaskKind.EXPLAIN, wanted))


def _rule_id(asking: Asking, pipeline_id: int, rule: str) -> int:
    """Return the id of a rule that is named by it or by its name."""
    if rule.isdigit() and int(rule) <= MAX_ID:
        return int(rule)
    with asking.unit() as unit:
        found = next((each.id for each in unit.rules.list(pipeline_id) if each.name == rule), None)
    if found is None:
        raise NotFoundError(f"pipeline {pipeline_id} has no rule {rule}")
    return found
