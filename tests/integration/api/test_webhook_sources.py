"""Sources of webhooks through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from httpx import Client
from pydantic import SecretStr

from config_api.app import create_app
from sentinel.client import Client as ApiClient
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.integration.api.conftest import create_pipeline, pointers
from tests.integration.api.test_webhooks import create_source, event_body, listed, send
from tests.support.webhooks import STANDARD_SECRET, STRIPE_SECRET, TOKEN

pytestmark = pytest.mark.integration

NEW = "whsec_another_of_the_same_endpoint"
CALLS = [
    ("POST", "", {"name": "s", "kind": "stripe"}),
    ("GET", "", None),
    ("GET", "/{id}", None),
    ("PATCH", "/{id}", {"name": "other"}),
    ("DELETE", "/{id}", None),
    ("POST", "/{id}/secrets", {"secret": NEW}),
    ("DELETE", "/{id}/secrets/1", None),
    ("GET", "/{id}/events", None),
    ("GET", "/{id}/events/1", None),
    ("GET", "/{id}/conflicts", None),
    ("GET", "/{id}/attempts", None),
    ("GET", "/{id}/attempt-counts", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, f"/api/webhook-sources{path.format(id=1)}", json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), [call for call in CALLS if call[1]])
def test_another_tenant_gets_404(client: Client, stranger: Client, method: str, path: str, body: Any) -> None:
    source = create_source(client)
    answer = stranger.request(method, f"/api/webhook-sources{path.format(id=source['id'])}", json=body)
    assert answer.status_code == 404


def entries(client: Client, source: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the audit entries of a source, oldest first."""
    found = client.get("/api/audit", params={"object_type": "webhook_source", "object_id": source["id"]}).json()
    return [(entry["action"], entry["before"], entry["after"]) for entry in found[::-1]]


