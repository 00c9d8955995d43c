"""The calls about what people do about alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.client import models
from sentinel.client.transport import Transport

_PATH = "/api/alerts"


class AlertCalls(Transport):
    """Part of the client."""

    def get_alert(self, alert_id: int) -> models.AlertDetail:
        """Return an alert with its notes and its history."""
        return models.AlertDetail.model_validate(self._get(f"{_PATH}/{alert_id}").json())

    def change_alert(self, alert_id: int, *, if_version: int | None = None, **changes: Any) -> models.AlertState:
        """Change `status`, `assignee` or `disposition`; `force=True` takes an acknowledgement over.

        Raises:
            ConflictError: Its status does not allow it, or somebody else has acknowledged it.
            VersionMismatchError: It is no longer at `if_version`.
        """
        answer = self._send("PATCH", f"{_PATH}/{alert_id}", changes, if_version=if_version)
        return models.AlertState.model_validate(answer.json())

    def add_alert_note(self, alert_id: int, text: str) -> models.AlertNote:
        """Write a note beside an alert."""
        answer = self._send("POST", f"{_PATH}/{alert_id}/notes", {"text": text})
        return models.AlertNote.model_validate(answer.json())

    def change_alerts(self, ids: Sequence[int], *, dry_run: bool = False, **changes: Any) -> models.AlertAction:
        """Change up to 1000 alerts by their ids, as of `change_alert`."""
        body = {"ids": list(ids), "dry_run": dry_run, **changes}
        return models.AlertAction.model_validate(self._send("POST", f"{_PATH}/actions", body).json())

    def change_matching_alerts(
        self, chosen: Mapping[str, Any], *, dry_run: bool = False, limit: int = 1000, **changes: Any
    ) -> Iterator[models.AlertAction]:
        """Change all alerts that fit a filter, newest first, request by request, and yield what each of them did.

        Args:
            chosen: As the parameters of `list_alerts`.
            limit: Alerts of a request.
        """
        wanted = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in chosen.items()
            if value is not None
        }
        body = {"filter": wanted, "dry_run": dry_run, "limit": limit, **changes}
        while True:
            done = models.AlertAction.model_validate(self._send("POST", f"{_PATH}/actions", body).json())
            yield done
            if done.next is None:
                return
            body["before"] = done.next

    def get_rule_quality(
        self, rule_id: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> models.RuleQuality:
        """Return what people found a rule's alerts to be; without a range those of the last 30 days."""
        answer = self._get(
            f"/api/rules/{rule_id}/quality",
            since=since.isoformat() if since else None,
            until=until.isoformat() if until else None,
        )
        return models.RuleQuality.model_validate(answer.json())
