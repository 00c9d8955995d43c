"""Outcomes of rules in PostgreSQL: counted from the lake, each commit of it exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from psycopg.types.json import Jsonb

from sentinel.domain.archive_commit import ArchiveCommit
from sentinel.domain.generation import Lease
from sentinel.domain.outcome import HourOutcomes, OutcomeCount, RuleCost, RuleFigures
from sentinel.domain.rule import RuleVersion
from sentinel.domain.trial import MAX_SAMPLES, Disagreement, TrialCount, TrialHour, TrialSample, TrialTotals
from sentinel.stores.postgres.archive_ledger import commit_of
from sentinel.stores.postgres.database import Connection, Database, required
from sentinel.stores.postgres.ledger import hold_lease
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("outcomes")


@dataclass(frozen=True, slots=True)
class Observed:
    """What was counted over some commits.

    Attributes:
        rule_ids: Rule version id -> rule id.
        on_trial: The versions among them that were evaluated beside the one in force.
        counts: (rule version id, hour) -> outcomes.
        trials: (rule version id, control version id, hour) -> matches.
        samples: Events about which a version on trial and its control disagree.
    """

    rule_ids: Mapping[int, int]
    on_trial: frozenset[int] = frozenset()
    counts: Mapping[tuple[int, int], OutcomeCount] = field(default_factory=dict)
    trials: Mapping[tuple[int, int, int], TrialCount] = field(default_factory=dict)
    samples: Sequence[TrialSample] = ()


class PostgresOutcomes:
    """The outcomes of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_rule(self, pipeline_id: int, rule_id: int, *, since: datetime) -> Sequence[HourOutcomes]:
        """Return the outcomes of a rule by hour, newest first."""
        rows = self._connection.execute(
            _SQL["of_rule"], {"pipeline_id": pipeline_id, "rule_id": rule_id, "since": since}
        )
        return [HourOutcomes(**{**row, "missing": merged(row["missing"])}) for row in rows]

    def of_pipeline(self, pipeline_id: int, *, since: datetime) -> Sequence[RuleFigures]:
        """Return what was counted of each rule of a pipeline that is not archived, oldest rule first."""
        rows = self._connection.execute(_SQL["of_pipeline"], {"pipeline_id": pipeline_id, "since": since})
        return [RuleFigures(**row) for row in rows]

    def trials_of(self, rule_id: int, *, since: datetime) -> Sequence[TrialHour]:
        """Return the trials of a rule's versions by hour, newest first."""
        rows = self._connection.execute(_SQL["trials_of_rule"], {"rule_id": rule_id, "since": since})
        return [TrialHour(**row) for row in rows]

    def samples_of(self, rule_id: int) -> Sequence[TrialSample]:
        """Return events about which versions on trial and in force disagree, a few of each kind."""
        rows = self._connection.execute(_SQL["samples_of_rule"], {"rule_id": rule_id})
        return [TrialSample(**{**row, "kind": Disagreement(row["kind"])}) for row in rows]

    def cost_of(self, rule_id: int) -> RuleCost | None:
        """Return what the current version of a rule costs; None while it is not measured."""
        row = self._connection.execute(_SQL["cost_of_rule"], {"rule_id": rule_id}).fetchone()
        return RuleCost(**row) if row else None


