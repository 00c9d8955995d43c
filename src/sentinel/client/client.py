"""The API's client: one method per endpoint, typed answers, errors as in `sentinel.errors`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from sentinel.client import models
from sentinel.client.alert_finding import AlertFindingCalls
from sentinel.client.alerts import AlertCalls
from sentinel.client.channels import ChannelCalls
from sentinel.client.dead_letters import DeadLetterCalls
from sentinel.client.detectors import DetectorCalls
from sentinel.client.events import EventCalls
from sentinel.client.explain import ExplainCalls
from sentinel.client.figures import FigureCalls
from sentinel.client.lake import LakeCalls
from sentinel.client.lifecycle import LifecycleCalls
from sentinel.client.lists import ListCalls
from sentinel.client.me import MeCalls
from sentinel.client.notifications import NotificationCalls
from sentinel.client.past import PastCalls
from sentinel.client.rule_outcomes import OutcomeCalls
from sentinel.client.rule_tests import RuleTestCalls
from sentinel.client.system import SystemCalls
from sentinel.client.webhook_backfills import BackfillCalls
from sentinel.client.webhooks import WebhookCalls

_BEFORE = re.compile(r"[?&]before=(\d+)")


class Client(
    ChannelCalls,
    AlertCalls,
    AlertFindingCalls,
    BackfillCalls,
    DeadLetterCalls,
    DetectorCalls,
    EventCalls,
    ExplainCalls,
    FigureCalls,
    LakeCalls,
    LifecycleCalls,
    ListCalls,
    MeCalls,
    NotificationCalls,
    OutcomeCalls,
    PastCalls,
    RuleTestCalls,
    SystemCalls,
    WebhookCalls,
):
    """Speaks to the configuration API. Safe to share between threads.

    A write carries an `Idempotency-Key` of its own, so it is repeated once when the connection breaks.
    """

    # -- pipelines

    def create_pipeline(
        self,
        name: str,
        kafka_topic: str,
        schema: Sequence[Mapping[str, Any]],
        *,
        config: Mapping[str, Any] | None = None,
        start_at: str = "earliest",
        status: str = "active",
    ) -> int:
        """Create a pipeline and return its id.

        Raises:
            InvalidError: Topic or schema cannot work; `details` lists everything.
            ConflictError: The name is taken.
        """
        body = {
            "name": name,
            "kafka_topic": kafka_topic,
            "schema": list(schema),
            "config": dict(config or {}),
            "start_at": start_at,
            "status": status,
        }
        return int(self._send("POST", "/api/pipelines", body).json()["id"])

    def list_pipelines(self) -> list[models.Pipeline]:
        """Return all pipelines, oldest first."""
        return [models.Pipeline.model_validate(item) for item in self._get("/api/pipelines").json()]

    def get_pipeline(self, pipeline_id: int) -> models.Pipeline:
        """Return a pipeline."""
        return models.Pipeline.model_validate(self._get(f"/api/pipelines/{pipeline_id}").json())

    def set_pipeline_status(self, pipeline_id: int, status: str, *, if_version: int | None = None) -> None:
        """Set a pipeline active, paused or stopped."""
        self._send("PATCH", f"/api/pipelines/{pipeline_id}/status", {"status": status}, if_version=if_version)

    def set_pipeline_config(self, pipeline_id: int, *, if_version: int | None = None, **config: Any) -> models.Pipeline:
        """Change settings: mode, score_every_event, future_tolerance_seconds, max_record_bytes, ..."""
        answer = self._send("PATCH", f"/api/pipelines/{pipeline_id}", config, if_version=if_version)
        return models.Pipeline.model_validate(answer.json())

    # -- schemas

    def get_schema(self, pipeline_id: int, version: int | None = None) -> models.Schema:
        """Return a schema version; None: the one in force."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/schema", version=version)
        return models.Schema.model_validate(answer.json())

    def list_schemas(self, pipeline_id: int) -> list[models.Schema]:
        """Return all schema versions, newest first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/schema/versions")
        return [models.Schema.model_validate(item) for item in answer.json()]

    def put_schema(
        self,
        pipeline_id: int,
        schema: Sequence[Mapping[str, Any] | models.SchemaField],
        *,
        if_version: int | None = None,
        confirm: str | None = None,
    ) -> models.SchemaPut:
        """Write the next schema version.

        Raises:
            BreakingChangeError: It breaks something; `plan["confirm"]` is what to pass as `confirm`.
            VersionMismatchError: The schema is no longer at `if_version`.
        """
        fields = [
            item.model_dump(exclude_none=True) if isinstance(item, models.SchemaField) else dict(item)
            for item in schema
        ]
        body = {"schema": fields, "confirm": confirm}
        answer = self._send("PUT", f"/api/pipelines/{pipeline_id}/schema", body, if_version=if_version)
        return models.SchemaPut.model_validate(answer.json())

    # -- rules

    def add_rule(
        self,
        pipeline_id: int,
        rule_expression: str,
        severity: str | None = None,
        description: str = "",
        *,
        is_active: bool | None = None,
        name: str | None = None,
        state: str | None = None,
    ) -> models.Rule:
        """Add a rule, in Spark SQL or as `when ... then ...`, which may name its severity itself.

        Raises:
            InvalidRuleError: The expression has errors; `issues` lists them with their places.
        """
        body = {
            "rule_expression": rule_expression,
            "severity": severity,
            "description": description,
            "is_active": is_active,
            "name": name,
            "state": state,
        }
        return models.Rule.model_validate(self._send("POST", f"/api/pipelines/{pipeline_id}/rules", body).json())

    def write_rules(self, pipeline_id: int, rules: Sequence[Mapping[str, Any]]) -> list[models.Rule]:
        """Add and change many rules at once, all of it or nothing.

        Args:
            rules: Each with `rule_expression`, and `severity`, `description`, `name`, `comment`; one that is there with
                `rule_id` and `row_version`, one that is added with `state`.

        Raises:
            InvalidError, ConflictError: `details` tell of each rule what is wrong, by its place: `/rules/3`.
        """
        answer = self._send("POST", f"/api/pipelines/{pipeline_id}/rules/batch", {"rules": list(rules)})
        return [models.Rule.model_validate(item) for item in answer.json()["rules"]]

    def list_rules(self, pipeline_id: int) -> list[models.Rule]:
        """Return the rules of a pipeline, oldest first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/rules")
        return [models.Rule.model_validate(item) for item in answer.json()]

    def get_rule(self, rule_id: int) -> models.Rule:
        """Return a rule."""
        return models.Rule.model_validate(self._get(f"/api/rules/{rule_id}").json())

    def change_rule(
        self,
        rule_id: int,
        rule_expression: str,
        severity: str | None = None,
        description: str = "",
        *,
        name: str | None = None,
        comment: str = "",
        if_version: int | None = None,
    ) -> models.Rule:
        """Write the next version of a rule. `if_version` is its `row_version`; without a name it keeps its own."""
        body = {
            "rule_expression": rule_expression,
            "severity": severity,
            "description": description,
            "name": name,
            "comment": comment,
        }
        return models.Rule.model_validate(
            self._send("PUT", f"/api/rules/{rule_id}", body, if_version=if_version).json()
        )

    def list_rule_versions(self, rule_id: int) -> list[models.RuleVersion]:
        """Return all versions of a rule, newest first, with what each changed."""
        answer = self._get(f"/api/rules/{rule_id}/versions")
        return [models.RuleVersion.model_validate(item) for item in answer.json()]

    def roll_back_rule(
        self, rule_id: int, version: int, comment: str = "", *, if_version: int | None = None
    ) -> models.Rule:
        """Write the content of an earlier version as the next one."""
        body = {"version": version, "comment": comment}
        answer = self._send("POST", f"/api/rules/{rule_id}/rollback", body, if_version=if_version)
        return models.Rule.model_validate(answer.json())

    def set_rule_status(self, rule_id: int, is_active: bool, *, if_version: int | None = None) -> models.Rule:
        """Switch a rule on or off."""
        body = {"is_active": is_active}
        answer = self._send("PATCH", f"/api/rules/{rule_id}/status", body, if_version=if_version)
        return models.Rule.model_validate(answer.json())

    def check_rule(
        self,
        rule_expression: str,
        *,
        pipeline_id: int | None = None,
        schema: Sequence[Mapping[str, Any]] | None = None,
    ) -> models.RuleCheck:
        """Check an expression against a pipeline's schema, or against one that is no pipeline's yet."""
        body: dict[str, Any] = {"rule_expression": rule_expression}
        body |= {"pipeline_id": pipeline_id} if pipeline_id is not None else {"schema": list(schema or [])}
        answer = self._request("POST", "/api/rules/check", json=body)
        return models.RuleCheck.model_validate(answer.json())

    # -- alerts

    def list_alerts(
        self,
        *,
        limit: int = 50,
        pipeline_id: int | None = None,
        severity: str | None = None,
        rule_id: int | None = None,
        event_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        status: str | None = None,
        assignee: str | None = None,
        disposition: str | None = None,
        source: str | None = None,
        detector: str | None = None,
        before: int | None = None,
    ) -> models.AlertPage:
        """Return a page of alerts, newest first."""
        answer = self._get(
            "/api/alerts",
            limit=limit,
            pipeline_id=pipeline_id,
            severity=severity,
            rule_id=rule_id,
            event_id=event_id,
            since=since.isoformat() if since else None,
            until=until.isoformat() if until else None,
            text=text,
            status=status,
            assignee=assignee,
            disposition=disposition,
            source=source,
            detector=detector,
            before=before,
        )
        alerts = [models.Alert.model_validate(item) for item in answer.json()]
        return models.AlertPage(alerts=alerts, next_before=_next_before(answer))

    def iterate_alerts(self, **wanted: Any) -> Iterator[models.Alert]:
        """Yield all alerts of a filter, page by page, newest first."""
        page = self.list_alerts(**wanted)
        yield from page.alerts
        while page.next_before is not None:
            page = self.list_alerts(**{**wanted, "before": page.next_before})
            yield from page.alerts

    # -- operation

    def score(
        self, pipeline_id: int, event_id: str, *, partition: int | None = None, offset: int | None = None
    ) -> models.EventScore:
        """Return what detection says of an event; the place of its record tells clean and not yet seen apart."""
        path = f"/api/pipelines/{pipeline_id}/scores/{quote(event_id, safe='')}"
        return models.EventScore.model_validate(self._get(path, partition=partition, offset=offset).json())

    def progress(self, pipeline_id: int) -> models.Progress:
        """Return how far a pipeline is, and the job that runs it."""
        return models.Progress.model_validate(self._get(f"/api/pipelines/{pipeline_id}/progress").json())

    def list_progress(self) -> list[models.PipelineProgress]:
        """Return how far every pipeline is, newest pipeline first."""
        return [models.PipelineProgress.model_validate(item) for item in self._get("/api/progress").json()]

    def generations(self, pipeline_id: int, *, limit: int = 50, before: int | None = None) -> list[models.Generation]:
        """Return generations with their borders, newest first."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/generations", limit=limit, before=before)
        return [models.Generation.model_validate(item) for item in answer.json()]

    def readiness(self) -> models.Readiness:
        """Return whether the API can serve, and what is wrong where it cannot.

        Raises:
            StoreUnavailableError: The API itself does not answer.
        """
        answer = self._raw("GET", "/readyz")
        return models.Readiness.model_validate(answer.json())


def _next_before(answer: httpx.Response) -> int | None:
    found = _BEFORE.search(answer.links.get("next", {}).get("url", ""))
    return int(found[1]) if found else None
