"""A rule's short form, parsed."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.domain.rule_action import RuleAction
from sentinel.rules.issue import Issue
from sentinel.rules.syntax import Node


@dataclass(frozen=True, slots=True)
class ShortRule:
    """`when CONDITION then ACTIONS`."""

    condition: Node
    actions: tuple[RuleAction, ...]


class ShortRuleError(Exception):
    """The text is not a rule; `issue` says where and why."""

    def __init__(self, code: str, start: int, end: int, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.issue = Issue("error", code, start, end, message, suggestion)
