"""The functions that rules may call: an explicit registry. What is not in it is refused."""

from __future__ import annotations

from sentinel.rules.functions.arrays import ARRAY_FUNCTIONS
from sentinel.rules.functions.base import RuleFunction
from sentinel.rules.functions.choices import CHOICE_FUNCTIONS
from sentinel.rules.functions.dates import DATE_FUNCTIONS
from sentinel.rules.functions.numbers import NUMBER_FUNCTIONS
from sentinel.rules.functions.own import OWN_FUNCTIONS
from sentinel.rules.functions.texts import TEXT_FUNCTIONS
from sentinel.rules.functions.trying import TRY_FUNCTIONS

FUNCTION_GROUPS: dict[str, dict[str, RuleFunction]] = {
    "Text": TEXT_FUNCTIONS,
    "Numbers": NUMBER_FUNCTIONS,
    "Dates and times": DATE_FUNCTIONS,
    "Choices and nulls": CHOICE_FUNCTIONS,
    "Arrays": ARRAY_FUNCTIONS,
    "Arithmetic as functions": TRY_FUNCTIONS,
    "Detection": OWN_FUNCTIONS,
}

FUNCTIONS: dict[str, RuleFunction] = {
    name: function for group in FUNCTION_GROUPS.values() for name, function in group.items()
}

__all__ = ["FUNCTIONS", "FUNCTION_GROUPS", "RuleFunction"]
