"""Events that Stripe could not deliver are asked for, from a stand-in of its API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from httpx import Client, Response
from pydantic import SecretStr

from config_api.app import create_app
from sentinel.ingest.webhooks import backfill
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.integration.api.test_webhooks import create_source, listed, send, wait_until_published
from tests.support.stripe_api import API_KEY, StripeApi, stripe_event
from tests.support.topics import awaited

pytestmark = pytest.mark.integration

CALLS: list[tuple[str, Any]] = [("PUT", {"api_key": API_KEY}), ("GET", None), ("DELETE", None), ("POST", {})]
NOW = int(time.time())
HOUR = 3600
PATIENCE = b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'


@pytest.fixture
def stripe() -> Iterator[StripeApi]:
    """Stripe's account: 250 events that failed, one every two hours, and as many between that did not."""
    account = StripeApi(
        [stripe_event(number, NOW - HOUR - number * HOUR, failed=number % 2 == 0) for number in range(500)]
    )
    yield account
    assert account.misfits == []


@pytest.fixture
def caller(settings: Settings, tenant: str, stripe: StripeApi) -> Iterator[Client]:
    """A caller of an API that asks the stand-in."""
    with serve(stripe.app) as stripe_url:
        webhooks = settings.webhooks.model_copy(
            update={
                "stripe_api_base": stripe_url,
                "encryption_key": SecretStr(Fernet.generate_key().decode()),
            }
        )
        app = create_app(settings.model_copy(update={"tenant": tenant, "webhooks": webhooks}))
        with serve(app) as url, Client(base_url=url, timeout=60) as client:
            yield client


@pytest.fixture
def source(caller: Client) -> dict[str, Any]:
    """A source of Stripe with its restricted key."""
    made = create_source(caller)
    assert caller.put(path(made), json={"api_key": API_KEY}).status_code == 200
    return made


def path(source: dict[str, Any]) -> str:
    """Return where the backfill of a source is."""
    return f"/api/webhook-sources/{source['id']}/backfill"


