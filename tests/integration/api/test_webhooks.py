"""Deliveries of webhooks: taken once, refused with a reason, never a mistake of ours."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from httpx import Client, Response

from config_api.app import create_app
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.integration.api.conftest import create_pipeline
from tests.support.topics import awaited
from tests.support.webhooks import (
    GITHUB_SECRET,
    STANDARD_SECRET,
    STRIPE_SECRET,
    TOKEN,
    github_headers,
    standard_headers,
    stripe_headers,
)

pytestmark = pytest.mark.integration


def create_source(client: Client, kind: str = "stripe", **more: Any) -> dict[str, Any]:
    """Create a source with its secret and return the answer."""
    secret = {"stripe": STRIPE_SECRET, "standard": STANDARD_SECRET, "github": GITHUB_SECRET, "token": TOKEN}[kind]
    body = {"name": f"s-{uuid.uuid4().hex[:8]}", "kind": kind, "secrets": [secret], **more}
    answer = client.post("/api/webhook-sources", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def event_body(identifier: str | None = None, **more: Any) -> bytes:
    """Return an event of Stripe."""
    event = {"id": identifier or f"evt_{uuid.uuid4().hex}", "object": "event", "type": "charge.succeeded", **more}
    return json.dumps({"created": 1700000000, "livemode": False, "data": {"object": {}}, **event}).encode()


def send(
    client: Client,
    source: dict[str, Any],
    body: bytes,
    headers: dict[str, Any] | None = None,
    *,
    secret: str = STRIPE_SECRET,
) -> Response:
    """Deliver as Stripe does, or with other headers. Without an API key."""
    given = stripe_headers(body, secret) if headers is None else headers
    return client.post(source["path"], content=body, headers={"Authorization": "", **given})


def listed(client: Client, source: dict[str, Any], what: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return what the API lists of a source."""
    answer = client.get(f"/api/webhook-sources/{source['id']}/{what}", params={"limit": 100, **wanted})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def wait_until_published(client: Client, source: dict[str, Any], seconds: float = 120) -> None:
    """Wait until no event of a source waits."""
    deadline = time.monotonic() + seconds
    while waiting := listed(client, source, "events", unpublished=True):
        assert time.monotonic() < deadline, waiting
        time.sleep(0.1)


class TestStripe:
    def test_an_event_is_kept_as_it_came_and_handed_on(self, client: Client, settings: Settings, tenant: str) -> None:
        source = create_source(client)
        charge = {"object": "charge", "id": "ch_1", "amount": 1999, "currency": "usd", "customer": "cus_1"}
        body = event_body("evt_1", data={"object": charge}).replace(b", ", b" ,\t")
        answer = send(client, source, body)
        assert (answer.status_code, answer.json()) == (200, {"status": "stored", "event_id": "evt_1"})
        wait_until_published(client, source)
        (event,) = listed(client, source, "events")
        assert (event["event_type"], event["topic"]) == ("charge.succeeded", f"{tenant}.stripe")
        assert event["occurred_at"] == "2023-11-14T22:13:20Z"
        detail = client.get(f"/api/webhook-sources/{source['id']}/events/{event['id']}").json()
        assert detail["body"].encode() == body
        ((key, value, _),) = awaited(settings, f"{tenant}.stripe", 1)
        assert key == b"evt_1"
        record = json.loads(value or b"")
        wanted = {"id": "evt_1", "amount": 1999, "amount_major": "19.99", "customer": "cus_1"}
        assert record.items() >= wanted.items()
        assert {field["name"] for field in stripe_pipeline(client)["schema"]} == set(record)

    def test_the_same_delivery_twenty_times_at_once_is_one_event(
        self, client: Client, settings: Settings, tenant: str
    ) -> None:
        source = create_source(client)
        body = event_body("evt_1")
        with ThreadPoolExecutor(20) as callers:
            answers = list(callers.map(lambda _: send(client, source, body), range(20)))
        assert Counter(answer.json()["status"] for answer in answers) == {"stored": 1, "duplicate": 19}
        assert {answer.status_code for answer in answers} == {200}
        last = event_body("evt_2")
        send(client, source, last)
        wait_until_published(client, source)
        assert len(listed(client, source, "events")) == 2
        keys = [key for key, _, _ in awaited(settings, f"{tenant}.stripe", 2)]
        assert sorted(keys, key=str) == [b"evt_1", b"evt_2"]

    def test_other_content_under_an_id_is_flagged_and_the_first_stays(self, client: Client) -> None:
        source = create_source(client)
        first = event_body("evt_1", pending_webhooks=1)
        send(client, source, first)
        assert send(client, source, event_body("evt_1", pending_webhooks=3)).json()["status"] == "duplicate"
        for _ in range(2):
            assert send(client, source, event_body("evt_1", type="other")).json()["status"] == "conflict"
        (event,) = listed(client, source, "events")
        (conflict,) = listed(client, source, "conflicts")
        assert (event["conflict_count"], conflict["seen_count"]) == (2, 2)
        assert (conflict["stored_id"], json.loads(conflict["body"])["type"]) == (event["id"], "other")
        assert client.get(f"/api/webhook-sources/{source['id']}/events/{event['id']}").json()["body"] == first.decode()

    def test_contents_beyond_a_bound_are_counted(self, client: Client) -> None:
        source = create_source(client)
        bodies = [event_body("evt_1", type=f"t{number}") for number in range(104)]
        with ThreadPoolExecutor(4) as callers:
            list(callers.map(lambda body: send(client, source, body), bodies))
        found = listed(client, source, "conflicts")
        more = client.get(f"/api/webhook-sources/{source['id']}/conflicts?limit=2&before={found[-1]['id']}").json()
        others = [item for item in found + more if item["content_hash"] == ""]
        assert (len(found + more), [item["seen_count"] for item in others]) == (101, [3])
        assert listed(client, source, "events")[0]["conflict_count"] == 103

    def test_secrets_rotate(self, client: Client) -> None:
        source = create_source(client)
        path = f"/api/webhook-sources/{source['id']}"
        new = "whsec_another_of_the_same_endpoint"
        assert send(client, source, event_body(), secret=new).status_code == 401
        rolled = client.post(f"{path}/secrets", json={"secret": new})
        assert rolled.status_code == 201
        assert STRIPE_SECRET not in rolled.text + client.get(path).text
        assert new not in rolled.text
        for secret in (STRIPE_SECRET, new):
            assert send(client, source, event_body(), secret=secret).status_code == 200
        old = rolled.json()["secrets"][0]
        assert old["hint"] == STRIPE_SECRET[-4:]
        assert client.delete(f"{path}/secrets/{old['id']}").status_code == 200
        assert send(client, source, event_body()).status_code == 401
        assert send(client, source, event_body(), secret=new).status_code == 200

    def test_a_source_without_a_secret_refuses(self, client: Client) -> None:
        source = create_source(client, secrets=[])
        answer = send(client, source, event_body())
        assert (answer.status_code, answer.json()["reason"]) == (401, "no_secret")


