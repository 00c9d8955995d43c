"""How alerts divide, and what else was raised about the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client

from sentinel.client import Client as ApiClient
from sentinel.stores.postgres.database import Database
from tests.integration.api.alert_calls import act, change
from tests.integration.api.conftest import add_rule, create_pipeline
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A critical rule of the tenant."""
    return add_rule(client, pipeline["id"], name="large")


def counts(client: Client, facet: str, **wanted: Any) -> dict[str, int]:
    answer = client.get("/api/alerts/facets", params=wanted)
    assert answer.status_code == 200, answer.text
    return {each["value"]: each["count"] for each in answer.json()[facet]}


class TestFacets:
    def test_anonymous_gets_401(self, anonymous: Client) -> None:
        assert anonymous.get("/api/alerts/facets").status_code == 401

    def test_another_tenant_counts_none_of_them(
        self, stranger: Client, client: Client, rule: dict[str, Any], findings: Findings
    ) -> None:
        findings.alert(rule, "e1")
        assert counts(client, "rule", rule_id=rule["id"]) == {str(rule["id"]): 1}
        assert counts(stranger, "rule", rule_id=rule["id"]) == {}
        assert str(rule["id"]) not in counts(stranger, "rule")

    def test_each_is_counted_without_its_own_part_of_the_filter(
        self, client: Client, pipeline: dict[str, Any], rule: dict[str, Any], findings: Findings
    ) -> None:
        quiet = add_rule(client, pipeline["id"], "amount > 1", severity="info", name="quiet")
        other = add_rule(client, create_pipeline(client)["id"], severity="info", name="other")
        first, second, third = (findings.alert(rule, f"a{number}") for number in range(3))
        findings.alert(quiet, "b1")
        findings.alert(other, "c1")
        act(client, ids=[first, second], status="resolved", disposition="benign")
        act(client, ids=[third], status="acknowledged")
        assert counts(client, "severity") == {"critical": 3, "info": 2}
        assert counts(client, "severity", severity="critical") == {"critical": 3, "info": 2}
        assert counts(client, "status", severity="critical") == {"resolved": 2, "acknowledged": 1}
        assert counts(client, "status", status="open") == {"resolved": 2, "acknowledged": 1, "open": 2}
        assert counts(client, "severity", status="open") == {"info": 2}
        assert counts(client, "disposition") == {"benign": 2, "": 3}
        assert counts(client, "disposition", disposition="benign") == {"benign": 2, "": 3}
        assert counts(client, "severity", disposition="benign") == {"critical": 2}
        assert counts(client, "pipeline", severity="info") == {str(pipeline["id"]): 1, str(other["pipeline_id"]): 1}
        assert counts(client, "rule", pipeline_id=pipeline["id"]) == {str(rule["id"]): 3, str(quiet["id"]): 1}
        assert counts(client, "source") == {"rule": 5}

    def test_anomalies_are_counted_by_their_detector(
        self, client: Client, rule: dict[str, Any], findings: Findings
    ) -> None:
        findings.alert(rule, "e1")
        for subject in ("card", "wire"):
            findings.anomaly(subject, at=NOW)
        assert counts(client, "source", source="rule") == {"rule": 1, "detector": 2}
        assert counts(client, "detector", detector="other") == {"spike": 2}
        assert counts(client, "severity", detector="spike") == {"warning": 2}
        assert counts(client, "pipeline", source="detector") == {}

    def test_rules_and_pipelines_have_names_and_the_total_fits_everything(
        self, client: Client, pipeline: dict[str, Any], rule: dict[str, Any], findings: Findings
    ) -> None:
        findings.alert(rule, "e1")
        found = client.get("/api/alerts/facets", params={"severity": "critical", "rule_id": rule["id"]}).json()
        assert (found["total"], found["looked_at"], found["since"]) == (1, 1, None)
        assert found["rule"] == [
            {"value": str(rule["id"]), "name": "large", "pipeline_id": pipeline["id"], "count": 1}
        ]  # fmt: skip
        assert found["pipeline"][0]["name"] == pipeline["name"]

    def test_time_text_event_and_assignee_bind_all_of_them(
        self, client: Client, rule: dict[str, Any], findings: Findings
    ) -> None:
        old = findings.alert(rule, "old", {"note": "50%_off"}, at=NOW - timedelta(days=2))
        findings.alert(rule, "new", {"note": "else"}, at=NOW)
        assert counts(client, "severity", since=(NOW - timedelta(days=1)).isoformat()) == {"critical": 1}
        assert counts(client, "severity", text="50%_OFF") == {"critical": 1}
        assert counts(client, "severity", text="50__off") == {}
        assert counts(client, "severity", event_id="new") == {"critical": 1}
        change(client, old, {"assignee": "ann"})
        assert counts(client, "severity", assignee="ann") == {"critical": 1}
        assert counts(client, "severity", assignee="") == {"critical": 1}
        assert counts(client, "severity", assignee="bob") == {}

    def test_what_was_not_looked_at_is_said(
        self, client: Client, rule: dict[str, Any], findings: Findings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sentinel.stores.postgres.alert_facets.MAX_COUNTED", 2)
        for number in range(3):
            findings.alert(rule, f"e{number}", at=NOW + timedelta(minutes=number))
        found = client.get("/api/alerts/facets").json()
        assert (found["total"], found["looked_at"]) == (2, 2)
        assert datetime.fromisoformat(found["since"]) >= NOW

    @pytest.mark.parametrize(
        "wanted", [{"severity": "high"}, {"pipeline_id": 0}, {"since": "soon"}, {"text": ""}, {"status": "x"}]
    )
    def test_a_filter_that_means_nothing_is_refused(self, client: Client, wanted: dict[str, Any]) -> None:
        assert client.get("/api/alerts/facets", params=wanted).status_code == 422

    def test_an_empty_range_is_refused(self, client: Client) -> None:
        at = NOW.isoformat()
        assert client.get("/api/alerts/facets", params={"since": at, "until": at}).status_code == 422


class TestEntityHistory:
    def test_anonymous_gets_401(self, anonymous: Client) -> None:
        assert anonymous.get("/api/alerts/1/entity-history").status_code == 401

    def test_another_tenant_gets_404(self, stranger: Client, rule: dict[str, Any], findings: Findings) -> None:
        found = findings.alert(rule, "e1", entities={"user_id": "u1"})
        assert stranger.get(f"/api/alerts/{found}/entity-history").status_code == 404

    def test_alerts_about_the_same_before_and_after(
        self, client: Client, api: ApiClient, pipeline: dict[str, Any], rule: dict[str, Any], findings: Findings
    ) -> None:
        other = add_rule(client, create_pipeline(client)["id"])
        at = [NOW + timedelta(minutes=number) for number in range(6)]
        first = findings.alert(rule, "e0", at=at[0], entities={"user_id": "u1", "card": "c9"})
        findings.alert(rule, "e1", at=at[1], entities={"user_id": "u2"})
        middle = findings.alert(rule, "e2", at=at[2], entities={"user_id": "u1", "card": "c1"})
        findings.alert(other, "e3", at=at[3], entities={"user_id": "u1"})
        after = findings.alert(rule, "e4", at=at[4], entities={"user_id": "u3", "card": "c1"})
        last = findings.alert(rule, "e5", at=at[5], entities={"user_id": "u1", "card": "c1"})
        found = api.entity_history(middle)
        assert [(each.id, each.shared) for each in found.before] == [(first, ["user_id"])]
        assert [(each.id, each.shared) for each in found.after] == [(after, ["card"]), (last, ["card", "user_id"])]
        assert (found.searched_since, found.searched_until) == (None, None)
        assert [each.id for each in api.entity_history(middle, limit=1).after] == [after]

    def test_the_score_of_an_entity_while_it_has_one(
        self, api: ApiClient, rule: dict[str, Any], pipeline: dict[str, Any], findings: Findings, tenant: str
    ) -> None:
        found = findings.alert(rule, "e1", entities={"user_id": "u1", "card": "quiet"})
        for field, value, updated_at in (("user_id", "u1", "now()"), ("card", "quiet", "now() - interval '400 days'")):
            findings.run(
                "INSERT INTO sentinel.entity_scores (pipeline_id, tenant_id, field, value, critical_count, "
                f"warning_count, info_count, updated_at) VALUES (%s, %s, %s, %s, 1, 1, 0, {updated_at})",
                (pipeline["id"], tenant, field, value),
            )
        (score,) = api.entity_history(found).scores
        assert (score.field, score.value, score.score, score.critical_count) == ("user_id", "u1", 88, 1)

    def test_how_far_was_looked_is_said(
        self, api: ApiClient, rule: dict[str, Any], findings: Findings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sentinel.stores.postgres.entity_history.MAX_NEIGHBOURS", 2)
        ids = [
            findings.alert(
                rule, f"e{number}", at=NOW + timedelta(minutes=number), entities={"user_id": str(number % 4)}
            )
            for number in range(8)
        ]
        found = api.entity_history(ids[4])
        assert (found.before, found.after) == ([], [])
        assert (found.searched_since, found.searched_until) == (NOW + timedelta(minutes=2), NOW + timedelta(minutes=6))

    def test_an_event_without_entities_has_none(self, api: ApiClient, rule: dict[str, Any], findings: Findings) -> None:
        findings.alert(rule, "e0")
        found = api.entity_history(findings.alert(rule, "e1", entities={"user_id": None}))
        assert (found.scores, found.before, found.after) == ([], [], [])

    def test_anomalies_of_one_detector_and_subject(self, api: ApiClient, findings: Findings) -> None:
        ids = [findings.anomaly("card", at=NOW + timedelta(minutes=number)) for number in range(3)]
        findings.anomaly("wire", at=NOW)
        findings.anomaly("card", at=NOW, name="other")
        found = api.entity_history(ids[1])
        assert [(each.id, each.shared, each.detector) for each in found.before] == [(ids[0], ["subject"], "spike")]
        assert [each.id for each in found.after] == [ids[2]]

    @pytest.mark.parametrize("path", ["0/entity-history", "x/entity-history", "1/entity-history?limit=101"])
    def test_what_means_nothing_is_refused(self, client: Client, path: str) -> None:
        assert client.get(f"/api/alerts/{path}").status_code == 422
