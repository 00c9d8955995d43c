"""Which pipeline an event belongs to, by its type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sentinel.errors import ErrorDetail

MAX_ROUTES = 1_000
_PATTERN = re.compile(r"[^\x00-\x1f*]{1,200}\*?|\*")


@dataclass(frozen=True, slots=True)
class EventRoute:
    """Events of a type go to a pipeline.

    Attributes:
        event_type: The `type` of the events; with `*` at its end, all that begin so.
    """

    event_type: str
    pipeline_id: int


def route_problems(route: EventRoute, known: Iterable[int]) -> list[ErrorDetail]:
    """Return everything that is wrong with a route.

    Args:
        known: The ids of the tenant's pipelines.
    """
    problems = []
    if not _PATTERN.fullmatch(route.event_type):
        detail = f"{route.event_type[:100]!r} is no event type: 1 to 200 characters, `*` only at the end"
        problems.append(ErrorDetail("/event_type", detail))
    if route.pipeline_id not in set(known):
        problems.append(ErrorDetail("/pipeline_id", f"there is no pipeline {route.pipeline_id}"))
    return problems


class RoutingTable:
    """Finds the route of an event type: the exact one, else the longest beginning."""

    def __init__(self, routes: Iterable[EventRoute]) -> None:
        self._exact: dict[str, int] = {}
        beginnings: list[tuple[str, int]] = []
        for route in routes:
            if route.event_type.endswith("*"):
                beginnings.append((route.event_type[:-1], route.pipeline_id))
            else:
                self._exact[route.event_type] = route.pipeline_id
        self._beginnings = sorted(beginnings, key=lambda pair: -len(pair[0]))

    def pipeline_of(self, event_type: str | None) -> int | None:
        """Return the pipeline of a type, None where no route says."""
        if event_type is not None and (found := self._exact.get(event_type)) is not None:
            return found
        text = event_type or ""
        return next((pipeline for beginning, pipeline in self._beginnings if text.startswith(beginning)), None)
