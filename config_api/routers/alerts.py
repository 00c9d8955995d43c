"""Alerts, and what people do about them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from config_api.alert_filters import WantedAlerts, refuse_empty_range
from config_api.dependencies import MAX_ID, Answer, ExpectedVersion, OnlyOnce, Reading, Writing, etag, next_link
from config_api.schemas.alert_states import (
    AlertActionAnswer,
    AlertActionRequest,
    AlertChangeRequest,
    AlertDetailAnswer,
    AlertNoteAnswer,
    AlertNoteRequest,
    AlertStateAnswer,
)
from config_api.schemas.alerts import AlertAnswer, AmendmentAnswer
from config_api.schemas.problems import problems
from sentinel.domain.alert import Alert

router = APIRouter(prefix="/api/alerts", tags=["alerts"])

AlertId = Annotated[int, Path(ge=1, le=MAX_ID, description="The alert.", examples=[17])]


@router.get("", response_model=list[AlertAnswer], responses=problems(404))
def list_alerts(
    request: Request,
    unit: Reading,
    wanted: WantedAlerts,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this alert.")] = None,
) -> Response:
    """Alerts, newest first. The header `Link: <...>; rel="next"` leads to the next page while there is one.

    A search by `text`, for `status=open` or for no assignee reads alerts for about two seconds; a page may then hold
    fewer than `limit`, even none, and its link goes on from there.
    """
    page = unit.alerts.page(wanted, before=before, limit=limit)
    headers = next_link(request, before=page.next_before) if page.next_before is not None else {}
    body = orjson.dumps([_answer(alert) for alert in page.alerts], option=orjson.OPT_UTC_Z)
    return Response(body, 200, headers, "application/json")


@router.post("/actions", response_model=AlertActionAnswer, responses=problems(404))
def change_alerts(body: AlertActionRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Change many alerts: by ids, or, newest first, all that fit a filter; in one transaction.

    What an alert does not allow is counted as a conflict and changes nothing of the others. With `next` in the answer
    send the same again with it as `before`: alerts that came meanwhile are left alone.
    """

    def work() -> Answer:
        if body.ids is not None or body.filter is None:
            result = unit.handling.change_ids(body.ids or [], body.wanted(), dry_run=body.dry_run)
        else:
            chosen = body.filter.chosen()
            refuse_empty_range(chosen)
            result = unit.handling.change_matching(
                chosen, body.wanted(), before=body.before, limit=body.limit, dry_run=body.dry_run
            )
        return Answer(AlertActionAnswer.of(result, dry_run=body.dry_run))

    return once.run(work)


@router.get("/{alert_id}", response_model=AlertDetailAnswer, responses=problems(404))
def get_alert(alert_id: AlertId, unit: Reading) -> Response:
    """One alert with its notes and its history."""
    found = unit.handling.get(alert_id)
    said = {"notes": [asdict(note) for note in found.notes], "changes": [asdict(change) for change in found.changes]}
    body = orjson.dumps({**_answer(found.alert), **said}, option=orjson.OPT_UTC_Z)
    return Response(body, 200, {"ETag": etag(found.alert.state.version)}, "application/json")


@router.patch("/{alert_id}", response_model=AlertStateAnswer, responses=problems(404, 409, 412))
def change_alert(
    alert_id: AlertId, body: AlertChangeRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Acknowledge, resolve, suppress or reopen an alert, give it to somebody, say what it was.

    What is there already is no change. An acknowledgement of somebody else is a conflict, unless it is taken over with
    `force`; a resolved alert must be opened again first.
    """

    def work() -> Answer:
        alert = unit.handling.change(alert_id, body.wanted(), expected_version=expected)
        return Answer(AlertStateAnswer(id=alert.id, **alert.state.members()), alert.state.version)

    return once.run(work)


@router.post("/{alert_id}/notes", status_code=201, response_model=AlertNoteAnswer, responses=problems(404, 409))
def add_note(alert_id: AlertId, body: AlertNoteRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Write a note beside an alert."""

    def work() -> Answer:
        return Answer(AlertNoteAnswer(**asdict(unit.handling.note(alert_id, body.text))))

    return once.run(work, status=201)


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
        **alert.state.members(),
        "detector": alert.detector,
        "window_start": alert.window_start,
        "window_end": alert.window_end,
        "subject": alert.subject,
        "revision": alert.revision,
        "request_id": alert.request_id,
        "trace_id": alert.trace_id,
    }
