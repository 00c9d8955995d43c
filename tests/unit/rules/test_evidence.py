"""The evidence of an alert: what each match fulfils, with the values, and never too much of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.evidence import MAX_BYTES, MAX_CONDITIONS, evidence_text
from sentinel.rules.explanation.evidence import evidence_plan
from tests.unit.rules.corpus import HONEST, SCHEMA


def evidence(rule: str, event: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(evidence_text(evidence_plan(rule, SCHEMA), event))
    return found


class TestWhatIsKept:
    def test_each_condition_at_the_top_with_the_fields_it_looks_at(self) -> None:
        rule = "amount > 100 AND (country = 'DE' OR country = 'FR') AND (quantity > 1 AND NOT (is_foreign))"
        event = {"amount": 120.5, "country": "FR", "quantity": 3, "is_foreign": False, "user_id": "u1"}
        assert evidence(rule, event) == [
            {"condition": "amount > 100", "values": {"amount": 120.5}},
            {"condition": "country = 'DE' OR country = 'FR'", "values": {"country": "FR"}},
            {"condition": "quantity > 1", "values": {"quantity": 3}},
            {"condition": "NOT (is_foreign)", "values": {"is_foreign": False}},
        ]

    def test_a_rule_without_and_is_one_condition(self) -> None:
        assert evidence("amount > 100 OR quantity > 1", {"amount": 1.0, "quantity": 3}) == [
            {"condition": "amount > 100 OR quantity > 1", "values": {"amount": 1.0, "quantity": 3}}
        ]

    def test_nested_fields(self) -> None:
        rule = "event.device.geo.lat > 1 AND items[1].price > 2 AND array_contains(items.sku, 'b') AND event.amount > 1"
        event = {
            "device": {"geo": {"lat": 48.1}, "os": "x"},
            "items": [{"sku": "a", "price": 1.0}, {"sku": "b", "price": 3.5}],
        }
        assert [each["values"] for each in evidence(rule, event)] == [
            {"device.geo.lat": 48.1},
            {"items[1].price": 3.5},
            {"items.sku": ["a", "b"]},
            {"amount": None},
        ]

    def test_what_a_rule_refers_to_is_in_it(self) -> None:
        conditions = {"night": "hour(event_time) < 5 AND (amount > 1)", "home": "country = 'DE' OR country = 'AT'"}
        rule = "rule('night') AND quantity > 2 AND NOT rule('home') AND rule('nowhere')"
        event = {"event_time": "2024-01-01T03:00:00Z", "amount": 5.0, "quantity": 3, "country": "FR"}
        found = orjson.loads(evidence_text(evidence_plan(rule, SCHEMA, conditions), event))
        assert [(each["condition"], each["values"]) for each in found] == [
            ("hour(event_time) < 5", {"event_time": "2024-01-01T03:00:00Z"}),
            ("amount > 1", {"amount": 5.0}),
            ("quantity > 2", {"quantity": 3}),
            ("NOT rule('home')", {"country": "FR"}),
            ("rule('nowhere')", {}),
        ]

    def test_a_unit_is_no_field(self) -> None:
        rule = "timestampdiff(HOUR, sent_at, event_time) = 0"
        event = {"sent_at": "2024-01-01T00:00:00Z", "event_time": 1704067200}
        assert evidence(rule, event)[0]["values"] == event

    @pytest.mark.parametrize("event", [{}, None, [], "text", 3, {"device": [1]}, {"items": {"sku": 1}}, {"items": [3]}])
    def test_an_event_of_another_shape_gives_no_values_and_no_error(self, event: Any) -> None:
        found = evidence("device.os = 'a' AND items[0].price > 1 AND array_contains(items.sku, 'b')", event)
        assert [each["condition"] for each in found] == [
            "device.os = 'a'",
            "items[0].price > 1",
            "array_contains(items.sku, 'b')",
        ]


class TestItsBounds:
    def test_long_values_are_cut(self) -> None:
        event = {"email": "x" * 100_000, "tags": [str(n) for n in range(1000)], "items": [{"sku": "y" * 1000}] * 50}
        kept = evidence("length(email) > 1 AND size(tags) > 1 AND size(items) > 1", event)
        assert kept[0]["values"]["email"] == "x" * 200 + "..."
        assert kept[1]["values"]["tags"] == [*map(str, range(10)), "..."]
        assert kept[2]["values"]["items"][10] == "..."
        assert len(kept[2]["values"]["items"]) == 11

    def test_many_conditions_are_cut(self) -> None:
        rule = " AND ".join(f"amount > {number}" for number in range(100))
        assert len(evidence(rule, {"amount": 5000})) == MAX_CONDITIONS

    @given(
        st.sampled_from(HONEST),
        st.recursive(
            st.none()
            | st.booleans()
            | st.floats(allow_nan=False)
            | st.text(max_size=3000)
            | st.just("\U0001f600" * 2000),
            lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=300), inner, max_size=30),
            max_leaves=60,
        ),
    )
    def test_whatever_an_event_holds_it_is_small_and_json(self, rule: str, value: Any) -> None:
        event = {field.name: value for field in SCHEMA}
        text = evidence_text(evidence_plan(rule, SCHEMA), event)
        assert len(text.encode()) <= MAX_BYTES
        assert orjson.loads(text)

    def test_a_rule_of_long_conditions_is_small_too(self) -> None:
        rule = " AND ".join(f"country <> '{'☃' * 300}{number}'" for number in range(12))
        text = evidence_text(evidence_plan(rule, SCHEMA), {"country": "☃" * 5000})
        assert len(text.encode()) <= MAX_BYTES
        assert len(orjson.loads(text)) == 12