class TestRefused:
    @pytest.mark.parametrize(
        ("headers", "body", "status", "reason"),
        [
            ({}, b"{}", 401, "missing_header"),
            ({"Stripe-Signature": "t=,v1="}, b"{}", 401, "malformed_header"),
            ({"Stripe-Signature": "t=é,v1=é".encode("latin-1")}, b"{}", 401, "malformed_header"),
            ({"Stripe-Signature": f"t=1,v1={'0' * 64}"}, b"{}", 401, "bad_signature"),
            (-301, b"{}", 401, "too_old"),
            (301, b"{}", 401, "in_future"),
            (0, b"[1]", 400, "not_json"),
            (0, b'{"id": "evt_1"', 400, "not_json"),
            (0, b"\x00", 400, "not_json"),
            (0, b"[" * 100_000, 400, "not_json"),
            (0, b'{"id": NaN}', 400, "not_json"),
            (0, b"{}", 400, "no_event_id"),
            (0, b'{"id": "a\\u0000"}', 400, "no_event_id"),
            (0, b'{"id": "evt_1", "x": "' + b"x" * 1_000_000 + b'"}', 413, "too_large"),
        ],
    )
    def test_each_has_its_reason_and_is_kept_as_an_attempt(
        self, client: Client, headers: Any, body: bytes, status: int, reason: str
    ) -> None:
        source = create_source(client)
        given = stripe_headers(body, at=time.time() + headers) if isinstance(headers, int) else headers
        answer = send(client, source, body, given)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
        assert answer.headers["content-type"] == "application/problem+json"
        (attempt,) = listed(client, source, "attempts")
        wanted = {"reason": reason, "body_bytes": len(body), "caller_address": "127.0.0.1"}
        assert attempt.items() >= wanted.items()
        assert listed(client, source, "attempts", reason=reason) == [attempt]
        (count,) = listed(client, source, "attempt-counts")
        assert (count["reason"], count["attempt_count"]) == (reason, 1)
        assert listed(client, source, "events") == []

    def test_two_signature_headers_are_one_that_cannot_be_read(self, client: Client) -> None:
        source = create_source(client)
        signature = stripe_headers(body := event_body())["Stripe-Signature"]
        headers = [("Stripe-Signature", signature), ("Stripe-Signature", signature)]
        answer = client.post(source["path"], content=body, headers=headers)
        assert answer.json()["reason"] == "malformed_header"

    def test_a_body_that_does_not_say_how_long_it_is_is_bounded_too(self, client: Client) -> None:
        source = create_source(client)
        answer = client.post(source["path"], content=(b"x" * 60_000 for _ in range(20)))
        assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
        assert listed(client, source, "attempts")[0]["body_bytes"] > 1_000_000

    def test_a_disabled_source_refuses_until_it_is_active(self, client: Client) -> None:
        source = create_source(client)
        path = f"/api/webhook-sources/{source['id']}"
        client.patch(path, json={"status": "disabled"})
        answer = send(client, source, event_body())
        assert (answer.status_code, answer.json()["reason"]) == (403, "disabled")
        client.patch(path, json={"status": "active"})
        assert send(client, source, event_body()).status_code == 200

    def test_beyond_a_bound_attempts_are_counted_only(self, client: Client) -> None:
        source = create_source(client)
        with ThreadPoolExecutor(4) as callers:
            list(callers.map(lambda _: send(client, source, b"{}", {}), range(60)))
        kept = len(listed(client, source, "attempts"))
        counted = sum(item["attempt_count"] for item in listed(client, source, "attempt-counts"))
        assert counted == 60
        assert kept in (50, 60)  # 60, where the hour ended meanwhile

    def test_nothing_tells_sources_from_what_is_none(self, client: Client) -> None:
        source = create_source(client)
        body = event_body()
        for path in ("/webhooks/stripe/whs_0000000000000000000000", "/webhooks/stripe/x", "/webhooks/in/" + "x" * 500):
            answer = client.post(path, content=body, headers=stripe_headers(body))
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:sentinel:problem:not-found")
        swapped = source["path"].replace("/stripe/", "/in/")
        assert client.post(swapped, content=body, headers=stripe_headers(body)).status_code == 404
        named = f"/webhooks/stripe/{source['name']}"
        assert client.post(named, content=body, headers=stripe_headers(body)).status_code == 404


