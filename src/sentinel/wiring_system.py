"""The installation itself: which processes there are, the settings without secrets, the logs of a local stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from sentinel.clock import monotonic_seconds
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.program import written_address
from sentinel.ops.processes import OWN_NAME, HealthStatus, Place, ProcessHealth, ProcessWatch
from sentinel.settings import Settings
from sentinel.telemetry.redaction import Redactor
from sentinel.wiring import Backend
from sentinel.wiring_intake import EventIntake

# The end of a log, of which lines are taken.
_TAIL_BYTES = 256 * 1024
_MAX_LINE = 2000
# What the local stack runs beside the servers and the API.
_WORKERS = ("worker", "rule-worker")
_DASHBOARD = "dashboard"


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One effective setting. `value` of a secret says only whether it is set."""

    name: str
    value: str
    is_default: bool


class System:
    """What an installation knows of itself. Safe for many threads."""

    def __init__(self, settings: Settings, backend: Backend, intake: EventIntake) -> None:
        self._settings = settings
        self._paths = StackPaths(settings.home)
        self._redactor = Redactor(settings.secrets)
        self._watch = ProcessWatch(lambda: _own_health(backend, intake), self._places, monotonic_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._watch.close()

    def processes(self) -> list[ProcessHealth]:
        """Return how the API is, and the processes that the settings give a port or that the local stack runs."""
        return self._watch.look()

    def settings(self) -> list[SettingLine]:
        """Return the effective settings by the names of their environment variables."""
        return sorted(_lines("SENTINEL", self._settings, self._redactor), key=lambda each: each.name)

    def logs(self) -> list[str]:
        """Return the names of the logs that the local stack keeps; none where there is no local stack."""
        try:
            return sorted(path.stem for path in self._paths.logs.glob("*.log") if path.is_file())
        except OSError:
            return []

    def log_lines(self, name: str, limit: int) -> list[str]:
        """Return the last lines of a log, oldest first, without secrets.

        Raises:
            NotFoundError: There is no such log.
            StoreUnavailableError: It cannot be read.
        """
        # Only a name that was listed is looked for, so none leads out of the directory.
        if name not in self.logs():
            raise NotFoundError(f"there is no log {name!r}; logs are kept by the local stack alone")
        try:
            text = _tail(self._paths.logs / f"{name}.log")
        except OSError as error:
            raise StoreUnavailableError("the log", error.strerror or type(error).__name__) from error
        lines = text.splitlines()[-limit:]
        return [self._redactor.redacted(line)[:_MAX_LINE] for line in lines]

    def _places(self) -> list[Place]:
        told = self._settings.telemetry
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(told.host, told.host)  # noqa: S104
        named = {"worker": told.worker_port, "rule-worker": told.rule_worker_port, "job": told.job_port}
        places = {
            name: Place(name, f"{f'[{host}]' if ':' in host else host}:{port}") for name, port in named.items() if port
        }
        for name in self._programs():
            address = self._written(name, "address" if name == _DASHBOARD else "telemetry")
            if address:
                places[name] = Place(name, address, "/_stcore/health" if name == _DASHBOARD else "/readyz")
        return [places[name] for name in sorted(places)]

    def _written(self, name: str, kind: Literal["address", "telemetry"]) -> str:
        try:
            return written_address(self._paths, name, kind)
        except (OSError, ValueError):
            return ""

    def _programs(self) -> list[str]:
        try:
            found = {path.stem for path in self._paths.programs.glob("*.json")}
        except OSError:
            return []
        return sorted(name for name in found if name in {*_WORKERS, _DASHBOARD} or name.startswith("job-"))


def _own_health(backend: Backend, intake: EventIntake) -> ProcessHealth:
    """Return what `/readyz` of the API says."""
    troubles = {**backend.troubles(), "kafka": intake.log.trouble()}
    causes = {name: cause for name, cause in troubles.items() if cause is not None}
    status: HealthStatus = "unavailable" if "postgresql" in causes else "degraded" if causes else "ok"
    return ProcessHealth(OWN_NAME, status, causes, len(troubles))


def _lines(prefix: str, group: BaseModel, redactor: Redactor) -> list[SettingLine]:
    found: list[SettingLine] = []
    for name, field in type(group).model_fields.items():
        value: Any = getattr(group, name)
        variable = f"{prefix}{'_' if prefix == 'SENTINEL' else '__'}{name.upper()}"
        if isinstance(value, BaseModel):
            found += _lines(variable, value, redactor)
        elif isinstance(value, SecretStr):
            said = "set" if value.get_secret_value() else "not set"
            found.append(
                SettingLine(variable, f"(secret, {said})", value == field.get_default(call_default_factory=True))
            )
        else:
            # An address may hold a password, too.
            said = redactor.redacted(str(value))
            found.append(SettingLine(variable, said, value == field.get_default(call_default_factory=True)))
    return found


def _tail(path: Path) -> str:
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _TAIL_BYTES))
        text = log.read(_TAIL_BYTES).decode("utf-8", "replace")
    # The first line may have lost its beginning.
    return text if size <= _TAIL_BYTES else text.partition("\n")[2]
