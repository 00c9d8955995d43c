"""The call that asks who we are."""

from __future__ import annotations

from datetime import datetime

from sentinel.client.models import Model
from sentinel.client.transport import Transport


class Caller(Model):
    """Who calls, and what they may do. `open`: no key was needed."""

    tenant_id: str
    name: str
    scopes: list[str]
    open: bool
    expires_at: datetime | None

    def may(self, scope: str) -> bool:
        """Return whether the scope is allowed: `read`, `write`, `admin`, `ingest`."""
        return scope in self.scopes


class MeCalls(Transport):
    """Part of the client."""

    def who_am_i(self) -> Caller:
        """Return the tenant that the key acts for, and what it allows.

        Raises:
            UnauthenticatedError: The API is closed and the key is none.
            ForbiddenError: The key may not read.
        """
        return Caller.model_validate(self._get("/api/me").json())
