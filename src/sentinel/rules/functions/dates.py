"""Date and time functions. Timestamps are moments; parts of them are told in UTC."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.rules.functions.base import Accepts, Argument, RuleFunction, part_of_date, registry
from sentinel.rules.types import DATE, FLOAT, INTEGER, STRING, TIMESTAMP

_MOMENT = Argument("moment", Accepts.MOMENT)
_CALENDAR = Argument("moment", Accepts.CALENDAR)
_FORMAT = Argument("format", Accepts.DATETIME_FORMAT, optional=True)
TRUNCATIONS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
DATE_PARTS = (
    "YEAR",
    "QUARTER",
    "MONTH",
    "WEEK",
    "DAY",
    "DAYOFWEEK",
    "DOW",
    "DOY",
    "HOUR",
    "MINUTE",
    "SECOND",
)
_DAYS = "{1} >= -3660000 AND {1} <= 3660000"  # ten thousand years: date_add wraps around silently beyond 2**31 days
_SECONDS = "when({0} >= -62135596800L AND {0} <= 253402300799L, timestamp_seconds({0}))"
_MILLIS = "when({0} >= -62135596800000L AND {0} <= 253402300799999L, timestamp_millis({0}))"


def _part(sql: Sequence[str]) -> str:
    # Spark's own part SECOND is a decimal with the fraction.
    return f"second({sql[1]})" if sql[0] == "'SECOND'" else f"date_part({sql[0]}, {sql[1]})"


def _to_timestamp(sql: Sequence[str]) -> str:
    return f"try_to_timestamp({', '.join(sql)})"


def _to_date(sql: Sequence[str]) -> str:
    return f"CAST(try_to_timestamp({sql[0]}, {sql[1]}) AS DATE)" if len(sql) > 1 else f"TRY_CAST({sql[0]} AS DATE)"


DATE_FUNCTIONS = registry(
    part_of_date("year", "the year", "year(event_time) = 2024"),
    part_of_date("quarter", "1 to 4", "quarter(event_time) = 1"),
    part_of_date("month", "1 to 12", "month(event_time) = 3"),
    part_of_date("day", "1 to 31", "day(event_time) = 15"),
    part_of_date("dayofmonth", "same as day", "dayofmonth(event_time) = 15"),
    part_of_date("dayofweek", "1 (Sunday) to 7 (Saturday)", "dayofweek(event_time) = 6"),
    part_of_date("weekday", "0 (Monday) to 6 (Sunday)", "weekday(event_time) < 5"),
    part_of_date("dayofyear", "1 to 366", "dayofyear(event_time) < 100"),
    part_of_date("weekofyear", "ISO week, 1 to 53", "weekofyear(event_time) = 11"),
    part_of_date("hour", "0 to 23", "hour(event_time) BETWEEN 0 AND 5", of_time=True),
    part_of_date("minute", "0 to 59", "minute(event_time) = 30", of_time=True),
    part_of_date("second", "0 to 59", "second(event_time) = 0", of_time=True),
    RuleFunction(
        "date_part",
        (Argument("part", Accepts.CHOICE, choices=DATE_PARTS), _MOMENT),
        INTEGER,
        "date_part('HOUR', event_time) < 6",
        "that part; also EXTRACT(HOUR FROM event_time)",
        expansion=_part,
        narrow=True,
    ),
    RuleFunction(
        "date_trunc",
        (Argument("unit", Accepts.CHOICE, choices=TRUNCATIONS), _CALENDAR),
        TIMESTAMP,
        "date_trunc('HOUR', event_time) = TIMESTAMP '2024-03-15 02:00:00'",
        "start of the year, ..., second the moment lies in",
    ),
    RuleFunction(
        "date_add",
        (_CALENDAR, Argument("days", Accepts.SMALL)),
        DATE,
        "date_add(birth_date, 7) < event_time",
        "that many days later",
        expansion=f"when({_DAYS}, date_add(CAST({{0}} AS DATE), {{1}}))",
    ),
    RuleFunction(
        "date_sub",
        (_CALENDAR, Argument("days", Accepts.SMALL)),
        DATE,
        "date_sub(event_time, 30) > birth_date",
        "that many days earlier",
        expansion=f"when({_DAYS}, date_sub(CAST({{0}} AS DATE), {{1}}))",
    ),
    RuleFunction(
        "add_months",
        (_CALENDAR, Argument("months", Accepts.SMALL)),
        DATE,
        "add_months(birth_date, 216) < event_time",
        "that many months later",
        expansion="try_add(CAST({0} AS DATE), make_ym_interval(0, {1}))",
    ),
    RuleFunction(
        "datediff",
        (Argument("end", Accepts.DAY), Argument("start", Accepts.DAY)),
        INTEGER,
        "datediff(event_time, birth_date) > 6570",
        "days from start to end",
        narrow=True,
    ),
    RuleFunction(
        "date_diff",
        (Argument("end", Accepts.DAY), Argument("start", Accepts.DAY)),
        INTEGER,
        "date_diff(event_time, birth_date) > 6570",
        "same as datediff",
        expansion="datediff({0}, {1})",
        narrow=True,
    ),
    RuleFunction(
        "months_between",
        (Argument("end", Accepts.CALENDAR), Argument("start", Accepts.CALENDAR)),
        FLOAT,
        "months_between(event_time, birth_date) > 216",
        "months from start to end, with fraction",
    ),
    RuleFunction(
        "timestampdiff",
        (
            Argument("unit", Accepts.CHOICE, choices=UNITS),
            Argument("start", Accepts.CALENDAR),
            Argument("end", Accepts.CALENDAR),
        ),
        INTEGER,
        "timestampdiff(MINUTE, sent_at, event_time) > 5",
        "whole units from start to end",
        expansion=lambda sql: f"timestampdiff({sql[0][1:-1]}, {sql[1]}, {sql[2]})",
    ),
    RuleFunction(
        "last_day",
        (Argument("date", Accepts.CALENDAR),),
        DATE,
        "last_day(event_time) = DATE '2024-03-31'",
        "last day of the month",
        expansion="last_day(CAST({0} AS DATE))",
    ),
    RuleFunction(
        "to_date",
        (Argument("text", Accepts.TEXT), _FORMAT),
        DATE,
        "to_date('20240315', 'yyyyMMdd') = to_date('2024-03-15', 'yyyy-MM-dd')",
        "the date a text names; null: none",
        expansion=_to_date,
    ),
    RuleFunction(
        "to_timestamp",
        (Argument("text", Accepts.TEXT), _FORMAT),
        TIMESTAMP,
        "to_timestamp(user_id, 'yyyy-MM-dd HH:mm') IS NULL",
        "the moment a text names; null: none",
        expansion=_to_timestamp,
    ),
    RuleFunction(
        "try_to_timestamp",
        (Argument("text", Accepts.TEXT), _FORMAT),
        TIMESTAMP,
        "try_to_timestamp(user_id) IS NULL",
        "same as to_timestamp",
    ),
    RuleFunction(
        "unix_timestamp",
        (_MOMENT,),
        INTEGER,
        "unix_timestamp(event_time) % 60 = 0",
        "seconds since 1970",
    ),
    RuleFunction(
        "unix_seconds", (_MOMENT,), INTEGER, "unix_seconds(event_time) > 1700000000", "same as unix_timestamp"
    ),
    RuleFunction(
        "unix_millis",
        (_MOMENT,),
        INTEGER,
        "unix_millis(event_time) - unix_millis(sent_at) > 500",
        "milliseconds since 1970",
    ),
    RuleFunction(
        "timestamp_seconds",
        (Argument("seconds", Accepts.INTEGER),),
        TIMESTAMP,
        "timestamp_seconds(quantity) < event_time",
        "the moment so many seconds after 1970",
        expansion=_SECONDS,
    ),
    RuleFunction(
        "timestamp_millis",
        (Argument("milliseconds", Accepts.INTEGER),),
        TIMESTAMP,
        "timestamp_millis(quantity) < event_time",
        "the moment so many milliseconds after 1970",
        expansion=_MILLIS,
    ),
    RuleFunction(
        "date_format",
        (_CALENDAR, Argument("format", Accepts.DATETIME_FORMAT)),
        STRING,
        "date_format(event_time, 'HH:mm') < '06:00'",
        "the moment as text",
    ),
)