class TestCreate:
    def test_the_first_of_stripe_makes_a_pipeline_and_the_second_uses_it(self, client: Client, tenant: str) -> None:
        first = create_source(client, name="live")
        second = create_source(client, name="test", secrets=[])
        assert first["path"].startswith("/webhooks/stripe/whs_")
        assert first["path"] != second["path"]
        (pipeline,) = client.get("/api/pipelines").json()
        assert (pipeline["name"], pipeline["kafka_topic"]) == ("stripe", f"{tenant}.stripe")
        assert first["pipeline_id"] == second["pipeline_id"] == pipeline["id"]
        rule = {"rule_expression": "type = 'charge.failed' AND amount_major > 100", "severity": "warning"}
        assert client.post(f"/api/pipelines/{pipeline['id']}/rules", json=rule).status_code == 201
        assert [source["name"] for source in client.get("/api/webhook-sources").json()] == ["live", "test"]

    def test_another_pipeline_of_that_name_is_not_taken_for_it(self, client: Client) -> None:
        create_pipeline(client, name="stripe")
        answer = client.post("/api/webhook-sources", json={"name": "live", "kind": "stripe"})
        assert (answer.status_code, "pipeline_id" in answer.json()["detail"]) == (409, True)

    def test_a_name_is_taken_once(self, client: Client) -> None:
        source = create_source(client)
        answer = client.post("/api/webhook-sources", json={"name": source["name"], "kind": "github"})
        assert (answer.status_code, pointers(answer)) == (409, {"/name"})

    def test_everything_wrong_is_said_at_once_and_no_secret(self, client: Client) -> None:
        body = {
            "name": "No name", "kind": "standard", "secrets": [STANDARD_SECRET, "whsec_wrong!"], "header": "X-A",
        }  # fmt: skip
        answer = client.post("/api/webhook-sources", json=body)
        assert (answer.status_code, pointers(answer)) == (422, {"/name", "/secrets/1", "/header"})
        assert "whsec_" not in answer.text.replace("`whsec_`", "")
        token = {"name": "t", "kind": "token", "header": "a b", "id_pointer": "id", "type_pointer": "/a~2"}
        answer = client.post("/api/webhook-sources", json=token)
        assert pointers(answer) == {"/header", "/id_pointer", "/type_pointer"}

    def test_a_topic_of_somebody_else_is_not_written_to(self, client: Client, settings: Settings) -> None:
        foreign = create_pipeline(client, kafka_topic=f"{settings.tenant}.stripe")
        body = {"name": "s", "kind": "github", "pipeline_id": foreign["id"]}
        assert pointers(client.post("/api/webhook-sources", json=body)) == {"/pipeline_id"}
        source = create_source(client, "github")
        path = f"/api/webhook-sources/{source['id']}"
        assert pointers(client.patch(path, json={"pipeline_id": foreign["id"]})) == {"/pipeline_id"}
        body = {"name": "s", "kind": "github", "pipeline_id": 2**62}
        assert client.post("/api/webhook-sources", json=body).status_code == 404

    def test_repeating_it_under_its_key_is_harmless_and_keeps_no_secret(
        self, client: Client, database: Database, tenant: str
    ) -> None:
        body = {"name": "live", "kind": "stripe", "secrets": [STRIPE_SECRET]}
        answers = [client.post("/api/webhook-sources", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        with database.transaction(tenant) as connection:
            kept = connection.execute("SELECT body::text AS body FROM sentinel.idempotency_keys").fetchone()
        assert kept is not None
        assert STRIPE_SECRET not in kept["body"]


class TestChange:
    def test_what_is_left_out_stays(self, client: Client, tenant: str) -> None:
        pipeline = create_pipeline(client, kafka_topic=f"{tenant}.sales")
        source = create_source(client, "token", header="X-A", pipeline_id=pipeline["id"])
        path = f"/api/webhook-sources/{source['id']}"
        changed = client.patch(path, json={"id_pointer": "/id"}).json()
        assert changed.items() >= {"header": "X-A", "id_pointer": "/id", "pipeline_id": pipeline["id"]}.items()
        assert client.patch(path, json={"pipeline_id": None}).json()["pipeline_id"] is None
        taken = create_source(client)["name"]
        assert client.patch(path, json={"name": taken}).status_code == 409
        assert client.get(path).json()["name"] == source["name"]

    def test_somebody_elses_change_is_not_overwritten(self, client: Client) -> None:
        source = create_source(client)
        path = f"/api/webhook-sources/{source['id']}"
        seen = client.get(path).headers["etag"]
        assert client.patch(path, json={"status": "disabled"}, headers={"If-Match": seen}).status_code == 200
        assert client.patch(path, json={"status": "active"}, headers={"If-Match": seen}).status_code == 412

    def test_one_that_sent_something_is_deleted_with_it_only_where_that_is_said(self, client: Client) -> None:
        source = create_source(client)
        send(client, source, event_body())
        path = f"/api/webhook-sources/{source['id']}"
        refused = client.delete(path)
        assert (refused.status_code, "with_events" in refused.json()["detail"]) == (409, True)
        assert client.delete(f"{path}?with_events=true").status_code == 204
        assert client.get(path).status_code == 404
        assert send(client, source, event_body()).status_code == 404
        empty = create_source(client)
        assert client.delete(f"/api/webhook-sources/{empty['id']}").status_code == 204


class TestSecrets:
    def test_others_may_be_told_to_end(self, client: Client) -> None:
        source = create_source(client)
        path = f"/api/webhook-sources/{source['id']}/secrets"
        end = datetime.now(UTC) + timedelta(hours=24)
        old, new = client.post(path, json={"secret": NEW, "others_expire_at": end.isoformat()}).json()["secrets"]
        assert datetime.fromisoformat(old["expires_at"]) == end
        assert new["expires_at"] is None
        gone = client.post(path, json={"secret": TOKEN, "others_expire_at": "2020-01-01T00:00:00Z"}).json()
        assert [secret["hint"] for secret in gone["secrets"]] == [TOKEN[-4:]]
        assert send(client, source, event_body()).status_code == 401
        assert send(client, source, event_body(), secret=TOKEN).status_code == 200

    def test_what_can_not_work_is_refused(self, client: Client) -> None:
        source = create_source(client)
        path = f"/api/webhook-sources/{source['id']}/secrets"
        answer = client.post(path, json={"secret": "x", "expires_at": "2020-01-01T00:00:00Z"})
        assert (answer.status_code, pointers(answer)) == (422, {"/secret", "/expires_at"})
        for number in range(9):
            assert client.post(path, json={"secret": f"{NEW}{number}"}).status_code == 201
        assert client.post(path, json={"secret": NEW}).status_code == 409

    def test_with_a_key_they_are_encrypted_and_without_it_the_provider_comes_again(
        self, settings: Settings, tenant: str, database: Database
    ) -> None:
        own = settings.model_copy(update={"tenant": tenant})
        key = SecretStr(Fernet.generate_key().decode())
        keyed = own.model_copy(update={"webhooks": own.webhooks.model_copy(update={"encryption_key": key})})
        with serve(create_app(keyed)) as url, Client(base_url=url, timeout=30) as client:
            source = create_source(client)
            assert source["secrets"][0]["is_encrypted"]
            assert send(client, source, event_body()).status_code == 200
        with database.transaction(tenant) as connection:
            row = connection.execute("SELECT sealed FROM sentinel.webhook_secrets").fetchone()
        assert row is not None
        assert STRIPE_SECRET.encode() not in row["sealed"]
        with serve(create_app(own)) as url, Client(base_url=url, timeout=30) as client:
            answer = send(client, source, event_body())
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:sentinel:problem:sealed-secret")
            assert answer.headers["retry-after"]
            assert listed(client, source, "attempts") == []


def test_every_change_leaves_an_entry_without_secrets(client: Client) -> None:
    source = create_source(client)
    path = f"/api/webhook-sources/{source['id']}"
    client.patch(path, json={"status": "disabled"})
    client.patch(path, json={"status": "disabled"})
    client.delete(f"{path}/secrets/{source['secrets'][0]['id']}")
    client.delete(path)
    found = entries(client, source)
    assert [action for action, _, _ in found] == [
        "webhook_source.add", "webhook_source.add_secret", "webhook_source.change", "webhook_source.delete_secret",
        "webhook_source.delete",
    ]  # fmt: skip
    assert found[2][1:] == ({"status": "active"}, {"status": "disabled"})
    assert STRIPE_SECRET not in str(found)


def test_lists_are_paged(client: Client) -> None:
    source = create_source(client)
    for number in range(3):
        send(client, source, event_body(f"evt_{number}", type=f"t.{number % 2}"))
        send(client, source, event_body(f"evt_{number}", type="x"))
        send(client, source, b"{}", {})
    for what in ("events", "conflicts", "attempts"):
        first = client.get(f"/api/webhook-sources/{source['id']}/{what}?limit=2")
        second = client.get(first.links["next"]["url"])
        assert (len(first.json()), len(second.json())) == (2, 1)
        assert "next" not in second.links
    assert [event["event_id"] for event in listed(client, source, "events", event_type="t.0")] == ["evt_2", "evt_0"]
    assert [event["event_id"] for event in listed(client, source, "events", event_id="evt_1")] == ["evt_1"]


def test_the_typed_client_does_all_of_it(api: ApiClient, client: Client) -> None:
    source = api.create_webhook_source("live", "stripe", secrets=[STRIPE_SECRET])
    assert api.add_webhook_secret(source.id, NEW).secrets[1].hint == NEW[-4:]
    assert api.delete_webhook_secret(source.id, source.secrets[0].id).secrets[0].hint == NEW[-4:]
    changed = api.change_webhook_source(source.id, status="active", name="other")
    assert [found.name for found in api.list_webhook_sources()] == [changed.name] == ["other"]
    sent = {"path": source.path}
    assert send(client, sent, event_body("evt_1"), secret=NEW).status_code == 200
    send(client, sent, event_body("evt_1", type="x"), secret=NEW)
    send(client, sent, b"{}", {})
    (event,) = api.webhook_events(source.id)
    assert api.get_webhook_event(source.id, event.id).body == event_body("evt_1").decode()
    assert [conflict.event_id for conflict in api.webhook_conflicts(source.id)] == ["evt_1"]
    assert [attempt.reason for attempt in api.webhook_attempts(source.id)] == ["missing_header"]
    assert [count.attempt_count for count in api.webhook_attempt_counts(source.id)] == [1]
    api.delete_webhook_source(source.id, with_events=True)
    assert api.list_webhook_sources() == []