class TestGeneric:
    @pytest.fixture
    def pipeline_id(self, client: Client, tenant: str) -> int:
        """A pipeline whose topic is the tenant's."""
        return int(create_pipeline(client, kafka_topic=f"{tenant}.events")["id"])

    def test_standard_webhooks(self, client: Client, pipeline_id: int, settings: Settings, tenant: str) -> None:
        source = create_source(client, "standard", pipeline_id=pipeline_id)
        body = b'{"type": "user.created",  "n": 1.10}'
        assert send(client, source, body, standard_headers(body)).json() == {"status": "stored", "event_id": "msg_1"}
        assert send(client, source, body, standard_headers(body, "msg_2")).json()["status"] == "stored"
        assert send(client, source, body, standard_headers(body)).json()["status"] == "duplicate"
        bad = {**standard_headers(body), "Webhook-Signature": "v1"}
        assert send(client, source, body, bad).json()["reason"] == "malformed_header"
        wait_until_published(client, source)
        assert [value for _, value, _ in awaited(settings, f"{tenant}.events", 2)] == [body, body]

    def test_github(self, client: Client, pipeline_id: int) -> None:
        source = create_source(client, "github", pipeline_id=pipeline_id)
        body = b'{"action": "opened"}'
        assert send(client, source, body, github_headers(body)).status_code == 200
        assert listed(client, source, "events")[0]["event_type"] == "pull_request.opened"
        assert send(client, source, b"{}", github_headers(body)).json()["reason"] == "bad_signature"

    def test_a_token(self, client: Client) -> None:
        source = create_source(client, "token", header="X-Token", id_pointer="/event/id", type_pointer="/event/type")
        body = b'{"event": {"id": 17, "type": "sale"}}'
        assert send(client, source, body, {"X-Token": TOKEN}).json()["event_id"] == "17"
        (event,) = listed(client, source, "events")
        assert (event["event_type"], event["topic"], event["published_at"]) == ("sale", None, None)
        assert send(client, source, body, {"X-Token": "no"}).json()["reason"] == "bad_signature"


class TestOpenOnThisMachine:
    def test_the_name_of_a_source_does(self, settings: Settings, tenant: str) -> None:
        with (
            serve(create_app(settings.model_copy(update={"tenant": tenant}))) as url,
            Client(base_url=url, timeout=30) as client,
        ):
            source = create_source(client, name="local")
            body = event_body()
            path = "/webhooks/stripe/local"
            assert client.post(path, content=body, headers=stripe_headers(body)).status_code == 200
            strange = {**stripe_headers(body), "Host": "rebound.example"}
            assert client.post(path, content=body, headers=strange).status_code == 404
            assert len(listed(client, source, "events")) == 1


