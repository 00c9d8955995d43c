"""Stripe's events as flat records that rules are written about.

The fields are those of <https://docs.stripe.com/api/events>. A member that is absent, of another type or outside of its
type's range is null: an account may change its API version, and no event is lost for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sentinel.domain.schema_definition import FieldDefinition

# An object that is longer as JSON is left out of the record, since a pipeline takes 1 MiB. It stays in the store.
MAX_DATA_CHARACTERS = 200_000
MAX_TEXT_CHARACTERS = 2_000

# <https://docs.stripe.com/currencies>: amounts are in the smallest unit. ISK and UGX have none by now and are sent with
# two decimals all the same.
_DECIMALS = {
    **dict.fromkeys(("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"), 0),
    **dict.fromkeys(("pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"), 0),
    **dict.fromkeys(["bhd", "jod", "kwd", "omr", "tnd"], 3),
}

# What "the amount" of an object is: what is moved, or asked for.
_AMOUNT = {
    "invoice": "amount_due",
    "checkout.session": "amount_total",
    "quote": "amount_total",
    "price": "unit_amount",
    "credit_note": "total",
}
# Objects whose own id a reference of the same name carries.
_OWN_REFERENCE = {"customer", "subscription", "invoice", "charge", "payment_intent"}

_TEXTS = (
    "api_version",
    "account",
    "object_type",
    "object_id",
    "currency",
    "status",
    "previous_status",
    "failure_code",
    "decline_code",
    "reason",
    "risk_level",
    "subscription",
    "invoice",
    "charge",
    "payment_intent",
    "card_brand",
    "card_country",
    "billing_country",
    "email",
)

STRIPE_FIELDS = (
    FieldDefinition("id", "string", False, frozenset({"event_id"})),
    FieldDefinition("type", "string", False),
    FieldDefinition("created", "timestamp", True, frozenset({"event_time"})),
    FieldDefinition("livemode", "boolean"),
    FieldDefinition("customer", "string", True, frozenset({"entity"})),
    FieldDefinition("card_fingerprint", "string", True, frozenset({"entity"})),
    FieldDefinition("amount", "integer"),
    FieldDefinition("amount_major", "decimal(22,3)"),
    FieldDefinition("amount_refunded", "integer"),
    FieldDefinition("risk_score", "integer"),
    FieldDefinition("attempt_count", "integer"),
    *(FieldDefinition(name, "string") for name in _TEXTS),
    FieldDefinition("data", "string"),
)

Members = Mapping[str, Any]


def stripe_record(event: Members) -> dict[str, Any]:
    """Return the record of an event, which has an id: JSON values, one for each of `STRIPE_FIELDS`.

    Amounts are Stripe's: integers of the smallest unit. `amount_major` is the same in the currency's own unit, as a
    text, so that no digit is lost: 1999 of `usd` is "19.99", 500 of `jpy` is "500".
    """
    data = _members(event.get("data"))
    thing = _members(data.get("object"))
    kind = _text(thing.get("object"))
    amount = _amount_of(kind, thing)
    currency = _text(thing.get("currency")) or _text(_members(thing.get("plan")).get("currency"))
    card = _card_of(thing)
    outcome = _members(thing.get("outcome"))
    failure = _members(thing.get("last_payment_error")) or _members(thing.get("last_setup_error"))
    billing = _members(thing.get("billing_details"))
    parent = _members(_members(thing.get("parent")).get("subscription_details"))
    record = {
        "id": str(event["id"]),
        "type": _text(event.get("type")) or "unknown",
        "created": created_text(event),
        "livemode": _flag(event.get("livemode")),
        "api_version": _text(event.get("api_version")),
        "account": _text(event.get("account")),
        "object_type": kind,
        "object_id": _text(thing.get("id")),
        "amount": amount,
        "amount_major": _in_major_units(amount, currency),
        "amount_refunded": amount if kind == "refund" else _integer(thing.get("amount_refunded")),
        "currency": currency,
        "status": _text(thing.get("status")),
        "previous_status": _text(_members(data.get("previous_attributes")).get("status")),
        "failure_code": _text(thing.get("failure_code")) or _text(failure.get("code")),
        "decline_code": _text(failure.get("decline_code")) or _declined(outcome),
        "reason": _reason_of(thing),
        "risk_level": _text(outcome.get("risk_level")),
        "risk_score": _integer(outcome.get("risk_score")),
        "attempt_count": _integer(thing.get("attempt_count")),
        "customer": _reference("customer", kind, thing),
        "subscription": _reference("subscription", kind, thing) or _id_of(parent.get("subscription")),
        "invoice": _reference("invoice", kind, thing),
        "charge": _reference("charge", kind, thing) or _id_of(thing.get("latest_charge")),
        "payment_intent": _reference("payment_intent", kind, thing),
        "card_brand": _text(card.get("brand")),
        "card_country": _text(card.get("country")),
        "card_fingerprint": _text(card.get("fingerprint")),
        "billing_country": _text(_members(billing.get("address")).get("country")),
        "email": (
            _text(thing.get("receipt_email"))
            or _text(thing.get("customer_email"))
            or _text(billing.get("email"))
            or (_text(thing.get("email")) if kind == "customer" else None)
        ),
        "data": _data_text(thing),
    }
    return {field.name: record[field.name] for field in STRIPE_FIELDS}


def created_at(event: Members) -> datetime | None:
    """Return when an event happened: Unix seconds, or a text in events of the second API version."""
    created = event.get("created")
    try:
        if isinstance(created, int) and not isinstance(created, bool):
            return datetime.fromtimestamp(created, UTC)
        if isinstance(created, str):
            found = datetime.fromisoformat(created)
            return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
    return None


def created_text(event: Members) -> str | None:
    """Return when an event happened, as records have it."""
    found = created_at(event)
    return None if found is None else found.isoformat().replace("+00:00", "Z")


def _amount_of(kind: str | None, thing: Members) -> int | None:
    if kind == "subscription":
        return _amount_per_period(thing)
    return _integer(thing.get(_AMOUNT.get(kind or "", "amount")))


def _amount_per_period(subscription: Members) -> int | None:
    """Return what a subscription costs per period: the sum over its items, where each says it."""
    items = _members(subscription.get("items")).get("data")
    if not isinstance(items, list) or not items:
        items = [{"plan": subscription.get("plan"), "quantity": subscription.get("quantity")}]
    total = 0
    for item in map(_members, items):
        price = _integer(_members(item.get("price")).get("unit_amount"))
        unit = _integer(_members(item.get("plan")).get("amount")) if price is None else price
        quantity = item.get("quantity")
        number = 1 if quantity is None else _integer(quantity)
        if unit is None or number is None:
            return None
        total += unit * number
    return _integer(total)


def _in_major_units(amount: int | None, currency: str | None) -> str | None:
    if amount is None or currency is None:
        return None
    decimals = _DECIMALS.get(currency.lower(), 2)
    return format(Decimal(amount).scaleb(-decimals), "f")


def _card_of(thing: Members) -> Members:
    """Return the card of a payment, wherever this version of the API has it."""
    details = _members(_members(thing.get("payment_method_details")).get("card"))
    if details:
        return details
    for holder in (thing.get("source"), thing.get("card"), thing):
        if _members(holder).get("fingerprint") or _members(holder).get("object") == "card":
            return _members(holder)
    return {}


def _reason_of(thing: Members) -> str | None:
    """Return why: of a dispute, refund or review its reason, of what was given up that of giving it up."""
    given_up = _members(thing.get("cancellation_details")).get("reason") or thing.get("cancellation_reason")
    return _text(thing.get("reason")) or _text(given_up) or _text(thing.get("billing_reason"))


def _declined(outcome: Members) -> str | None:
    return None if outcome.get("type") in {None, "authorized"} else _text(outcome.get("reason"))


def _reference(name: str, kind: str | None, thing: Members) -> str | None:
    if kind == name and name in _OWN_REFERENCE:
        return _text(thing.get("id"))
    return _id_of(thing.get(name))


def _id_of(value: Any) -> str | None:
    """Return the id of a reference, which may be expanded to the object itself."""
    return _text(_members(value).get("id")) if isinstance(value, Mapping) else _text(value)


def _data_text(thing: Members) -> str | None:
    if not thing:
        return None
    try:
        text = json.dumps(thing, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return None
    return text if len(text) <= MAX_DATA_CHARACTERS else None


def _members(value: Any) -> Members:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) and value else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    return None
