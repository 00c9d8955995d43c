"""The notification policy, silences and deliveries through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from httpx import Client
from typer.testing import CliRunner

from sentinel.cli.app import app
from sentinel.clock import utc_now
from sentinel.domain.api_key import Scope
from sentinel.notify.channels.base import Receipt
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import pointers
from tests.support.notifications import Desk, down

pytestmark = pytest.mark.integration

POLICY = {"defaults": {"channels": ["hook"]}}
SILENCE = {"matchers": ['rule="large"'], "ends_at": "2099-01-01T00:00:00Z", "comment": "known"}
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/api/notifications/policy", None),
    ("PUT", "/api/notifications/policy", {"policy": {}}),
    ("GET", "/api/notifications/policy/versions", None),
    ("POST", "/api/notifications/dry-route", {"rule": "x"}),
    ("POST", "/api/silences", SILENCE),
    ("GET", "/api/silences", None),
    ("GET", "/api/silences/1", None),
    ("DELETE", "/api/silences/1", None),
    ("GET", "/api/alerts/1/why", None),
    ("GET", "/api/deliveries", None),
    ("GET", "/api/deliveries/overdue", None),
    ("POST", "/api/deliveries/redrive", {}),
    ("GET", "/api/deliveries/dlv_1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path, json=body).status_code == 401


@pytest.fixture
def desk(database: Database, tenant: str) -> Desk:
    """Notifications of the caller's tenant."""
    made = Desk(database, tenant)
    made.clock.now = utc_now()
    return made


def test_another_tenant_gets_404(client: Client, stranger: Client, desk: Desk) -> None:
    desk.channel("hook")
    client.put("/api/notifications/policy", json={"policy": POLICY})
    alert_id = desk.alert(desk.rule())
    desk.run()
    delivery = client.get("/api/deliveries").json()[0]["id"]
    silence = client.post("/api/silences", json={**SILENCE, "ends_at": soon()}).json()["id"]
    for path in (f"/api/alerts/{alert_id}/why", f"/api/deliveries/{delivery}", f"/api/silences/{silence}"):
        assert client.get(path).status_code == 200
        assert stranger.get(path).status_code == 404
    assert stranger.delete(f"/api/silences/{silence}").status_code == 404
    assert stranger.post("/api/notifications/dry-route", json={"alert_id": alert_id}).status_code == 404
    assert delivery not in {each["id"] for each in stranger.get("/api/deliveries").json()}


def test_a_reader_changes_nothing(client_of: Callable[..., Client], tenant: str) -> None:
    reader = client_of(tenant, Scope.READ)
    for method, path, body in CALLS:
        changes = method in {"PUT", "DELETE"} or (
            path in {"/api/silences", "/api/deliveries/redrive"} and method == "POST"
        )
        if changes:
            assert reader.request(method, path, json=body).status_code == 403, path