class TestTenants:
    def test_no_tenant_sees_or_changes_what_is_anothers(
        self, client: Client, client_of: Callable[..., Client], database: Database, settings: Settings, tenant: str
    ) -> None:
        source = create_source(client)
        send(client, source, event_body())
        send(client, source, event_body(), {})
        path = f"/api/webhook-sources/{source['id']}"
        other = client_of(settings.tenant)
        for what in ("", "/events", "/attempts", "/conflicts", "/attempt-counts", "/events/1"):
            assert other.get(path + what).status_code == 404
        assert other.patch(path, json={"status": "disabled"}).status_code == 404
        assert other.delete(path).status_code == 404
        assert other.post(f"{path}/secrets", json={"secret": "long-enough"}).status_code == 404
        assert other.delete(f"{path}/secrets/{source['secrets'][0]['id']}").status_code == 404
        tables = ("sources", "secrets", "events", "attempts", "attempt_counts")
        for table in tables:
            query = f"SELECT count(*) AS n FROM sentinel.webhook_{table} WHERE tenant_id = %s"
            with database.transaction(settings.tenant) as connection:
                assert connection.execute(query, (tenant,)).fetchone() == {"n": 0}
            with database.transaction(tenant) as connection:
                assert connection.execute(query, (tenant,)).fetchone() == {"n": 1}
        assert send(client, source, event_body()).status_code == 200

    def test_whoever_names_a_source_sees_that_one_row_and_no_secret(self, client: Client, database: Database) -> None:
        create_source(client)
        public_id = create_source(client)["path"].rpartition("/")[2]
        with database.transaction("", webhook_source=public_id) as connection:
            found = connection.execute("SELECT public_id FROM sentinel.webhook_sources").fetchall()
            assert [row["public_id"] for row in found] == [public_id]
            assert connection.execute("SELECT 1 FROM sentinel.webhook_secrets").fetchall() == []
            changed = connection.execute("UPDATE sentinel.webhook_sources SET status = 'disabled'")
            assert changed.rowcount == 0


class TestRecordedEvents:
    @pytest.fixture
    def bodies(self, shared_data: Path) -> list[dict[str, Any]]:
        """88 events of Stripe, which use two ids."""
        lines = (shared_data / "stripe_events" / "events.jsonl").read_text().splitlines()
        return [json.loads(line)["event"] for line in lines]

    def test_as_they_are_two_are_stored_and_86_are_flagged(self, client: Client, bodies: list[dict[str, Any]]) -> None:
        source = create_source(client)
        answers = [send(client, source, json.dumps(body).encode()) for body in bodies]
        assert {answer.status_code for answer in answers} == {200}
        assert Counter(answer.json()["status"] for answer in answers) == {"stored": 2, "conflict": 86}
        events = listed(client, source, "events")
        assert sorted(event["conflict_count"] for event in events) == [26, 60]
        assert sum(item["seen_count"] for item in listed(client, source, "conflicts")) == 86

    def test_exactly_the_valid_ones_are_stored_once_each(self, client: Client, bodies: list[dict[str, Any]]) -> None:
        source = create_source(client)
        random = Random(7)
        valid = {
            f"evt_{number}": json.dumps({**body, "id": f"evt_{number}"}).encode() for number, body in enumerate(bodies)
        }
        valid |= {f"{key}_b": body.replace(f'"{key}"'.encode(), f'"{key}_b"'.encode()) for key, body in valid.items()}
        deliveries = [
            (body, stripe_headers(body)) for body in valid.values() for _ in range(random.choice((1, 1, 2, 3)))
        ]
        forged = [
            (event_body(f"evt_forged_{number}"), stripe_headers(b"{}", STRIPE_SECRET))
            for number in range(max(1, len(deliveries) // 100))
        ]
        wrong_time = [
            (body := event_body(f"evt_late_{number}"), stripe_headers(body, at=time.time() + away))
            for number, away in enumerate((-3600, -400, 400, 3600, 86_400))
        ]
        everything = [*deliveries, *forged, *wrong_time]
        random.shuffle(everything)
        with ThreadPoolExecutor(4) as callers:
            answers = list(callers.map(lambda item: send(client, source, *item), everything))
        statuses = Counter(answer.json().get("status") for answer in answers)
        assert statuses["stored"] == len(valid) == 176
        assert statuses["duplicate"] == len(deliveries) - 176
        assert Counter(answer.json().get("reason") for answer in answers if answer.status_code != 200) == {
            "bad_signature": len(forged), "too_old": 2, "in_future": 3,
        }  # fmt: skip
        first = listed(client, source, "events")
        found = first + listed(client, source, "events", before=first[-1]["id"])
        assert {event["event_id"] for event in found} == set(valid)
        assert {event["conflict_count"] for event in found} == {0}
        wait_until_published(client, source)


def stripe_pipeline(client: Client) -> dict[str, Any]:
    """Return the built-in pipeline with its schema."""
    (found,) = [item for item in client.get("/api/pipelines").json() if item["name"] == "stripe"]
    return dict(client.get(f"/api/pipelines/{found['id']}").json())
