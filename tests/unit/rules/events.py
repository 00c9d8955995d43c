"""Good events of some variety: those of the corpus, and generated ones in which any field may be missing."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.unit.rules.corpus import GOOD_EVENTS

_COUNTRIES = ("DE", "FR", "IT", "US", "GB", "de", " DE ", "It's", "")
_EMAILS = ("ann@example.com", "bob.b@test.org", "ANN@EXAMPLE.COM", "a@b@c.net", "nobody", "", "annabel@xexample.com")
_USERS = ("u007", "u1", "42", "-7", "vip", "u 9", "\u00fcml\u00e4ut", "4111111111111111")


def good_events(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return the corpus's good events and so many generated ones; the same seed gives the same."""
    chance = random.Random(seed)
    return [*GOOD_EVENTS, *(_generated(chance, f"g{index}") for index in range(count))]


def _generated(chance: random.Random, transaction_id: str) -> dict[str, Any]:
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(366 * 86_400))
    sent_at = moment - timedelta(milliseconds=chance.randrange(600_000))
    event = {
        "user_id": chance.choice(_USERS),
        "amount": chance.choice((0.0, 0.5, 10.0, 42.5, 41.0, 100.0, 250.75, -3.25, 1e6)),
        "quantity": chance.choice((0, 1, 2, 3, 4, 7, 12, -3)),
        "price": f"{chance.randrange(-5_000, 200_000) / 100:.2f}",
        "total": f"{chance.randrange(0, 1_000_000) / 100:.2f}",
        "is_foreign": chance.random() < 0.5,
        "event_time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "sent_at": sent_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "birth_date": (date(1950, 1, 1) + timedelta(days=chance.randrange(25_000))).isoformat(),
        "country": chance.choice(_COUNTRIES),
        "email": chance.choice(_EMAILS),
        "tags": chance.choices(("vip", "new", "x", None), k=chance.randrange(4)),
        "readings": chance.choices((0.5, 1.0, 3.5, -2.0, None), k=chance.randrange(4)),
        "limits": chance.choices((0, 1, 5, 7, None), k=chance.randrange(4)),
        "items": [_item(chance) for _ in range(chance.randrange(3))],
        "device": _device(chance),
    }
    missing = chance.choice((0.0, 0.1, 0.4))
    return {"transaction_id": transaction_id} | {name: v for name, v in event.items() if chance.random() >= missing}


def _item(chance: random.Random) -> dict[str, Any]:
    return {
        "sku": chance.choice(("A1", "B2", None)),
        "price": chance.choice((9.5, 1.0, 0.0)),
        "quantity": chance.choice((0, 1, 2)),
    }


def _device(chance: random.Random) -> dict[str, Any]:
    address = ".".join(str(chance.choice((10, 0, 1, 192, 255))) for _ in range(4))
    place = {"lat": chance.uniform(-90, 90), "lon": chance.uniform(-180, 180)}
    return {
        "os": chance.choice(("android", "ios", None)),
        "ip": chance.choice((address, "::1", None)),
        "geo": chance.choice((place, {"lat": place["lat"]}, None)),
    }
