"""Quarantined rule versions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.domain.generation import Lease
from sentinel.domain.quarantine import Culprit, Quarantine
from sentinel.stores.postgres.database import Connection, Database
from sentinel.stores.postgres.ledger import hold_lease
from sentinel.stores.postgres.pipelines import PostgresPipelines
from sentinel.stores.postgres.rules import PostgresRules
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("quarantines")


class PostgresQuarantines:
    """The quarantines of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, pipeline_id: int, rule_id: int | None = None) -> Sequence[Quarantine]:
        """Return the quarantines of a pipeline or of one of its rules, newest first, ended ones too."""
        rows = self._connection.execute(_SQL["list"], {"pipeline_id": pipeline_id, "rule_id": rule_id})
        return [Quarantine(**row) for row in rows]

    def release(self, rule_id: int, *, released_by: str, comment: str) -> int:
        """End the quarantine of a rule's versions and return of how many."""
        parameters = {"rule_id": rule_id, "released_by": released_by, "comment": comment}
        return self._connection.execute(_SQL["release"], parameters).rowcount


class QuarantineStore:
    """What a job writes: rule versions it takes out, for one tenant."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    def quarantine(self, lease: Lease, *, generation_id: int, source_epoch: int, culprits: Sequence[Culprit]) -> None:
        """Take rule versions out of the pipeline's rule set, which a running job notices. Repeatable.

        Raises:
            LeaseLostError: Another driver holds the pipeline; nothing was written.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            pipelines = PostgresPipelines(tx)
            pipeline = pipelines.lock(lease.pipeline_id)
            if pipeline is None:
                return
            for culprit in culprits:
                tx.execute(
                    _SQL["add"],
                    {
                        "tenant_id": self._tenant_id,
                        "pipeline_id": lease.pipeline_id,
                        "rule_id": culprit.rule.rule_id,
                        "rule_version_id": culprit.rule.rule_version_id,
                        "generation_id": generation_id,
                        "cause": culprit.cause.replace("\x00", "\ufffd")[:2000],
                        "source_epoch": source_epoch,
                        "kafka_partition": culprit.partition,
                        "kafka_offset": culprit.offset,
                    },
                )
            rules = PostgresRules(tx)
            members = rules.rule_set(pipeline.id, pipeline.rule_set_version)
            version = pipeline.rule_set_version + 1
            rules.add_rule_set(pipeline.id, version, members.without(rules.quarantined(pipeline.id)))
            pipelines.set_rule_set_version(pipeline.id, version)
