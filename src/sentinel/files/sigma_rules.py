"""Converted Sigma rules held against the rules of a pipeline: what is new, what has changed, what is there already."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sentinel.client import Client, models
from sentinel.errors import SentinelError
from sentinel.files.plan import StoppedError
from sentinel.sigma.convert import ConvertedRule

_NAME_LENGTH = 64
_ID_DIGITS = 12

FirstState = Literal["draft", "shadow", "active", "paused"]


@dataclass(frozen=True, slots=True)
class SigmaChange:
    """What importing one rule does.

    Attributes:
        actual: The rule that is there; None: it is new.
        fields: What differs; empty for a new rule.
    """

    rule: ConvertedRule
    name: str
    actual: models.Rule | None = None
    fields: tuple[str, ...] = ()

    @property
    def action(self) -> Literal["add", "change", "keep"]:
        """What is done."""
        if self.actual is None:
            return "add"
        return "change" if self.fields else "keep"


def name_of(sigma_id: uuid.UUID, title: str) -> str:
    """Return the name of an imported rule: its title, and the end of its id, by which it is found again."""
    plain = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    start = plain[: _NAME_LENGTH - _ID_DIGITS - 1].strip("_")
    if not start[:1].isalpha():
        start = f"sigma_{start}"[: _NAME_LENGTH - _ID_DIGITS - 1].strip("_")
    return f"{start}{_ending(sigma_id)}"


def compare(rules: Sequence[ConvertedRule], existing: Sequence[models.Rule]) -> list[SigmaChange]:
    """Return what importing rules does, in their order. The state of a rule that is there is left as it is."""
    there = {rule.name[-_ID_DIGITS - 1 :]: rule for rule in existing}
    changes = []
    for rule in rules:
        name = name_of(rule.sigma_id, rule.title)
        actual = there.get(_ending(rule.sigma_id))
        fields: tuple[str, ...] = ()
        if actual is not None:
            pairs = {
                "name": (actual.name, name),
                "rule_expression": (actual.short_form or actual.rule_expression, rule.condition),
                "severity": (actual.severity, rule.severity.value),
                "description": (actual.description, rule.description),
            }
            fields = tuple(field for field, (before, after) in pairs.items() if before != after)
        changes.append(SigmaChange(rule, name, actual, fields))
    return changes


def apply(
    client: Client,
    pipeline_id: int,
    changes: Sequence[SigmaChange],
    *,
    state: FirstState,
    tell: Callable[[SigmaChange], None] = lambda _: None,
) -> int:
    """Add and change rules in order, and stop at the first that the API refuses.

    Args:
        state: Where a new rule begins.

    Returns:
        How many rules were added or changed.

    Raises:
        StoppedError: The message names the rule, and what was done before; importing again goes on from there.
    """
    wanted = [change for change in changes if change.action != "keep"]
    for done, change in enumerate(wanted):
        rule = change.rule
        try:
            if change.actual is None:
                client.add_rule(
                    pipeline_id, rule.condition, rule.severity.value, rule.description, name=change.name, state=state
                )
            else:
                client.change_rule(
                    change.actual.id,
                    rule.condition,
                    rule.severity.value,
                    rule.description,
                    name=change.name,
                    if_version=change.actual.row_version,
                )
        except SentinelError as error:
            raise StoppedError(
                f"{rule.where}: rule {rule.title!r}: {error.message}\nstopped after {done} of {len(wanted)} rules; "
                "what was done stays, and importing again goes on from there"
            ) from error
        tell(change)
    return len(wanted)


def _ending(sigma_id: uuid.UUID) -> str:
    return f"_{sigma_id.hex[-_ID_DIGITS:]}"
