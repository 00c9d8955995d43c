"""What functions of other databases are called here. The guide shows this table; a test holds them equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A call of another database, and what to write.

    Attributes:
        call: The call with names for its arguments. `unit` stands for a unit of time, `interval` for an interval,
            `type` for a type and `'$.name'` for a path.
        write: The same in a rule, with the same names.
        example: A rule over the schema of docs/rules.md that has such a call.
        note: A sentence about what differs.
    """

    call: str
    write: str
    example: str
    note: str = ""

    @property
    def name(self) -> str:
        """Return the name of the function, upper-case."""
        return self.call.partition("(")[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the names of its arguments."""
        inner = self.call.partition("(")[2].removesuffix(")")
        return tuple(inner.split(", ")) if inner else ()


COUNTERPARTS = (
    # PostgreSQL
    Counterpart("STRPOS(text, part)", "instr(text, part)", "STRPOS(email, '@') > 1"),
    Counterpart(
        "TO_CHAR(moment, format)",
        "date_format(moment, 'yyyy-MM-dd')",
        "TO_CHAR(event_time, 'YYYY-MM-DD') = '2024-03-15'",
        "Formats are those of Java.",
    ),
    Counterpart("TO_NUMBER(text)", "try_cast(text AS double)", "TO_NUMBER(user_id) > 5"),
    Counterpart("TO_NUMBER(text, format)", "try_cast(text AS double)", "TO_NUMBER(user_id, '999') > 5"),
    Counterpart("REGEXP_MATCHES(text, pattern)", "regexp_like(text, pattern)", "REGEXP_MATCHES(email, '^a')"),
    Counterpart("REGEXP_SUBSTR(text, pattern)", "regexp_extract(text, pattern, 0)", "REGEXP_SUBSTR(email, '^a') = 'a'"),
    Counterpart("AGE(end, start)", "(end - start)", "AGE(event_time, sent_at) > INTERVAL '1' DAY"),
    Counterpart("TRUNC(number)", "floor(number)", "TRUNC(amount) = 42", "Below 0 write ceil."),
    Counterpart("DATE_TRUNC(moment, unit)", "date_trunc('unit', moment)", "DATE_TRUNC(event_time, MONTH) < sent_at"),
    Counterpart("LOG(number)", "ln(number)", "LOG(amount) > 3", "ln is to base e, log10 to base 10."),
    Counterpart("STRING_TO_ARRAY(text, separator)", "split(text, separator)", "size(STRING_TO_ARRAY(email, '@')) = 2"),
    Counterpart("ARRAY_LENGTH(array)", "size(array)", "ARRAY_LENGTH(tags) > 1"),
    Counterpart("ARRAY_LENGTH(array, dimension)", "size(array)", "ARRAY_LENGTH(tags, 1) > 1"),
    # MySQL, SQL Server, Oracle
    Counterpart("CHARINDEX(part, text)", "instr(text, part)", "CHARINDEX('@', email) > 1"),
    Counterpart("MID(text, position, length)", "substring(text, position, length)", "MID(email, 1, 3) = 'ann'"),
    Counterpart(
        "DATEDIFF(unit, start, end)",
        "timestampdiff(unit, start, end)",
        "DATEDIFF(day, sent_at, event_time) > 1",
    ),
    Counterpart(
        "DATEADD(unit, count, moment)", "(moment + INTERVAL 'count' unit)", "DATEADD(day, 7, sent_at) < event_time"
    ),
    Counterpart("DATE_ADD(moment, interval)", "(moment + interval)", "DATE_ADD(birth_date, INTERVAL 7 DAY) < sent_at"),
    Counterpart("DATE_SUB(moment, interval)", "(moment - interval)", "DATE_SUB(birth_date, INTERVAL 7 DAY) < sent_at"),
    Counterpart("DATE(moment)", "cast(moment AS date)", "DATE(event_time) = birth_date"),
    Counterpart("DAYNAME(moment)", "dayofweek(moment)", "DAYNAME(event_time) = 6", "1 is Sunday, 7 is Saturday."),
    Counterpart("MONTHNAME(moment)", "month(moment)", "MONTHNAME(event_time) = 3"),
    Counterpart("FROM_UNIXTIME(seconds)", "timestamp_seconds(seconds)", "FROM_UNIXTIME(quantity) < event_time"),
    Counterpart("STR_TO_DATE(text, format)", "to_date(text, 'yyyy-MM-dd')", "STR_TO_DATE(user_id, '%Y') < birth_date"),
    Counterpart("IIF(condition, then, else)", "if(condition, then, else)", "IIF(is_foreign, 40, 500) < amount"),
    Counterpart("SQUARE(number)", "power(number, 2)", "SQUARE(amount) > 100"),
    Counterpart("CONVERT(value, type)", "cast(value AS type)", "CONVERT(amount, CHAR) = '5'"),
    Counterpart("CONVERT(type, value)", "cast(value AS type)", "CONVERT(INT, user_id) > 5"),
    Counterpart(
        "DECODE(value, a, then, else)",
        "CASE value WHEN a THEN then ELSE else END",
        "DECODE(country, 'DE', 40, 500) < amount",
    ),
    # BigQuery
    Counterpart("REGEXP_CONTAINS(text, pattern)", "regexp_like(text, pattern)", "REGEXP_CONTAINS(email, r'^a')"),
    Counterpart("STARTS_WITH(text, start)", "startswith(text, start)", "STARTS_WITH(email, 'ann')"),
    Counterpart("ENDS_WITH(text, end)", "endswith(text, end)", "ENDS_WITH(email, '.com')"),
    Counterpart("SAFE_DIVIDE(a, b)", "(a / b)", "SAFE_DIVIDE(amount, quantity) > 10", "Division by zero gives null."),
    Counterpart(
        "DATE_DIFF(end, start, unit)", "timestampdiff(unit, start, end)", "DATE_DIFF(event_time, sent_at, DAY) > 1"
    ),
    Counterpart(
        "TIMESTAMP_DIFF(end, start, unit)",
        "timestampdiff(unit, start, end)",
        "TIMESTAMP_DIFF(event_time, sent_at, HOUR) > 1",
    ),
    Counterpart(
        "TIMESTAMP_TRUNC(moment, unit)", "date_trunc('unit', moment)", "TIMESTAMP_TRUNC(sent_at, DAY) < sent_at"
    ),
    Counterpart(
        "TIMESTAMP_ADD(moment, interval)", "(moment + interval)", "TIMESTAMP_ADD(sent_at, INTERVAL 2 HOUR) < event_time"
    ),
    Counterpart(
        "TIMESTAMP_SUB(moment, interval)", "(moment - interval)", "TIMESTAMP_SUB(event_time, INTERVAL 2 HOUR) > sent_at"
    ),
    Counterpart(
        "ARRAY_TO_STRING(array, separator)", "array_join(array, separator)", "ARRAY_TO_STRING(tags, ',') = 'a'"
    ),
    Counterpart(
        "UNNEST(array)", "array_contains(array, 'value')", "UNNEST(tags)", "A rule asks whether a value is there."
    ),
    Counterpart("JSON_VALUE(struct, '$.name')", "struct.name", "JSON_VALUE(device, '$.os') = 'ios'"),
    Counterpart("ARRAY('a', 'b')", "split('a,b', ',')", "arrays_overlap(tags, ARRAY('vip', 'new'))"),
)


def counterparts_of(name: str) -> Iterator[Counterpart]:
    """Return what calls of that name become, in the order of the table."""
    return (each for each in COUNTERPARTS if each.name == name.upper())
