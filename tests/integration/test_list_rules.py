"""Rules with subqueries on lists: the whitelist, the blocklist and the customers of the fraud handbook, live."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sentinel.catalog.lists import ColumnDefinition
from sentinel.domain.pipeline import DetectMode
from tests.integration.test_replay import FIELDS
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

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


@pytest.mark.parametrize("mode", [DetectMode.REALTIME, DetectMode.MICROBATCH])
def test_the_fraud_handbook_gives_exactly_the_expected_alerts(
    bench: Workbench, shared_data: Path, mode: DetectMode
) -> None:
    data = shared_data / "fraud_handbook"
    expected: dict[str, Any] = json.loads((data / "expected.json").read_text())
    upload(bench, "wl", (data / "whitelist_customers.csv").read_bytes())
    upload(bench, "bl", (data / "blocklist_terminals.csv").read_bytes())
    upload(bench, "customers", gzip.decompress((data / "customers.csv.gz").read_bytes()))
    upload(bench, "terminals", gzip.decompress((data / "terminals.csv.gz").read_bytes()))
    with gzip.open(data / "transactions.jsonl.gz") as lines:
        transactions = [line.rstrip(b"\n") for line in lines]
    topic = bench.create_topic()
    pipeline_id = bench.create_pipeline(topic, RULES, fields=FIELDS, mode=mode)
    assert bench.send(topic, transactions) == expected["rows"]
    with bench.job(pipeline_id) as job:
        bench.wait_settled(pipeline_id, topic, job)
    assert bench.alerts_by_rule(pipeline_id) == {name: expected["row_rules"][name]["alerts"] for name in RULES}
    assert_reconciled(bench, pipeline_id)
