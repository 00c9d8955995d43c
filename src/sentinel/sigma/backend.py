"""The pySigma backend that writes conditions in the language of rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.conversion.base import Backend
from sigma.conversion.state import ConversionState
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError
from sigma.rule import SigmaDetection, SigmaRule
from sigma.types import (
    CompareOperators,
    SigmaCasedString,
    SigmaString,
    SpecialChars,
    TimestampPart,
)

from sentinel.domain.event_schema import ArrayType, EventSchema, ScalarType
from sentinel.rules.literals import text_literal
from sentinel.sigma.columns import Column, find_column
from sentinel.sigma.mapping import LogSource, Mapping
from sentinel.sigma.pieces import NEVER_TRUE, Null, Piece, all_of, any_of, compared, equality, finished, negated
from sentinel.sigma.texts import ValueProblemError, match_fields, match_regex, match_text

_OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "<>",
}
_PARTS = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "dayofmonth",
    TimestampPart.WEEK: "weekofyear",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
FieldCondition = ConditionFieldEqualsValueExpression
ValueCondition = ConditionValueExpression


class NotExpressibleError(SigmaFeatureNotSupportedByBackendError):
    """Something in a rule has no counterpart; the message names field and modifier."""


def _no_correlation(*_: Any, **__: Any) -> Any:
    """Answer for every kind of correlation rule."""
    raise NotExpressibleError("correlation rules need several events; a rule sees one")


class SentinelBackend(Backend):
    """Converts the conditions of a rule to pieces over one event schema.

    A field that the mapping says no event has makes its comparison false; one that the schema lacks is an error.
    """

    name: ClassVar[str] = "Sentinel"
    formats: ClassVar[dict[str, str]] = {"default": "conditions in Spark SQL as Sentinel's rules take them"}

    convert_correlation_event_count_rule: ClassVar[Any] = _no_correlation
    convert_correlation_value_count_rule: ClassVar[Any] = _no_correlation
    convert_correlation_value_sum_rule: ClassVar[Any] = _no_correlation
    convert_correlation_value_avg_rule: ClassVar[Any] = _no_correlation
    convert_correlation_value_percentile_rule: ClassVar[Any] = _no_correlation
    convert_correlation_value_median_rule: ClassVar[Any] = _no_correlation
    convert_correlation_temporal_rule: ClassVar[Any] = _no_correlation
    convert_correlation_temporal_ordered_rule: ClassVar[Any] = _no_correlation
    convert_correlation_extended_temporal_rule: ClassVar[Any] = _no_correlation
    convert_correlation_extended_temporal_ordered_rule: ClassVar[Any] = _no_correlation

    def __init__(self, schema: EventSchema, mapping: Mapping) -> None:
        super().__init__()
        self.schema = schema
        self.mapping = mapping

    def condition_of(self, rule: SigmaRule, source: LogSource | None) -> str:
        """Return the condition of a rule, restricted to the events of its log source.

        Raises:
            SigmaError: It cannot be expressed, or is no rule.
        """
        piece = any_of(self.convert_rule(rule))
        if source is not None and source.when:
            selection = SigmaDetection.from_definition(source.when)
            wanted = self.convert_condition(selection.postprocess(rule.detection), ConversionState())
            piece = all_of([wanted, piece])
        return finished(piece)

    # -- logic

    def convert_condition_or(self, cond: ConditionOR, state: ConversionState) -> Piece:
        """Join alternatives."""
        return any_of([self.convert_condition(arg, state) for arg in cond.args])

    def convert_condition_and(self, cond: ConditionAND, state: ConversionState) -> Piece:
        """Join what must all hold."""
        return all_of([self.convert_condition(arg, state) for arg in cond.args])

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> Piece:
        """Negate."""
        return negated(self.convert_condition(cond.args[0], state))

    def convert_condition_as_in_expression(self, cond: ConditionOR | ConditionAND, state: ConversionState) -> Any:
        """Never asked for: alternatives are gathered in `any_of`."""
        raise NotImplementedError

    # -- a field and a value

    def convert_condition_field_eq_val_str(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A text without case."""
        return self._text(cond, "", cased=False)

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A text with case."""
        return self._text(cond, "cased", cased=True)

    def convert_condition_field_eq_val_num(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A number; a text is compared with its digits."""
        number = cond.value.number  # type: ignore[attr-defined]

        def made(column: Column) -> Piece:
            if column.is_number:
                return equality(column.sql, _number(number))
            if column.scalar == "string":
                return equality(column.sql, text_literal(str(number)))
            if column.kind == ArrayType(ScalarType("integer")) and isinstance(number, int):
                return compared(f"array_contains({column.sql}, {number})")
            raise self._refusal(cond, "", f"a number cannot be compared with {column.kind}")

        return self._with_column(cond, "", made)

    def convert_condition_field_eq_val_bool(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """True or false."""
        wanted = bool(cond.value.boolean)  # type: ignore[attr-defined]

        def made(column: Column) -> Piece:
            if column.scalar == "boolean":
                return equality(column.sql, str(wanted).upper())
            if column.scalar == "string":
                return equality(f"lower({column.sql})", f"'{str(wanted).lower()}'")
            raise self._refusal(cond, "", f"{str(wanted).lower()} cannot be compared with {column.kind}")

        return self._with_column(cond, "", made)

    def convert_condition_field_eq_val_null(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """The field is missing or null."""
        return self._presence(cond, present=False)

    def convert_condition_field_exists(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """The field is there."""
        return self._presence(cond, present=True)

    def convert_condition_field_not_exists(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """The field is not there."""
        return self._presence(cond, present=False)

    def convert_condition_field_eq_val_re(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A regular expression."""
        return self._with_text(cond, "re", lambda text: match_regex(text, cond.value))  # type: ignore[arg-type]

    def convert_condition_field_eq_val_cidr(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """An address in a network."""
        network = text_literal(str(cond.value.network))  # type: ignore[attr-defined]
        return self._with_text(cond, "cidr", lambda text: compared(f"ip_in({text}, {network})"))

    def convert_condition_field_compare_op_val(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A comparison by size; a text counts if it is a number."""
        operator = _OPERATORS[cond.value.op]  # type: ignore[attr-defined]
        number = _number(cond.value.number.number)  # type: ignore[attr-defined]

        def made(column: Column) -> Piece:
            if column.is_number:
                return compared(f"{column.sql} {operator} {number}")
            if column.scalar == "string":
                return compared(f"cast({column.sql} AS double) {operator} {number}")
            raise self._refusal(cond, "lt, |lte, |gt or |gte", f"a number cannot be compared with {column.kind}")

        return self._with_column(cond, "lt", made)

    def convert_condition_field_eq_val_timestamp_part(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A part of a moment, in UTC."""
        part = _PARTS[cond.value.timestamp_part]  # type: ignore[attr-defined]

        def made(column: Column) -> Piece:
            if column.scalar == "timestamp" or (column.scalar == "date" and part not in {"minute", "hour"}):
                return equality(f"{part}({column.sql})", str(cond.value.number))  # type: ignore[attr-defined]
            raise self._refusal(cond, part, f"it needs a timestamp, not {column.kind}")

        return self._with_column(cond, part, made)

    def convert_condition_field_eq_field(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """Another field of the event."""
        reference: Any = cond.value

        def made(column: Column) -> Piece:
            other = self._column(reference.field, "fieldref", cond)
            if other is None:
                return NEVER_TRUE
            is_plain = not reference.starts_with and not reference.ends_with
            if is_plain and column.is_number and other.is_number:
                return compared(f"{column.sql} = {other.sql}")
            if is_plain and column.scalar and column.scalar == other.scalar != "string":
                return compared(f"{column.sql} = {other.sql}")
            if column.text is None or other.text is None:
                raise self._refusal(cond, "fieldref", f"{column.kind} cannot be compared with {other.kind} as text")
            return match_fields(column.text, other.text, starts=reference.starts_with, ends=reference.ends_with)

        return self._with_column(cond, "fieldref", made)

    def convert_condition_field_eq_query_expr(self, cond: FieldCondition, state: ConversionState) -> Piece:
        """A query of a pySigma pipeline; there is none here."""
        raise self._refusal(cond, "expand", "queries of processing pipelines are not taken")

    # -- keywords: a value without a field

    def convert_condition_val_str(self, cond: ValueCondition, state: ConversionState) -> Piece:
        """A text anywhere in the fields that the mapping names."""
        value: Any = cond.value
        many = SpecialChars.WILDCARD_MULTI
        anywhere = value if value.startswith(many) else many + value
        anywhere = anywhere if anywhere.endswith(many) else anywhere + many
        is_cased = isinstance(value, SigmaCasedString)
        return self._keyword(str(value), lambda text: match_text(text, anywhere, cased=is_cased))

    def convert_condition_val_num(self, cond: ValueCondition, state: ConversionState) -> Piece:
        """The digits of a number anywhere in the fields that the mapping names."""
        literal = text_literal(str(cond.value))
        return self._keyword(str(cond.value), lambda text: compared(f"contains({text}, {literal})"))

    def convert_condition_val_re(self, cond: ValueCondition, state: ConversionState) -> Piece:
        """A regular expression on the fields that the mapping names."""
        return self._keyword(str(cond.value), lambda text: match_regex(text, cond.value))  # type: ignore[arg-type]

    def convert_condition_query_expr(self, cond: ValueCondition, state: ConversionState) -> Piece:
        """A query of a pySigma pipeline; there is none here."""
        raise NotExpressibleError("queries of processing pipelines are not taken")

    # -- what they share

    def _text(self, cond: FieldCondition, modifier: str, *, cased: bool) -> Piece:
        value: Any = cond.value

        def made(column: Column) -> Piece:
            plain = value.s[0] if len(value.s) == 1 and isinstance(value.s[0], str) else None
            if column.scalar == "integer" and plain is not None and _INTEGER.fullmatch(plain):
                return equality(column.sql, plain)
            if column.kind == ArrayType(ScalarType("string")):
                if plain is not None and (cased or plain.lower() == plain.upper()):
                    return compared(f"array_contains({column.sql}, {text_literal(plain)})")
                raise self._refusal(cond, modifier, "of an array of texts only whole elements are found, with |cased")
            if column.text is None:
                raise self._refusal(cond, modifier, f"a text cannot be compared with {column.kind}")
            return match_text(column.text, value, cased=cased)

        return self._with_column(cond, modifier, made)

    def _presence(self, cond: FieldCondition, *, present: bool) -> Piece:
        column = self._column(cond.field, "exists" if present else "", cond)
        if column is None:
            return NEVER_TRUE if present else Piece("TRUE", Null.NEVER)
        return Piece(f"{column.sql} IS {'NOT ' if present else ''}NULL", Null.NEVER)

    def _with_text(self, cond: FieldCondition, modifier: str, made: Callable[[str], Piece]) -> Piece:
        def of_column(column: Column) -> Piece:
            if column.text is None:
                raise self._refusal(cond, modifier, f"it needs a text, not {column.kind}")
            return made(column.text)

        return self._with_column(cond, modifier, of_column)

    def _with_column(self, cond: FieldCondition, modifier: str, made: Callable[[Column], Piece]) -> Piece:
        column = self._column(cond.field, modifier, cond)
        if column is None:
            return NEVER_TRUE
        try:
            return made(column)
        except ValueProblemError as problem:
            raise self._refusal(cond, modifier, str(problem)) from problem

    def _column(self, field: str, modifier: str, cond: FieldCondition) -> Column | None:
        path = self.mapping.field(field)
        if path is None:
            return None
        found = find_column(self.schema, path)
        if isinstance(found, str):
            said = f"{found}; name the field in the mapping, or map it to null if no event has it"
            raise NotExpressibleError(f"{_shown(field, modifier)}: {said}")
        return found

    def _keyword(self, word: str, made: Callable[[str], Piece]) -> Piece:
        if not self.mapping.keywords:
            raise NotExpressibleError(
                f"keyword {word[:80]!r}: it names no field; say under `keywords` of the mapping where to look for it"
            )
        pieces = []
        for path in self.mapping.keywords:
            column = find_column(self.schema, path)
            if isinstance(column, str):
                raise NotExpressibleError(f"`keywords` of the mapping: {column}")
            if column.text is None:
                raise NotExpressibleError(f"`keywords` of the mapping: {path!r} is {column.kind}, not a text")
            try:
                pieces.append(made(column.text))
            except ValueProblemError as problem:
                raise NotExpressibleError(f"keyword {word[:80]!r}: {problem}") from problem
        return any_of(pieces)

    def _refusal(self, cond: FieldCondition, modifier: str, sentence: str) -> NotExpressibleError:
        value = cond.value
        written = f" {str(value)[:80]!r}" if isinstance(value, SigmaString) or modifier in {"re", "cidr"} else ""
        if modifier == "re":
            written = f" {str(value.regexp)[:80]!r}"  # type: ignore[attr-defined]
        return NotExpressibleError(f"{_shown(cond.field, modifier)}{written}: {sentence}")


def _shown(field: str, modifier: str) -> str:
    return f"field {field}|{modifier}" if modifier else f"field {field}"


def _number(number: int | float) -> str:
    return repr(number) if isinstance(number, int) or "e" in repr(number) else format(number, "f")
