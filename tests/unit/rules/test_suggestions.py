"""What is suggested can be followed: the marked text replaced by it makes a rule that is accepted."""

from __future__ import annotations

import re

import pytest

from sentinel.rules.dialects import COUNTERPARTS, Counterpart
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.issue import Issue
from tests.unit.rules.corpus import SCHEMA

# Rule -> what is to be written in place of what is marked, and its code.
WAYS_OUT = {
    # casts and types
    "amount::varchar = '5'": ("string", "cast-type"),
    "cast(amount AS varchar(20)) = '5'": ("string", "cast-type"),
    "cast(amount AS text) = '5'": ("string", "cast-type"),
    "cast(user_id AS float) > 5": ("double", "cast-type"),
    "cast(user_id AS FLOAT64) > 5": ("double", "cast-type"),
    "cast(user_id AS int64) > 5": ("bigint", "cast-type"),
    "cast(user_id AS smallint) > 5": ("bigint", "cast-type"),
    "cast(amount AS DECIMAL) > 5": ("decimal(18,2)", "cast-type"),
    "amount::decimal > 5": ("decimal(18,2)", "cast-type"),
    "cast(amount AS numeric ) > 5": ("decimal(18,2)", "cast-type"),
    "SAFE_CAST(user_id AS bigint) > 5": ("try_cast(user_id AS bigint)", "function-not-allowed"),
    # values of another type
    "amount > '5'": ("5", "type-mismatch"),
    "price IN ('5', '6')": ("5", "type-mismatch"),
    "tags LIKE '%x%'": ("array_join(tags, ',')", "argument-type"),
    "amount LIKE '4%'": ("cast(amount AS string)", "argument-type"),
    "lower(quantity) = '1'": ("cast(quantity AS string)", "argument-type"),
    "year(user_id) = 2024": ("to_timestamp(user_id)", "argument-type"),
    "left(country, amount) = 'D'": ("try_cast(amount AS bigint)", "argument-type"),
    "sqrt(user_id) > 2": ("try_cast(user_id AS double)", "argument-type"),
    "birth_date + 1 > event_time": ("date_add(birth_date, 1)", "arithmetic"),
    "birth_date - 30 > event_time": ("date_sub(birth_date, 30)", "arithmetic"),
    "is_foreign = 1": ("is_foreign = true", "type-mismatch"),
    "is_foreign <> 0": ("is_foreign <> false", "type-mismatch"),
    "is_foreign = 'true'": ("is_foreign = true", "type-mismatch"),
    "CAST(event_time AS DATE) - birth_date < 30": (
        "datediff(CAST(event_time AS DATE), birth_date) < 30",
        "type-mismatch",
    ),
    "event_time - sent_at < 30": ("event_time - sent_at < INTERVAL '30' DAY", "type-mismatch"),
    # arrays and structs
    "tags = 'vip'": ("array_contains(tags, 'vip')", "type-mismatch"),
    "'vip' <> tags": ("NOT array_contains(tags, 'vip')", "type-mismatch"),
    "'vip' = ANY(tags)": ("array_contains(tags, 'vip')", "function-not-allowed"),
    "'vip' IN tags": ("array_contains(tags, 'vip')", "syntax"),
    "'vip' NOT IN tags": ("NOT array_contains(tags, 'vip')", "syntax"),
    "'vip' IN UNNEST(tags)": ("array_contains(tags, 'vip')", "syntax"),
    "country IN 'DE'": ("country IN ('DE')", "syntax"),
    "tags CONTAINS 'vip'": ("contains(tags, 'vip')", "syntax"),
    "NOT email CONTAINS 'vip'": ("contains(email, 'vip')", "syntax"),
    "device['os'] = 'ios'": ("device.os", "not-an-array"),
    "device->>'os' = 'ios'": ("device.os", "syntax"),
    "device->'os' = 'ios'": ("device.os", "syntax"),
    # conditions
    "amount > 1 && country = 'DE'": ("AND", "syntax"),
    "amount > 1 || country = 'DE'": ("amount > 1 OR country = 'DE'", "type-mismatch"),
    "is_foreign || amount > 5": ("is_foreign OR amount > 5", "type-mismatch"),
    "100 < amount < 500": ("100 < amount AND amount < 500", "type-mismatch"),
    "100 <= amount <= 500": ("amount BETWEEN 100 AND 500", "type-mismatch"),
    "amount => 5": (">=", "syntax"),
    "amount =< 5": ("<=", "syntax"),
    "amount ** 2 > 5": ("power(amount, 2)", "syntax"),
    "country IS 'DE'": ("country = 'DE'", "syntax"),
    "country IS NOT 'DE'": ("country <> 'DE'", "syntax"),
    "email ~ 'com$'": ("email RLIKE 'com$'", "syntax"),
    "email ~* 'com$'": ("email RLIKE r'(?i)com$'", "syntax"),
    "email SIMILAR TO 'a.*'": ("email RLIKE 'a.*'", "syntax"),
    "country = 'DE' OR 'FR'": ("country IN ('DE', 'FR')", "not-boolean"),
    "country = 'DE' OR 'FR' OR 'IT'": ("country IN ('DE', 'FR', 'IT')", "not-boolean"),
    "amount BETWEEN 1 AND 5 OR 7": ("amount = 7", "not-boolean"),
    "amount > 1 AND country = 'DE' OR 'FR'": ("country = 'FR'", "not-boolean"),
    # statements
    "SELECT * FROM payments WHERE amount > 5": ("amount > 5", "syntax"),
    "select * from payments where amount > 5 order by 1": ("amount > 5", "syntax"),
    "WHERE amount > 5": ("amount > 5", "syntax"),
    # calls
    "POSITION('@' IN email) > 1": ("locate('@', email)", "syntax"),
    "SUBSTRING(email FROM 1 FOR 3) = 'ann'": ("substring(email, 1, 3)", "syntax"),
    "TRIM(BOTH ' ' FROM country) = 'DE'": ("btrim(country, ' ')", "syntax"),
    "TRIM(LEADING FROM country) = 'DE'": ("ltrim(country)", "syntax"),
    "event_time - sent_at > INTERVAL '30 days'": ("INTERVAL '30' DAY", "interval"),
    # names
    "country = DE": ("'DE'", "unknown-column"),
    "country IN (DE, FR)": ("'DE'", "unknown-column"),
    r"email RLIKE '\bbet\b'": (r"r'\bbet\b'", "character"),
    "when event_time - sent_at < interval 2 hours then tag('x')": ("2h", "syntax"),
    "when country in 'DE' then tag('x')": ("['DE']", "syntax"),
    "when amount > 5 then tag(fraud)": ('"fraud"', "syntax"),
    "when amount > 5 then severity(critical)": ('"critical"', "syntax"),
    "when event_time - sent_at < INTERVAL '30' DAY then tag('x')": ("30d", "syntax"),
}

