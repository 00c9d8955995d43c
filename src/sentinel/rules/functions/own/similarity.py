"""similarity: how alike two texts are (normalized Levenshtein distance)."""

from __future__ import annotations

from sentinel.rules.functions.base import RuleFunction, text
from sentinel.rules.limits import MAX_LEVENSHTEIN_TEXT
from sentinel.rules.types import FLOAT

_LONGER = "greatest(length({0}), length({1}))"
_SHARE = f"try_divide(CAST(levenshtein({{0}}, {{1}}) AS DOUBLE), CAST({_LONGER} AS DOUBLE))"

FUNCTION = RuleFunction(
    "similarity",
    (text("left"), text("right")),
    FLOAT,
    "similarity(email, 'anne@example.com') > 0.9",
    f"from 0 to 1: 1 less the edits per character of the longer text, of up to {MAX_LEVENSHTEIN_TEXT} characters",
    expansion=(
        f"when(length({{0}}) = 0 AND length({{1}}) = 0, 1D, "
        f"length({{0}}) <= {MAX_LEVENSHTEIN_TEXT} AND length({{1}}) <= {MAX_LEVENSHTEIN_TEXT}, "
        f"try_subtract(1D, {_SHARE}))"
    ),
    own=True,
)
