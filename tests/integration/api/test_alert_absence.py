"""Alerts of which nobody did something: found by their order alone, among any number of others."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.stores.postgres import alerts as store
from sentinel.stores.postgres.database import Database
from tests.integration.api.alert_calls import change
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
COUNT = 40
STEPS: list[list[dict[str, Any]]] = [
    [],
    [{"status": "resolved"}],
    [{"assignee": "ann"}],
    [{"status": "acknowledged", "assignee": "ann"}],
    [{"status": "resolved"}, {"status": "open"}],
    [{"assignee": "ann"}, {"assignee": None}],
]


@pytest.fixture
def states(
    client: Client, pipeline: dict[str, Any], database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> dict[int, dict[str, Any]]:
    """Alerts, newest first, three to a moment, with what was done about each; read in stretches of a few."""
    monkeypatch.setattr(store, "_FIRST_STRIDE", 3)
    monkeypatch.setattr(store, "_LONGEST_STRIDE", 7)
    rules = [
        add_rule(client, pipeline["id"], f"amount > {number}", severity=word)
        for number, word in enumerate(("info", "critical"))
    ]
    findings, dice = Findings(database, tenant), random.Random(5)
    found: dict[int, dict[str, Any]] = {}
    for number in range(COUNT):
        rule = rules[number % 2]
        made = findings.alert(rule, f"e{number}", at=NOW + timedelta(minutes=number // 3))
        state: dict[str, Any] = {
            "status": "open",
            "assignee": None,
            "rule_id": rule["id"],
            "severity": rule["severity"],
        }
        for step in dice.choice(STEPS):
            assert change(client, made, step).status_code == 200
            state |= step
        found[made] = state
    return dict(reversed(found.items()))


def walked(client: Client, **wanted: Any) -> list[int]:
    """Return the ids of all pages."""
    found, address = [], "/api/alerts"
    answer = client.get(address, params={**wanted, "limit": 4})
    while True:
        assert answer.status_code == 200, answer.text
        found += [each["id"] for each in answer.json()]
        if "next" not in answer.links:
            return found
        answer = client.get(answer.links["next"]["url"])


def fitting(states: dict[int, dict[str, Any]], **wanted: Any) -> list[int]:
    return [each for each, state in states.items() if all(state[name] == value for name, value in wanted.items())]


class TestAbsence:
    def test_open_ones(self, client: Client, states: dict[int, dict[str, Any]]) -> None:
        assert walked(client, status="open") == fitting(states, status="open")

    def test_those_that_nobody_has(self, client: Client, states: dict[int, dict[str, Any]]) -> None:
        assert walked(client, assignee="") == fitting(states, assignee=None)

    def test_open_ones_that_nobody_has(self, client: Client, states: dict[int, dict[str, Any]]) -> None:
        assert walked(client, status="open", assignee="") == fitting(states, status="open", assignee=None)

    def test_beside_what_matched_and_when(self, client: Client, states: dict[int, dict[str, Any]]) -> None:
        rule_id = next(iter(states.values()))["rule_id"]
        assert walked(client, status="open", rule_id=rule_id) == fitting(states, status="open", rule_id=rule_id)
        assert walked(client, status="open", severity="info") == fitting(states, status="open", severity="info")
        since, until = NOW + timedelta(minutes=3), NOW + timedelta(minutes=8)
        between = [each for place, each in enumerate(reversed(states)) if 3 <= place // 3 < 8][::-1]
        found = walked(client, status="open", since=since.isoformat(), until=until.isoformat())
        assert found == [each for each in between if states[each]["status"] == "open"]

    def test_a_text_besides(self, client: Client, states: dict[int, dict[str, Any]]) -> None:
        found = walked(client, status="open", text="e1")
        names = {each: f"e{COUNT - 1 - place}" for place, each in enumerate(states)}
        assert found == [each for each in fitting(states, status="open") if "e1" in names[each]]
