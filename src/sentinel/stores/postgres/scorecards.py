"""Scorecards and their decisions in PostgreSQL."""

from __future__ import annotations

import hashlib
import json

from psycopg.types.json import Jsonb

from sentinel.domain.scorecard import (
    Decision,
    EventDecision,
    Scorecard,
    ScorecardContent,
    ScorecardVersion,
    Thresholds,
)
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("scorecards")


class PostgresScorecards:
    """The scorecards of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, scorecard_id: int) -> Scorecard | None:
        """Return a scorecard."""
        row = self._connection.execute(_SQL["get"], {"scorecard_id": scorecard_id}).fetchone()
        return _scorecard(row) if row else None

    def list(self, pipeline_id: int) -> tuple[Scorecard, ...]:
        """Return the scorecards of a pipeline, oldest first."""
        return tuple(_scorecard(row) for row in self._connection.execute(_SQL["list"], {"pipeline_id": pipeline_id}))

    def versions(self, scorecard_id: int) -> tuple[ScorecardVersion, ...]:
        """Return all versions, newest first."""
        rows = self._connection.execute(_SQL["versions"], {"scorecard_id": scorecard_id})
        return tuple(_version(row) for row in rows)

    def add(self, pipeline_id: int, name: str, content: ScorecardContent, *, created_by: str, comment: str) -> int:
        """Create a scorecard at version 1 and return its id."""
        parameters = {"pipeline_id": pipeline_id, "name": name}
        scorecard_id = int(required(self._connection.execute(_SQL["add"], parameters).fetchone())["id"])
        self.add_version(scorecard_id, content, created_by=created_by, comment=comment)
        return scorecard_id

    def add_version(self, scorecard_id: int, content: ScorecardContent, *, created_by: str, comment: str) -> None:
        """Write the next version and make it the current one."""
        weights = dict(sorted(content.weights.items()))
        thresholds = content.thresholds
        hashed = json.dumps([weights, thresholds.review, thresholds.decline], separators=(",", ":"))
        self._connection.execute(
            _SQL["add_version"],
            {
                "scorecard_id": scorecard_id,
                "weights": Jsonb(weights),
                "review": thresholds.review,
                "decline": thresholds.decline,
                "content_hash": hashlib.sha256(hashed.encode()).hexdigest(),
                "comment": comment,
                "created_by": created_by,
            },
        )

    def set_active(self, scorecard_id: int, is_active: bool) -> None:
        """Switch a scorecard on or off."""
        self._connection.execute(_SQL["set_active"], {"scorecard_id": scorecard_id, "is_active": is_active})

    def decisions_on(self, pipeline_id: int, event_id: str) -> tuple[EventDecision, ...]:
        """Return what scorecards said of an event, by name."""
        rows = self._connection.execute(_SQL["decisions_on"], {"pipeline_id": pipeline_id, "event_id": event_id})
        return tuple(
            EventDecision(
                row["scorecard"],
                row["version"],
                row["score"],
                Decision(row["decision"]),
                tuple(row["rule_ids"]),
                row["decided_at"],
            )
            for row in rows
        )


def _scorecard(row: Row) -> Scorecard:
    return Scorecard(
        id=row["id"],
        pipeline_id=row["pipeline_id"],
        name=row["name"],
        is_active=row["is_active"],
        current=_version(row),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _version(row: Row) -> ScorecardVersion:
    return ScorecardVersion(
        id=row["version_id"],
        version=row["content_version"],
        content=ScorecardContent(row["weights"], Thresholds(row["review"], row["decline"])),
        content_hash=row["content_hash"],
        comment=row["comment"],
        created_by=row["created_by"],
        created_at=row["version_created_at"],
    )