def run(client: Client, source: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Run a backfill and return the answer."""
    answer = client.post(path(source), json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(client: Client, source: dict[str, Any]) -> set[str]:
    """Return the ids of all events of a source."""
    answer = client.get(f"/api/webhook-sources/{source['id']}/events", params={"limit": 500})
    return {event["event_id"] for event in answer.json()}


def seconds(moment: str) -> int:
    """Return a time as Stripe is asked with it."""
    return int(datetime.fromisoformat(moment).timestamp())


def failed(first: int = 0, last: int = 500) -> set[str]:
    """Return the ids of the account's failed events."""
    return {f"evt_{number}" for number in range(first, last) if number % 2 == 0}


@pytest.mark.parametrize(("method", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, body: Any) -> None:
    assert anonymous.request(method, "/api/webhook-sources/1/backfill", json=body).status_code == 401


@pytest.mark.parametrize(("method", "body"), CALLS)
def test_another_tenant_gets_404(client: Client, stranger: Client, method: str, body: Any) -> None:
    made = create_source(client)
    assert client.put(path(made), json={"api_key": API_KEY}).status_code == 200
    assert stranger.request(method, path(made), json=body).status_code == 404
    assert client.get(path(made)).json()["api_key_hint"] == API_KEY[-4:]


class TestKey:
    def test_it_is_sealed_and_never_answered(
        self, caller: Client, source: dict[str, Any], database: Database, tenant: str
    ) -> None:
        answer = caller.get(path(source))
        assert (answer.json()["api_key_hint"], answer.json()["is_encrypted"]) == (API_KEY[-4:], True)
        audit = caller.get("/api/audit", params={"object_type": "webhook_source", "object_id": source["id"]})
        assert audit.json()[0]["action"] == "webhook_source.set_api_key"
        assert API_KEY not in answer.text + audit.text
        with database.transaction(tenant) as connection:
            row = connection.execute("SELECT sealed FROM sentinel.webhook_backfills").fetchone()
        assert row is not None
        assert API_KEY.encode() not in bytes(row["sealed"])

    @pytest.mark.parametrize(
        "key", ["", "sk_live_abcdefgh12345678", "whsec_abcdefgh", "rk_", "rk_a b" + "c" * 9, "rk_\n"]
    )
    def test_what_is_no_restricted_key_is_refused(self, caller: Client, source: dict[str, Any], key: str) -> None:
        answer = caller.put(path(source), json={"api_key": key})
        assert answer.status_code == 422
        assert len(key) < 5 or key not in answer.text

    def test_only_sources_of_stripe_have_one(self, caller: Client) -> None:
        other = create_source(caller, "github")
        assert caller.put(path(other), json={"api_key": API_KEY}).status_code == 409
        assert caller.post(path(other), json={}).status_code == 409

    def test_without_one_nothing_is_asked_for(self, caller: Client, source: dict[str, Any], stripe: StripeApi) -> None:
        assert caller.delete(path(source)).status_code == 204
        assert (caller.post(path(source), json={}).status_code, caller.get(path(source)).status_code) == (404, 404)
        assert stripe.requests == []


class TestRun:
    def test_all_that_failed_is_taken_in_once_and_handed_on(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi, settings: Settings, tenant: str
    ) -> None:
        done = run(caller, source)
        assert (done["is_complete"], done["stored"], done["duplicate"], done["refused"]) == (True, 250, 0, 0)
        assert done["covered_until"] == done["until"]
        assert ids(caller, source) == failed()
        assert [len(each.get("starting_after", "")) > 0 for each in stripe.requests] == [False, True, True]
        assert {each["delivery_success"] for each in stripe.requests} == {"false"}
        assert int(stripe.requests[0]["created[gte]"]) == seconds(done["until"]) - 30 * 24 * HOUR
        (newest,) = listed(caller, source, "events", event_id="evt_0")
        assert newest["origin"] == "backfilled"
        detail = caller.get(f"/api/webhook-sources/{source['id']}/events/{newest['id']}").json()
        shown = {name: value for name, value in stripe.events[0].items() if name != "failed"}
        assert json.loads(detail["body"]) == shown
        assert detail["body"].startswith('{\n      "id": "evt_0"')
        wait_until_published(caller, source)
        assert {(key or b"").decode() for key, _, _ in awaited(settings, f"{tenant}.stripe", 250)} == failed()

    def test_the_next_one_begins_where_the_last_one_ended(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi
    ) -> None:
        first = run(caller, source)
        stripe.events.insert(0, stripe_event(1000, int(time.time())))
        stripe.requests.clear()
        done = run(caller, source)
        assert (done["stored"], len(stripe.requests)) == (1, 1)
        assert int(stripe.requests[0]["created[gte]"]) == seconds(first["until"]) - HOUR

    def test_what_was_delivered_is_a_duplicate_however_it_is_written(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi
    ) -> None:
        delivered = {name: value for name, value in reversed(stripe.events[0].items()) if name != "failed"}
        body = json.dumps({**delivered, "pending_webhooks": 3}, separators=(",", ":")).encode()
        assert send(caller, source, body).json()["status"] == "stored"
        other_version = {**delivered, "id": "evt_2", "api_version": "2020-08-27", "data": {"object": {"old": True}}}
        assert send(caller, source, json.dumps(other_version).encode()).json()["status"] == "stored"
        done = run(caller, source)
        assert (done["stored"], done["duplicate"], done["conflict"]) == (248, 2, 0)
        assert listed(caller, source, "conflicts") == []
        (first,) = listed(caller, source, "events", event_id="evt_0")
        assert first["origin"] == "delivered"
        assert caller.get(f"/api/webhook-sources/{source['id']}/events/{first['id']}").json()["body"] == body.decode()

    def test_a_late_delivery_of_what_was_backfilled_is_a_duplicate(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi
    ) -> None:
        run(caller, source)
        late = {**{name: value for name, value in stripe.events[0].items() if name != "failed"}, "pending_webhooks": 1}
        assert send(caller, source, json.dumps(late).encode()).json()["status"] == "duplicate"

    def test_other_content_in_the_same_version_is_flagged(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi
    ) -> None:
        forged = {**{k: v for k, v in stripe.events[0].items() if k != "failed"}, "type": "charge.succeeded"}
        send(caller, source, json.dumps(forged).encode())
        assert run(caller, source)["conflict"] == 1
        (conflict,) = listed(caller, source, "conflicts")
        assert json.loads(conflict["body"])["type"] == "charge.failed"

    def test_since_and_everything(self, caller: Client, source: dict[str, Any], stripe: StripeApi) -> None:
        since = datetime.fromtimestamp(NOW - 10.5 * HOUR, UTC).isoformat()
        done = run(caller, source, since=since)
        assert (done["stored"], done["covered_until"]) == (5, None)
        assert ids(caller, source) == failed(0, 10)
        done = run(caller, source, since=since, only_failed=False)
        assert (done["stored"], done["duplicate"], done["only_failed"]) == (5, 5, False)
        assert "delivery_success" not in stripe.requests[-1]

    @pytest.mark.parametrize("days", [30.01, 400, -0.1])
    def test_beyond_what_stripe_keeps_is_refused(self, caller: Client, source: dict[str, Any], days: float) -> None:
        since = datetime.now(UTC) - timedelta(days=days)
        answer = caller.post(path(source), json={"since": since.isoformat()})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/since")

    def test_what_cannot_be_kept_is_refused_with_its_reason(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi
    ) -> None:
        stripe.events[2]["id"] = ""
        stripe.events[4]["data"] = {"object": {"text": "x" * 1_000_001}}
        stripe.events[6]["id"] = "evt\u0000"
        done = run(caller, source)
        assert (done["stored"], done["refused"]) == (247, 3)
        assert sorted(each["reason"] for each in listed(caller, source, "attempts")) == [
            "no_event_id", "no_event_id", "too_large",
        ]  # fmt: skip

    def test_a_disabled_source_is_left_alone(self, caller: Client, source: dict[str, Any], stripe: StripeApi) -> None:
        caller.patch(f"/api/webhook-sources/{source['id']}", json={"status": "disabled"})
        assert caller.post(path(source), json={}).status_code == 409
        assert stripe.requests == []

    def test_of_several_at_once_each_event_is_stored_once(self, caller: Client, source: dict[str, Any]) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers: list[Response] = list(pool.map(lambda _: caller.post(path(source), json={}), range(4)))
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert any(answer.status_code == 200 for answer in answers)
        assert run(caller, source)["is_complete"]
        assert ids(caller, source) == failed()


class TestTrouble:
    @pytest.fixture(autouse=True)
    def _account(self, stripe: StripeApi) -> None:
        self.stripe = stripe

    def test_it_goes_on_where_it_stopped(self, caller: Client, source: dict[str, Any], stripe: StripeApi) -> None:
        stripe.troubles.append((429, {"Retry-After": "0"}, PATIENCE))
        stripe.troubles.extend([(200, {}, page(stripe, 0, 100)), (429, {"Retry-After": "3000"}, PATIENCE)])
        answer = caller.post(path(source), json={})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3000")
        assert len(ids(caller, source)) == 100
        assert caller.get(path(source)).json()["is_complete"] is False
        done = run(caller, source)
        assert (done["is_complete"], done["stored"], done["duplicate"]) == (True, 250, 0)
        assert ids(caller, source) == failed()

    @pytest.mark.parametrize(
        ("trouble", "expected"),
        [
            ((401, b'{"error": {"message": "Invalid API Key provided: rk_test_secretpart", "type": "x"}}'), 409),
            ((403, b'{"error": {"message": "The key rk_test_secretpart does not", "type": "x"}}'), 409),
            ((400, b'{"error": {"message": "rk_test_secretpart", "param": "limit"}}'), 409),
            ((500, b"rk_test_secretpart"), 503),
            ((503, b'{"error": {"message": "rk_test_secretpart"}}'), 503),
            ((302, b""), 503),
            ((200, b"rk_test_secretpart"), 503),
            ((200, b'{"data": []}'), 503),
            ((200, b'{"data": {}, "has_more": false}'), 503),
            ((200, b'{"data": [], "has_more": true}'), 503),
            ((200, b'{"data": [{"id": 7}], "has_more": true}'), 503),
            ((200, b"[" * 100_000), 503),
        ],
    )
    def test_what_stripe_answers_otherwise_is_said_without_secrets(
        self,
        caller: Client,
        source: dict[str, Any],
        trouble: tuple[int, bytes],
        expected: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # That it waits in between is shown below.
        monkeypatch.setattr(backfill, "BACKOFF_SECONDS", 0.01)
        stripe = self.stripe
        stripe.troubles.extend([(trouble[0], {"Location": "http://127.0.0.1:1/"}, trouble[1])] * 4)
        answer = caller.post(path(source), json={})
        assert (answer.status_code, "Stripe" in answer.json()["detail"]) == (expected, True)
        assert "secretpart" not in answer.text
        assert API_KEY not in answer.text
        stripe.troubles.clear()
        assert run(caller, source)["is_complete"]
        assert ids(caller, source) == failed()

    def test_what_passes_is_tried_again(self, caller: Client, source: dict[str, Any], stripe: StripeApi) -> None:
        stripe.troubles.extend([(500, {}, b"{}"), (429, {"Retry-After": "1"}, b"{}")])
        assert run(caller, source)["stored"] == 250

    def test_a_wrong_key_is_said(self, caller: Client, source: dict[str, Any]) -> None:
        caller.put(path(source), json={"api_key": "rk_test_anotheraccountskey"})
        answer = caller.post(path(source), json={})
        assert (answer.status_code, "(401)" in answer.json()["detail"]) == (409, True)

    def test_a_cursor_that_is_gone_begins_the_range_again(
        self, caller: Client, source: dict[str, Any], stripe: StripeApi
    ) -> None:
        stripe.troubles.extend([(200, {}, page(stripe, 0, 100)), (429, {"Retry-After": "3000"}, PATIENCE)])
        assert caller.post(path(source), json={}).status_code == 429
        last = [event for event in stripe.events if event["failed"]][99]
        stripe.events.remove(last)
        done = run(caller, source)
        assert (done["is_complete"], done["stored"], done["duplicate"]) == (True, 250, 99)


def page(stripe: StripeApi, first: int, last: int) -> bytes:
    """Return a page of the failed events, with more to follow."""
    found = [event for event in stripe.events if event["failed"]][first:last]
    shown = [{name: value for name, value in event.items() if name != "failed"} for event in found]
    return json.dumps({"object": "list", "data": shown, "has_more": True, "url": "/v1/events"}).encode()
