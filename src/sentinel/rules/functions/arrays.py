"""Array functions."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.domain.event_schema import ArrayType
from sentinel.rules.bound import Bound
from sentinel.rules.functions.base import Accepts, Argument, RuleFunction, added, as_first, registry, widest
from sentinel.rules.types import BOOLEAN, INTEGER, STRING, UNKNOWN, Kind

_ARRAY = Argument("array", Accepts.ARRAY)
_ORDERED = Argument("array", Accepts.ORDERED_ARRAY)
_ELEMENT = Argument("value", Accepts.ELEMENT)


def _element(arguments: Sequence[Bound]) -> Kind:
    kind = arguments[0].kind
    return kind.element if isinstance(kind, ArrayType) else UNKNOWN


def _joined(arguments: Sequence[Bound]) -> float:
    return added(arguments) * (1 + len(str(arguments[1].literal)))


ARRAY_FUNCTIONS = registry(
    RuleFunction("size", (_ARRAY,), INTEGER, "size(tags) > 1", "number of elements", narrow=True),
    RuleFunction("cardinality", (_ARRAY,), INTEGER, "cardinality(tags) > 1", "same as size", narrow=True),
    RuleFunction("array_size", (_ARRAY,), INTEGER, "array_size(tags) > 1", "same as size", narrow=True),
    RuleFunction(
        "array_contains",
        (_ARRAY, _ELEMENT),
        BOOLEAN,
        "array_contains(tags, 'vip')",
        "whether the value is among the elements",
    ),
    RuleFunction(
        "array_position",
        (_ARRAY, _ELEMENT),
        INTEGER,
        "array_position(tags, 'vip') = 1",
        "place of the value, counted from 1; 0: not there",
    ),
    RuleFunction(
        "element_at",
        (_ARRAY, Argument("position", Accepts.SMALL, nonzero=True)),
        _element,
        "element_at(tags, -1) = 'new'",
        "the n-th element, counted from 1 (negative: from the end); null: none",
        expansion="try_element_at({0}, {1})",
        growth=widest,
    ),
    RuleFunction(
        "try_element_at",
        (_ARRAY, Argument("position", Accepts.SMALL, nonzero=True)),
        _element,
        "try_element_at(tags, 9) IS NULL",
        "same as element_at",
        growth=widest,
    ),
    RuleFunction(
        "get",
        (_ARRAY, Argument("index", Accepts.SMALL)),
        _element,
        "get(tags, 0) = 'vip'",
        "same as tags[0]: the element at an index counted from 0; null: none",
        growth=widest,
    ),
    RuleFunction("array_max", (_ORDERED,), _element, "array_max(readings) > 3", "the largest element", growth=widest),
    RuleFunction("array_min", (_ORDERED,), _element, "array_min(readings) < 1", "the smallest element", growth=widest),
    RuleFunction(
        "array_distinct",
        (_ORDERED,),
        as_first,
        "size(array_distinct(tags)) = 2",
        "without repetitions",
        growth=widest,
    ),
    RuleFunction(
        "arrays_overlap",
        (_ORDERED, Argument("other", Accepts.SAME_ARRAY)),
        BOOLEAN,
        "arrays_overlap(tags, split('vip,new', ','))",
        "whether both have an element in common",
    ),
    RuleFunction(
        "array_join",
        (
            Argument("array", Accepts.TEXT_ARRAY),
            Argument("separator", Accepts.LITERAL_TEXT, high=10),
        ),
        STRING,
        "array_join(tags, ' ') = 'vip new'",
        "elements joined to a text, nulls left out",
        growth=_joined,
    ),
    RuleFunction(
        "split",
        (
            Argument("text", Accepts.TEXT),
            Argument("pattern", Accepts.REGEX),
            Argument("limit", Accepts.LITERAL_SMALL, optional=True, low=-1, high=1_000_000),
        ),
        ArrayType(STRING),
        "size(split(email, '@')) = 2",
        "the parts between matches of a pattern",
        growth=widest,
    ),
)
