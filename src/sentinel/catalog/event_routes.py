"""Use cases on the routes of events that come by HTTP."""

from __future__ import annotations

from typing import Protocol

from sentinel.catalog.audit import Auditor
from sentinel.domain.event_route import MAX_ROUTES, EventRoute, route_problems
from sentinel.errors import ConflictError, InvalidError, NotFoundError
from sentinel.stores.base import PipelineReader


class EventRouteStore(Protocol):
    """Keeps routes."""

    def list(self) -> list[EventRoute]:
        """Return all routes, by event type."""

    def put(self, route: EventRoute) -> None:
        """Write a route; one of the same type is replaced."""

    def remove(self, event_type: str) -> EventRoute | None:
        """Delete a route and return it; None where there is none."""


class EventRouteCatalog:
    """Routes of one tenant. Receivers of events notice a change within seconds."""

    def __init__(self, routes: EventRouteStore, pipelines: PipelineReader, auditor: Auditor) -> None:
        self._routes = routes
        self._pipelines = pipelines
        self._auditor = auditor

    def list(self) -> list[EventRoute]:
        """Return all routes, by event type."""
        return self._routes.list()

    def put(self, event_type: str, pipeline_id: int) -> EventRoute:
        """Say where events of a type go.

        Raises:
            InvalidError: The type cannot be one, or there is no such pipeline.
            ConflictError: There are too many routes.
        """
        route = EventRoute(event_type, pipeline_id)
        if problems := route_problems(route, {pipeline.id for pipeline in self._pipelines.list()}):
            raise InvalidError(problems[0].detail, details=problems)
        before = {each.event_type: each for each in self._routes.list()}
        if event_type not in before and len(before) >= MAX_ROUTES:
            raise ConflictError(f"there are {len(before)} routes, as many as can be; let one end in `*` for several")
        self._routes.put(route)
        self._record("put", before.get(event_type), route)
        return route

    def remove(self, event_type: str) -> EventRoute:
        """Forget where events of a type go.

        Raises:
            NotFoundError: There is no such route.
        """
        route = self._routes.remove(event_type)
        if route is None:
            raise NotFoundError(f"there is no route for {event_type!r}")
        self._record("remove", route, None)
        return route

    def _record(self, action: str, before: EventRoute | None, after: EventRoute | None) -> None:
        shown = after or before
        assert shown is not None  # noqa: S101 - one of them is given
        self._auditor.record(
            f"event_route.{action}",
            "event_route",
            shown.pipeline_id,
            pipeline_id=shown.pipeline_id,
            object_name=shown.event_type,
            before={"pipeline_id": before.pipeline_id} if before else None,
            after={"pipeline_id": after.pipeline_id} if after else None,
        )
