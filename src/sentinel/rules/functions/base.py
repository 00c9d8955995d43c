"""What an allowed function is: its arguments, its result and the total expression it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sentinel.rules.bound import Bound
from sentinel.rules.types import FLOAT, INTEGER, Kind


class Accepts(StrEnum):
    """What an argument may be, and thereby how it is handed over."""

    TEXT = "a text"
    PRINTABLE = "a text, number, boolean, date or timestamp"
    SMALL = "a whole number of at most 32 bits"
    INTEGER = "a whole number"
    NUMBER = "a number"
    DOUBLE = "a number, as double"
    BOOLEAN = "a condition"
    DAY = "a date or timestamp"
    MOMENT = "a timestamp or date"
    CALENDAR = "a timestamp or date of the years 1 to 9999"
    ANY = "a value"
    SAME = "a value of the same type as the others"
    ARRAY = "an array"
    ORDERED_ARRAY = "an array of numbers, texts, dates or timestamps"
    TEXT_ARRAY = "an array of texts"
    SAME_ARRAY = "an array of the same type"
    TEXT_OR_ARRAY = "a text or an array of texts"
    ELEMENT = "a value of the array's type"
    LITERAL_TEXT = "a text written out"
    LITERAL_SMALL = "a whole number written out"
    REGEX = "a regular expression written out"
    DATETIME_FORMAT = "a date-time format written out"
    CHOICE = "one of the known units"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a function.

    Attributes:
        low: Smallest value of a LITERAL_SMALL, or smallest length of a LITERAL_TEXT.
        high: Largest such value or length.
        choices: The units that CHOICE knows, upper-case.
        nonzero: Whether it is a position that counts from 1, or from the end: 0 becomes null.
        problem: What is wrong with a LITERAL_TEXT, as a sentence with the way out; None: nothing.
    """

    name: str
    accepts: Accepts
    optional: bool = False
    repeated: bool = False
    low: int = 0
    high: int = 1_000
    choices: tuple[str, ...] = ()
    nonzero: bool = False
    problem: Callable[[str], str | None] | None = None


Result = Kind | Callable[[Sequence[Bound]], Kind]
Expansion = str | Callable[[Sequence[str]], str]


def widest(arguments: Sequence[Bound]) -> float:
    """Growth of a result that is no larger than its largest argument."""
    return max((argument.growth for argument in arguments), default=0.0)


def constant_size(_: Sequence[Bound]) -> float:
    """Growth of a result of bounded size."""
    return 0.0


def added(arguments: Sequence[Bound]) -> float:
    """Growth of a result that holds all arguments."""
    return sum(argument.growth for argument in arguments)


@dataclass(frozen=True, slots=True)
class RuleFunction:
    """A function that rules may call.

    Attributes:
        name: Lower-case.
        arguments: In order; optional ones last; the last one may be repeated.
        result: Its type, or how to tell it from the arguments.
        expansion: Spark SQL with {0}, {1}, ...; or what makes it of the arguments' SQL; None: a call by the same name.
        example: A rule over the example schema of docs/rules.md.
        summary: What it gives, for the guide.
        narrow: Whether Spark gives a 32-bit integer.
        may_be_nan: Whether a float result may be NaN, which is turned into null.
        growth: How large the result may be.
        at_least: Fewest arguments where the last one may be repeated.
        build: Instead of an expansion: what makes Spark SQL of the arguments and of their SQL.
        own: Whether Spark has no function of that name.
    """

    name: str
    arguments: tuple[Argument, ...]
    result: Result
    example: str
    summary: str
    expansion: Expansion | None = None
    narrow: bool = False
    may_be_nan: bool = False
    growth: Callable[[Sequence[Bound]], float] = constant_size
    at_least: int = 0
    build: Callable[[Sequence[Bound], Sequence[str]], str] | None = None
    own: bool = False

    @property
    def signature(self) -> str:
        """Return `name(a, b[, c])`."""
        written = ""
        for position, argument in enumerate(self.arguments):
            text = argument.name + (", ..." if argument.repeated else "")
            text = (", " if position else "") + text
            written += f"[{text}]" if argument.optional else text
        return f"{self.name}({written})"

    @property
    def fewest(self) -> int:
        """Return how many arguments it needs."""
        return self.at_least or sum(not argument.optional for argument in self.arguments)

    @property
    def most(self) -> int | None:
        """Return how many arguments it takes; None: any number."""
        return None if any(argument.repeated for argument in self.arguments) else len(self.arguments)

    def argument(self, position: int) -> Argument:
        """Return what the argument at that position may be."""
        return self.arguments[min(position, len(self.arguments) - 1)]

    def expand(self, arguments: Sequence[Bound], sql: Sequence[str]) -> str:
        """Return the Spark SQL of a call, given its arguments and their SQL as they are handed over."""
        if self.build is not None:
            return self.build(arguments, sql)
        if self.expansion is None:
            return f"{self.name}({', '.join(sql)})"
        if callable(self.expansion):
            return self.expansion(sql)
        return self.expansion.format(*sql)


def as_first(arguments: Sequence[Bound]) -> Kind:
    """Result type: that of the first argument."""
    return arguments[0].kind


def text(name: str = "text") -> Argument:
    """Return the argument for a text."""
    return Argument(name, Accepts.TEXT)


def unary_math(name: str, summary: str, example: str, *, may_be_nan: bool = False) -> RuleFunction:
    """Return a function from one double to another."""
    return RuleFunction(name, (Argument("number", Accepts.DOUBLE),), FLOAT, example, summary, may_be_nan=may_be_nan)


def part_of_date(name: str, summary: str, example: str, *, of_time: bool = False) -> RuleFunction:
    """Return a function that takes a number out of a date (or of a timestamp's time)."""
    argument = Argument("moment", Accepts.MOMENT if of_time else Accepts.DAY)
    return RuleFunction(name, (argument,), INTEGER, example, summary, narrow=True)


def registry(*functions: RuleFunction) -> dict[str, RuleFunction]:
    """Return the functions by name."""
    return {function.name: function for function in functions}
