"""Dead letters in PostgreSQL. The job writes them (`findings`); here they are read, and their states changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.errors import QueryCanceled

from sentinel.domain.redrive import (
    CauseCount,
    DeadLetterEntry,
    DeadLetterFilter,
    DeadLetterState,
    Redrive,
    RedriveCandidate,
)
from sentinel.errors import TooBroadError
from sentinel.stores.postgres.database import Connection, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("dead_letters")
_STATEMENT_TIMEOUT_MS = 8_000


class PostgresDeadLetters:
    """The dead letters of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self, pipeline_id: int, chosen: DeadLetterFilter, *, before: int | None, limit: int, with_raw: bool
    ) -> list[DeadLetterEntry]:
        """Return dead letters, newest first.

        Raises:
            TooBroadError: PostgreSQL did not find them in time.
        """
        states = list(DeadLetterState) if chosen.state is None else [chosen.state]
        wanted = {
            "pipeline_id": pipeline_id,
            "states": [state.value for state in states],
            "cause": chosen.cause,
            "since": chosen.since,
            "until": chosen.until,
            "before": before,
            "limit": limit,
            "with_raw": with_raw,
        }
        return [_entry(row) for row in self._bounded("page", wanted)]

    def get(self, pipeline_id: int, letter_id: int) -> DeadLetterEntry | None:
        """Return one with its record."""
        wanted = {"pipeline_id": pipeline_id, "letter_id": letter_id}
        row = self._connection.execute(_SQL["get"], wanted).fetchone()
        return None if row is None else _entry(row)

    def redrives(self, letter_id: int) -> list[Redrive]:
        """Return how it was sent again, newest first."""
        return [_redrive(row) for row in self._connection.execute(_SQL["redrives"], {"letter_id": letter_id})]

    def redrives_of_request(self, pipeline_id: int, request_key: str) -> list[Redrive]:
        """Return what a request has sent, in the order of the dead letters."""
        wanted = {"pipeline_id": pipeline_id, "request_key": request_key}
        return [_redrive(row) for row in self._connection.execute(_SQL["redrives_of_request"], wanted)]

    def counts(self, pipeline_id: int, *, since: datetime | None, until: datetime | None) -> list[CauseCount]:
        """Return how many were found in a range of time, by cause and state.

        Raises:
            TooBroadError: PostgreSQL did not count them in time.
        """
        wanted = {"pipeline_id": pipeline_id, "since": since, "until": until}
        return [_count(row) for row in self._bounded("counts", wanted)]

    def hours(self, pipeline_id: int, *, since: datetime, until: datetime) -> list[CauseCount]:
        """Return the same per hour, oldest first.

        Raises:
            TooBroadError: PostgreSQL did not count them in time.
        """
        wanted = {"pipeline_id": pipeline_id, "since": since, "until": until}
        return [_count(row) for row in self._bounded("hours", wanted)]

    def chosen(self, pipeline_id: int, wanted: DeadLetterFilter, *, after: int, limit: int) -> list[int]:
        """Return the ids of those that fit, oldest first; open ones where no state is wanted.

        Raises:
            TooBroadError: PostgreSQL did not find them in time.
        """
        values = {
            "pipeline_id": pipeline_id,
            "state": (wanted.state or DeadLetterState.OPEN).value,
            "cause": wanted.cause,
            "since": wanted.since,
            "until": wanted.until,
            "after": after,
            "limit": limit,
        }
        return [int(row["id"]) for row in self._bounded("chosen", values)]

    def candidates(self, pipeline_id: int, ids: Sequence[int]) -> list[RedriveCandidate]:
        """Return what decides whether these may be sent again, in the order of their ids."""
        rows = self._connection.execute(_SQL["candidates"], {"pipeline_id": pipeline_id, "ids": list(ids)})
        return [RedriveCandidate(**{**row, "state": DeadLetterState(row["state"])}) for row in rows]

    def raws(self, pipeline_id: int, ids: Sequence[int]) -> dict[int, bytes | None]:
        """Return the records of these."""
        rows = self._connection.execute(_SQL["raws"], {"pipeline_id": pipeline_id, "ids": list(ids)})
        return {row["id"]: None if row["raw"] is None else bytes(row["raw"]) for row in rows}

    def claim(self, pipeline_id: int, ids: Sequence[int], claim: str, *, seconds: float) -> frozenset[int]:
        """Take open ones that nobody else has for so long, and return which. Does not wait for others."""
        values = {"pipeline_id": pipeline_id, "ids": list(ids), "claim": claim, "seconds": seconds}
        return frozenset(row["id"] for row in self._connection.execute(_SQL["claim"], values))

    def release(self, pipeline_id: int, ids: Sequence[int], claim: str) -> None:
        """Give them back as they were."""
        values = {"pipeline_id": pipeline_id, "ids": list(ids), "claim": claim}
        self._connection.execute(_SQL["release"], values)

    def redriven(self, pipeline_id: int, redrives: Sequence[Redrive], *, by: str, now: datetime) -> None:
        """Note that they were sent, and where their new records lie."""
        if not redrives:
            return
        ids = sorted(each.dead_letter_id for each in redrives)
        self._connection.execute(_SQL["redriven"], {"pipeline_id": pipeline_id, "ids": ids, "by": by, "now": now})
        with self._connection.cursor() as cursor:
            cursor.executemany(
                _SQL["add_redrive"],
                [{**asdict(each), "pipeline_id": pipeline_id, "redriven_at": now} for each in redrives],
            )

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
        values = {
            "pipeline_id": pipeline_id,
            "ids": list(ids),
            "from_state": states[0].value,
            "to_state": states[1].value,
            "reason": reason,
            "by": by,
            "now": now,
        }
        return frozenset(row["id"] for row in self._connection.execute(_SQL["change"], values))

    def _bounded(self, statement: str, values: dict[str, Any]) -> list[Row]:
        """Run a statement, planned with its values, that may not take long."""
        try:
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(_STATEMENT_TIMEOUT_MS),))
            return self._connection.execute(_SQL[statement], values, prepare=False).fetchall()
        except QueryCanceled as error:
            raise TooBroadError(
                f"the dead letters were not read within {_STATEMENT_TIMEOUT_MS // 1000} s; narrow the range of time"
            ) from error


def _entry(row: Row) -> DeadLetterEntry:
    raw = row["raw"]
    return DeadLetterEntry(
        **{**row, "raw": None if raw is None else bytes(raw), "state": DeadLetterState(row["state"])}
    )


def _redrive(row: Row) -> Redrive:
    return Redrive(**{**row, "value_sha256": bytes(row["value_sha256"])})


def _count(row: Row) -> CauseCount:
    return CauseCount(**{**row, "state": DeadLetterState(row["state"])})
