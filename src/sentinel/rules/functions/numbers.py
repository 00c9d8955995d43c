"""Mathematical functions. A result that is not a number (the root of -1) is null."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.domain.event_schema import DecimalType
from sentinel.rules.bound import Bound
from sentinel.rules.functions.base import Accepts, Argument, RuleFunction, as_first, registry, unary_math
from sentinel.rules.types import BOOLEAN, FLOAT, INTEGER, Kind, UnknownType

_NUMBER = Argument("number", Accepts.NUMBER)
_DIGITS = Argument("digits", Accepts.LITERAL_SMALL, optional=True, high=15)
_DOUBLES = (Argument("y", Accepts.DOUBLE), Argument("x", Accepts.DOUBLE))


def _whole(arguments: Sequence[Bound]) -> Kind:
    kind = arguments[0].kind
    if isinstance(kind, DecimalType):
        return DecimalType(min(38, kind.precision - kind.scale + 1), 0)
    return kind if isinstance(kind, UnknownType) else INTEGER


def _rounded(arguments: Sequence[Bound]) -> Kind:
    kind = arguments[0].kind
    if not isinstance(kind, DecimalType):
        return kind
    digits = arguments[1].literal if len(arguments) > 1 else 0
    scale = min(kind.scale, digits if isinstance(digits, int) else 0)
    return DecimalType(min(38, kind.precision - kind.scale + scale + 1), scale)


NUMBER_FUNCTIONS = registry(
    RuleFunction(
        "abs",
        (_NUMBER,),
        as_first,
        "abs(amount - 100) < 60",
        "without its sign",
    ),
    RuleFunction("ceil", (_NUMBER,), _whole, "ceil(amount) = 43", "rounded up to a whole number"),
    RuleFunction("ceiling", (_NUMBER,), _whole, "ceiling(amount) = 43", "same as ceil", expansion="ceil({0})"),
    RuleFunction("floor", (_NUMBER,), _whole, "floor(amount) = 42", "rounded down to a whole number"),
    RuleFunction("round", (_NUMBER, _DIGITS), _rounded, "round(amount, 1) = 42.5", "rounded half away from zero"),
    RuleFunction("bround", (_NUMBER, _DIGITS), _rounded, "bround(amount, 1) = 42.5", "rounded half to even"),
    unary_math("sqrt", "square root", "sqrt(amount) > 6.5", may_be_nan=True),
    unary_math("cbrt", "cube root", "cbrt(amount) < 3.5"),
    unary_math("exp", "e to that power", "exp(amount / 100) > 1.5"),
    unary_math("ln", "natural logarithm; null for 0 and below", "ln(amount) > 3.7", may_be_nan=True),
    unary_math("log10", "logarithm to base 10; null for 0 and below", "log10(amount) < 2", may_be_nan=True),
    unary_math("log2", "logarithm to base 2; null for 0 and below", "log2(amount) > 5", may_be_nan=True),
    unary_math("log1p", "ln(1 + number)", "log1p(amount) > 3.7", may_be_nan=True),
    RuleFunction(
        "power",
        (Argument("base", Accepts.DOUBLE), Argument("exponent", Accepts.DOUBLE)),
        FLOAT,
        "power(amount, 2) > 1800",
        "base to that power",
        may_be_nan=True,
    ),
    RuleFunction(
        "pow",
        (Argument("base", Accepts.DOUBLE), Argument("exponent", Accepts.DOUBLE)),
        FLOAT,
        "pow(amount, 2) > 1800",
        "same as power",
        may_be_nan=True,
    ),
    RuleFunction(
        "mod",
        (_NUMBER, Argument("divisor", Accepts.NUMBER)),
        as_first,
        "mod(quantity, 2) = 1",
        "remainder; null for divisor 0",
    ),
    unary_math("sign", "-1, 0 or 1", "sign(amount) = 1"),
    unary_math("signum", "same as sign", "signum(amount) = 1"),
    unary_math("sin", "sine of radians", "sin(radians(device.geo.lat)) > 0.7", may_be_nan=True),
    unary_math("cos", "cosine of radians", "cos(radians(device.geo.lat)) < 0.7", may_be_nan=True),
    unary_math("tan", "tangent of radians", "tan(radians(device.geo.lat)) > 1", may_be_nan=True),
    unary_math("asin", "arc sine; null outside of -1..1", "asin(amount / 100) > 0.4", may_be_nan=True),
    unary_math("acos", "arc cosine; null outside of -1..1", "acos(amount / 100) > 1", may_be_nan=True),
    unary_math("atan", "arc tangent", "atan(amount) > 1.5"),
    RuleFunction("atan2", _DOUBLES, FLOAT, "atan2(amount, 1) > 1.5", "angle of the point (x, y)", may_be_nan=True),
    RuleFunction("hypot", _DOUBLES, FLOAT, "hypot(3, 4) = 5", "square root of x² + y²", may_be_nan=True),
    unary_math("radians", "degrees as radians", "radians(device.geo.lat) > 0.9"),
    unary_math("degrees", "radians as degrees", "degrees(1) > 57"),
    RuleFunction("pi", (), FLOAT, "pi() > 3.14", "3.14159..."),
    RuleFunction(
        "isnan",
        (Argument("number", Accepts.DOUBLE),),
        BOOLEAN,
        "NOT isnan(amount)",
        "always false: a rule never sees NaN, what cannot be computed is null",
    ),
)
