"""Generations: the schema, rule set and settings compiled into one running query, and the offsets it answers for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sentinel.domain.event_schema import EventSchema, Field, ScalarType
from sentinel.domain.pipeline import PipelineSnapshot


class GenerationState(StrEnum):
    """starting: evaluated beside the active one; active: its findings count; retired: was active; failed: never was."""

    STARTING = "starting"
    ACTIVE = "active"
    RETIRED = "retired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Generation:
    """One running (or formerly running) combination of schema version and rule set. Immutable.

    Attributes:
        marker_every: A progress marker is written for every so-many-th offset; 1: for every record.
        start_offsets: Partition -> offset of the first record its query reads. At or before its border.
    """

    generation_id: int
    snapshot: PipelineSnapshot
    marker_every: int
    start_offsets: dict[int, int]

    def changed(self, field: str) -> Generation:
        """Return what it would be with another field, of type string."""
        schema = EventSchema((*self.snapshot.schema, Field(field, ScalarType("string"))))
        return replace(self, snapshot=replace(self.snapshot, schema=schema))


@dataclass(frozen=True, slots=True)
class Progress:
    """What is decided of one partition: offsets in [first_offset, next_offset) are alerted, clean or dead letters.

    Attributes:
        topic_id: Kafka's id of the topic they are of; empty where it is not known.
    """

    partition: int
    first_offset: int
    next_offset: int
    topic_id: str = ""


def topic_id_of(progress: Iterable[Progress]) -> str:
    """Return Kafka's id of the topic that was read; empty where it is not known."""
    return max((known.topic_id for known in progress), default="")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for a pipeline. A later holder has a larger epoch."""

    pipeline_id: int
    holder: str
    epoch: int
