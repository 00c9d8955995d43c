"""How alerts divide, and what else was raised about the same."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from config_api.alert_filters import WantedAlerts
from config_api.dependencies import MAX_ID, Reading
from config_api.schemas.alert_facets import AlertFacetsAnswer, EntityHistoryAnswer
from config_api.schemas.problems import problems

router = APIRouter(prefix="/api/alerts", tags=["alerts"])

AlertId = Annotated[int, Path(ge=1, le=MAX_ID, description="The alert.", examples=[17])]


@router.get("/facets", responses=problems())
def count_alerts(unit: Reading, wanted: WantedAlerts) -> AlertFacetsAnswer:
    """How the alerts that fit divide: by severity, status, pipeline, rule, disposition and who raised them.

    Each is counted as if the filter said nothing of it, so that the counts tell what another choice would show; at most
    500 values each, those with most alerts. The newest 250,000 alerts that time and event id allow are looked at, of a
    search by `text` the newest 20,000; where there are more, `since` says how far back that was.
    """
    return AlertFacetsAnswer.of(unit.facets.count(wanted))


@router.get("/{alert_id}/entity-history", responses=problems(404))
def entity_history(
    alert_id: AlertId, unit: Reading, limit: Annotated[int, Query(ge=1, le=100, description="On each side.")] = 10
) -> EntityHistoryAnswer:
    """What was raised about the same before and after an alert, nearest first, and the scores of its entities.

    About the same is an alert of the same pipeline with an entity in common; of an anomaly one of the same detector and
    subject. 20,000 alerts on each side are looked at; where there are more, `searched_since` and `searched_until` say
    how far that was.
    """
    alert = unit.handling.get(alert_id).alert
    return EntityHistoryAnswer.of(alert, unit.entity_history.around(alert, limit=limit))
