"""What is asked of the stores about the tables of the lake. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sentinel.domain.event_schema import EventSchema


class LakeTableReader(Protocol):
    """Reads what a tenant's lake tables are made of."""

    def pipelines(self) -> list[tuple[int, str]]:
        """Return id and name of every pipeline, by id."""

    def histories(self, pipeline_ids: Sequence[int]) -> Mapping[int, list[tuple[int, EventSchema]]]:
        """Return the schema versions of pipelines, each oldest first."""

    def archived_at(self, pipeline_ids: Sequence[int]) -> Mapping[int, datetime]:
        """Return when events were last written to the lake; nothing of those of which none were."""
