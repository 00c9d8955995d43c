"""Read what reconciliation compares."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.domain.storm import RuleHour
from sentinel.stores.postgres.database import Database, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("reconcile")


@dataclass(frozen=True, slots=True)
class GenerationVersions:
    """The versions that a generation runs or ran."""

    generation_id: int
    schema_version: int
    rule_set_version: int
    source_epoch: int


class ReconcileReader:
    """Reads one pipeline's findings as wholes; meant for a check, not for a request."""

    def __init__(self, database: Database, tenant_id: str, pipeline_id: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._pipeline_id = pipeline_id

    def generations(self) -> list[GenerationVersions]:
        """Return the generations that ever were active."""
        return [
            GenerationVersions(row["id"], row["schema_version"], row["rule_set_version"], row["source_epoch"])
            for row in self._rows("generations")
        ]

    def dead_letters(self, source_epoch: int) -> list[tuple[int, int]]:
        """Return (partition, offset) of the dead letters."""
        return [(row["partition"], row["offset"]) for row in self._rows("dead_letters", source_epoch=source_epoch)]

    def alerts(self) -> list[Row]:
        """Return rule_id, event_id, partition, offset and source_epoch of every alert."""
        return self._rows("alerts")

    def decisions(self) -> list[Row]:
        """Return every decision, with partition, offset and source_epoch of its record."""
        return self._rows("decisions")

    def suppressed(self) -> dict[RuleHour, int]:
        """Return the matches that the storm guard only counted, by rule and hour."""
        return {(row["rule_id"], row["hour"]): row["match_count"] for row in self._rows("suppressed")}

    def skips(self, source_epoch: int) -> list[tuple[int, int, int]]:
        """Return (partition, first offset, end) of what an operator decided to go on without."""
        return [
            (int(partition), span[0], span[1])
            for row in self._rows("skips", source_epoch=source_epoch)
            for partition, span in row["skipped"].items()
        ]

    def event_severities(self, younger_than_seconds: float) -> dict[str, list[str]]:
        """Return the severities of each event's alerts."""
        rows = self._rows("event_severities", younger_than_seconds=younger_than_seconds)
        return {row["event_id"]: row["severities"] for row in rows}

    def entities(self, younger_than_seconds: float) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Return (critical, warning, info) counts of each entity."""
        return {
            (row["field"], row["value"]): (row["critical_count"], row["warning_count"], row["info_count"])
            for row in self._rows("entities", younger_than_seconds=younger_than_seconds)
        }

    def newest_alert_id(self, younger_than_seconds: float) -> int:
        """Return the id of the newest alert; 0 if there is none this young."""
        return int(self._rows("newest_alert_id", younger_than_seconds=younger_than_seconds)[0]["id"])

    def touched_since(self, alert_id: int) -> tuple[set[str], set[tuple[str, str]]]:
        """Return the events and the entities (field, value) of the alerts after this one."""
        rows = self._rows("alerts_since", alert_id=alert_id)
        return {row["event_id"] for row in rows}, {pair for row in rows for pair in row["entities"].items()}

    def _rows(self, statement: str, **parameters: object) -> list[Row]:
        with self._database.transaction(self._tenant_id) as tx:
            return tx.execute(_SQL[statement], {"pipeline_id": self._pipeline_id, **parameters}).fetchall()
