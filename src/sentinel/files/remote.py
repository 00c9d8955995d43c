"""What the API holds, read once when it is asked for."""

from __future__ import annotations

from sentinel.client import Client, models
from sentinel.client.rule_tests import RuleTest


class Remote:
    """A view of a tenant's configuration; make a new one to see what has changed since."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._pipelines: dict[str, models.Pipeline] | None = None
        self._schemas: dict[int, models.Schema] = {}
        self._rules: dict[int, dict[str, models.Rule]] = {}
        self._rule_tests: dict[int, list[RuleTest]] = {}

    @property
    def pipelines(self) -> dict[str, models.Pipeline]:
        """The pipelines by name."""
        if self._pipelines is None:
            self._pipelines = {pipeline.name: pipeline for pipeline in self.client.list_pipelines()}
        return self._pipelines

    def schema(self, pipeline: models.Pipeline) -> models.Schema:
        """The schema in force."""
        if pipeline.id not in self._schemas:
            self._schemas[pipeline.id] = self.client.get_schema(pipeline.id)
        return self._schemas[pipeline.id]

    def rules(self, pipeline: models.Pipeline) -> dict[str, models.Rule]:
        """The rules of a pipeline by name, without those that are archived."""
        if pipeline.id not in self._rules:
            self._rules[pipeline.id] = {rule.name: rule for rule in self.client.list_rules(pipeline.id)}
        return self._rules[pipeline.id]

    def rule_tests(self, rule: models.Rule) -> list[RuleTest]:
        """The tests beside a rule, oldest first."""
        if rule.id not in self._rule_tests:
            self._rule_tests[rule.id] = self.client.list_rule_tests(rule.id)
        return self._rule_tests[rule.id]
