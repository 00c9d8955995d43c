"""Notification policies and silences, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.domain.notification_policy import PolicyVersion
from sentinel.domain.silence import Silence
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.notifications.rows import json_of, policy_of
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("notification_config")


class PostgresPolicies:
    """The policies of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def current(self) -> PolicyVersion | None:
        """Return the newest; None: there is none."""
        row = self._connection.execute(_SQL["current_policy"]).fetchone()
        return policy_of(row) if row else None

    def get(self, version: int) -> PolicyVersion | None:
        """Return one; None: there is no such version."""
        row = self._connection.execute(_SQL["policy"], {"version": version}).fetchone()
        return policy_of(row) if row else None

    def versions(self, before: int | None, limit: int) -> list[PolicyVersion]:
        """Return versions, newest first."""
        rows = self._connection.execute(_SQL["policies"], {"before": before, "limit": limit})
        return [policy_of(row) for row in rows]

    def add(self, version: int, document: Mapping[str, Any], comment: str, created_by: str) -> PolicyVersion | None:
        """Write a version; None: somebody else wrote it first."""
        parameters = {
            "version": version,
            "document": json_of(dict(document)),
            "comment": comment,
            "created_by": created_by,
        }
        row = self._connection.execute(_SQL["add_policy"], parameters).fetchone()
        return policy_of(row) if row else None

    def channel_names(self) -> set[str]:
        """Return the names of all channels."""
        return {row["name"] for row in self._connection.execute(_SQL["channel_names"])}

    def plan_summaries(self, next_at: Mapping[str, datetime], at: datetime) -> None:
        """Have summaries told at these times, by name, and no others; a new one tells of what comes from `at` on."""
        names = sorted(next_at)
        self._connection.execute(_SQL["forget_summaries"], {"names": names})
        parameters = {"names": names, "times": [next_at[name] for name in names], "at": at}
        self._connection.execute(_SQL["plan_summaries"], parameters)

    def release(self) -> None:
        """Have groups that quiet hours hold back looked at again, at once."""
        self._connection.execute(_SQL["release"])


class PostgresSilences:
    """The silences of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self, matchers: Sequence[str], starts_at: datetime, ends_at: datetime, comment: str, created_by: str
    ) -> Silence:
        """Write a silence."""
        parameters = {
            "matchers": list(matchers),
            "starts_at": starts_at,
            "ends_at": ends_at,
            "comment": comment,
            "created_by": created_by,
        }
        return _silence(required(self._connection.execute(_SQL["add_silence"], parameters).fetchone()))

    def get(self, silence_id: int) -> Silence | None:
        """Return a silence."""
        row = self._connection.execute(_SQL["silence"], {"silence_id": silence_id}).fetchone()
        return _silence(row) if row else None

    def page(self, at: datetime, *, expired: bool, before: int | None, limit: int) -> list[Silence]:
        """Return silences, newest first; those that are over as well where asked for."""
        parameters = {"at": at, "expired": expired, "before": before, "limit": limit}
        return [_silence(row) for row in self._connection.execute(_SQL["silences"], parameters)]

    def count(self, at: datetime) -> int:
        """Return how many are in force or to come."""
        return int(required(self._connection.execute(_SQL["count_silences"], {"at": at}).fetchone())["kept"])

    def end(self, silence_id: int, at: datetime, ended_by: str) -> None:
        """End a silence before its time."""
        self._connection.execute(_SQL["end_silence"], {"silence_id": silence_id, "at": at, "ended_by": ended_by})


def _silence(row: Row) -> Silence:
    return Silence(**{**row, "matchers": tuple(row["matchers"])})
