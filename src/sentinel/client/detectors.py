"""The calls about detectors, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sentinel.client.models import Model
from sentinel.client.transport import Transport

_PATH = "/api/detectors"


class DetectorSchedule(Model):
    """When a detector runs: every so many seconds, or by a cron expression."""

    interval_seconds: int | None
    cron: str | None
    time_zone: str


class DetectorRun(Model):
    """One run of a detector. `state` is running, done or failed."""

    id: int
    detector: str
    cause: str
    requested_by: str
    run_at: datetime
    state: str
    window_start: datetime | None
    window_end: datetime | None
    window_count: int
    finding_count: int
    fired_count: int
    amended_count: int
    error: str | None
    started_at: datetime
    finished_at: datetime | None


class Detector(Model):
    """A detector. `mode` is on, off or auto; `is_enabled` says whether it runs."""

    name: str
    kind: str
    title: str
    is_builtin: bool
    description: str
    mode: str
    is_enabled: bool
    parameters: dict[str, Any]
    changed_parameters: list[str]
    schedule: DetectorSchedule
    next_run_at: datetime | None
    evaluated_until: datetime | None
    last_run: DetectorRun | None
    version: int
    created_at: datetime | None
    updated_at: datetime | None


class DetectorKind(Model):
    """A kind of detector."""

    name: str
    title: str
    needs: str
    defaults: dict[str, Any]


class Amendment(Model):
    """What an alert of a detector said before it was amended."""

    version: int
    severity: str
    level: str
    evidence: Any
    reason: str
    amended_at: datetime


class DetectorCalls(Transport):
    """Part of the client."""

    def list_detector_kinds(self) -> list[DetectorKind]:
        """Return the kinds of detectors with the defaults of their parameters."""
        return [DetectorKind.model_validate(item) for item in self._get("/api/detector-kinds").json()]

    def list_detectors(self) -> list[Detector]:
        """Return all detectors, by name."""
        return [Detector.model_validate(item) for item in self._get(_PATH).json()]

    def get_detector(self, name: str) -> Detector:
        """Return a detector."""
        return Detector.model_validate(self._get(_place(name)).json())

    def create_detector(
        self,
        name: str,
        kind: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        schedule: Mapping[str, Any] | None = None,
        mode: str = "on",
        description: str = "",
    ) -> Detector:
        """Set up a detector.

        Args:
            schedule: `{"interval_seconds": 300}` or `{"cron": "0 6 * * *", "time_zone": "Europe/Berlin"}`; None: every
                five minutes.

        Raises:
            InvalidError: It cannot work; `details` lists everything.
            ConflictError: The name is taken.
        """
        body: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "parameters": dict(parameters or {}),
            "mode": mode,
            "description": description,
        }
        if schedule is not None:
            body["schedule"] = dict(schedule)
        return Detector.model_validate(self._send("POST", _PATH, body).json())

    def change_detector(self, name: str, *, if_version: int | None = None, **changes: Any) -> Detector:
        """Change a detector: description, mode, parameters (None: back to the default), schedule.

        Raises:
            InvalidError: It cannot work; `details` lists everything.
            VersionMismatchError: It is no longer at `if_version`.
        """
        return Detector.model_validate(self._send("PATCH", _place(name), changes, if_version=if_version).json())

    def delete_detector(self, name: str, *, if_version: int | None = None) -> None:
        """Delete a detector that is not built in."""
        self._request("DELETE", _place(name), headers={} if if_version is None else {"If-Match": f'"{if_version}"'})

    def run_detector(self, name: str, *, at: datetime | None = None) -> DetectorRun:
        """Run a detector, and return what came of it: `state` says whether it failed.

        Args:
            at: Evaluate what ended in the `late_hours` before this time; None: what is due now.
        """
        body = {"at": at.isoformat() if at else None}
        return DetectorRun.model_validate(self._send("POST", f"{_place(name)}/run", body).json())

    def list_detector_runs(self, name: str, *, limit: int = 50) -> list[DetectorRun]:
        """Return the newest runs of a detector."""
        return [DetectorRun.model_validate(item) for item in self._get(f"{_place(name)}/runs", limit=limit).json()]

    def list_amendments(self, alert_id: int) -> list[Amendment]:
        """Return what an alert said before it was amended, oldest first."""
        return [Amendment.model_validate(item) for item in self._get(f"/api/alerts/{alert_id}/amendments").json()]


def _place(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"
