"""Subqueries on reference tables: what is accepted and what it becomes, what is refused and where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.checker import CheckResult, check
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.known import KnownNames
from sentinel.rules.limits import MAX_LOOKUPS, MAX_SUBQUERIES
from sentinel.rules.lookups import LookupColumn
from sentinel.rules.tables_read import tables_in, tables_read
from tests.support.reference_lists import list_of

SCHEMA = EventSchema.from_json(
    [
        {"name": "user_id", "type": "string"},
        {"name": "terminal", "type": "integer"},
        {"name": "amount", "type": "float"},
        {"name": "price", "type": "decimal(10,2)"},
        {"name": "tags", "type": "array<string>"},
        {"name": "device", "type": "struct<os: string>"},
        {"name": "day", "type": "date"},
    ]
)
TABLES = (
    list_of("whitelist", {"user_id": "string", "note": "string", "level": "integer", "os": "string"}, "user_id"),
    list_of(
        "user_stats",
        {"user_id": "string", "amount": "float", "mean": "float", "good": "boolean", "day": "date"},
        "user_id",
    ),
)


def checked(rule: str) -> CheckResult:
    return check(rule, SCHEMA, KnownNames(tables=TABLES))


def only_lookup(rule: str) -> LookupColumn:
    result = checked(rule)
    assert result.valid, result.issues
    (column,) = result.lookups
    return column


class TestWhatIsAccepted:
    def test_a_set_becomes_a_column_that_is_looked_up(self) -> None:
        rule = "amount > 100 AND user_id NOT IN (SELECT user_id FROM whitelist)"
        result = checked(rule)
        (column,) = result.lookups
        assert result.compiled == f"(((event.`amount` > 100L) AND (NOT {column.name})))"
        assert (column.lookup.table, column.lookup.where, column.function) == ("whitelist", None, "FOUND")
        assert [(key.column, key.sql) for key in column.lookup.keys] == [("user_id", "event.`user_id`")]
        assert tables_in(rule) == {"whitelist"}
        assert result.columns == {"amount", "user_id"}

    def test_conditions_of_the_table_are_total_expressions_over_its_rows(self) -> None:
        column = only_lookup("user_id IN (SELECT user_id FROM whitelist WHERE level / 0 > 1 AND note LIKE 'a%')")
        assert column.lookup.where == "(try_divide(event.`level`, 0L) > 1L) AND (event.`note` LIKE 'a%')"

    def test_names_that_both_know_mean_the_table(self) -> None:
        column = only_lookup("(SELECT AVG(amount) FROM user_stats WHERE user_id = event.user_id) > 3")
        assert (column.function, column.column) == ("AVG", "amount")
        assert column.lookup.keys[0].sql == "event.`user_id`"

    @pytest.mark.parametrize(
        "rule",
        [
            "amount > (SELECT AVG(amount) * 3 FROM user_stats WHERE user_id = event.user_id)",
            "amount > (SELECT AVG(amount) * 3 FROM user_stats WHERE event.user_id = user_stats.user_id)",
            "amount > (SELECT avg(s.amount) * 3 FROM user_stats s WHERE s.user_id = event.user_id)",
            "amount > (select Avg(`amount`) * 3 from `user_stats` AS s where `user_id` = event.`user_id`)",
            "amount > 3 * (SELECT MEAN(amount) FROM user_stats WHERE user_id = event.user_id)",
        ],
    )
    def test_the_same_look_up_is_shared_whatever_its_spelling(self, rule: str) -> None:
        assert only_lookup(rule) == only_lookup(
            "(SELECT AVG(amount) FROM user_stats WHERE user_id = event.user_id) > 1"
        )

    @pytest.mark.parametrize(
        "rule",
        [
            "amount > (SELECT mean FROM user_stats WHERE user_id = event.user_id)",
            "amount > (SELECT mean * 2 + amount AS top FROM user_stats WHERE user_id = event.user_id AND good)",
            "(SELECT COUNT(*) FROM user_stats) > 3",
            "(SELECT MAX(day) FROM user_stats) > day",
            "EXISTS (SELECT 1 FROM whitelist WHERE user_id = event.user_id)",
            "NOT EXISTS (SELECT * FROM whitelist WHERE user_id = lower(event.user_id) AND level = event.terminal + 1)",
            "device.os IN (SELECT os FROM whitelist)",
            "terminal IN (SELECT level FROM whitelist WHERE level BETWEEN 2 AND 5 OR note IS NULL)",
            "price IN (SELECT level FROM whitelist)",
            "'x' IN (SELECT note FROM whitelist WHERE user_id = event.user_id)",
            "user_id IN (SELECT user_id FROM user_stats WHERE day > DATE '2026-01-01' AND month(day) = 2)",
            "user_id IN (SELECT user_id FROM user_stats WHERE timestampdiff(DAY, day, DATE '2026-01-01') > 3)",
            "CASE WHEN user_id IN (SELECT user_id FROM whitelist) THEN amount > 5 ELSE amount > 1 END",
        ],
    )
    def test_it_is_accepted(self, rule: str) -> None:
        result = checked(rule)
        assert result.valid, result.issues
        assert result.lookups
        assert "SELECT" not in str(result.compiled).upper()

    def test_a_row_that_is_missing_gives_null_even_where_its_columns_would_not(self) -> None:
        result = checked("amount > (SELECT coalesce(mean, 5) FROM user_stats WHERE user_id = event.user_id)")
        count, value = sorted(result.lookups, key=lambda column: column.function)
        assert f"when(coalesce({count.name}, 0L) > 0L, coalesce({value.name}, 5.0D))" in str(result.compiled)

    def test_rules_of_the_same_length_as_before_are_as_fast(self) -> None:
        result = check("amount > 5", SCHEMA)
        assert result.lookups == ()


REFUSED = {
    # Names
    "user_id IN (SELECT user_id FROM wihtelist)": ("unknown-table", "wihtelist", "Did you mean whitelist?"),
    "user_id IN (SELECT nobody FROM whitelist)": ("unknown-column", "nobody", "Columns: user_id, note"),
    "user_id IN (SELECT user_id FROM whitelist WHERE terminal = 3)": (
        "unqualified-column",
        "terminal",
        "event.terminal",
    ),
    "amount > (SELECT mean FROM user_stats WHERE user_id = user_id)": (
        "unqualified-column",
        "user_id = user_id",
        "event.user_id",
    ),
    "user_id IN (SELECT w.user_id FROM whitelist)": ("unknown-column", "w", None),
    "user_id IN (SELECT whitelist.user_id FROM whitelist w)": ("unknown-column", "whitelist", None),
    "user_id IN (SELECT w.nobody FROM whitelist w)": ("unknown-column", "w.nobody", "Columns"),
    "user_id IN (SELECT user_id FROM whitelist WHERE event = 1)": ("unknown-column", "event", "Name a field"),
    "user_id IN (SELECT user_id FROM whitelist WHERE event.nobody = user_id)": ("unknown-column", "nobody", None),
    "user_id IN (SELECT user_id FROM event)": ("unknown-table", "event", "Reference tables"),
    "user_id IN (SELECT user_id FROM whitelist AS event)": ("subquery-form", "event", "another name"),
    "user_id IN (SELECT user_id FROM whitelist `EVENT` WHERE event.user_id = 'a')": ("subquery-form", None, None),
    # Relations
    "user_id IN (SELECT a FROM text.`/etc/passwd`)": ("subquery-form", "text", "Upload"),
    "user_id IN (SELECT a FROM `parquet`.`s3://x`)": ("subquery-form", "`parquet`", "Upload"),
    "user_id IN (SELECT user_id FROM other.whitelist)": ("subquery-form", "other", "Upload"),
    "user_id IN (SELECT id FROM range(10))": ("subquery-form", "range", "Upload"),
    "user_id IN (SELECT user_id FROM whitelist, user_stats)": ("subquery-form", ",", "two subqueries"),
    "user_id IN (SELECT user_id FROM whitelist JOIN user_stats)": ("subquery-form", "JOIN", "two subqueries"),
    "user_id IN (SELECT user_id FROM whitelist w CROSS JOIN whitelist)": ("subquery-form", "CROSS", "two subqueries"),
    "user_id IN (SELECT x FROM (SELECT 1 AS x))": ("subquery-form", "(", None),
    "user_id IN (SELECT user_id FROM whitelist LATERAL VIEW explode(tags))": ("subquery-form", "LATERAL", None),
    "user_id IN (SELECT user_id FROM whitelist TABLESAMPLE (10 ROWS))": ("subquery-form", "TABLESAMPLE", None),
    "user_id IN (SELECT user_id FROM IDENTIFIER('whitelist'))": ("subquery-form", "IDENTIFIER", None),
    "user_id IN (SELECT user_id FROM VALUES ('a'))": ("subquery-form", "VALUES", None),
    "user_id IN (VALUES ('a'))": ("subquery-form", "VALUES", None),
    "user_id IN (FROM whitelist SELECT user_id)": ("subquery-form", "FROM", None),
    "(WITH a AS (SELECT 1) SELECT * FROM a) > 1": ("subquery-form", "WITH", None),
    "(TABLE whitelist) = 1": ("subquery-form", "TABLE", None),
    # Clauses
    "amount > (SELECT AVG(amount) FROM user_stats GROUP BY user_id)": ("subquery-form", "GROUP", "Correlate"),
    "amount > (SELECT AVG(amount) FROM user_stats HAVING true)": ("subquery-form", "HAVING", None),
    "amount > (SELECT mean FROM user_stats ORDER BY mean)": ("subquery-form", "ORDER", "MIN or MAX"),
    "amount > (SELECT mean FROM user_stats WHERE good LIMIT 1)": ("subquery-form", "LIMIT", "MIN or MAX"),
    "user_id IN (SELECT user_id FROM whitelist UNION SELECT 'a')": ("subquery-form", "UNION", None),
    "user_id IN (SELECT user_id FROM whitelist EXCEPT SELECT 'a')": ("subquery-form", "EXCEPT", None),
    "user_id IN (SELECT DISTINCT user_id FROM whitelist)": ("subquery-form", "DISTINCT", "Leave the word out"),
    "user_id IN (SELECT user_id, note FROM whitelist)": ("subquery-form", ",", "one subquery for each"),
    "user_id IN (SELECT * FROM whitelist)": ("subquery-form", "*", "Name the column"),
    "user_id IN (SELECT user_id)": ("subquery-form", ")", None),
    "amount > (SELECT COUNT(DISTINCT mean) FROM user_stats)": ("subquery-form", "DISTINCT", None),
    "user_id IN (SELECT user_id FROM whitelist WHERE user_id IN (SELECT user_id FROM user_stats))": (
        "subquery-form",
        "SELECT",
        "two subqueries",
    ),
    "amount > (SELECT mean + (SELECT MAX(mean) FROM user_stats) FROM user_stats WHERE user_id = event.user_id)": (
        "subquery-form",
        "SELECT",
        None,
    ),
    # Values
    "user_id IN (SELECT lower(user_id) FROM whitelist)": ("subquery-value", "lower(user_id)", None),
    "user_id IN (SELECT event.user_id FROM whitelist)": ("subquery-value", "event.user_id", None),
    "user_id IN (SELECT 'a' FROM whitelist)": ("subquery-value", "'a'", None),
    "amount > (SELECT mean FROM user_stats)": ("subquery-value", "mean", "MAX(mean)"),
    "amount > (SELECT mean FROM user_stats WHERE day = event.day)": ("subquery-value", "mean", "event.user_id"),
    "amount > (SELECT mean + MAX(amount) FROM user_stats WHERE user_id = event.user_id)": (
        "subquery-value",
        "mean + MAX(amount)",
        None,
    ),
    "amount > (SELECT 5 FROM user_stats)": ("subquery-value", "5", None),
    "amount > (SELECT AVG(amount * 2) FROM user_stats)": ("subquery-value", "AVG(amount * 2)", "AVG(column)"),
    "amount > (SELECT SUM() FROM user_stats)": ("subquery-value", "SUM()", None),
    "amount > (SELECT SUM(user_id) FROM user_stats)": ("argument-type", "SUM(user_id)", None),
    "amount > (SELECT stddev(amount) FROM user_stats)": ("function-not-allowed", "stddev", None),
    "amount > (SELECT MAX(amount) OVER () FROM user_stats)": ("function-not-allowed", "OVER", None),
    # Conditions
    "amount > (SELECT MAX(mean) FROM user_stats WHERE user_id > event.user_id)": (
        "correlation",
        "user_id > event.user_id",
        "by =",
    ),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE user_id = event.user_id OR good)": (
        "correlation",
        "user_id = event.user_id OR good",
        "by =",
    ),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE lower(user_id) = event.user_id)": ("correlation", None, "by ="),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE event.amount > 5)": ("correlation", "event.amount > 5", None),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE user_id <=> event.user_id)": ("correlation", None, None),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE good = (event.amount > 3))": ("type-mismatch", "good", None),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE mean)": ("not-boolean", "mean", None),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE MAX(mean) > 3)": ("function-not-allowed", "MAX", None),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE day > current_date())": (
        "function-not-allowed",
        "current_date",
        None,
    ),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE rand() > 0.5)": ("function-not-allowed", "rand", None),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE reflect('a', 'b') = 'c')": (
        "function-not-allowed",
        "reflect",
        None,
    ),
    "amount > (SELECT MAX(mean) FROM user_stats WHERE user_id RLIKE '(a+)+b')": ("regex", None, None),
    # Types
    "terminal IN (SELECT user_id FROM whitelist)": ("type-mismatch", "user_id", "try_cast"),
    "tags IN (SELECT user_id FROM whitelist)": ("type-mismatch", None, None),
    "user_id > (SELECT mean FROM user_stats WHERE user_id = event.user_id)": ("type-mismatch", "user_id", None),
    "(SELECT mean FROM user_stats WHERE user_id = event.user_id)": ("not-boolean", None, None),
    "(terminal, user_id) IN (SELECT level, user_id FROM whitelist)": ("syntax", ",", None),
    # Texts that only look like it
    "user_id IN (SELECT user_id FROM whitelist": ("subquery-form", "", None),
    "user_id IN (SELECT user_id FROM whitelist -- )": ("comment", None, None),
    "user_id IN (SELECT /*+ BROADCAST(w) */ user_id FROM whitelist)": ("comment", None, None),
    "user_id IN (SELECT user_id FROM whitelist; DROP TABLE x)": ("syntax", ";", None),
    "user_id IN (SELECT user_id FROM whitelіst)": ("character", "і", None),
    "user_id IN (SELECT user_id FROM ?)": ("parameter", "?", None),
    "lookup_0123456789abcdef": ("unknown-column", "lookup_0123456789abcdef", None),
}


WORDS = (
    *("SELECT", "FROM", "WHERE", "whitelist", "user_stats", "user_id", "event", ".", "(", ")", "=", ">", "AND", "OR"),
    *(
        "IN",
        "NOT",
        "EXISTS",
        "COUNT",
        "AVG",
        "*",
        ",",
        "mean",
        "amount",
        "5",
        "'a'",
        "AS",
        "w",
        "JOIN",
        "LIMIT",
        "NULL",
    ),
)


class TestWhatIsRefused:
    @pytest.mark.parametrize(("rule", "told"), REFUSED.items(), ids=lambda value: str(value)[:70])
    def test_it_says_what_where_and_what_instead(self, rule: str, told: tuple[str, str | None, str | None]) -> None:
        code, place, suggestion = told
        result = checked(rule)
        assert not result.valid
        assert (result.compiled, result.lookups) == (None, ())
        found = [issue for issue in result.errors if issue.code == code]
        assert found, result.issues
        if place is not None:
            assert place in [rule[issue.start : issue.end] for issue in found]
        if suggestion is not None:
            assert any(suggestion in str(issue.suggestion) for issue in found), found
        assert all(0 <= issue.start <= issue.end <= len(rule) and issue.message for issue in result.issues)

    def test_the_number_of_subqueries_is_bounded(self) -> None:
        one = "user_id IN (SELECT user_id FROM whitelist)"
        assert checked(" OR ".join([one] * MAX_SUBQUERIES)).valid
        result = checked(" OR ".join([one] * (MAX_SUBQUERIES + 1)))
        assert [issue.code for issue in result.errors] == ["too-many-subqueries"]

    def test_nested_ten_thousand_times_it_ends_soon(self) -> None:
        text = "x IN (SELECT " * 700
        assert not checked(text[:10_000]).valid
        assert not checked("(" * 40 + "SELECT 1" + ")" * 40).valid

    def test_several_mistakes_are_told_together(self) -> None:
        result = checked(
            "user_id IN (SELECT a FROM t) OR terminal IN (SELECT level FROM whitelist LIMIT 1) OR nobody > 1"
        )
        assert [issue.code for issue in result.errors] == ["unknown-table", "subquery-form", "unknown-column"]

    def test_the_short_form_has_no_subqueries(self) -> None:
        rule = "when user_id in (SELECT user_id FROM whitelist) then tag('x')"
        assert not check_rule(rule, SCHEMA, KnownNames(tables=TABLES)).result.valid

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(WORDS), max_size=40))
    def test_any_order_of_words_ends_with_an_answer(self, words: list[str]) -> None:
        result = checked("user_id IN (SELECT " + " ".join(words))
        assert result.valid == (result.compiled is not None)
        assert result.valid or result.errors


class TestRulesThatReferToRules:
    LISTED = "user_id IN (SELECT user_id FROM whitelist)"

    def test_a_reference_looks_up_what_the_rule_looks_up(self) -> None:
        known = KnownNames({"listed": self.LISTED, "large": "amount > 100"}, tables=TABLES)
        result = check("rule('listed') AND NOT rule('large')", SCHEMA, known)
        assert result.valid, result.issues
        assert result.lookups == checked(self.LISTED).lookups
        assert result.columns == {"amount", "user_id"}

    def test_the_short_form_reads_lists_through_a_reference(self) -> None:
        known = KnownNames({"listed": self.LISTED}, tables=TABLES)
        result = check_rule("when rule('listed') and amount > 5 then severity(\"info\")", SCHEMA, known).result
        assert result.valid, result.issues
        assert result.lookups == checked(self.LISTED).lookups

    def test_tables_are_read_through_references(self) -> None:
        conditions = {"a": "rule('b')", "b": self.LISTED, "c": "amount > (SELECT AVG(mean) FROM user_stats)"}
        assert tables_in("rule('a')") == frozenset()
        assert tables_read("rule('a') OR amount > 1", conditions) == {"whitelist"}
        assert tables_read("rule('a') OR rule('c') OR rule('gone')", conditions) == {"whitelist", "user_stats"}

    def test_a_text_with_errors_still_says_what_it_reads(self) -> None:
        assert tables_in("nothing IN (SELECT user_id FROM whitelist)") == {"whitelist"}

    def test_a_subquery_refers_to_no_rule(self) -> None:
        known = KnownNames({"listed": self.LISTED, "large": "amount > 100"}, tables=TABLES)
        result = check("user_id IN (SELECT user_id FROM user_stats WHERE rule('large'))", SCHEMA, known)
        assert [issue.code for issue in result.errors] == ["rule-reference"]

    def test_look_ups_are_bounded_over_all_references(self) -> None:
        def some(number: int) -> str:
            terms = (f"user_id IN (SELECT user_id FROM whitelist WHERE level > {number * 8 + n})" for n in range(8))
            return " OR ".join(terms)

        known = KnownNames({f"r{number}": some(number) for number in range(5)}, tables=TABLES)
        fitting = " OR ".join(f"rule('r{number}')" for number in range(MAX_LOOKUPS // 8))
        assert check(fitting, SCHEMA, known).valid
        (issue,) = check(f"{fitting} OR rule('r4')", SCHEMA, known).errors
        assert (issue.code, str(MAX_LOOKUPS) in issue.message) == ("too-many-subqueries", True)
