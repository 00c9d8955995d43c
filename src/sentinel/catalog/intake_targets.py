"""Which topics events by HTTP go to: looked up seldom, and still known while PostgreSQL is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sentinel.catalog.event_routes import EventRouteCatalog
from sentinel.catalog.pipelines import PipelineCatalog
from sentinel.catalog.schemas import SchemaCatalog
from sentinel.domain.event_route import RoutingTable
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import EdgeCheck, Pipeline, PipelineConfig, PipelineStatus
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.errors import ConflictError, ForbiddenError, TransientError

log = logging.getLogger(__name__)

DEFAULT_PIPELINE = "events"
"""Takes the events that no route is for; made when the first of them comes, unless there is one of that name."""
MOST_TENANTS = 1_000
_DEFAULT_FIELDS = (
    FieldDefinition("id", "string", roles=frozenset({"event_id"})),
    FieldDefinition("type", "string"),
    FieldDefinition("time", "timestamp", roles=frozenset({"event_time"})),
    FieldDefinition("source", "string"),
    FieldDefinition("subject", "string"),
    FieldDefinition("user_id", "string", roles=frozenset({"entity"})),
    FieldDefinition("amount", "float"),
    FieldDefinition("currency", "string"),
    FieldDefinition("data", "string"),
)


@dataclass(frozen=True, slots=True)
class IntakeTarget:
    """A pipeline as the receiver of events sees it.

    Attributes:
        gives_ids: An event without an id gets one.
    """

    pipeline_id: int
    topic: str
    schema: EventSchema
    edge_check: EdgeCheck
    max_bytes: int
    gives_ids: bool = False


class TargetUnit(Protocol):
    """The use cases that are asked."""

    @property
    def pipelines(self) -> PipelineCatalog:
        """Pipelines."""

    @property
    def schemas(self) -> SchemaCatalog:
        """Their schemas."""

    @property
    def event_routes(self) -> EventRouteCatalog:
        """Routes."""


@dataclass(slots=True)
class _Known:
    """What is known of a tenant."""

    read_at: float
    by_id: dict[int, Pipeline]
    by_name: dict[str, Pipeline]
    routes: RoutingTable
    targets: dict[tuple[int, int], IntakeTarget]


class IntakeTargets:
    """Looks up pipelines and routes. Safe for many threads."""

    def __init__(
        self,
        open_unit: Callable[[str], AbstractContextManager[TargetUnit]],
        make_topic: Callable[[str], None],
        topic_owner: Callable[[str], str | None],
        *,
        now: Callable[[], float],
        keep_seconds: float,
    ) -> None:
        self._open_unit = open_unit
        self._make_topic = make_topic
        self._topic_owner = topic_owner
        self._now = now
        self._keep_seconds = keep_seconds
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def by_name(self, tenant_id: str, named: str) -> IntakeTarget | None:
        """Return a pipeline by its id or name; None where there is none.

        Raises:
            ForbiddenError: Its topic belongs to another tenant.
            StoreUnavailableError: PostgreSQL does not answer, and never has.
        """
        by_id = int(named) if named.isascii() and named.isdigit() and len(named) < 19 else 0
        known = self._of(tenant_id)
        if by_id not in known.by_id and named not in known.by_name:
            # It may have been made just now.
            known = self._of(tenant_id, keep_seconds=0)
        pipeline = known.by_id.get(by_id) or known.by_name.get(named)
        return self._target(tenant_id, known, pipeline) if pipeline else None

    def of_type(self, tenant_id: str, event_type: str | None) -> IntakeTarget:
        """Return the pipeline of an event's type: by the routes, else the default one, which is made where needed.

        Raises:
            ForbiddenError: Its topic belongs to another tenant.
            StoreUnavailableError: A store does not answer, and it never has, or something must be made.
        """
        known = self._of(tenant_id)
        routed = known.routes.pipeline_of(event_type)
        pipeline = known.by_id.get(routed) if routed is not None else None
        pipeline = pipeline or known.by_name.get(DEFAULT_PIPELINE) or self._make_default(tenant_id)
        return self._target(tenant_id, known, pipeline)

    def create_topic(self, topic: str) -> None:
        """Create a topic where there is none.

        Raises:
            StoreUnavailableError: The broker does not answer.
        """
        self._make_topic(topic)

    def _of(self, tenant_id: str, keep_seconds: float | None = None) -> _Known:
        known = self._known.get(tenant_id)
        kept = self._keep_seconds if keep_seconds is None else keep_seconds
        if known is not None and self._now() - known.read_at < kept:
            return known
        try:
            with self._open_unit(tenant_id) as unit:
                pipelines, routes = unit.pipelines.list(), unit.event_routes.list()
        except TransientError as error:
            if known is None:
                raise
            log.warning("tenant %s: going on with what is known of pipelines: %s", tenant_id, error.message)
            known.read_at = self._now()
            return known
        fresh = _Known(
            self._now(),
            {pipeline.id: pipeline for pipeline in pipelines},
            {pipeline.name: pipeline for pipeline in pipelines},
            RoutingTable(routes),
            known.targets if known else {},
        )
        with self._lock:
            if len(self._known) >= MOST_TENANTS and tenant_id not in self._known:
                self._known.clear()
            self._known[tenant_id] = fresh
        return fresh

    def _target(self, tenant_id: str, known: _Known, pipeline: Pipeline) -> IntakeTarget:
        place = (pipeline.id, pipeline.version)
        target = known.targets.get(place)
        if target is None:
            self._refuse_topic_of_others(tenant_id, pipeline.kafka_topic)
            with self._open_unit(tenant_id) as unit:
                schema = unit.schemas.get(pipeline.id, pipeline.schema_version).schema
            target = IntakeTarget(
                pipeline.id,
                pipeline.kafka_topic,
                schema,
                pipeline.config.edge_check,
                pipeline.config.max_record_bytes,
                gives_ids=pipeline.name == DEFAULT_PIPELINE,
            )
            with self._lock:
                for older in [other for other in known.targets if other[0] == pipeline.id]:
                    del known.targets[older]
                known.targets[place] = target
        return target

    def _refuse_topic_of_others(self, tenant_id: str, topic: str) -> None:
        if self._topic_owner(topic) not in {tenant_id, None}:
            raise ForbiddenError(
                f"the topic {topic!r} belongs to another tenant; a pipeline may read it, but events by HTTP are not "
                "written to it"
            )

    def _make_default(self, tenant_id: str) -> Pipeline:
        topic = f"{tenant_id}.{DEFAULT_PIPELINE}"
        self._refuse_topic_of_others(tenant_id, topic)
        self._make_topic(topic)
        try:
            with self._open_unit(tenant_id) as unit:
                made = unit.pipelines.create(
                    name=DEFAULT_PIPELINE,
                    kafka_topic=topic,
                    definitions=_DEFAULT_FIELDS,
                    config=PipelineConfig(),
                    start_at="earliest",
                    status=PipelineStatus.ACTIVE,
                )
        except ConflictError:
            # Somebody else has just made it.
            with self._open_unit(tenant_id) as unit:
                found = [each for each in unit.pipelines.list() if each.name == DEFAULT_PIPELINE]
            if not found:
                raise TransientError(f"the pipeline {DEFAULT_PIPELINE!r} has just been made and is gone") from None
            made = found[0]
        with self._lock:
            self._known.pop(tenant_id, None)
        return made
