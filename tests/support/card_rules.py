"""Rules of every kind, in both forms, for the simulated card transactions of Sparkov."""

from __future__ import annotations

from typing import Any

_TYPES = {
    "trans_num": "string",
    "event_time": "timestamp",
    "category": "string",
    "amt": "decimal(10,2)",
    "merchant": "string",
    "merch_lat": "float",
    "merch_long": "float",
    "cc_num": "string",
    "state": "string",
    "lat": "float",
    "long": "float",
    "dob": "date",
}
_ROLES = {"trans_num": "event_id", "event_time": "event_time", "cc_num": "entity"}

# Name in expected.json -> the rule.
RULES = {
    "amt > 500": 'when amt > 500 then notify("slack:#big"), severity("critical")',
    "amt > 1000": "amt > 1000",
    "hour >= 22 OR hour < 4 (UTC as written)": "when hour(event_time) >= 22 or hour(event_time) < 4 then tag('night')",
    "category IN (shopping_net, misc_net) AND amt > 700": (
        "when category in ['shopping_net', \"misc_net\"] and amt > 700 then score(90)"
    ),
    "category='grocery_pos' AND amt BETWEEN 250 AND 400": "category = 'grocery_pos' AND amt BETWEEN 250 AND 400",
    "state IN (CA, NY, TX) AND amt > 300": "state IN ('CA', 'NY', 'TX') AND amt > 300",
    **{
        f"haversine(home, merchant) > {limit} km (R=6371.0088)": (
            f"distance_km(lat, long, merch_lat, merch_long) > {limit}"
        )
        for limit in (100, 110, 120)
    },
    "merchant outside lat 24..50, long -125..-66": (
        "NOT in_polygon(merch_lat, merch_long, '24 -125, 24 -66, 50 -66, 50 -125')"
    ),
    "merchant LIKE '%Kirlin%'": "when merchant contains 'Kirlin' then tag('kirlin')",
    "dob < 1960-01-01": "dob < DATE '1960-01-01'",
}

FIELDS: list[dict[str, Any]] = [
    {"name": name, "type": kind, **({"role": _ROLES[name]} if name in _ROLES else {})} for name, kind in _TYPES.items()
]
FIELDS[0]["nullable"] = False
