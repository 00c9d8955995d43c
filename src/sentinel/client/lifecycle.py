"""The client's calls on the life of rules: states, candidates, mutes, scorecards, audit entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.client import models
from sentinel.client.transport import Transport


class LifecycleCalls(Transport):
    """One method per endpoint of docs/lifecycle.md; part of `Client`."""

    def set_rule_state(
        self,
        rule_id: int,
        state: str,
        *,
        share_percent: float | None = None,
        entity: str | None = None,
        comment: str = "",
        if_version: int | None = None,
    ) -> models.Rule:
        """Move a rule to draft, shadow, rollout, active, paused or archived.

        Raises:
            ConflictError: That state cannot follow; the message names those that can.
        """
        body = {"state": state, "share_percent": share_percent, "entity": entity, "comment": comment}
        return self._rule("POST", f"/api/rules/{rule_id}/state", body, if_version)

    def propose_rule(
        self,
        rule_id: int,
        rule_expression: str,
        severity: str | None = None,
        description: str = "",
        *,
        comment: str = "",
        if_version: int | None = None,
    ) -> models.Rule:
        """Write a candidate beside the version in force, as a draft."""
        body = {
            "rule_expression": rule_expression,
            "severity": severity,
            "description": description,
            "comment": comment,
        }
        return self._rule("PUT", f"/api/rules/{rule_id}/candidate", body, if_version)

    def set_candidate_state(
        self,
        rule_id: int,
        state: str,
        *,
        share_percent: float | None = None,
        entity: str | None = None,
        comment: str = "",
        if_version: int | None = None,
    ) -> models.Rule:
        """Move a candidate to draft, shadow or rollout, or change the share of its rollout."""
        body = {"state": state, "share_percent": share_percent, "entity": entity, "comment": comment}
        return self._rule("POST", f"/api/rules/{rule_id}/candidate/state", body, if_version)

    def promote_rule(self, rule_id: int, comment: str = "", *, if_version: int | None = None) -> models.Rule:
        """Make what is tried the rule."""
        return self._rule("POST", f"/api/rules/{rule_id}/promote", {"comment": comment}, if_version)

    def abort_rule(self, rule_id: int, comment: str = "", *, if_version: int | None = None) -> models.Rule:
        """Give up what is tried."""
        return self._rule("POST", f"/api/rules/{rule_id}/abort", {"comment": comment}, if_version)

    def rollout(self, rule_id: int) -> models.RolloutResult:
        """Return what a rollout has shown so far."""
        return models.RolloutResult.model_validate(self._get(f"/api/rules/{rule_id}/rollout").json())

    def diff_rule_versions(self, rule_id: int, from_version: int, to_version: int) -> list[models.RuleChange]:
        """Return what lies between two versions of a rule."""
        answer = self._get(f"/api/rules/{rule_id}/versions/diff", **{"from": from_version, "to": to_version})
        return [models.RuleChange.model_validate(item) for item in answer.json()["changes"]]

    def mute_rule(
        self, pipeline_id: int, rule_id: int, reason: str, *, expires_at: datetime | None = None
    ) -> models.Mute:
        """Silence a rule: it is evaluated and counted, and alerts nobody."""
        return self._mute(pipeline_id, rule_id=rule_id, reason=reason, expires_at=expires_at)

    def snooze(
        self,
        pipeline_id: int,
        field: str,
        value: str,
        reason: str,
        *,
        expires_at: datetime,
        rule_id: int | None = None,
    ) -> models.Mute:
        """Silence an entity until a time, for one rule or for all."""
        return self._mute(pipeline_id, rule_id=rule_id, field=field, value=value, reason=reason, expires_at=expires_at)

    def list_mutes(self, pipeline_id: int, *, ended: bool = False, limit: int = 50) -> list[models.Mute]:
        """Return mutes and snoozes, newest first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/mutes", ended=ended, limit=limit)
        return [models.Mute.model_validate(item) for item in answer.json()]

    def end_mute(self, mute_id: int) -> models.Mute:
        """End a mute or snooze before its time."""
        return models.Mute.model_validate(self._send("DELETE", f"/api/mutes/{mute_id}", {}).json())

    def suppressed(self, pipeline_id: int, *, rule_id: int | None = None) -> list[models.Suppressed]:
        """Return the matches that raised no alert, per rule and hour, newest hour first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/suppressed", rule_id=rule_id)
        return [models.Suppressed.model_validate(item) for item in answer.json()]

    def add_scorecard(
        self, pipeline_id: int, name: str, weights: Mapping[str, int], *, review: int, decline: int
    ) -> models.Scorecard:
        """Add a scorecard: rule name -> points, and from which sums on to review and to decline."""
        thresholds = {"review": review, "decline": decline}
        body = {"name": name, "weights": dict(weights), "thresholds": thresholds}
        answer = self._send("POST", f"/api/pipelines/{pipeline_id}/scorecards", body)
        return models.Scorecard.model_validate(answer.json())

    def change_scorecard(
        self,
        scorecard_id: int,
        weights: Mapping[str, int],
        *,
        review: int,
        decline: int,
        if_version: int | None = None,
    ) -> models.Scorecard:
        """Write the next version of a scorecard."""
        body = {"weights": dict(weights), "thresholds": {"review": review, "decline": decline}}
        answer = self._send("PUT", f"/api/scorecards/{scorecard_id}", body, if_version=if_version)
        return models.Scorecard.model_validate(answer.json())

    def set_scorecard_status(
        self, scorecard_id: int, is_active: bool, *, if_version: int | None = None
    ) -> models.Scorecard:
        """Switch a scorecard on or off. `if_version` is its `row_version`."""
        path = f"/api/scorecards/{scorecard_id}/status"
        answer = self._send("PATCH", path, {"is_active": is_active}, if_version=if_version)
        return models.Scorecard.model_validate(answer.json())

    def list_scorecards(self, pipeline_id: int) -> list[models.Scorecard]:
        """Return the scorecards of a pipeline, oldest first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/scorecards")
        return [models.Scorecard.model_validate(item) for item in answer.json()]

    def audit(self, *, limit: int = 50, before: int | None = None, **wanted: Any) -> Sequence[models.AuditEntry]:
        """Return audit entries, newest first; by pipeline_id, object_type, object_id, actor, action, since, until."""
        answer = self._get("/api/audit", limit=limit, before=before, **wanted)
        return [models.AuditEntry.model_validate(item) for item in answer.json()]

    def _rule(self, method: str, path: str, body: Mapping[str, Any], if_version: int | None) -> models.Rule:
        return models.Rule.model_validate(self._send(method, path, body, if_version=if_version).json())

    def _mute(self, pipeline_id: int, *, expires_at: datetime | None, **body: Any) -> models.Mute:
        wanted = {**body, "expires_at": expires_at.isoformat() if expires_at else None}
        answer = self._send("POST", f"/api/pipelines/{pipeline_id}/mutes", wanted)
        return models.Mute.model_validate(answer.json())
