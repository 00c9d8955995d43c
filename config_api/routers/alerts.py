"""Alerts."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime

from config_api.dependencies import MAX_ID, Reading, next_link
from config_api.schemas.alerts import AlertAnswer, AmendmentAnswer
from config_api.schemas.base import Text
from config_api.schemas.problems import problems
from sentinel.domain.alert import Alert, AlertFilter, AlertSource
from sentinel.domain.rule import Severity
from sentinel.errors import ErrorDetail, InvalidError

router = APIRouter(prefix="/api/alerts", tags=["alerts"])

Id = Annotated[int | None, Query(ge=1, le=MAX_ID)]


@router.get("", response_model=list[AlertAnswer], responses=problems(404))
def list_alerts(
    request: Request,
    unit: Reading,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    pipeline_id: Id = None,
    severity: Severity | None = None,
    rule_id: Id = None,
    event_id: Annotated[Text | None, Query(max_length=2000)] = None,
    since: Annotated[AwareDatetime | None, Query(description="From this time on, with its zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this time.")] = None,
    text: Annotated[
        Text | None, Query(min_length=1, max_length=500, description="Anywhere in the event, without case.")
    ] = None,
    source: Annotated[
        AlertSource | None, Query(description="Only alerts of rules, or only those of detectors.")
    ] = None,
    detector: Annotated[Text | None, Query(max_length=100, description="Only alerts of this detector.")] = None,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this alert.")] = None,
) -> Response:
    """Alerts, newest first. The header `Link: <...>; rel="next"` leads to the next page while there is one.

    A search by `text` reads alerts for about two seconds; a page may then hold fewer than `limit`, even none, and its
    link goes on from there.
    """
    if since is not None and until is not None and since >= until:
        raise InvalidError("since must be before until", details=[ErrorDetail("", "since must be before until")])
    wanted = AlertFilter(pipeline_id, severity, rule_id, event_id, since, until, text, source, detector)
    page = unit.alerts.page(wanted, before=before, limit=limit)
    headers = next_link(request, before=page.next_before) if page.next_before is not None else {}
    body = orjson.dumps([_answer(alert) for alert in page.alerts], option=orjson.OPT_UTC_Z)
    return Response(body, 200, headers, "application/json")


@router.get("/{alert_id}/amendments", responses=problems(404))
def list_amendments(
    alert_id: Annotated[int, Path(ge=1, le=MAX_ID, description="The alert.")], unit: Reading
) -> list[AmendmentAnswer]:
    """What an alert of a detector said before late events made it say something else, oldest first."""
    return [AmendmentAnswer.of(amendment) for amendment in unit.detectors.amendments(alert_id)]


def _answer(alert: Alert) -> dict[str, object]:
    """Return the answer. The event goes out as PostgreSQL gave it, so no number loses digits in between."""
    return {
        "id": alert.id,
        "pipeline_id": alert.pipeline_id,
        "severity": alert.severity,
        "rule_name": alert.rule_name,
        "rule_description": alert.rule_description,
        "alert_timestamp": alert.alert_timestamp,
        "transaction_data": orjson.Fragment(alert.transaction_json),
        "evidence": orjson.Fragment(alert.evidence_json),
        "rule_id": alert.rule_id,
        "rule_version_id": alert.rule_version_id,
        "event_id": alert.event_id,
        "score": alert.score,
        "entities": orjson.Fragment(alert.entities_json),
        "generation_id": alert.generation_id,
        "kafka_partition": alert.kafka_partition,
        "kafka_offset": alert.kafka_offset,
        "kafka_timestamp": alert.kafka_timestamp,
        "list_versions": alert.list_versions,
        "refill_id": alert.refill_id,
        "detector": alert.detector,
        "window_start": alert.window_start,
        "window_end": alert.window_end,
        "subject": alert.subject,
        "version": alert.version,
    }
