"""Calls that ask for the installation itself."""

from __future__ import annotations

from urllib.parse import quote

from sentinel.client.models.system import Setting, SystemState
from sentinel.client.transport import Transport


class SystemCalls(Transport):
    """Part of the client."""

    def system(self) -> SystemState:
        """Return how each process is, and the jobs of the tenant's pipelines."""
        return SystemState.model_validate(self._get("/api/system").json())

    def system_settings(self) -> list[Setting]:
        """Return the effective settings of the API without secrets.

        Raises:
            ForbiddenError: The key is not the operator's.
        """
        return [Setting.model_validate(each) for each in self._get("/api/system/settings").json()]

    def logs(self) -> list[str]:
        """Return the names of the logs that the local stack keeps.

        Raises:
            ForbiddenError: The key is not the operator's.
        """
        return [str(each) for each in self._get("/api/system/logs").json()]

    def log_lines(self, name: str, *, limit: int = 200) -> list[str]:
        """Return the last lines of a log, oldest first.

        Raises:
            ForbiddenError: The key is not the operator's.
            NotFoundError: There is no such log.
        """
        found = self._get(f"/api/system/logs/{quote(name, safe='')}", limit=limit).json()
        return [str(each) for each in found["lines"]]
