"""The calls about dead letters, and what they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from sentinel.client.models.base import Model
from sentinel.client.models.operation import DeadLetter
from sentinel.client.transport import Transport

_BEFORE = re.compile(r"[?&]before=(\d+)")


class Redrive(Model):
    """A dead letter that was sent again, and where its new record lies."""

    dead_letter_id: int
    redrive_count: int
    is_edited: bool
    value_sha256: str
    size_bytes: int
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    redriven_by: str
    redriven_at: datetime | None
    failed_as: int | None


class DeadLetterDetail(DeadLetter):
    """A dead letter with how it was sent again, newest first."""

    kafka_topic: str
    redrives: list[Redrive]


class DeadLetterPage(Model):
    """Dead letters, newest first; `next_before` leads on while there are more."""

    letters: list[DeadLetter]
    next_before: int | None


class CauseCount(Model):
    """How many dead letters of a cause are in a state; `hour` where they are counted per hour."""

    cause: str
    state: str
    count: int
    hour: datetime | None = None


class DeadLetterCounts(Model):
    """How many dead letters there are; `hours` begin at `hours_since`."""

    total: int
    causes: list[CauseCount]
    hours: list[CauseCount]
    hours_since: datetime


class RecordCheck(Model):
    """What the engine says of a record with the schema of now."""

    is_event: bool
    cause: str | None
    field: str | None
    detail: str


class LeftLetter(Model):
    """A dead letter that stays as it is: `why` is a word, `detail` a sentence."""

    id: int
    why: str
    detail: str


class RedriveReport(Model):
    """What one request of a redrive did, or would do. `next` is the `after` of the next one."""

    dry_run: bool
    looked_at: int
    sent: int
    redrives: list[Redrive]
    events: int | None
    by_cause: dict[str, int]
    left: int
    left_by: dict[str, int]
    left_details: list[LeftLetter]
    next: int | None
    stopped: str
    is_repeated: bool


class DiscardReport(Model):
    """What one request discarded or reopened, or would. `next` is the `after` of the next one."""

    dry_run: bool
    changed: int
    unchanged: list[int]
    missing: list[int]
    next: int | None


class DeadLetterCalls(Transport):
    """Part of the client."""

    def dead_letters(self, pipeline_id: int, *, limit: int = 50, **wanted: Any) -> list[DeadLetter]:
        """Return dead letters, newest first, as `list_dead_letters` does."""
        return self.list_dead_letters(pipeline_id, limit=limit, **wanted).letters

    def list_dead_letters(
        self,
        pipeline_id: int,
        *,
        cause: str | None = None,
        state: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        before: int | None = None,
        raw: bool = True,
    ) -> DeadLetterPage:
        """Return dead letters, newest first.

        Args:
            since, until: Of the time at which they were found.
            raw: Whether each comes with its record.

        Raises:
            TooBroadError: They were not found in time; narrow the range.
        """
        answer = self._get(
            _path(pipeline_id),
            cause=cause,
            state=state,
            since=_text(since),
            until=_text(until),
            limit=limit,
            before=before,
            raw=None if raw else "false",
        )
        letters = [DeadLetter.model_validate(item) for item in answer.json()]
        return DeadLetterPage(letters=letters, next_before=_next_before(answer))

    def get_dead_letter(self, pipeline_id: int, letter_id: int) -> DeadLetterDetail:
        """Return one with its record and its redrives."""
        return DeadLetterDetail.model_validate(self._get(_path(pipeline_id, letter_id)).json())

    def count_dead_letters(
        self, pipeline_id: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> DeadLetterCounts:
        """Return how many there are by cause and state, and per hour (without a range: of the last 7 days)."""
        answer = self._get(_path(pipeline_id, "counts"), since=_text(since), until=_text(until))
        return DeadLetterCounts.model_validate(answer.json())

    def check_dead_letter(self, pipeline_id: int, letter_id: int, text: str | None = None) -> RecordCheck:
        """Return whether the record, or a text in its place, would be an event now.

        Raises:
            EngineUnavailableError: No rule worker answers in time.
        """
        answer = self._send("POST", _path(pipeline_id, letter_id, "check"), {"text": text})
        return RecordCheck.model_validate(answer.json())

    def redrive_dead_letter(
        self, pipeline_id: int, letter_id: int, text: str | None = None, *, only_events: bool = True
    ) -> RedriveReport:
        """Send one dead letter again, as it is kept or as another text.

        Raises:
            ConflictError: It cannot be sent; the message says why.
            StoreUnavailableError: The broker does not answer; nothing has changed.
        """
        body = {"text": text, "only_events": only_events}
        answer = self._send("POST", _path(pipeline_id, letter_id, "redrive"), body)
        return RedriveReport.model_validate(answer.json())

    def redrive_dead_letters(
        self,
        pipeline_id: int,
        *,
        ids: Sequence[int] | None = None,
        chosen: Mapping[str, Any] | None = None,
        after: int = 0,
        limit: int = 100,
        only_events: bool = True,
        dry_run: bool = False,
        records_per_second: float = 50.0,
    ) -> RedriveReport:
        """Send dead letters again, or say what that would do; one request, `next` leads on.

        Args:
            ids: These, or
            chosen: Those that fit `cause`, `since`, `until`, oldest first; `{}`: all that are open.
        """
        more = {"limit": limit, "only_events": only_events, "records_per_second": records_per_second}
        body = {**_choice(ids, chosen, after), **more, "dry_run": dry_run}
        return RedriveReport.model_validate(self._send("POST", _path(pipeline_id, "redrive"), body).json())

    def discard_dead_letters(
        self,
        pipeline_id: int,
        reason: str,
        *,
        ids: Sequence[int] | None = None,
        chosen: Mapping[str, Any] | None = None,
        after: int = 0,
        limit: int = 1000,
        dry_run: bool = False,
    ) -> DiscardReport:
        """Discard open dead letters, chosen as in `redrive_dead_letters`; one request, `next` leads on."""
        body = {**_choice(ids, chosen, after), "reason": reason, "limit": limit, "dry_run": dry_run}
        return DiscardReport.model_validate(self._send("POST", _path(pipeline_id, "discard"), body).json())

    def reopen_dead_letters(self, pipeline_id: int, ids: Sequence[int]) -> DiscardReport:
        """Take back that dead letters were discarded."""
        answer = self._send("POST", _path(pipeline_id, "reopen"), {"ids": list(ids)})
        return DiscardReport.model_validate(answer.json())


def _path(pipeline_id: int, *parts: object) -> str:
    return "/".join((f"/api/pipelines/{pipeline_id}/dead-letters", *map(str, parts)))


def _choice(ids: Sequence[int] | None, chosen: Mapping[str, Any] | None, after: int) -> dict[str, Any]:
    if ids is not None:
        return {"ids": list(ids)}
    named = {name: value for name, value in (chosen or {}).items() if value is not None}
    said = {name: _text(value) if isinstance(value, datetime) else value for name, value in named.items()}
    return {"filter": said, "after": after}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _next_before(answer: httpx.Response) -> int | None:
    found = _BEFORE.search(answer.links.get("next", {}).get("url", ""))
    return int(found[1]) if found else None
