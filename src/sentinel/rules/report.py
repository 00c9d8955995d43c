"""Collect the issues of one rule while it is bound."""

from __future__ import annotations

from sentinel.rules.issue import Issue
from sentinel.rules.limits import MAX_ISSUES
from sentinel.rules.spans import Placed, Source


class Report:
    """The issues found so far; beyond MAX_ISSUES nothing is added.

    Args:
        text: What the places are in; suggestions quote it.
    """

    def __init__(self, text: str = "") -> None:
        self.issues: list[Issue] = []
        self._source = Source(text)

    def quoted(self, part: Placed) -> str:
        """Return the text of a part, or the word `value` where there is none."""
        return self._source.of(part) or "value"

    def is_enclosed(self, part: Placed) -> bool:
        """Tell whether a part stands in parentheses of its own."""
        return self._source.is_enclosed(part)

    def has_within(self, code: str, part: Placed) -> bool:
        """Tell whether something of that code was found within a part."""
        return any(each.code == code and part.start <= each.start <= each.end <= part.end for each in self.issues)

    def error(self, code: str, start: int, end: int, message: str, suggestion: str | None = None) -> None:
        """Add an issue that refuses the rule."""
        self._add(Issue("error", code, start, end, message, suggestion))

    def warning(self, code: str, start: int, end: int, message: str, suggestion: str | None = None) -> None:
        """Add an issue that only tells."""
        self._add(Issue("warning", code, start, end, message, suggestion))

    def _add(self, issue: Issue) -> None:
        if len(self.issues) < MAX_ISSUES and issue not in self.issues:
            self.issues.append(issue)