# Rule that is accepted -> code and suggestion of its only warning.
DOUBTFUL = {
    "\"country\" = 'DE' AND amount > 100": ("quoted-name", "country"),
    'country = "email"': ("quoted-name", "email"),
    "\"email\" LIKE '%bet%' OR amount > 100": ("quoted-name", "email"),
    "size(split(email, '.')) > 1": ("doubtful", r"r'\.'"),
    "size(split(email, '|')) > 1": ("doubtful", r"r'\|'"),
    "quantity ^ 2 > 5": ("doubtful", "power(quantity, 2)"),
    "date_format(event_time, 'yyyy-mm-dd') = '2024-01-01'": ("doubtful", "'yyyy-MM-dd'"),
    "event_time BETWEEN '2025-02-01' AND '2025-01-01'": ("empty-range", None),
    "event_time BETWEEN TIMESTAMP '2025-02-01 00:00:00' AND '2025-01-01'": ("empty-range", None),
    "birth_date BETWEEN DATE '2025-02-01' AND DATE '2025-01-01'": ("empty-range", None),
    "element_at(tags, 0) = 'vip'": ("doubtful", "1"),
    "tags[-1] = 'vip'": ("doubtful", "element_at(tags, -1)"),
    "mod(quantity, 0) = 1": ("doubtful", None),
    "quantity % 0 = 1": ("doubtful", None),
    "amount / 0 > 1": ("doubtful", None),
    "email RLIKE '%casino%'": ("doubtful", "email LIKE '%casino%'"),
    "amount > 5 AND 1 = 1": ("constant-rule", None),
    "amount > 5 OR 'DE' IN ('DE', 'FR')": ("constant-rule", None),
    "amount > 5 OR 'DE' LIKE 'D%'": ("constant-rule", None),
}

