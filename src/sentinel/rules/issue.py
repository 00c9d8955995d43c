"""Issues: what is wrong, or doubtful, with a rule expression, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about a rule expression.

    Attributes:
        severity: "error": the rule is refused; "warning": it is accepted and probably not what was meant.
        code: Stable name of the kind of issue, in kebab case (docs/rules.md lists them).
        start: Character offset of the first character concerned.
        end: Character offset behind the last one; never before `start`.
        message: A sentence that names the value.
        suggestion: The way out, or None where there is none to offer.
    """

    severity: Severity
    code: str
    start: int
    end: int
    message: str
    suggestion: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the form that the API answers with."""
        return {
            "severity": self.severity,
            "code": self.code,
            "start": self.start,
            "end": self.end,
            "message": self.message,
            "suggestion": self.suggestion,
        }
