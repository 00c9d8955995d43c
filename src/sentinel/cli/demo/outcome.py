"""What came out of a run, and whether it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentinel.client import models
from sentinel.errors import TransientError
from sentinel.localstack.services import python_path
from sentinel.settings import Settings
from sentinel.stores.lake.names import table_names
from sentinel.stores.lake.query import run_query
from sentinel.stores.postgres.run_figures import Archived, Latency, RuleAlerts
from sentinel.workload.producer import SendSummary

RECONCILE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Change:
    """A change made under traffic, and the version by which it is known in the ledger."""

    name: str
    asked_at: datetime
    rule_set_version: int = 0
    schema_version: int = 0
    rule_id: int | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """When a change took effect.

    Attributes:
        seconds: From the request to the first record decided under it, in the last partition to get there; None:
            it never did.
        events: Events decided under it.
        missing: Of those, the ones that lack the added field's value in the lake.
    """

    change: Change
    seconds: float | None
    events: int
    missing: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """All figures of a run."""

    pipeline: models.Pipeline
    warm_up: SendSummary
    summary: SendSummary
    archived: Archived
    rules: list[RuleAlerts]
    latency: Latency | None
    effects: list[Effect]
    proof: dict[str, Any]
    urls: dict[str, str]
    seconds: float

    @property
    def sent(self) -> int:
        """Events sent, those of the warm-up included."""
        return self.warm_up.sent + self.summary.sent

    @property
    def delivered(self) -> int:
        """Events that Kafka has acknowledged, those of the warm-up included."""
        return self.warm_up.delivered + self.summary.delivered

    @property
    def lost(self) -> int:
        """Records, alerts and scores that should be there and are not."""
        return sum(int(check["lost"]) for check in self.proof["checks"])

    @property
    def doubled(self) -> int:
        """Records, alerts and scores that should not be there."""
        return sum(int(check["doubled"]) for check in self.proof["checks"])

    @property
    def failures(self) -> list[str]:
        """What does not hold, one sentence each."""
        found = []
        if self.delivered != self.sent:
            found.append(f"{self.sent - self.delivered:,} events were not delivered to Kafka")
        if self.archived.events != self.delivered:
            found.append(
                f"{self.delivered:,} events were delivered, {self.archived.events:,} are in the lake and "
                f"{self.archived.dead_letters:,} in the dead letters"
            )
        if not sum(rule.alerts for rule in self.rules):
            found.append("no rule has raised an alert")
        for effect in self.effects:
            if effect.seconds is None:
                found.append(f"the {effect.change.name} did not take effect")
            elif effect.missing:
                found.append(
                    f"{effect.missing:,} of {effect.events:,} events lack the {effect.change.name} in the lake"
                )
            added = next((rule for rule in self.rules if rule.rule_id == effect.change.rule_id), None)
            if added is not None and not added.alerts:
                found.append(f"rule {added.rule_id}, added under traffic, has raised no alert")
        if not self.proof["ok"]:
            found.append(f"reconcile: {self.lost:,} lost, {self.doubled:,} doubled")
        return found

    @property
    def holds(self) -> bool:
        """Whether all of it is as it should be."""
        return not self.failures


def effect_of(settings: Settings, pipeline_id: int, change: Change, generations: Sequence[models.Generation]) -> Effect:
    """Look up in the lake from which records on a change was in force.

    The time of the first such record in Kafka is exact to its millisecond; it is taken in the partition that came
    last, since only then the change is in force everywhere.
    """
    with_it = [
        item.id
        for item in generations
        if item.rule_set_version >= change.rule_set_version and item.schema_version >= change.schema_version
    ]
    if not with_it:
        return Effect(change, None, 0, 0)
    decided_with_it = f"FROM events WHERE _generation_id IN ({', '.join(map(str, with_it))})"

    def ask(sql: str) -> list[list[Any]]:
        return run_query(settings.lake, settings.tenant, sql, table_names([(pipeline_id, "")], pipeline_id)).rows

    rows = ask(f"SELECT _partition, epoch_ms(min(_timestamp)), count(*) {decided_with_it} GROUP BY 1")
    if not rows:
        return Effect(change, None, 0, 0)
    missing = 0
    if change.field:
        # The lake has the column since there are events under the new schema version.
        missing = ask(f'SELECT count(*) {decided_with_it} AND "{change.field}" IS NULL')[0][0]
    last = max(row[1] for row in rows) / 1000
    return Effect(change, max(0.0, last - change.asked_at.timestamp()), sum(row[2] for row in rows), missing)


def run_reconcile(settings: Settings, pipeline_id: int) -> dict[str, Any]:
    """Run `sentinel reconcile` in a process of its own, which has its own Spark, and return its report.

    Raises:
        TransientError: It could not be run; the message quotes it.
    """
    environment = {**os.environ, "SENTINEL_HOME": str(settings.home), "PYTHONPATH": python_path()}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sentinel.cli.app", "reconcile", str(pipeline_id), "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=RECONCILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TransientError(
            f"reconcile did not end within {RECONCILE_SECONDS} s; try `sentinel reconcile {pipeline_id}`"
        ) from error
    begin = done.stdout.find("{")
    try:
        report: dict[str, Any] = json.loads(done.stdout[begin:] if begin >= 0 else "")
    except ValueError as error:
        said = done.stderr.strip().splitlines()[-3:]
        raise TransientError(f"reconcile ended with code {done.returncode}: {' '.join(said)}") from error
    return report
