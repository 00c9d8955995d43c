"""Use cases on quarantined rules: look, release."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.catalog.audit import Auditor
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import RuleCatalog, no_pipeline
from sentinel.domain.quarantine import Quarantine
from sentinel.domain.rule import Rule
from sentinel.errors import ConflictError
from sentinel.stores.base import PipelineStore
from sentinel.stores.beside_rules import QuarantineReader


class QuarantineCatalog:
    """Rule versions of one tenant that a job took out of its rule set."""

    def __init__(
        self,
        pipelines: PipelineStore,
        rules: RuleCatalog,
        publisher: Publisher,
        quarantines: QuarantineReader,
        auditor: Auditor,
        *,
        caller: str,
    ) -> None:
        self._pipelines = pipelines
        self._rules = rules
        self._publisher = publisher
        self._quarantines = quarantines
        self._auditor = auditor
        self._caller = caller

    def of_pipeline(self, pipeline_id: int) -> Sequence[Quarantine]:
        """Return the quarantines of a pipeline, newest first, ended ones too.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)
        return self._quarantines.list(pipeline_id)

    def of_rule(self, rule_id: int) -> Sequence[Quarantine]:
        """Return the quarantines of a rule, newest first, ended ones too.

        Raises:
            NotFoundError: There is no such rule.
        """
        return self._quarantines.list(self._rules.get(rule_id).pipeline_id, rule_id)

    def release(self, rule_id: int, *, comment: str) -> Rule:
        """Let a rule run again as it is. Where it throws again, it is taken out again.

        Raises:
            NotFoundError: There is no such rule.
            ConflictError: It is not in quarantine.
        """
        pipeline = self._pipelines.lock(self._rules.get(rule_id).pipeline_id)
        rule = self._rules.get(rule_id)
        if pipeline is None:
            raise no_pipeline(rule.pipeline_id)
        if not self._quarantines.release(rule_id, released_by=self._caller, comment=comment):
            raise ConflictError(f"rule {rule_id} is not in quarantine")
        self._publisher.publish(pipeline)
        self._auditor.record(
            "rule.release",
            "rule",
            rule.id,
            pipeline_id=rule.pipeline_id,
            object_name=rule.name,
            before={"quarantined": True},
            after={"quarantined": False},
            comment=comment,
        )
        return rule
