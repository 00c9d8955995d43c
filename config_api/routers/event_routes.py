"""Where events go that do not name their pipeline."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Response

from config_api.dependencies import Answer, OnlyOnce, Reading, Writing
from config_api.schemas.base import Text
from config_api.schemas.events import RouteAnswer, RouteRequest
from config_api.schemas.problems import problems

router = APIRouter(prefix="/api/event-routes", tags=["events"])

EventType = Annotated[
    Text, Path(max_length=201, description="The `type` of events; with `*` at its end, all that begin so.")
]


@router.get("", responses=problems())
def list_routes(unit: Reading) -> list[RouteAnswer]:
    """All routes. An event goes by the exact one, else by the longest beginning, else to the pipeline `events`."""
    return [RouteAnswer(**asdict(route)) for route in unit.event_routes.list()]


@router.put("/{event_type:path}", response_model=RouteAnswer, responses=problems(409))
def put_route(event_type: EventType, body: RouteRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Send events of a type to a pipeline. In force within seconds."""

    def work() -> Answer:
        return Answer(RouteAnswer(**asdict(unit.event_routes.put(event_type, body.pipeline_id))))

    return once.run(work)


@router.delete("/{event_type:path}", response_model=RouteAnswer, responses=problems(404))
def remove_route(event_type: EventType, unit: Writing, once: OnlyOnce) -> Response:
    """Forget a route."""

    def work() -> Answer:
        return Answer(RouteAnswer(**asdict(unit.event_routes.remove(event_type))))

    return once.run(work)
