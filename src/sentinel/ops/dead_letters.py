"""Use cases on dead letters within one transaction: look, discard, take back; and what a redrive needs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sentinel.domain.pipeline import Pipeline
from sentinel.domain.redrive import (
    MAX_DISCARDED_AT_ONCE,
    CauseCount,
    DeadLetterEntry,
    DeadLetterFilter,
    DeadLetterState,
    Redrive,
    RedriveCandidate,
)
from sentinel.errors import ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.base import PipelineReader, SchemaStore
from sentinel.stores.beside_rules import AuditStore
from sentinel.stores.dead_letters import DeadLetterStore

# Longer than a request may take, so that only a crash leaves a claim behind.
CLAIM_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class DeadLetterDossier:
    """A dead letter with how it was sent again, newest first."""

    letter: DeadLetterEntry
    redrives: Sequence[Redrive]


@dataclass(frozen=True, slots=True)
class DiscardResult:
    """What one request changed, or would change.

    Attributes:
        unchanged: Those in another state, or that somebody sends at this moment.
        missing: Ids of no dead letter of the pipeline.
        next_after: Where it goes on; None: it is complete.
    """

    changed: int
    unchanged: Sequence[int]
    missing: Sequence[int]
    next_after: int | None


class DeadLetterHandling:
    """What people do about the dead letters of one tenant."""

    def __init__(
        self,
        pipelines: PipelineReader,
        schemas: SchemaStore,
        letters: DeadLetterStore,
        audit: AuditStore,
        *,
        caller: str,
        now: Callable[[], datetime],
    ) -> None:
        self._pipelines = pipelines
        self._schemas = schemas
        self._letters = letters
        self._audit = audit
        self._caller = caller
        self._now = now

    @property
    def letters(self) -> DeadLetterStore:
        """Where they are kept."""
        return self._letters

    @property
    def schemas(self) -> SchemaStore:
        """The schemas of the pipelines."""
        return self._schemas

    def pipeline(self, pipeline_id: int) -> Pipeline:
        """Return a pipeline.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        found = self._pipelines.get(pipeline_id)
        if found is None:
            raise NotFoundError(f"there is no pipeline {pipeline_id}")
        return found

    def page(
        self, pipeline_id: int, chosen: DeadLetterFilter, *, before: int | None, limit: int, with_raw: bool = True
    ) -> Sequence[DeadLetterEntry]:
        """Return dead letters, newest first.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError: The range of time is empty.
            TooBroadError: PostgreSQL did not find them in time.
        """
        self.pipeline(pipeline_id)
        refuse_empty_range(chosen.since, chosen.until)
        return self._letters.page(pipeline_id, chosen, before=before, limit=limit, with_raw=with_raw)

    def get(self, pipeline_id: int, letter_id: int) -> DeadLetterDossier:
        """Return one with its record and its redrives.

        Raises:
            NotFoundError: The pipeline has no such dead letter.
        """
        self.pipeline(pipeline_id)
        letter = self._letters.get(pipeline_id, letter_id)
        if letter is None:
            raise no_letter(pipeline_id, letter_id)
        return DeadLetterDossier(letter, self._letters.redrives(letter_id))

    def counts(self, pipeline_id: int, *, since: datetime | None, until: datetime | None) -> Sequence[CauseCount]:
        """Return how many were found in a range of time, by cause and state.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError: The range of time is empty.
            TooBroadError: PostgreSQL did not count them in time.
        """
        self.pipeline(pipeline_id)
        refuse_empty_range(since, until)
        return self._letters.counts(pipeline_id, since=since, until=until)

    def hours(self, pipeline_id: int, *, since: datetime, until: datetime) -> Sequence[CauseCount]:
        """Return the same per hour, oldest first. Raises as `counts` does."""
        self.pipeline(pipeline_id)
        refuse_empty_range(since, until)
        return self._letters.hours(pipeline_id, since=since, until=until)

    def discard(
        self,
        pipeline_id: int,
        *,
        reason: str,
        ids: Sequence[int] | None,
        wanted: DeadLetterFilter,
        after: int = 0,
        limit: int = MAX_DISCARDED_AT_ONCE,
        dry_run: bool = False,
    ) -> DiscardResult:
        """Discard open dead letters: those with these ids, or those that fit, oldest first. Their rows stay.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError: The range of time is empty, or no open one can fit.
            TooBroadError: PostgreSQL did not find them in time.
        """
        open_only(wanted)
        states = (DeadLetterState.OPEN, DeadLetterState.DISCARDED)
        return self._change(pipeline_id, states, reason, ids, wanted, after=after, limit=limit, dry_run=dry_run)

    def reopen(self, pipeline_id: int, ids: Sequence[int]) -> DiscardResult:
        """Take back that dead letters were discarded.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        states = (DeadLetterState.DISCARDED, DeadLetterState.OPEN)
        return self._change(pipeline_id, states, "", ids, DeadLetterFilter(), after=0, limit=len(ids), dry_run=False)

    def _change(
        self,
        pipeline_id: int,
        states: tuple[DeadLetterState, DeadLetterState],
        reason: str,
        ids: Sequence[int] | None,
        wanted: DeadLetterFilter,
        *,
        after: int,
        limit: int,
        dry_run: bool,
    ) -> DiscardResult:
        self.pipeline(pipeline_id)
        candidates, missing, next_after = self.choose(pipeline_id, ids, wanted, after=after, limit=limit)
        fit = [each.id for each in candidates if each.state is states[0] and not each.is_claimed]
        changed = frozenset(fit)
        if fit and not dry_run:
            changed = self._letters.change(pipeline_id, fit, states, reason=reason, by=self._caller, now=self._now())
            said = plain_filter(wanted) if ids is None else {}
            action = "discard" if states[1] is DeadLetterState.DISCARDED else "reopen"
            self.record(action, pipeline_id, sorted(changed), said, comment=reason)
        unchanged = [each.id for each in candidates if each.id not in changed]
        return DiscardResult(len(changed), unchanged, missing, next_after)

    def choose(
        self, pipeline_id: int, ids: Sequence[int] | None, wanted: DeadLetterFilter, *, after: int, limit: int
    ) -> tuple[Sequence[RedriveCandidate], list[int], int | None]:
        """Return those with these ids, or those that fit; the ids of none; and where it goes on."""
        refuse_empty_range(wanted.since, wanted.until)
        if ids is not None:
            candidates = self._letters.candidates(pipeline_id, sorted(set(ids)))
            return candidates, sorted(set(ids) - {each.id for each in candidates}), None
        found = self._letters.chosen(pipeline_id, wanted, after=after, limit=limit + 1)
        next_after = found[limit - 1] if len(found) > limit else None
        return self._letters.candidates(pipeline_id, found[:limit]), [], next_after

    def settle(
        self, pipeline_id: int, sent: Sequence[Redrive], unsent: Sequence[int], claim: str, said: Mapping[str, Any]
    ) -> None:
        """Note what became of claimed dead letters: some were sent, the others are open for everybody again."""
        self._letters.redriven(pipeline_id, sent, by=self._caller, now=self._now())
        if unsent:
            self._letters.release(pipeline_id, unsent, claim)
        if sent:
            self.record("redrive", pipeline_id, [each.dead_letter_id for each in sent], said)

    def record(
        self, action: str, pipeline_id: int, ids: Sequence[int], said: Mapping[str, Any], *, comment: str = ""
    ) -> None:
        """Record what was done, in the same transaction; of many under id 0, with the ids of all."""
        if not ids:
            return
        self._audit.add(
            actor=self._caller,
            action=f"dead_letter.{action}",
            object_type="dead_letter",
            object_id=ids[0] if len(ids) == 1 else 0,
            object_name="",
            pipeline_id=pipeline_id,
            before=None,
            after={"ids": list(ids), **said},
            comment=comment,
        )


def open_only(wanted: DeadLetterFilter) -> None:
    """Refuse a filter that no open dead letter can fit.

    Raises:
        InvalidError: It names another state.
    """
    if wanted.state not in {None, DeadLetterState.OPEN}:
        raise InvalidError(
            f"only open dead letters can be redriven or discarded, not those that are {wanted.state}",
            details=[ErrorDetail("/filter/state", "open, or left out")],
        )


def refuse_empty_range(since: datetime | None, until: datetime | None) -> None:
    """Refuse a range of time that holds nothing.

    Raises:
        InvalidError: It begins when it has ended.
    """
    if since is not None and until is not None and since >= until:
        raise InvalidError(
            f"the range is empty: since {since.isoformat()} is not before until {until.isoformat()}",
            details=[ErrorDetail("/since", "before until")],
        )


def no_letter(pipeline_id: int, letter_id: int) -> NotFoundError:
    """Return the error for an id of no dead letter."""
    return NotFoundError(f"pipeline {pipeline_id} has no dead letter {letter_id}")


def plain_filter(wanted: DeadLetterFilter) -> dict[str, Any]:
    """Return a filter as JSON can hold it."""
    named = {name: value for name, value in asdict(wanted).items() if value is not None}
    return {
        "filter": {
            name: value.isoformat() if isinstance(value, datetime) else str(value) for name, value in named.items()
        }
    }
