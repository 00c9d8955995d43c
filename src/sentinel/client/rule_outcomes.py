"""The calls about what a job says of rules."""

from __future__ import annotations

from sentinel.client import models
from sentinel.client.transport import Transport


class OutcomeCalls(Transport):
    """Part of the client."""

    def list_quarantines(self, pipeline_id: int) -> list[models.Quarantine]:
        """Return the quarantines of a pipeline's rules, newest first, ended ones too."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/quarantines")
        return [models.Quarantine.model_validate(item) for item in answer.json()]

    def list_rule_quarantines(self, rule_id: int) -> list[models.Quarantine]:
        """Return the quarantines of a rule, newest first, ended ones too."""
        answer = self._get(f"/api/rules/{rule_id}/quarantines")
        return [models.Quarantine.model_validate(item) for item in answer.json()]

    def list_rule_outcomes(self, rule_id: int, *, hours: int = 24) -> list[models.HourOutcomes]:
        """Return how many events a rule matched, did not match or could not tell, by hour, newest first."""
        answer = self._get(f"/api/rules/{rule_id}/outcomes", hours=hours)
        return [models.HourOutcomes.model_validate(item) for item in answer.json()]

    def list_rule_figures(self, pipeline_id: int, *, hours: int = 24) -> list[models.RuleFigures]:
        """Return what was counted of each rule of a pipeline that is not archived, oldest rule first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/rule-figures", hours=hours)
        return [models.RuleFigures.model_validate(item) for item in answer.json()]

    def get_rule_trials(self, rule_id: int, *, hours: int = 24) -> models.RuleTrials:
        """Return how versions on trial compare with the version in force."""
        return models.RuleTrials.model_validate(self._get(f"/api/rules/{rule_id}/trials", hours=hours).json())

    def get_rule_cost(self, rule_id: int) -> models.RuleCost:
        """Return what the current version of a rule costs per event.

        Raises:
            NotFoundError: There is no such rule, or it is not measured yet.
        """
        return models.RuleCost.model_validate(self._get(f"/api/rules/{rule_id}/cost").json())

    def release_rule(self, rule_id: int, comment: str = "") -> models.Rule:
        """Let a rule run again as it is.

        Raises:
            ConflictError: It is not in quarantine.
        """
        return models.Rule.model_validate(
            self._send("POST", f"/api/rules/{rule_id}/release", {"comment": comment}).json()
        )
