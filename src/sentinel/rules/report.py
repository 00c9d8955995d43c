"""Collect the issues of one rule while it is bound."""

from __future__ import annotations

from sentinel.rules.issue import Issue
from sentinel.rules.limits import MAX_ISSUES


class Report:
    """The issues found so far; beyond MAX_ISSUES nothing is added."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def error(self, code: str, start: int, end: int, message: str, suggestion: str | None = None) -> None:
        """Add an issue that refuses the rule."""
        self._add(Issue("error", code, start, end, message, suggestion))

    def warning(self, code: str, start: int, end: int, message: str, suggestion: str | None = None) -> None:
        """Add an issue that only tells."""
        self._add(Issue("warning", code, start, end, message, suggestion))

    def _add(self, issue: Issue) -> None:
        if len(self.issues) < MAX_ISSUES and issue not in self.issues:
            self.issues.append(issue)
