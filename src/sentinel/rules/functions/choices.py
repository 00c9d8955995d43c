"""Functions that choose among values, and those that ask for null."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.rules.bound import Bound
from sentinel.rules.functions.base import Accepts, Argument, RuleFunction, registry, widest
from sentinel.rules.types import BOOLEAN, NULL, UNKNOWN, Kind, common

_ANY = Argument("value", Accepts.ANY)
_CONDITION = Argument("condition", Accepts.BOOLEAN)


def _same(name: str, *, repeated: bool = False) -> Argument:
    return Argument(name, Accepts.SAME, repeated=repeated)


def mixed(arguments: Sequence[Bound]) -> Kind:
    """Result type: the common type of all values (those that are of Accepts.SAME)."""
    kind: Kind = NULL
    for argument in arguments:
        joined = common(kind, argument.kind)
        if joined is None:
            return UNKNOWN
        kind = joined
    return kind


def _behind_first(arguments: Sequence[Bound]) -> Kind:
    return mixed(arguments[1:])


CHOICE_FUNCTIONS = registry(
    RuleFunction(
        "coalesce",
        (_same("value", repeated=True),),
        mixed,
        "coalesce(country, 'unknown') <> 'unknown'",
        "the first value that is not null",
        growth=widest,
    ),
    RuleFunction(
        "nvl", (_same("value"), _same("other")), mixed, "nvl(amount, 0) > 0", "other where value is null", growth=widest
    ),
    RuleFunction(
        "ifnull", (_same("value"), _same("other")), mixed, "ifnull(amount, 0) > 0", "same as nvl", growth=widest
    ),
    RuleFunction(
        "nvl2",
        (_ANY, _same("given"), _same("missing")),
        _behind_first,
        "nvl2(country, 1, 0) = 1",
        "given where value is not null, else missing",
        growth=widest,
    ),
    RuleFunction(
        "nullif",
        (_same("value"), _same("other")),
        mixed,
        "nullif(country, 'DE') IS NULL",
        "null where both are equal",
        growth=widest,
    ),
    RuleFunction(
        "if",
        (_CONDITION, _same("then"), _same("else")),
        _behind_first,
        "if(is_foreign, 40, 500) < amount",
        "one of two values",
        growth=widest,
    ),
    RuleFunction(
        "greatest",
        (_same("value", repeated=True),),
        mixed,
        "greatest(amount, 100) = 100",
        "the largest value, nulls left out",
        growth=widest,
        at_least=2,
    ),
    RuleFunction(
        "least",
        (_same("value", repeated=True),),
        mixed,
        "least(amount, 100) < 100",
        "the smallest value, nulls left out",
        growth=widest,
        at_least=2,
    ),
    RuleFunction("isnull", (_ANY,), BOOLEAN, "NOT isnull(country)", "same as IS NULL"),
    RuleFunction("isnotnull", (_ANY,), BOOLEAN, "isnotnull(country)", "same as IS NOT NULL"),
)
