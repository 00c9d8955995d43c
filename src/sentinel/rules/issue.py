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
        code: Stable name of the kind of issue, in kebab case (a key of `CODES`).
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


CODES: dict[str, str] = {
    "empty": "there is no rule",
    "syntax": "the text is not an expression of the language",
    "character": "a character that means nothing outside of quotes, or may not stand within",
    "unclosed": "a quote without its end",
    "escape": "a backslash in a text that would be lost",
    "number": "a number that is malformed or too large",
    "interval": "an interval that is not one number and one unit",
    "comment": "a comment or hint",
    "parameter": "a parameter marker",
    "variable": "a variable",
    "lambda": "a lambda function or named argument",
    "quoted-function": "the name of a function in backticks",
    "subquery-form": "something of SQL that a subquery of a rule does not have",
    "too-many-subqueries": "more subqueries than a rule may have",
    "unknown-table": "a reference table that does not exist",
    "unqualified-column": "a field of the event without event. in a subquery",
    "correlation": "a condition of a subquery that does not tie a column to the event by =",
    "subquery-value": "a subquery that does not give one value",
    "unknown-column": "a field that the schema does not have",
    "function-not-allowed": "a function that is not listed here",
    "argument-count": "too few or too many arguments",
    "argument-type": "an argument of another type",
    "literal-needed": "an argument that must be written out",
    "out-of-bounds": "an argument that is too large or too small",
    "argument-form": "a text written out that does not say what it should",
    "unknown-unit": "a unit or part of a date that does not exist",
    "datetime-format": "a date-time format outside of the language",
    "not-boolean": "a value where a condition is needed",
    "type-mismatch": "values that cannot be compared or mixed",
    "arithmetic": "an operator that does not apply to its values",
    "not-ordered": "a comparison by size of values without order",
    "not-an-array": "an index on something that is no array",
    "cast-type": "a cast that is not part of the language",
    "not-a-moment": "a text that is not a date or timestamp",
    "constant-moment": "a date or timestamp computed from constants",
    "like": "a LIKE pattern that Spark refuses",
    "regex": "a regular expression outside of the language, or one that may take very long",
    "unknown-rule": "a reference to a rule that the pipeline does not have, or that is a draft",
    "rule-cycle": "rules that refer to each other in a circle",
    "rule-reference": "a reference that is not one name, or to a rule that does not fit the schema",
    "action": "an action of the short form that does not exist or does not fit",
    "too-long": "a rule that is too long",
    "too-deep": "an expression that is nested too deeply",
    "too-many-items": "an IN list that is too long",
    "too-complex": "a compiled rule that is too long",
    "grows-too-large": "a text that could become much larger than the event",
    "null-comparison": "warning: a comparison with NULL is never true",
    "null-in-list": "warning: NOT IN over a list with NULL is never true",
    "empty-range": "warning: BETWEEN with the larger bound first",
    "constant-rule": "warning: a condition that no field is used in",
    "quoted-name": "warning: a field's name in double quotes, which is a text",
    "doubtful": "warning: accepted, and means something else than it looks like",
    "never-nan": "warning: isnan is always false",
    "slow-regex": "warning: the pattern is matched against short texts only",
}
"""What each code is about, for people."""
