"""The part of the client that moves rules from state to state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from sentinel.client import models


class Sends(Protocol):
    """What a part of the client needs of it."""

    def _send(
        self, method: str, path: str, body: Mapping[str, Any], *, if_version: int | None = None
    ) -> httpx.Response: ...


class RuleStates:
    """Methods of `Client` about states of rules."""

    def set_rule_state(
        self: Sends, rule_id: int, state: str, comment: str = "", *, if_version: int | None = None
    ) -> models.Rule:
        """Move a rule to draft, shadow, active, paused or archived.

        Raises:
            ConflictError: That state cannot follow; the message names those that can.
            VersionMismatchError: The rule is no longer at `if_version`, its `row_version`.
        """
        body = {"state": state, "comment": comment}
        answer = self._send("POST", f"/api/rules/{rule_id}/state", body, if_version=if_version)
        return models.Rule.model_validate(answer.json())
