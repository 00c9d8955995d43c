"""The card transactions of the Fraud Detection Handbook: their schema, rules and lists, and what is expected."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

from sentinel.catalog.lists import ColumnDefinition
from tests.support.detection import Workbench

FIELDS: list[dict[str, Any]] = [
    {"name": "transaction_id", "type": "integer", "nullable": False, "role": "event_id"},
    {"name": "tx_datetime", "type": "timestamp", "role": "event_time"},
    {"name": "customer_id", "type": "integer", "role": "entity"},
    {"name": "terminal_id", "type": "integer"},
    {"name": "tx_amount", "type": "decimal(10,2)"},
]

# The row rules of expected.json that need no reference table; two are written with what the field list offers.
CONDITIONS = {
    "amount_gt_50": "tx_amount > 50",
    "amount_gt_100": "tx_amount > 100",
    "amount_gt_150": "tx_amount > 150",
    "amount_gt_200": "tx_amount > 200",
    "amount_gt_220": "tx_amount > 220",
    "amount_gt_300": "tx_amount > 300",
    "amount_gt_500": "tx_amount > 500",
    "amount_eq_0": "tx_amount = 0",
    "amount_between_100_and_101": "tx_amount BETWEEN 100 AND 101",
    "night_00_06_and_gt_100": "hour(tx_datetime) < 6 AND tx_amount > 100",
    "round_amount_multiple_of_10": "CAST(round(tx_amount * 100) AS BIGINT) % 1000 = 0 AND tx_amount > 0",
    "modulo_customer_97": "customer_id % 97 = 0",
    "in_list": "terminal_id IN (3, 33, 333, 1001, 1777)",
    "always_false": "tx_amount < 0",
}

# Nine in ten alerts are of these two. A crash finds work under way with the others as well.
RARE = {name: text for name, text in CONDITIONS.items() if name not in {"amount_gt_50", "amount_gt_100"}}

CUSTOMER = "FROM customers WHERE customer_id = event.customer_id"
X_TERMINAL, Y_TERMINAL = (
    f"(SELECT {axis}_terminal FROM terminals WHERE terminal_id = event.terminal_id)" for axis in "xy"
)
X_CUSTOMER, Y_CUSTOMER = (f"(SELECT {axis}_customer {CUSTOMER})" for axis in "xy")
BLOCKED = "terminal_id IN (SELECT terminal_id FROM bl)"
TRUSTED = "customer_id NOT IN (SELECT customer_id FROM wl)"

# Name in expected.json -> the rule, of those that look something up in a list.
LIST_RULES = {
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
_INTEGERS = ("customer_id", "terminal_id", "nb_terminals")


def _upload(bench: Workbench, name: str, text: bytes) -> None:
    """Make a list of a CSV file whose first column is the key."""
    heading = next(csv.reader([text.decode().splitlines()[0]]))
    columns = [ColumnDefinition(column, "integer" if column in _INTEGERS else "float") for column in heading]
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        unit.lists.create(name=name, columns=columns, key=heading[0], description="")
        unit.lists.upload_csv(name, text, expected_version=1)


def upload_lists(bench: Workbench, data: Path) -> None:
    """Make the lists that `LIST_RULES` look things up in."""
    _upload(bench, "wl", (data / "whitelist_customers.csv").read_bytes())
    _upload(bench, "bl", (data / "blocklist_terminals.csv").read_bytes())
    _upload(bench, "customers", gzip.decompress((data / "customers.csv.gz").read_bytes()))
    _upload(bench, "terminals", gzip.decompress((data / "terminals.csv.gz").read_bytes()))


def read_expected(data: Path) -> dict[str, Any]:
    """Return what the data set says of itself."""
    loaded: dict[str, Any] = json.loads((data / "expected.json").read_text())
    return loaded


def read_lines(data: Path) -> list[bytes]:
    """Return the records of a data set: one JSON text per transaction."""
    with gzip.open(data / "transactions.jsonl.gz") as lines:
        return [line.rstrip(b"\n") for line in lines]


def wanted(expected: dict[str, Any], conditions: dict[str, str]) -> dict[str, int]:
    """Return rule -> alerts, without rules that have none."""
    counts = {name: expected["row_rules"][name]["alerts"] for name in conditions}
    return {name: count for name, count in counts.items() if count}
