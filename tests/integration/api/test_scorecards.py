"""Scorecards through the API."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Client

from tests.integration.api.conftest import add_rule, pointers

pytestmark = pytest.mark.integration

CARD = {"name": "risk", "weights": {"large": 60, "vip": -20}, "thresholds": {"review": 50, "decline": 80}}
CONTENT = {key: value for key, value in CARD.items() if key != "name"}
CALLS = [
    ("POST", "/api/pipelines/{pipeline}/scorecards", CARD),
    ("GET", "/api/pipelines/{pipeline}/scorecards", None),
    ("GET", "/api/scorecards/{card}", None),
    ("PUT", "/api/scorecards/{card}", CONTENT),
    ("GET", "/api/scorecards/{card}/versions", None),
    ("PATCH", "/api/scorecards/{card}/status", {"is_active": False}),
]


@pytest.fixture
def named(client: Client, pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Two rules with names."""
    return {name: add_rule(client, pipeline["id"], name=name) for name in ("large", "vip")}


@pytest.fixture
def card(client: Client, pipeline: dict[str, Any], named: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A scorecard over both."""
    answer = client.post(f"/api/pipelines/{pipeline['id']}/scorecards", json=CARD)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path.format(pipeline=1, card=1), json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_tenant_gets_404(  # noqa: PLR0917 - fixtures and parameters
    stranger: Client, pipeline: dict[str, Any], card: dict[str, Any], method: str, path: str, body: Any
) -> None:
    path = path.format(pipeline=pipeline["id"], card=card["id"])
    assert stranger.request(method, path, json=body).status_code == 404


def test_versions_are_kept(client: Client, card: dict[str, Any]) -> None:
    path = f"/api/scorecards/{card['id']}"
    assert card.items() >= {**CARD, "version": 1, "is_active": True}.items()
    read = client.get(path).headers["etag"]
    again = client.put(path, json={**CONTENT, "comment": "the same"}, headers={"If-Match": read})
    assert again.json()["version"] == 1
    changed = client.put(path, json={**CONTENT, "weights": {"large": 70}}, headers={"If-Match": read})
    assert (changed.json()["version"], changed.json()["weights"]) == (2, {"large": 70})
    late = client.put(path, json=CONTENT, headers={"If-Match": read})
    assert late.status_code == 412
    versions = client.get(f"{path}/versions").json()
    assert [version["weights"] for version in versions] == [{"large": 70}, CARD["weights"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"weights": {"larg": 1}}, "/weights/larg"),
        ({"weights": {}}, "/weights"),
        ({"weights": {"large": 10_001}}, "/weights/large"),
        ({"weights": {"large": 1.5}}, "/weights/large"),
        ({"thresholds": {"review": 9, "decline": 8}}, "/thresholds/review"),
        ({"thresholds": {"review": 9}}, "/thresholds/decline"),
        ({"name": "Risk"}, "/name"),
    ],
)
def test_refused(
    client: Client, pipeline: dict[str, Any], named: dict[str, dict[str, Any]], body: dict[str, Any], pointer: str
) -> None:
    answer = client.post(f"/api/pipelines/{pipeline['id']}/scorecards", json={**CARD, **body})
    assert (answer.status_code, pointers(answer)) == (422, {pointer})


def test_a_name_is_taken(client: Client, pipeline: dict[str, Any], card: dict[str, Any]) -> None:
    assert client.post(f"/api/pipelines/{pipeline['id']}/scorecards", json=CARD).status_code == 409


def test_a_rule_with_points_stays_and_keeps_its_name(
    client: Client, named: dict[str, dict[str, Any]], card: dict[str, Any]
) -> None:
    path = f"/api/rules/{named['large']['id']}"
    archived = client.post(f"{path}/state", json={"state": "archived"})
    assert (archived.status_code, "risk" in archived.json()["detail"]) == (409, True)
    body = {"rule_expression": "amount > 100", "severity": "critical", "name": "larger"}
    assert client.put(path, json=body).status_code == 409
    client.patch(f"/api/scorecards/{card['id']}/status", json={"is_active": False})
    assert client.put(path, json=body).status_code == 200
    back = client.patch(f"/api/scorecards/{card['id']}/status", json={"is_active": True})
    assert (back.status_code, pointers(back)) == (422, {"/weights/large"})
