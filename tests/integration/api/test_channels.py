"""Channels through the API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client
from standardwebhooks import Webhook

from config_api.app import create_app
from sentinel.domain.api_key import Scope
from sentinel.notify.reach.trial import MAX_TRIALS_OF_TENANT
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.integration.api.conftest import pointers
from tests.support.receivers import http_receiver, smtp_receiver

pytestmark = pytest.mark.integration

SIEM = {"name": "siem", "kind": "webhook", "options": {"url": "https://192.88.98.7/alerts"}}
TOKEN = "xoxb-123456789012-abcdefghijkl"
BOT = {"name": "ops", "kind": "slack", "options": {"mode": "bot", "channel": "#ops"}, "secret": TOKEN}
ANOTHER = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
CALLS = [
    ("POST", "", SIEM),
    ("GET", "", None),
    ("GET", "/siem", None),
    ("PATCH", "/siem", {"rate_per_minute": 5}),
    ("DELETE", "/siem", None),
    ("POST", "/siem/secrets", {}),
    ("POST", "/siem/enable", None),
    ("POST", "/siem/disable", None),
    ("POST", "/siem/test", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, f"/api/channels{path}", json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), [call for call in CALLS if call[1]])
def test_another_tenant_gets_404(client: Client, stranger: Client, method: str, path: str, body: Any) -> None:
    add(client, SIEM)
    assert stranger.request(method, f"/api/channels{path}", json=body).status_code == 404


def add(client: Client, body: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Add a channel and return the answer."""
    answer = client.post("/api/channels", json={**body, **changed})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def entries(client: Client, channel: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the audit entries of a channel, oldest first."""
    found = client.get("/api/audit", params={"object_type": "channel", "object_id": channel["id"]}).json()
    return [(entry["action"], entry["before"], entry["after"]) for entry in found[::-1]]


@pytest.fixture
def local(settings: Settings, tenant: str) -> Iterator[Client]:
    """A caller of an API whose operator allows channels to this machine."""
    with api_of(allowing(settings, tenant)) as client:
        yield client


@contextmanager
def api_of(settings: Settings) -> Iterator[Client]:
    """Serve the API, open, and yield a caller."""
    with serve(create_app(settings)) as url, Client(base_url=url, timeout=60) as client:
        yield client


def allowing(settings: Settings, tenant: str, **changed: Any) -> Settings:
    """Return settings of a tenant whose channels may reach this machine."""
    quick = {"allowed_networks": "127.0.0.0/8", "read_timeout_seconds": 1.0, "total_timeout_seconds": 3.0, **changed}
    return settings.model_copy(update={"tenant": tenant, "notify": settings.notify.model_copy(update=quick)})


class TestCreate:
    def test_a_webhook_is_given_a_secret_that_is_shown_once(self, client: Client) -> None:
        made = add(client, SIEM)
        assert made["new_secret"].startswith("whsec_")
        assert [secret["hint"] for secret in made["secrets"]] == [made["new_secret"][-4:]]
        found = client.get("/api/channels/siem")
        assert "new_secret" not in found.json()
        assert made["new_secret"] not in found.text
        assert found.json().items() <= made.items()
        assert found.json()["options"] == SIEM["options"]
        assert found.headers["etag"] == f'"{made["version"]}"'

    def test_one_that_is_brought_along_is_never_shown(self, client: Client) -> None:
        made = add(client, SIEM, secret=ANOTHER)
        assert made["new_secret"] is None
        assert ANOTHER not in str(made)
        bot = add(client, BOT)
        assert TOKEN not in str(bot)
        assert bot["options"] == {"mode": "bot", "channel": "#ops", "api_url": "https://slack.com/api"}
        assert [channel["name"] for channel in client.get("/api/channels").json()] == ["ops", "siem"]

    def test_repeating_it_under_its_key_makes_one_and_keeps_no_secret(
        self, client: Client, database: Database, tenant: str
    ) -> None:
        answers = [client.post("/api/channels", json=SIEM, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
        first, second = (answer.json() for answer in answers)
        assert [answer.status_code for answer in answers] == [201, 201]
        assert (second["new_secret"], second["id"]) == (None, first["id"])
        with database.transaction(tenant) as connection:
            kept = connection.execute("SELECT body::text AS body FROM sentinel.idempotency_keys").fetchone()
        assert kept is not None
        assert first["new_secret"] not in kept["body"]

    def test_everything_wrong_is_said_at_once(self, client: Client) -> None:
        body = {"name": "No name", "kind": "slack", "options": {"mode": "both", "token": "x", "channel": "#a"}}
        answer = client.post("/api/channels", json=body)
        assert (answer.status_code, pointers(answer)) == (422, {"/name", "/options/mode", "/options/token"})
        answer = client.post("/api/channels", json={"name": "No name", "kind": "pagerduty", "secret": "secretword"})
        assert pointers(answer) == {"/name", "/secret"}
        assert "secretword" not in answer.text
        assert pointers(client.post("/api/channels", json={"name": "pd", "kind": "pagerduty"})) == {"/secret"}
        answer = client.post("/api/channels", json={**SIEM, "rate_per_minute": 0})
        assert pointers(answer) == {"/rate_per_minute"}

    @pytest.mark.parametrize(
        "url",
        ["http://127.0.0.1:1/", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://localhost/",
         "https://[::1]/", "https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "https://[::ffff:10.0.0.1]/",
         "http://192.88.98.7/"],
    )  # fmt: skip
    def test_an_address_that_is_not_public_is_refused_with_the_setting(self, client: Client, url: str) -> None:
        answer = client.post("/api/channels", json={**SIEM, "options": {"url": url}})
        assert (answer.status_code, pointers(answer)) == (422, {"/options/url"})
        assert answer.json()["type"] == "urn:sentinel:problem:address-not-allowed"
        assert "SENTINEL_NOTIFY__ALLOWED_NETWORKS" in answer.json()["detail"]
        hook = {"name": "s", "kind": "slack", "secret": url + "secretpath"}
        answer = client.post("/api/channels", json=hook)
        assert (answer.status_code, pointers(answer), "secretpath" in answer.text) == (422, {"/secret"}, False)

    def test_a_name_without_address_is_taken_with_a_remark(self, client: Client) -> None:
        made = add(client, SIEM, options={"url": "https://nowhere.invalid/x"})
        assert "nowhere.invalid" in made["remarks"][0]

    def test_apprise_is_off(self, client: Client) -> None:
        answer = client.post("/api/channels", json={"name": "a", "kind": "apprise", "secret": "discord://id/token"})
        assert (answer.status_code, pointers(answer)) == (422, {"/kind"})

    def test_a_name_is_taken_once_and_there_are_not_too_many(self, client: Client) -> None:
        add(client, SIEM)
        assert client.post("/api/channels", json=SIEM).status_code == 409
        for number in range(99):
            add(client, SIEM, name=f"siem-{number}")
        answer = client.post("/api/channels", json={**SIEM, "name": "more"})
        assert (answer.status_code, "100" in answer.json()["detail"]) == (409, True)


class TestChange:
    def test_what_is_left_out_stays(self, client: Client) -> None:
        add(client, BOT, rate_per_minute=10)
        changed = client.patch("/api/channels/ops", json={"options": {"channel": "#other"}}).json()
        assert (changed["options"]["mode"], changed["options"]["channel"]) == ("bot", "#other")
        assert (changed["rate_per_minute"], len(changed["secrets"])) == (10, 1)
        assert client.patch("/api/channels/ops", json={"rate_per_minute": None}).json()["rate_per_minute"] is None

    def test_somebody_elses_change_is_not_overwritten(self, client: Client) -> None:
        add(client, SIEM)
        seen = client.get("/api/channels/siem").headers["etag"]
        for path, status in (("", 200), ("", 412), ("/disable", 412), ("/enable", 412)):
            method = "POST" if path else "PATCH"
            answer = client.request(
                method, f"/api/channels/siem{path}", json=None if path else {"rate_per_minute": 5},
                headers={"If-Match": seen},
            )  # fmt: skip
            assert answer.status_code == status
        assert client.delete("/api/channels/siem", headers={"If-Match": seen}).status_code == 412

    @pytest.mark.parametrize(
        ("body", "changed", "secret"),
        [
            (BOT, {"api_url": "https://192.88.98.9/api"}, TOKEN),
            ({"name": "ops", "kind": "pagerduty", "secret": "0" * 32}, {"endpoint": "https://192.88.98.9"}, "0" * 32),
            (
                {
                    "name": "ops", "kind": "email", "secret": "password",
                    "options": {
                        "host": "192.88.98.8", "username": "u", "sender": "a@b.example", "recipients": ["c@d.example"],
                    },
                },
                {"host": "192.88.98.9"},
                "password",
            ),
        ],
    )  # fmt: skip
    def test_a_secret_is_sent_elsewhere_only_by_who_knows_it(
        self, client: Client, body: dict[str, Any], changed: dict[str, Any], secret: str
    ) -> None:
        add(client, body)
        refused = client.patch("/api/channels/ops", json={"options": changed})
        assert (refused.status_code, pointers(refused)) == (422, {"/secret"})
        taken = client.patch("/api/channels/ops", json={"options": changed, "secret": secret})
        assert (taken.status_code, len(taken.json()["secrets"])) == (200, 1)

    def test_it_is_judged_as_a_new_one_is(self, client: Client) -> None:
        add(client, SIEM)
        answer = client.patch("/api/channels/siem", json={"options": {"url": "https://127.0.0.1/"}})
        assert (answer.status_code, pointers(answer)) == (422, {"/options/url"})
        answer = client.patch("/api/channels/siem", json={"options": {"url": "nowhere"}, "secret": ANOTHER})
        assert pointers(answer) == {"/options/url"}
        assert pointers(client.patch("/api/channels/siem", json={"secret": ANOTHER})) == {"/secret"}

    def test_a_password_goes_with_its_user(self, client: Client) -> None:
        options = {"host": "192.88.98.8", "sender": "a@b.example", "recipients": ["c@d.example"]}
        add(client, {"name": "mail", "kind": "email", "options": options})
        assert pointers(client.patch("/api/channels/mail", json={"options": {"username": "u"}})) == {"/secret"}
        with_user = client.patch("/api/channels/mail", json={"options": {"username": "u"}, "secret": "password"})
        assert len(with_user.json()["secrets"]) == 1
        assert client.patch("/api/channels/mail", json={"options": {"username": ""}}).json()["secrets"] == []


class TestRotate:
    def test_both_secrets_sign_until_the_overlap_is_over(self, local: Client, settings: Settings, tenant: str) -> None:
        with http_receiver() as receiver:
            first = add(local, SIEM, options={"url": receiver.url})["new_secret"]
            rotated = local.post("/api/channels/siem/secrets", json={}).json()
            second = rotated["new_secret"]
            old, new = rotated["secrets"]
            ends_in = datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC)
            assert timedelta(hours=23, minutes=50) < ends_in <= timedelta(hours=24)
            assert new["expires_at"] is None
            assert local.post("/api/channels/siem/test").json()["outcome"] == "sent"
            for secret in (first, second):
                Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
            given = local.post("/api/channels/siem/secrets", json={"secret": ANOTHER, "overlap_seconds": 0}).json()
            assert (given["new_secret"], len(given["secrets"])) == (None, 1)
            local.post("/api/channels/siem/test")
            assert len(receiver.received[1].headers["webhook-signature"].split()) == 1
            Webhook(ANOTHER).verify(receiver.received[1].body, receiver.received[1].headers)

    def test_there_are_not_too_many(self, client: Client) -> None:
        add(client, SIEM)
        codes = [client.post("/api/channels/siem/secrets", json={}).status_code for _ in range(5)]
        assert codes == [201, 201, 201, 201, 409]
        assert client.post("/api/channels/siem/secrets", json={"overlap_seconds": 0}).status_code == 201
        assert len(client.get("/api/channels/siem").json()["secrets"]) == 1

    def test_any_other_kind_has_one_which_is_replaced(self, client: Client) -> None:
        add(client, BOT)
        changed = client.post("/api/channels/ops/secrets", json={"secret": TOKEN + "new"}).json()
        assert ([secret["hint"] for secret in changed["secrets"]], changed["new_secret"]) == (["lnew"], None)
        assert pointers(client.post("/api/channels/ops/secrets", json={})) == {"/secret"}
        body = {"secret": TOKEN, "overlap_seconds": 60}
        assert pointers(client.post("/api/channels/ops/secrets", json=body)) == {"/overlap_seconds"}

    def test_a_secret_that_is_a_url_is_judged(self, client: Client) -> None:
        add(client, {"name": "t", "kind": "teams", "secret": "https://192.88.98.7/workflows/x"})
        answer = client.post("/api/channels/t/secrets", json={"secret": "https://127.0.0.1/workflows/x"})
        assert (answer.status_code, pointers(answer)) == (422, {"/secret"})


class TestTry:
    def test_what_happened_is_told(self, local: Client) -> None:
        with http_receiver() as receiver:
            add(local, SIEM, options={"url": receiver.url})
            answer = local.post("/api/channels/siem/test").json()
            assert answer.items() >= {"outcome": "sent", "fate": None, "status": 200, "detail": "ok"}.items()
            assert answer["duration_seconds"] > 0
            receiver.answers = [(410, {}, b"nobody here")]
            answer = local.post("/api/channels/siem/test").json()
            assert answer.items() >= {"outcome": "failed", "fate": "gone", "reason": "gone", "status": 410}.items()
        with http_receiver() as away:
            pass
        local.patch("/api/channels/siem", json={"options": {"url": away.url}})
        answer = local.post("/api/channels/siem/test").json()
        assert answer.items() >= {"outcome": "failed", "fate": "retry", "reason": "refused", "status": None}.items()

    def test_a_disabled_one_is_tried_too(self, local: Client) -> None:
        with http_receiver() as receiver:
            add(local, SIEM, options={"url": receiver.url})
            disabled = local.post("/api/channels/siem/disable", json={"reason": "too loud"}).json()
            assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "too loud")
            assert local.post("/api/channels/siem/test").json()["outcome"] == "sent"
            enabled = local.post("/api/channels/siem/enable").json()
            assert (enabled["status"], enabled["disabled_reason"]) == ("active", "")

    def test_mail_is_sent(self, local: Client) -> None:
        with smtp_receiver() as receiver:
            options = {
                "host": "127.0.0.1", "port": receiver.port, "security": "plain", "sender": "a@b.example",
                "recipients": ["c@d.example"],
            }  # fmt: skip
            add(local, {"name": "mail", "kind": "email", "options": options})
            assert local.post("/api/channels/mail/test").json()["outcome"] == "sent"
            assert receiver.message()["subject"] == "A test of this channel"

    def test_while_a_receiver_is_silent_other_requests_are_served_and_tests_are_bounded(self, local: Client) -> None:
        with http_receiver() as receiver:
            add(local, SIEM, options={"url": receiver.url})
            receiver.hold = threading.Event()
            count = MAX_TRIALS_OF_TENANT + 4
            with ThreadPoolExecutor(count) as threads:
                running = [threads.submit(local.post, "/api/channels/siem/test") for _ in range(count)]
                assert local.get("/api/channels").status_code == 200
                answers = [future.result() for future in running]
        codes = {answer.status_code for answer in answers}
        assert codes == {200, 429}
        assert {answer.json()["reason"] for answer in answers if answer.status_code == 200} == {"timeout"}


def test_every_change_leaves_an_entry_without_secrets(local: Client) -> None:
    with http_receiver() as receiver:
        made = add(local, SIEM, options={"url": receiver.url})
        local.patch("/api/channels/siem", json={"rate_per_minute": 5})
        local.patch("/api/channels/siem", json={"rate_per_minute": 5})
        rotated = local.post("/api/channels/siem/secrets", json={}).json()
        for verb in ("disable", "disable", "enable", "test"):
            local.post(f"/api/channels/siem/{verb}")
    local.delete("/api/channels/siem")
    found = entries(local, made)
    assert [action for action, _, _ in found] == [
        "channel.add", "channel.add_secret", "channel.change", "channel.add_secret", "channel.disable",
        "channel.enable", "channel.test", "channel.delete",
    ]  # fmt: skip
    assert found[2][1:] == ({"rate_per_minute": None}, {"rate_per_minute": 5})
    assert not [secret for secret in (made["new_secret"], rotated["new_secret"]) if secret in str(found)]


def test_a_reader_may_look_and_nothing_else(client_of: Callable[..., Client], client: Client, tenant: str) -> None:
    add(client, SIEM)
    reader = client_of(tenant, Scope.READ)
    for method, path, body in CALLS:
        expected = 200 if method == "GET" else 403
        assert reader.request(method, f"/api/channels{path}", json=body).status_code == expected
