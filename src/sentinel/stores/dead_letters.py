"""What use cases on dead letters ask of the stores. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinel.domain.redrive import (
    CauseCount,
    DeadLetterEntry,
    DeadLetterFilter,
    DeadLetterState,
    Redrive,
    RedriveCandidate,
)


class DeadLetterReader(Protocol):
    """Reads the dead letters of a tenant."""

    def page(
        self, pipeline_id: int, chosen: DeadLetterFilter, *, before: int | None, limit: int, with_raw: bool
    ) -> Sequence[DeadLetterEntry]:
        """Return dead letters, newest first."""

    def get(self, pipeline_id: int, letter_id: int) -> DeadLetterEntry | None:
        """Return one with its record."""

    def redrives(self, letter_id: int) -> Sequence[Redrive]:
        """Return how it was sent again, newest first."""

    def redrives_of_request(self, pipeline_id: int, request_key: str) -> Sequence[Redrive]:
        """Return what a request has sent, in the order of the dead letters."""

    def counts(self, pipeline_id: int, *, since: datetime | None, until: datetime | None) -> Sequence[CauseCount]:
        """Return how many were found in a range of time, by cause and state."""

    def hours(self, pipeline_id: int, *, since: datetime, until: datetime) -> Sequence[CauseCount]:
        """Return the same per hour, oldest first."""

    def chosen(self, pipeline_id: int, wanted: DeadLetterFilter, *, after: int, limit: int) -> Sequence[int]:
        """Return the ids of those that fit, oldest first; open ones where no state is wanted."""

    def candidates(self, pipeline_id: int, ids: Sequence[int]) -> Sequence[RedriveCandidate]:
        """Return what decides whether these may be sent again, in the order of their ids."""

    def raws(self, pipeline_id: int, ids: Sequence[int]) -> Mapping[int, bytes | None]:
        """Return the records of these."""


class DeadLetterStore(DeadLetterReader, Protocol):
    """Keeps what people do about them."""

    def claim(self, pipeline_id: int, ids: Sequence[int], claim: str, *, seconds: float) -> frozenset[int]:
        """Take open ones that nobody else has for so long, and return which. Does not wait for others."""

    def release(self, pipeline_id: int, ids: Sequence[int], claim: str) -> None:
        """Give them back as they were."""

    def redriven(self, pipeline_id: int, redrives: Sequence[Redrive], *, by: str, now: datetime) -> None:
        """Note that they were sent, and where their new records lie."""

    def change(
        self,
        pipeline_id: int,
        ids: Sequence[int],
        states: tuple[DeadLetterState, DeadLetterState],
        *,
        reason: str,
        by: str,
        now: datetime,
    ) -> frozenset[int]:
        """Bring those that are in the first state, and that nobody sends, into the second, and return which."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record that is to be written to a topic."""

    topic: str
    value: bytes
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """Where a record lies."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class NotWritten:
    """Why a record was not written.

    Attributes:
        is_permanent: The same record cannot be written later either.
    """

    reason: str
    is_permanent: bool


class RecordWriter(Protocol):
    """Writes records to topics."""

    def write(self, records: Sequence[OutgoingRecord]) -> Sequence[Written | NotWritten]:
        """Write records; return, for each, where it lies once every replica in sync holds it, else why not."""
