"""The compiler: the total expression a condition becomes."""

from __future__ import annotations

import pytest

from sentinel.errors import InvalidRuleError
from sentinel.rules.compiler import compile_condition
from tests.unit.rules.corpus import HONEST, SCHEMA


class TestCompiledText:
    @pytest.mark.parametrize(
        ("expression", "compiled"),
        [
            ("amount > 100", "((event.`amount` > 100L))"),
            ("event.amount > 1.5", "((event.`amount` > 1.5BD))"),
            ("quantity + 1 > 2", "((try_add(event.`quantity`, 1L) > 2L))"),
            ("-quantity < 0", "((try_subtract(0L, event.`quantity`) < 0L))"),
            ("100 / (quantity - 1) > 3", "((try_divide(100L, try_subtract(event.`quantity`, 1L)) > 3L))"),
            ("tags[3] = 'a'", "((get(event.`tags`, (3)) = 'a'))"),
            ("element_at(tags, quantity) = 'a'", None),
            ("cast(user_id AS int) > 5", "((TRY_CAST(event.`user_id` AS INT) > 5L))"),
            ("sqrt(amount) > 2", "((nanvl(sqrt(event.`amount`), CAST(NULL AS DOUBLE)) > 2L))"),
            ("cast(user_id AS double) > 2", None),
            (
                "cast(user_id AS decimal(10,2)) > 2",
                "((TRY_CAST(regexp_extract(event.`user_id`, '^ *[-+]?[0-9.]{1,1000}([eE][-+]?[0-9]{1,2})? *$', 0) "
                "AS DECIMAL(10,2)) > 2L))",
            ),
            ("device.geo.lat > 1", "((event.`device`.`geo`.`lat` > 1L))"),
            ("birth_date < '2000-01-31'", "((event.`birth_date` < DATE '2000-01-31'))"),
            ("event_time > birth_date", "((event.`event_time` > TRY_CAST(event.`birth_date` AS TIMESTAMP)))"),
            ("country = 'It''s \\\\ \\n'", "((event.`country` = 'It\\'s \\\\ \\n'))"),
            ("length(country) * length(email) > 9", None),
            ("quantity < 9223372036854775807", "((event.`quantity` < 9223372036854775807L))"),
            (
                "quantity < 9223372036854775808",
                "((TRY_CAST(event.`quantity` AS DECIMAL(20,0)) < 9223372036854775808BD))",
            ),
            ("-1e0 < amount AND 9223372036854775807.5 > length(email)", None),
        ],
    )
    def test_it_cannot_throw(self, expression: str, compiled: str | None) -> None:
        expected = {
            "element_at(tags, quantity) = 'a'": "((try_element_at(event.`tags`, "
            "nullif(nullif(TRY_CAST(event.`quantity` AS INT), -2147483648), 0)) = 'a'))",
            "cast(user_id AS double) > 2": "((nanvl(TRY_CAST(event.`user_id` AS DOUBLE), CAST(NULL AS DOUBLE)) > 2L))",
            "length(country) * length(email) > 9": "((try_multiply(CAST(length(event.`country`) AS BIGINT), "
            "length(event.`email`)) > 9L))",
            "-1e0 < amount AND 9223372036854775807.5 > length(email)": "((((-1.0D) < event.`amount`) AND "
            "(9223372036854775807.5BD > TRY_CAST(length(event.`email`) AS DECIMAL(20,0)))))",
        }
        assert compile_condition(expression, SCHEMA).sql == (compiled or expected[expression])

    @pytest.mark.parametrize(
        ("expression", "compiled"),
        [
            ("NULL", "(CAST(NULL AS BOOLEAN))"),
            ("NOT NULL", "((NOT CAST(NULL AS BOOLEAN)))"),
            ("CASE WHEN NULL THEN true END", "(when(CAST(NULL AS BOOLEAN), TRUE))"),
            ("CASE WHEN is_foreign THEN NULL END", "(CAST(NULL AS BOOLEAN))"),
            ("if(NULL, is_foreign, true)", "(if(CAST(NULL AS BOOLEAN), event.`is_foreign`, TRUE))"),
            ("is_foreign OR NULL", "((event.`is_foreign` OR CAST(NULL AS BOOLEAN)))"),
        ],
    )
    def test_null_is_a_condition_of_its_own_type(self, expression: str, compiled: str) -> None:
        assert compile_condition(expression, SCHEMA).sql == compiled

    def test_not_a_number_is_guarded_where_it_can_arise(self) -> None:
        assert "nanvl" not in compile_condition("amount + amount * amount / amount > 1", SCHEMA).sql.replace(
            "nanvl(try_", ""
        )
        assert "nanvl" not in compile_condition("amount * 2 - 1 > 1", SCHEMA).sql
        assert "nanvl(try_subtract(" in compile_condition("amount * 2 - amount * 3 > 1", SCHEMA).sql
        assert "nanvl(try_multiply(" in compile_condition("exp(amount) * 0 > 1", SCHEMA).sql

    @pytest.mark.parametrize("expression", HONEST)
    def test_every_column_belongs_to_the_event(self, expression: str) -> None:
        compiled = compile_condition(expression, SCHEMA).sql
        for field in SCHEMA:
            assert compiled.count(f"`{field.name}`") <= compiled.count(f".`{field.name}`")

    def test_it_is_the_same_text_every_time(self) -> None:
        assert [compile_condition(e, SCHEMA).sql for e in HONEST] == [compile_condition(e, SCHEMA).sql for e in HONEST]


class TestRefusal:
    def test_the_error_carries_every_issue(self) -> None:
        with pytest.raises(
            InvalidRuleError, match=r"at character 0: There is no field amont.*\(and 1 more\)"
        ) as refused:
            compile_condition("amont > 1 AND nothing IS NULL", SCHEMA)
        assert [issue["code"] for issue in refused.value.issues] == ["unknown-column", "unknown-column"]
        assert refused.value.issues[0]["start"] == 0
        assert refused.value.issues[0]["end"] == 5
