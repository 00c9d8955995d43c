"""Rules of every kind, in both forms, over the simulated card transactions of Sparkov: exact counts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TYPES = {
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
ROLES = {"trans_num": "event_id", "event_time": "event_time", "cc_num": "entity"}

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


def test_every_rule_gives_exactly_the_expected_alerts(bench: Workbench, shared_data: Path) -> None:
    expected: dict[str, Any] = json.loads((shared_data / "sparkov" / "expected.json").read_text())
    with gzip.open(shared_data / "sparkov" / "transactions.jsonl.gz") as lines:
        transactions = [line.rstrip(b"\n") for line in lines]
    fields = [
        {"name": name, "type": kind, **({"role": ROLES[name]} if name in ROLES else {})} for name, kind in TYPES.items()
    ]
    fields[0]["nullable"] = False
    topic = bench.create_topic()
    pipeline_id = bench.create_pipeline(topic, {}, fields=fields)
    for name, rule in RULES.items():
        bench.add_rule(pipeline_id, name, rule)
    assert bench.send(topic, transactions) == expected["rows"]
    with bench.job(pipeline_id) as job:
        bench.wait_settled(pipeline_id, topic, job)
    assert bench.alerts_by_rule(pipeline_id) == {name: expected["rules"][name]["alerts"] for name in RULES}
    assert_reconciled(bench, pipeline_id)