class TestPolicy:
    """The document that says who is told."""

    def test_there_is_none_at_first(self, client: Client) -> None:
        answer = client.get("/api/notifications/policy")
        assert (answer.json()["version"], answer.json()["policy"], answer.headers["etag"]) == (0, {}, '"0"')

    def test_each_change_is_a_version_that_stays(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        first = client.put("/api/notifications/policy", json={"policy": POLICY, "comment": "begin"})
        assert (first.status_code, first.json()["version"], first.json()["policy"]) == (200, 1, POLICY)
        again = client.put("/api/notifications/policy", json={"policy": POLICY})
        assert again.json()["version"] == 1
        client.put("/api/notifications/policy", json={"policy": {}})
        versions = client.get("/api/notifications/policy/versions").json()
        assert [(each["version"], each["policy"], each["comment"]) for each in versions] == [
            (2, {}, ""),
            (1, POLICY, "begin"),
        ]
        entries = client.get("/api/audit", params={"object_type": "notification_policy"}).json()
        assert [entry["action"] for entry in entries] == ["notification_policy.replace"] * 2

    def test_it_changes_only_what_somebody_has_read(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        client.put("/api/notifications/policy", json={"policy": POLICY})
        stale = client.put("/api/notifications/policy", json={"policy": {}}, headers={"If-Match": '"0"'})
        assert stale.status_code == 412
        assert (
            client.put("/api/notifications/policy", json={"policy": {}}, headers={"If-Match": '"1"'}).status_code == 200
        )

    @pytest.mark.parametrize(
        ("policy", "status", "said"),
        [
            ({"defaults": {"channels": ["nowhere"]}}, 422, "there is no channel 'nowhere'"),
            ({"escalations": {"up": [{"after_minutes": 1, "channels": ["x"]}]}}, 422, "there is no channel 'x'"),
            ({"routes": [{"name": "a", "match": ["colour=red"]}]}, 422, "is no label"),
            ({"routes": [{"name": "a", "match": ['rule=~"("']}]}, 422, "is no pattern"),
            ({"routes": [{"name": "a", "quiet_hours": "night"}]}, 422, "no quiet hours named 'night'"),
            ({"surprise": 1}, 422, "not permitted"),
        ],
        ids=["channel", "escalation", "label", "pattern", "quiet-hours", "member"],
    )
    def test_what_cannot_work_is_refused_with_the_reason(
        self, client: Client, policy: Any, status: int, said: str
    ) -> None:
        answer = client.put("/api/notifications/policy", json={"policy": policy})
        assert answer.status_code == status, answer.text
        assert said in answer.text
        assert client.get("/api/notifications/policy").json()["version"] == 0

    def test_one_that_cannot_be_read_is_shown_and_replaced(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"]}, surprise=1)
        found = client.get("/api/notifications/policy").json()
        assert (found["version"], found["policy"]["surprise"]) == (1, 1)
        assert "surprise" in found["problem"]
        assert client.get("/api/notifications/policy/versions").json()[0]["problem"] == found["problem"]
        changed = client.put("/api/notifications/policy", json={"policy": POLICY}, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.json()["version"], changed.json()["problem"]) == (200, 2, "")

    def test_routes_without_end_are_refused(self, client: Client) -> None:
        nested: dict[str, Any] = {"name": "r0"}
        for number in range(1, 150):
            nested = {"name": f"r{number}", "routes": [nested]}
        deep = client.put("/api/notifications/policy", json={"policy": {"routes": [nested]}})
        assert (deep.status_code, "nested too deep" in deep.text) == (422, True)
        many = [{"name": f"r{number}"} for number in range(5_000)]
        wide = client.put("/api/notifications/policy", json={"policy": {"routes": many}})
        assert (wide.status_code, "at most 300" in wide.text) == (422, True)
        for name in ("rule", "escalation"):
            taken = client.put("/api/notifications/policy", json={"policy": {"routes": [{"name": name}]}})
            assert (taken.status_code, "no route may be named" in taken.text) == (422, True)


class TestDryRoute:
    """What would happen."""

    def test_it_says_where_when_and_why_not(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        desk.channel("slack", "slack")
        policy = {
            "routes": [
                {"name": "night", "match": ['tag="night"'], "channels": ["slack"], "quiet_hours": "always"},
                {"name": "rest", "channels": ["hook"]},
            ],
            "quiet_hours": {
                "always": {"time_zone": "Europe/Vienna", "windows": [{"begins": "22:00", "ends": "07:00"}]}
            },
        }
        client.put("/api/notifications/policy", json={"policy": policy})
        at = "2026-01-15T23:30:00Z"
        waits = dry(client, rule="x", tags=["night"], at=at)["targets"]
        assert [(each["route"], each["channel"], each["told_at"]) for each in waits] == [
            ("night", "slack", "2026-01-16T06:00:00Z")
        ]
        passes = dry(client, rule="x", tags=["night"], severity="critical", at=at)["targets"][0]
        assert passes["told_at"] == at
        desk.silence('rule="quiet"', hours=1)
        silent = dry(client, rule="quiet")["targets"][0]
        assert (silent["told_at"], "maintenance" in silent["muted_by"]) == (None, True)
        unknown = dry(client, rule="x", notify=["webhook:nowhere"])
        assert [each["outcome"] for each in unknown["refused"]] == ["unresolved"]
        assert dry(client, rule="x", policy={})["refused"][0]["outcome"] == "unrouted"

    def test_it_writes_nothing(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        client.put("/api/notifications/policy", json={"policy": POLICY})
        alert_id = desk.alert(desk.rule())
        assert dry(client, alert_id=alert_id)["targets"][0]["channel"] == "hook"
        assert dry(client, alert_id=alert_id)["labels"]["rule"] == "large"
        for table in ("notification_groups", "deliveries", "notification_decisions", "alert_fingerprints"):
            assert desk.query(f"SELECT count(*) AS n FROM sentinel.{table}") == [{"n": 0}], table
        assert client.get(f"/api/alerts/{alert_id}/why").json()["is_waiting"]


class TestSilences:
    """Nobody is told for a while."""

    def test_the_life_of_one(self, client: Client) -> None:
        made = client.post("/api/silences", json={**SILENCE, "ends_at": soon()})
        assert made.status_code == 201
        assert (made.json()["status"], made.headers["location"]) == ("active", f"/api/silences/{made.json()['id']}")
        later = client.post("/api/silences", json={**SILENCE, "starts_at": soon(), "ends_at": soon(2)})
        assert later.json()["status"] == "pending"
        assert len(client.get("/api/silences").json()) == 2
        ended = client.delete(f"/api/silences/{made.json()['id']}").json()
        assert (ended["status"], ended["ended_by"][:4]) == ("expired", "test")
        assert [each["id"] for each in client.get("/api/silences").json()] == [later.json()["id"]]
        assert len(client.get("/api/silences", params={"expired": True}).json()) == 2
        actions = [entry["action"] for entry in client.get("/api/audit", params={"object_type": "silence"}).json()]
        assert actions == ["silence.end", "silence.add", "silence.add"]

    @pytest.mark.parametrize(
        ("changed", "pointer"),
        [
            ({"matchers": ["nonsense"]}, "/matchers/0"),
            ({"matchers": []}, "/matchers"),
            ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
            ({"ends_at": "2099-01-01T00:00:00Z"}, "/ends_at"),
            ({"comment": ""}, "/comment"),
        ],
        ids=["matcher", "none", "past", "far", "comment"],
    )
    def test_what_is_none_is_refused_with_its_place(self, client: Client, changed: Any, pointer: str) -> None:
        answer = client.post("/api/silences", json={**SILENCE, "ends_at": soon(), **changed})
        assert answer.status_code == 422
        assert pointer in pointers(answer)


class TestDeliveries:
    """What became of them."""

    def test_a_list_that_is_paged_and_filtered(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        client.put("/api/notifications/policy", json={"policy": POLICY})
        raised = desk.alerts(desk.rule(), 5)
        desk.run()
        first = client.get("/api/deliveries", params={"limit": 3})
        rest = client.get(first.links["next"]["url"]).json()
        assert len(first.json()) == 3
        assert len({each["id"] for each in [*first.json(), *rest]}) == 5
        (one,) = client.get("/api/deliveries", params={"alert_id": raised[2]}).json()
        detail = client.get(f"/api/deliveries/{one['id']}").json()
        assert (detail["alert_ids"], detail["state"], len(detail["attempts"])) == ([raised[2]], "sent", 1)
        assert detail["content"]["alerts"][0]["event"] == {"n": 3, "amount": 12.5}
        assert client.get("/api/deliveries", params={"state": "dead"}).json() == []

    def test_dead_ones_are_sent_again(self, client: Client, desk: Desk) -> None:
        receiver = desk.channel("hook")
        receiver.answer = down
        client.put("/api/notifications/policy", json={"policy": POLICY})
        alert_id = desk.alert(desk.rule())
        desk.route()
        desk.query("UPDATE sentinel.deliveries SET round_attempts = 9 RETURNING id")
        desk.send()
        (dead,) = client.get("/api/deliveries", params={"state": "dead", "reason": "refused"}).json()
        tried = client.post("/api/deliveries/redrive", json={"channel": "hook", "dry_run": True}).json()
        assert (tried["delivery_ids"], tried["dry_run"]) == ([dead["id"]], True)
        done = client.post("/api/deliveries/redrive", json={"channel": "hook"}).json()
        assert (done["count"], done["left"], done["looped"]) == (1, 0, 0)
        receiver.answer = lambda _: Receipt(200)
        desk.clock.now = utc_now()
        desk.send()
        why = client.get(f"/api/alerts/{alert_id}/why").json()
        assert [step["outcome"] for step in why["steps"]] == ["routed", "dead_lettered", "redriven", "sent"]
        assert why["summary"] == "Sent to hook."

    def test_overdue_ones_are_found(self, client: Client, desk: Desk) -> None:
        desk.channel("hook")
        client.put("/api/notifications/policy", json={"policy": POLICY})
        desk.clock.turn(minutes=-5)
        desk.alert(desk.rule())
        desk.route()
        assert [each["cause"] for each in client.get("/api/deliveries/overdue").json()] == ["no_worker"]


class TestCommands:
    """`sentinel notify`."""

    @pytest.mark.usefixtures("cli_of_tenant")
    def test_they_say_what_the_api_says(self, client: Client, desk: Desk, tmp_path: Any) -> None:
        desk.channel("hook")
        file = tmp_path / "policy.yaml"
        # YAML reads 22:00 as a number in base 60. The hours are quiet, but not now.
        begins, ends = ("22:00", "03:01") if 6 <= utc_now().hour < 18 else ("10:00", "13:01")
        file.write_text(
            "defaults:\n  channels: [hook]\n  quiet_hours: night\nquiet_hours:\n  night:\n    time_zone: UTC\n"
            f"    windows:\n      - {{begins: {begins}, ends: {ends}}}\n    holidays: [2020-12-25]\n"
        )
        assert run("policy", str(file), "--comment", "begin") == "version 1 is in force\n"
        printed = run("policy")
        assert "- hook" in printed
        assert f"begins: '{begins}'" in printed
        assert "- '2020-12-25'" in printed
        alert_id = desk.alert(desk.rule())
        assert run("route", "--alert", str(alert_id)).startswith("hook: by the defaults, told ")
        assert run("why", str(alert_id)).startswith("It waits to be decided")
        desk.run()
        assert "sent" in run("why", str(alert_id))
        assert "Sent to hook." in run("why", str(alert_id))
        delivery = client.get("/api/deliveries").json()[0]["id"]
        assert delivery in run("deliveries", "--channel", "hook")
        assert f"{delivery} to hook (webhook): fired, sent" in run("show", delivery)
        assert run("silence", 'rule="large"', "--comment", "known").startswith("silence ")
        silence = client.get("/api/silences").json()[0]["id"]
        assert "known" in run("silences")
        assert run("unsilence", str(silence)) == f"silence {silence} is over\n"
        assert run("redrive", "--dry-run") == "0 would be sent again; 0 left alone, 0 more fit\n"
        assert run("audit") == "no delivery is overdue\n"


def run(*arguments: str) -> str:
    """Run a command and return what it prints."""
    done = CliRunner().invoke(app, ["notify", *arguments])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


def dry(client: Client, **wanted: Any) -> dict[str, Any]:
    """Try a route."""
    answer = client.post("/api/notifications/dry-route", json=wanted)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def soon(hours: float = 1) -> str:
    """Return a time to come."""
    return (utc_now() + timedelta(hours=hours)).isoformat()
