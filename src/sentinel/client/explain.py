"""Explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from sentinel.client.models import Model
from sentinel.client.transport import Transport


class Place(Model):
    """A part of a rule."""

    text: str
    start: int
    end: int
    rule: str | None = None


class NotComputable(Place):
    """A part that has no value."""

    why: str | None = None


class DecidedBy(Place):
    """A part whose verdict decided."""

    verdict: Literal["true", "false", "unknown"]
    values: dict[str, Any]


class Node(Place):
    """A node of a rule's tree."""

    kind: str
    type: str | None
    value: Any
    verdict: Literal["true", "false", "unknown"] | None
    decided: bool
    left_out: int = 0
    children: list[Node] = Field(default_factory=list)


class DeadLetterReason(Model):
    """Why a record is no event."""

    cause: str
    field: str | None
    detail: str


class Explanation(Model):
    """Why a rule is true, false or unknown for an event."""

    rule_id: int | None
    rule_expression: str
    verdict: Literal["match", "no_match", "unknown", "dead_letter"]
    decided_by: list[DecidedBy]
    missing: list[str]
    not_computable: list[NotComputable]
    tree: Node | None
    dead_letter: DeadLetterReason | None
    event: Any
    event_id: str | None
    source: str
    partition: int | None
    offset: int | None
    rule_version: int | None
    schema_version: int
    generation_id: int | None
    was_in_force: bool | None
    alert_id: int | None
    notes: list[str]


class ExplainCalls(Transport):
    """The explaining part of the client."""

    def explain(self, pipeline_id: int, rule_id: int | str, event: str, *, version: int | None = None) -> Explanation:
        """Say why a rule matched an event or did not.

        Args:
            rule_id: The rule's id, or its name.
            event: An event id, or the place of its record as partition:offset.
            version: Default: the version that decided the event.

        Raises:
            TransientError: The rule worker is away or still starts.
        """
        answer = self._get(f"/api/pipelines/{pipeline_id}/explain", event=event, rule=rule_id, version=version)
        return Explanation.model_validate(answer.json())

    def explain_event(
        self,
        pipeline_id: int,
        event: Mapping[str, Any] | str,
        *,
        rule_id: int | str | None = None,
        version: int | None = None,
        rule_expression: str | None = None,
    ) -> Explanation:
        """Say what a rule, or a text that may become one, makes of an event (a text: of the record as it is)."""
        body: dict[str, Any] = {"event_text": event} if isinstance(event, str) else {"event": dict(event)}
        given = {"rule": rule_id, "version": version, "rule_expression": rule_expression}
        body |= {name: value for name, value in given.items() if value is not None}
        answer = self._request("POST", f"/api/pipelines/{pipeline_id}/explain", json=body)
        return Explanation.model_validate(answer.json())