class OutcomeStore:
    """What a job writes of one tenant's outcomes."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    def unobserved(self, pipeline_id: int, *, max_records: int) -> list[ArchiveCommit]:
        """Return the oldest commits that are not counted yet, all of one generation.

        Args:
            max_records: No more than these together, but at least one commit.
        """
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["unobserved"], {"pipeline_id": pipeline_id}).fetchall()
        chosen: list[ArchiveCommit] = []
        for commit in map(commit_of, rows):
            total = sum(each.offset_count for each in chosen) + commit.offset_count
            if chosen and (commit.generation_id != chosen[0].generation_id or total > max_records):
                break
            chosen.append(commit)
        return chosen

    def record(
        self,
        lease: Lease,
        commits: Sequence[ArchiveCommit],
        found: Observed,
    ) -> None:
        """Add counts and mark their commits, in one transaction.

        Raises:
            LeaseLostError: Another driver holds the pipeline; nothing was written.
        """
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            marked = tx.execute(
                _SQL["mark_observed"], {"pipeline_id": lease.pipeline_id, "seqs": [commit.seq for commit in commits]}
            )
            if marked.rowcount == len(commits):
                self._add_outcomes(tx, found)
                self._add_trials(tx, found)

    def trial_totals(self, candidate_id: int, control_id: int) -> TrialTotals:
        """Return what a version on trial has shown beside the one in force."""
        wanted = {"candidate_id": candidate_id, "control_id": control_id}
        with self._database.transaction(self._tenant_id) as tx:
            row = tx.execute(_SQL["trial_totals"], wanted).fetchone()
        return TrialTotals(**required(row))

    def without_cost(self, rules: Sequence[RuleVersion]) -> list[RuleVersion]:
        """Return those whose cost is not known."""
        wanted = {"rule_version_ids": [rule.rule_version_id for rule in rules]}
        with self._database.transaction(self._tenant_id) as tx:
            known = {row["rule_version_id"] for row in tx.execute(_SQL["measured"], wanted)}
        return [rule for rule in rules if rule.rule_version_id not in known]

    def keep_cost(self, lease: Lease, rule: RuleVersion, *, microseconds: float, sampled_events: int) -> None:
        """Record what a rule version costs.

        Raises:
            LeaseLostError: Another driver holds the pipeline; nothing was written.
        """
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            tx.execute(
                _SQL["keep_cost"],
                {
                    "rule_version_id": rule.rule_version_id,
                    "tenant_id": self._tenant_id,
                    "rule_id": rule.rule_id,
                    "microseconds": microseconds,
                    "sampled_events": sampled_events,
                },
            )

    def _add_trials(self, tx: Connection, found: Observed) -> None:
        with tx.cursor() as cursor:
            for (version, control, hour), count in sorted(found.trials.items()):
                cursor.execute(
                    _SQL["add_trial_count"],
                    {
                        "rule_version_id": version,
                        "control_version_id": control,
                        "tenant_id": self._tenant_id,
                        "rule_id": found.rule_ids[version],
                        "hour": hour,
                        **asdict(count),
                    },
                )
            for sample in found.samples:
                cursor.execute(
                    _SQL["add_trial_sample"],
                    {
                        **asdict(sample),
                        "event_id": sample.event_id.replace("\x00", "\ufffd"),
                        "tenant_id": self._tenant_id,
                        "rule_id": found.rule_ids[sample.rule_version_id],
                        "most": MAX_SAMPLES,
                    },
                )

    def _add_outcomes(self, tx: Connection, found: Observed) -> None:
        if not found.counts:
            return
        totals = {place: OutcomeCount(c.evaluated, c.unknown, Counter(c.missing)) for place, c in found.counts.items()}
        hours = [hour for _, hour in totals]
        wanted = {"rule_version_ids": list({version for version, _ in totals}), "first": min(hours), "last": max(hours)}
        for row in tx.execute(_SQL["counted"], wanted):
            known = totals.get((row["rule_version_id"], row["hour"]))
            if known is not None and row["is_trial"] == (row["rule_version_id"] in found.on_trial):
                known.add(row["evaluated_count"], row["unknown_count"], row["missing"])
        with tx.cursor() as cursor:
            cursor.executemany(
                _SQL["keep"],
                [
                    {
                        "rule_version_id": version,
                        "tenant_id": self._tenant_id,
                        "is_trial": version in found.on_trial,
                        "rule_id": found.rule_ids[version],
                        "hour": hour,
                        "evaluated": count.evaluated,
                        "unknown": count.unknown,
                        "missing": Jsonb(dict(count.missing)),
                    }
                    for (version, hour), count in sorted(totals.items())
                ],
            )


def merged(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by field, most first."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())
