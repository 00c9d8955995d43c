"""Rules with subqueries on lists: the whitelist, the blocklist and the customers of the fraud handbook, live."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.catalog.lists import ColumnDefinition
from sentinel.clock import utc_now
from sentinel.domain.alert import AlertFilter
from sentinel.domain.pipeline import DetectMode
from tests.integration.test_replay import FIELDS
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

CUSTOMER = "FROM customers WHERE customer_id = event.customer_id"
X_TERMINAL, Y_TERMINAL = (
    f"(SELECT {axis}_terminal FROM terminals WHERE terminal_id = event.terminal_id)" for axis in "xy"
)
X_CUSTOMER, Y_CUSTOMER = (f"(SELECT {axis}_customer {CUSTOMER})" for axis in "xy")
BLOCKED = "terminal_id IN (SELECT terminal_id FROM bl)"
TRUSTED = "customer_id NOT IN (SELECT customer_id FROM wl)"

# Name in expected.json -> the rule.
RULES = {
    "ref_amount_gt_3x_mean": f"tx_amount > (SELECT mean_amount * 3 {CUSTOMER})",
    "ref_amount_gt_4x_mean": f"tx_amount > 4 * (SELECT AVG(mean_amount) {CUSTOMER})",
    "ref_zscore_gt_4": f"(tx_amount - (SELECT mean_amount {CUSTOMER})) / (SELECT std_amount {CUSTOMER}) > 4",
    "geo_box_20_40_60_80": f"{X_TERMINAL} BETWEEN 20 AND 40 AND {Y_TERMINAL} BETWEEN 60 AND 80",
    "geo_distance_gt_4": f"sqrt(power({X_CUSTOMER} - {X_TERMINAL}, 2) + power({Y_CUSTOMER} - {Y_TERMINAL}, 2)) > 4",
    "blocklist_subquery": BLOCKED,
    "amount_gt_200_not_whitelisted": f"tx_amount > 200 AND {TRUSTED}",
    "blocklist_or_gt_220_not_whitelisted": f"({BLOCKED} OR tx_amount > 220) AND {TRUSTED}",
    "amount_gt_500": "tx_amount > 500",
}
INTEGERS = ("customer_id", "terminal_id", "nb_terminals")


def upload(bench: Workbench, name: str, text: bytes) -> None:
    """Make a list of a CSV file whose first column is the key."""
    heading = next(csv.reader([text.decode().splitlines()[0]]))
    columns = [ColumnDefinition(column, "integer" if column in INTEGERS else "float") for column in heading]
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        unit.lists.create(name=name, columns=columns, key=heading[0], description="")
        unit.lists.upload_csv(name, text, expected_version=1)


def test_the_fraud_handbook_gives_exactly_the_expected_alerts(bench: Workbench, shared_data: Path) -> None:
    data = shared_data / "fraud_handbook"
    expected: dict[str, Any] = json.loads((data / "expected.json").read_text())
    upload(bench, "wl", (data / "whitelist_customers.csv").read_bytes())
    upload(bench, "bl", (data / "blocklist_terminals.csv").read_bytes())
    upload(bench, "customers", gzip.decompress((data / "customers.csv.gz").read_bytes()))
    upload(bench, "terminals", gzip.decompress((data / "terminals.csv.gz").read_bytes()))
    with gzip.open(data / "transactions.jsonl.gz") as lines:
        transactions = [line.rstrip(b"\n") for line in lines]
    topic = bench.create_topic()
    pipeline_id = bench.create_pipeline(topic, RULES, fields=FIELDS)
    assert bench.send(topic, transactions) == expected["rows"]
    with bench.job(pipeline_id) as job:
        bench.wait_settled(pipeline_id, topic, job)
    assert bench.alerts_by_rule(pipeline_id) == {name: expected["row_rules"][name]["alerts"] for name in RULES}
    assert_reconciled(bench, pipeline_id)


# (version of the list, rule, user). Amounts are 10 and, of u0, also 5000; u8 has no limit.
FIRST = {(1, "blocked", "u7")}
SECOND = {(2, "blocked", "u0"), (2, "blocked", "u8"), (2, "over limit", "u0")}
THIRD = {(3, "blocked", "u8")}


@pytest.mark.parametrize("mode", [DetectMode.REALTIME, DetectMode.MICROBATCH])
def test_a_list_that_changes_under_traffic_takes_effect_with_exact_borders(bench: Workbench, mode: DetectMode) -> None:
    columns = [ColumnDefinition("user_id", "string"), ColumnDefinition("limit_amount", "float")]
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        rows = [{"user_id": "u7", "limit_amount": 100}]
        unit.lists.create(name="blocked", columns=columns, key="user_id", description="", rows=rows)
    topic = bench.create_topic(2)
    rules = {
        "blocked": "user_id IN (SELECT user_id FROM blocked)",
        "over limit": "amount > (SELECT limit_amount FROM blocked WHERE user_id = event.user_id)",
        "large": "amount > 1000",
    }
    pipeline_id = bench.create_pipeline(topic, rules, mode=mode)
    # Each list serves until what it finds is there, however slow the machine is.
    changed: list[int] = []
    looked = 0.0

    def step(_sent: int, seconds: float) -> bool:
        nonlocal looked
        if seconds < looked + 1:
            return False
        looked = seconds
        found = matches(bench, pipeline_id)
        if not changed and found >= FIRST:
            changed.append(2)
            later = (utc_now() + timedelta(days=1)).isoformat()
            added = [{"user_id": "u8"}, {"user_id": "u0", "limit_amount": 5, "expires_at": later}]
            with bench.backend.unit(bench.tenant_id, "test") as unit:
                unit.lists.edit("blocked", upsert=added, delete=["u7"], expected_version=1)
        elif changed == [2] and found >= FIRST | SECOND:
            changed.append(3)
            bench.execute("UPDATE sentinel.list_rows SET expires_at = now() WHERE key = 'u0'")
        return seconds > 240 or found >= FIRST | SECOND | THIRD

    with bench.job(pipeline_id, SENTINEL_JOB__LIST_EXPIRY_SECONDS="1") as job:
        bench.wait_generation(pipeline_id, job, timeout=300)
        sent = bench.send_steadily(topic, 300, step)
        bench.wait_decided(pipeline_id, topic, job, timeout=240)
        bench.wait_archived(pipeline_id, job, timeout=300)
        bench.wait_settled(pipeline_id, topic, job)
    assert bench.alerts_by_rule(pipeline_id)["large"] == (sent + 99) // 100
    assert matches(bench, pipeline_id) == FIRST | SECOND | THIRD
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        told = {
            (alert.list_versions.get("blocked"), alert.rule_description)
            for alert in unit.alerts.page(AlertFilter(pipeline_id=pipeline_id), before=None, limit=1000).alerts
        }
    assert {(None, "large"), (3, "blocked")} <= told
    assert told <= {(None, "large"), *((version, rule) for version, rule, _ in FIRST | SECOND | THIRD)}
    borders = bench.query(
        "SELECT b.partition, b.start_offset, b.end_offset FROM sentinel.borders b JOIN sentinel.generations g"
        " ON g.id = b.generation_id WHERE g.pipeline_id = %s ORDER BY b.partition, g.id",
        pipeline_id,
    )
    for before, after in itertools.pairwise(borders):
        if before["partition"] == after["partition"]:
            assert before["end_offset"] == after["start_offset"]
    # Every record is judged by the list of its generation: computed anew from the lake, none is missing, none extra.
    assert_reconciled(bench, pipeline_id)


def matches(bench: Workbench, pipeline_id: int) -> set[tuple[int, str, str]]:
    """Return (version of the list, rule, user) of the alerts of rules that read it."""
    rows = bench.query(
        "SELECT DISTINCT used.value::integer AS version, a.rule_description AS rule,"
        " a.transaction_data->>'user_id' AS user_id FROM public.fraud_alerts a"
        " JOIN sentinel.generations g ON g.id = a.generation_id"
        " JOIN sentinel.rule_sets s ON s.pipeline_id = g.pipeline_id AND s.version = g.rule_set_version"
        " CROSS JOIN jsonb_each_text(s.members -> 'lists') AS used"
        " WHERE a.pipeline_id = %s AND a.rule_description <> 'large'",
        pipeline_id,
    )
    return {(row["version"], row["rule"], row["user_id"]) for row in rows}
