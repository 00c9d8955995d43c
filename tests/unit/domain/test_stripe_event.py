"""Stripe's events as records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.schema_definition import read_schema
from sentinel.domain.stripe_event import MAX_DATA_CHARACTERS, STRIPE_FIELDS, stripe_record

# What each of the recorded events says, in the fields that rules are mostly about.
NAMES = ("object_type", "amount", "amount_major", "currency", "status", "failure_code", "reason")
EXPECTED = {
    "charge.succeeded": ("charge", 2000, "20.00", "usd", "succeeded", None, None),
    "charge.failed": ("charge", 2000, "20.00", "usd", "failed", "card_declined", None),
    "charge.refunded": ("charge", 100, "1.00", "usd", "succeeded", None, None),
    "charge.refund.updated": ("refund", 100, "1.00", "usd", "succeeded", None, None),
    "charge.dispute.created": ("dispute", 100, "1.00", "usd", "warning_needs_response", None, "fraudulent"),
    "charge.dispute.closed": ("dispute", 1000, "10.00", "usd", "won", None, "general"),
    "payment_intent.succeeded": ("payment_intent", 2000, "20.00", "usd", "succeeded", None, None),
    "payment_intent.payment_failed": (
        "payment_intent", 2000, "20.00", "usd", "requires_payment_method", "card_declined", None,
    ),
    "payment_intent.processing": ("payment_intent", 900, "9.00", "eur", "processing", None, None),
    "invoice.payment_failed": ("invoice", 2000, "20.00", "usd", "open", None, "manual"),
    "invoice.created": ("invoice", 1500, "15.00", "usd", "draft", None, "subscription_create"),
    "customer.subscription.deleted": ("subscription", 1500, "15.00", "usd", "canceled", None, None),
    "payout.paid": ("payout", 1100, "11.00", "usd", "paid", None, None),
    "customer.created": ("customer", None, None, None, None, None, None),
    "price.created": ("price", 1500, "15.00", "usd", None, None, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def events(shared_data: Path) -> list[dict[str, Any]]:
    """88 events as Stripe's test fixtures have them."""
    lines = (shared_data / "stripe_events" / "events.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


def schema() -> EventSchema:
    """Return the schema of the built-in pipeline."""
    found, problems = read_schema(STRIPE_FIELDS)
    assert problems == []
    return found


def assert_fits(record: Mapping[str, Any]) -> None:
    """Check that a record is an event of the schema."""
    types = {"string": str, "integer": int, "boolean": bool, "timestamp": str, "decimal(22,3)": str}
    assert list(record) == [field.name for field in schema()]
    for field in schema():
        value = record[field.name]
        assert value is not None or field.nullable, field.name
        assert value is None or type(value) is types[str(field.type)], field.name


def record_of(thing: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the record of an event about an object."""
    return stripe_record({"id": "evt_1", "type": "t", "created": 1, "data": {"object": thing}, **more})


class TestRecordedEvents:
    def test_each_fits_the_schema(self, events: list[dict[str, Any]]) -> None:
        assert len(events) == 88
        for event in events:
            record = stripe_record(event)
            assert_fits(record)
            assert (record["id"], record["type"], record["livemode"]) == (
                event["id"], event["type"], event["livemode"],
            )  # fmt: skip
            assert json.loads(record["data"] or "{}") == event["data"]["object"]
            assert record["created"].endswith("Z")

    def test_each_reference_of_the_object_is_in_its_record(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            thing, record = event["data"]["object"], stripe_record(event)
            for name in ("customer", "subscription", "invoice", "charge", "payment_intent"):
                if isinstance(thing.get(name), str):
                    assert record[name] == thing[name], event["type"]

    @pytest.mark.parametrize("kind", EXPECTED)
    def test_what_rules_are_about(self, events: list[dict[str, Any]], kind: str) -> None:
        found = next(stripe_record(event) for event in events if event["type"] == kind)
        assert tuple(found[name] for name in NAMES) == EXPECTED[kind]

    def test_another_version_of_the_api_fits_as_well(self, shared_data: Path) -> None:
        objects = json.loads((shared_data / "stripe_events" / "openapi_resource_objects.json").read_text())
        for name, thing in objects.items():
            record = record_of(thing)
            assert_fits(record)
            assert record["object_type"] == name
            assert record["object_id"] == thing.get("id")
        assert record_of(objects["charge"])["card_country"] == "US"
        assert record_of(objects["subscription"])["amount"] is not None


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (1999, "usd", "19.99"),
        (5, "eur", "0.05"),
        (-1500, "usd", "-15.00"),
        (0, "usd", "0.00"),
        (500, "jpy", "500"),
        (500, "JPY", "500"),
        (5120, "kwd", "5.120"),
        (500, "isk", "5.00"),
        (500, "ugx", "5.00"),
        (9_223_372_036_854_775_807, "usd", "92233720368547758.07"),
        (2**63, "usd", None),
        (True, "usd", None),
        ("100", "usd", None),
        (1.5, "usd", None),
        (100, None, None),
    ],
)
def test_amounts_are_also_told_in_the_currencys_unit(amount: Any, currency: Any, expected: str | None) -> None:
    assert record_of({"object": "charge", "amount": amount, "currency": currency})["amount_major"] == expected


class TestShapes:
    def test_a_reference_may_be_expanded(self) -> None:
        found = record_of({"object": "charge", "id": "ch_1", "customer": {"id": "cus_1", "object": "customer"}})
        assert (found["customer"], found["charge"]) == ("cus_1", "ch_1")

    def test_the_subscription_of_a_newer_invoice_is_in_its_parent(self) -> None:
        parent = {"subscription_details": {"subscription": "sub_1"}, "type": "subscription_details"}
        assert record_of({"object": "invoice", "id": "in_1", "parent": parent})["subscription"] == "sub_1"

    def test_a_subscription_costs_what_its_items_cost(self) -> None:
        items = [{"price": {"unit_amount": 500}, "quantity": 3}, {"plan": {"amount": 100}}]
        assert record_of({"object": "subscription", "items": {"data": items}})["amount"] == 1600
        metered = [*items, {"price": {"unit_amount": None}}]
        assert record_of({"object": "subscription", "items": {"data": metered}})["amount"] is None

    def test_why_a_payment_failed(self) -> None:
        error = {"code": "card_declined", "decline_code": "insufficient_funds"}
        found = record_of({"object": "payment_intent", "last_payment_error": error})
        assert (found["failure_code"], found["decline_code"]) == ("card_declined", "insufficient_funds")
        outcome = {"type": "blocked", "reason": "highest_risk_level", "risk_level": "highest", "risk_score": 92}
        found = record_of({"object": "charge", "outcome": outcome})
        assert (found["decline_code"], found["risk_level"], found["risk_score"]) == (
            "highest_risk_level", "highest", 92,
        )  # fmt: skip

    def test_what_changed_of_the_status(self) -> None:
        data = {"object": {"status": "canceled"}, "previous_attributes": {"status": "active"}}
        found = stripe_record({"id": "evt_1", "data": data})
        assert (found["previous_status"], found["status"], found["type"]) == ("active", "canceled", "unknown")

    def test_an_object_that_is_too_long_is_left_out(self) -> None:
        assert record_of({"object": "charge", "note": "x" * MAX_DATA_CHARACTERS})["data"] is None

    def test_one_that_is_nested_too_deeply_is_left_out(self) -> None:
        deep: dict[str, Any] = {}
        for _ in range(5000):
            deep = {"a": deep}
        assert record_of(deep)["data"] is None

    @pytest.mark.parametrize(
        ("created", "expected"),
        [
            (0, "1970-01-01T00:00:00Z"),
            (1700000000, "2023-11-14T22:13:20Z"),
            ("2026-05-01T12:00:00.5+02:00", "2026-05-01T10:00:00.500000Z"),
            ("2026-05-01", None),
            (10**30, None),
            (True, None),
            (None, None),
        ],
    )
    def test_the_time_of_either_api(self, created: Any, expected: str | None) -> None:
        assert stripe_record({"id": "evt_1", "created": created})["created"] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["id", "object", "amount", "currency", "items", "data", "plan", "price", "customer", "card"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["type", "created", "livemode", "data", "account"]), JSON), JSON)
def test_whatever_is_signed_fits_the_schema(event: dict[str, Any], thing: Any) -> None:
    assert_fits(stripe_record({**event, "id": "evt_1"}))
    assert_fits(stripe_record({**event, "id": "evt_1", "data": {"object": thing}}))
