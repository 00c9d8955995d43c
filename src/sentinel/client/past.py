"""The client's methods on the past of a pipeline: backtests, refills, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.client import models
from sentinel.client.transport import Transport


class PastCalls(Transport):
    """Backtests, refills and labels."""

    def start_backtest(
        self,
        pipeline_id: int,
        rules: Sequence[str | int | Mapping[str, Any]],
        start: datetime,
        end: datetime,
        **more: Any,
    ) -> models.HistoryTask:
        """Test rules on the lake, in the background.

        Args:
            rules: Expressions, ids of saved rules, or `{"rule_id", "version"}`.
            more: clock, label_column, label_set_id, sweep, against_active, samples.

        Raises:
            InvalidRuleError: A rule has errors; `issues` lists them.
        """
        body = {"rules": [_rule(rule) for rule in rules], "from": start.isoformat(), "to": end.isoformat(), **more}
        answer = self._send("POST", f"/api/pipelines/{pipeline_id}/backtests", body)
        return models.HistoryTask.model_validate(answer.json())

    def get_backtest(self, backtest_id: int) -> models.HistoryTask:
        """Return a backtest."""
        return models.HistoryTask.model_validate(self._get(f"/api/backtests/{backtest_id}").json())

    def list_backtests(
        self, pipeline_id: int, *, limit: int = 50, before: int | None = None
    ) -> list[models.HistoryTask]:
        """Return the backtests of a pipeline, newest first, without their results."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/backtests", limit=limit, before=before)
        return [models.HistoryTask.model_validate(item) for item in answer.json()]

    def cancel_backtest(self, backtest_id: int) -> models.HistoryTask:
        """End a backtest.

        Raises:
            ConflictError: It is finished.
        """
        answer = self._send("POST", f"/api/backtests/{backtest_id}/cancel", {})
        return models.HistoryTask.model_validate(answer.json())

    def start_refill(
        self, pipeline_id: int, start: datetime, end: datetime, *, rule_id: int | None = None, **more: Any
    ) -> models.HistoryTask:
        """Make the alerts that a rule, or all active ones, would have raised.

        Args:
            more: clock, max_alerts.
        """
        body = {"from": start.isoformat(), "to": end.isoformat(), "rule_id": rule_id, **more}
        answer = self._send("POST", f"/api/pipelines/{pipeline_id}/refills", body)
        return models.HistoryTask.model_validate(answer.json())

    def get_refill(self, refill_id: int) -> models.HistoryTask:
        """Return a refill."""
        return models.HistoryTask.model_validate(self._get(f"/api/refills/{refill_id}").json())

    def list_refills(self, pipeline_id: int, *, limit: int = 50, before: int | None = None) -> list[models.HistoryTask]:
        """Return the refills of a pipeline, newest first, without their results."""
        answer = self._get(f"/api/pipelines/{pipeline_id}/refills", limit=limit, before=before)
        return [models.HistoryTask.model_validate(item) for item in answer.json()]

    def cancel_refill(self, refill_id: int) -> models.HistoryTask:
        """End a refill; the alerts that it wrote stay."""
        return models.HistoryTask.model_validate(self._send("POST", f"/api/refills/{refill_id}/cancel", {}).json())

    def add_labels(
        self,
        pipeline_id: int,
        name: str,
        content: bytes,
        *,
        id_column: str | None = None,
        label_column: str | None = None,
    ) -> models.LabelSet:
        """Upload labels as CSV with a heading."""
        columns = {"name": name, "id_column": id_column, "label_column": label_column}
        answer = self._request(
            "POST",
            f"/api/pipelines/{pipeline_id}/labels",
            params={key: value for key, value in columns.items() if value is not None},
            content=content,
            headers={"Content-Type": "text/csv"},
        )
        return models.LabelSet.model_validate(answer.json())

    def list_labels(self, pipeline_id: int) -> list[models.LabelSet]:
        """Return the label sets of a pipeline, newest first."""
        return [
            models.LabelSet.model_validate(item) for item in self._get(f"/api/pipelines/{pipeline_id}/labels").json()
        ]

    def delete_labels(self, label_set_id: int) -> None:
        """Forget labels."""
        self._request("DELETE", f"/api/labels/{label_set_id}")


def _rule(rule: str | int | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(rule, str):
        return {"expression": rule}
    return {"rule_id": rule} if isinstance(rule, int) else dict(rule)