# Rule that is refused -> words of its first message and suggestion.
TOLD = {
    "amount > 'abc'": "cannot be compared",
    "os = 'ios'": "Did you mean device.os?",
    "event_time > CURRENT_TIMESTAMP": "Compare two fields of the event, as in event_time - sent_at",
    "birth_date > CURRENT_DATE": "no clock",
    "event_time > SYSDATE": "no clock",
    "avg(amount) > 5": "Counts and averages over other events come from a list: docs/lists.md.",
    "COUNT(*) > 5": "Counts and averages over other events come from a list: docs/lists.md.",
    "amount > 5 GROUP BY country": "has no GROUP BY",
    "amount > 5 LIMIT 10": "has no limit",
    "EXTRACT(EPOCH FROM event_time) > 5": "unix_timestamp(moment)",
    "hour(event_time AT TIME ZONE 'Europe/Berlin') < 6": "For local hours add an interval",
    "amount > ALL (SELECT amount FROM limits)": "MAX(column)",
    "when email like '%x%' then tag('x')": "write it as Spark SQL",
    "when case when amount > 5 then 1 end = 1 then tag('x')": "write it as Spark SQL",
    "when amount > (select max(x) from t) then tag('x')": "write it as Spark SQL",
}


def first(text: str) -> Issue:
    return check_rule(text, SCHEMA).result.issues[0]


def to_write(issue: Issue) -> str | None:
    found = re.search(r"\b[Ww]rite (.+)\.$", issue.suggestion or "", re.DOTALL)
    return found[1] if found else None


def corrected(text: str) -> str:
    """Follow suggestions until nothing is refused."""
    for _ in range(5):
        errors = check_rule(text, SCHEMA).result.errors
        if not errors:
            break
        written = to_write(errors[0])
        assert written is not None, errors[0]
        text = text[: errors[0].start] + written + text[errors[0].end :]
    return text


class TestErrors:
    @pytest.mark.parametrize(("text", "written", "code"), [(text, *told) for text, told in WAYS_OUT.items()])
    def test_the_way_out_is_written_out(self, text: str, written: str, code: str) -> None:
        issue = check_rule(text, SCHEMA).result.errors[0]
        assert (to_write(issue), issue.code) == (written, code), issue

    @pytest.mark.parametrize("text", WAYS_OUT)
    def test_following_it_gives_a_rule(self, text: str) -> None:
        assert check_rule(corrected(text), SCHEMA).result.valid

    @pytest.mark.parametrize(("text", "words"), TOLD.items())
    def test_the_cause_is_named(self, text: str, words: str) -> None:
        (issue, *_) = check_rule(text, SCHEMA).result.errors
        assert words in f"{issue.message} {issue.suggestion}"

    @pytest.mark.parametrize(
        "text", ["country = DE", "DATEDIFF(day, sent_at, event_time) > 1", "COUNT(*) > 5", "'x' = ANY(tags)"]
    )
    def test_one_mistake_is_one_issue(self, text: str) -> None:
        assert len(check_rule(text, SCHEMA).result.issues) == 1

    def test_a_name_beside_a_text_is_no_text(self) -> None:
        assert first("os = 'ios'").suggestion == "Did you mean device.os?"

    def test_fields_of_the_needed_type_are_listed(self) -> None:
        assert first("qqqq > 5 AND is_foreign").suggestion == "Fields of that type: amount, quantity, price, total."


class TestWarnings:
    @pytest.mark.parametrize(("text", "code", "written"), [(text, *told) for text, told in DOUBTFUL.items()])
    def test_a_doubtful_rule_is_accepted_with_one(self, text: str, code: str, written: str | None) -> None:
        result = check_rule(text, SCHEMA).result
        assert result.valid
        assert [(issue.severity, issue.code) for issue in result.issues] == [("warning", code)]
        assert written is None or to_write(result.issues[0]) == written

    @pytest.mark.parametrize("text", [text for text, (_, written) in DOUBTFUL.items() if written])
    def test_following_it_gives_a_rule(self, text: str) -> None:
        issue = first(text)
        assert check_rule(text[: issue.start] + str(to_write(issue)) + text[issue.end :], SCHEMA).result.valid

    @pytest.mark.parametrize(
        "text", ['country = "DE"', "date_format(event_time, 'HH:mm') < '06:00'", "size(split(email, ',')) > 1"]
    )
    def test_what_is_meant_so_has_none(self, text: str) -> None:
        assert check_rule(text, SCHEMA).result.issues == ()

    def test_seconds_are_a_part(self) -> None:
        assert check_rule("EXTRACT(SECOND FROM event_time) = 30", SCHEMA).result.issues == ()


class TestFunctionsOfOtherDatabases:
    @pytest.mark.parametrize("counterpart", COUNTERPARTS, ids=lambda each: each.call)
    def test_its_example_is_told_what_to_write(self, counterpart: Counterpart) -> None:
        issue = check_rule(counterpart.example, SCHEMA).result.errors[0]
        assert issue.code in ("function-not-allowed", "argument-type")
        assert counterpart.example.upper().startswith(counterpart.name) or counterpart.name in counterpart.example
        assert check_rule(corrected(counterpart.example), SCHEMA).result.valid
