"""Arithmetic written as functions. The operators already become these, so both forms mean the same."""

from __future__ import annotations

from sentinel.rules.functions.base import Accepts, Argument, RuleFunction, registry
from sentinel.rules.types import UNKNOWN

OPERATOR_OF = {
    "try_add": "+",
    "try_subtract": "-",
    "try_multiply": "*",
    "try_divide": "/",
    "try_mod": "%",
    "mod": "%",
}
"""Functions that the binder treats as the operator they stand for."""


def _operation(name: str, sign: str, example: str) -> RuleFunction:
    arguments = (Argument("left", Accepts.ANY), Argument("right", Accepts.ANY))
    return RuleFunction(name, arguments, UNKNOWN, example, f"same as left {sign} right")


TRY_FUNCTIONS = registry(
    _operation("try_add", "+", "try_add(amount, 1) > 43"),
    _operation("try_subtract", "-", "try_subtract(amount, 1) > 41"),
    _operation("try_multiply", "*", "try_multiply(amount, 2) > 80"),
    _operation("try_divide", "/", "try_divide(amount, quantity) > 10"),
    _operation("try_mod", "%", "try_mod(quantity, 2) = 1"),
)
