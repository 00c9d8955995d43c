"""`sentinel webhooks` against a real API, a real database and a stand-in of Stripe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Client
from typer.testing import CliRunner, Result

from config_api.app import create_app
from sentinel.cli import webhooks as command
from sentinel.client import Client as ApiClient
from sentinel.errors import InvalidError, NotFoundError, RateLimitedError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.integration.api.test_webhooks import create_source, event_body, listed, send, wait_until_published
from tests.support.stripe_api import API_KEY, StripeApi, stripe_event

pytestmark = pytest.mark.integration

PATIENCE = b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'


@pytest.fixture
def stripe() -> Iterator[StripeApi]:
    """Stripe's account with 130 events that failed."""
    account = StripeApi([stripe_event(number, int(time.time()) - 600 - number) for number in range(130)])
    yield account
    assert account.misfits == []


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch, settings: Settings, tenant: str, stripe: StripeApi) -> Iterator[Client]:
    """A caller of the API that the commands speak to."""
    with serve(stripe.app) as stripe_url:
        webhooks = settings.webhooks.model_copy(update={"stripe_api_base": stripe_url})
        chosen = settings.model_copy(update={"tenant": tenant, "webhooks": webhooks})
        with serve(create_app(chosen)) as url, Client(base_url=url, timeout=60) as client:
            monkeypatch.setattr(ApiClient, "of", classmethod(lambda cls, _settings: cls(url)))
            monkeypatch.setattr(command.Settings, "load", classmethod(lambda cls: chosen))
            yield client


@pytest.fixture
def run(caller: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command; one that fails raises."""
    monkeypatch.setattr(command.time, "sleep", lambda _: None)

    def invoke(*arguments: object, **more: Any) -> Result:
        return CliRunner().invoke(command.app, [str(each) for each in arguments], catch_exceptions=False, **more)

    return invoke


class TestBackfill:
    def test_by_name_from_the_key_to_the_end(
        self, run: Callable[..., Result], caller: Client, stripe: StripeApi
    ) -> None:
        source = create_source(caller, name="live")
        assert (
            run("backfill-key", "live", input=f"{API_KEY}\n").stdout
            == f"the key that ends in {API_KEY[-4:]} is stored\n"
        )
        stripe.troubles.append((429, {"Retry-After": "30"}, PATIENCE))
        done = run("backfill", "live")
        assert done.stdout == "130 stored, 0 were there, 0 in conflict, 0 refused\n"
        assert "again in 30 s" in done.stderr
        assert run("backfill", source["id"], "--everything").stdout.startswith("0 stored, 130 were there")
        assert run("list").stdout.splitlines()[1].split()[:3] == [str(source["id"]), "live", "stripe"]
        with pytest.raises(InvalidError, match="30 days"):
            run("backfill", "live", "--since", "2020-01-01")
        with pytest.raises(NotFoundError, match="'nobody'"):
            run("backfill", "nobody")

    def test_it_does_not_wait_for_ever(self, run: Callable[..., Result], caller: Client, stripe: StripeApi) -> None:
        create_source(caller, name="live")
        run("backfill-key", "live", input=API_KEY)
        stripe.troubles.append((429, {"Retry-After": "86400"}, PATIENCE))
        with pytest.raises(RateLimitedError):
            run("backfill", "live")


class TestPrune:
    def test_old_events_go_and_what_waits_for_kafka_stays(
        self,
        run: Callable[..., Result],
        caller: Client,
        database: Database,
        tenant: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(command, "PRUNE_BATCH", 2)
        source = create_source(caller)
        for number in range(7):
            send(caller, source, event_body(f"evt_{number}"))
        send(caller, source, event_body("evt_0", type="other"))
        wait_until_published(caller, source)
        with database.transaction(tenant) as connection:
            connection.execute(
                "UPDATE sentinel.webhook_events "
                "SET received_at = now() - interval '40 days', publish_after = 'infinity', "
                "published_at = CASE WHEN provider_event_id IN ('evt_2', 'evt_3') THEN NULL ELSE published_at END "
                "WHERE provider_event_id <> 'evt_6'"
            )
        assert run("prune", "--days", "41").stdout.startswith("0 events deleted")
        assert run("prune", "--days", "31").stdout.startswith("4 events deleted that came before ")
        assert [event["event_id"] for event in listed(caller, source, "events")] == ["evt_6", "evt_3", "evt_2"]
        assert listed(caller, source, "conflicts") == []

    @pytest.mark.parametrize("arguments", [(), ("--days", 30), ("--days", 0), ("--days", -5)])
    def test_too_short_a_time_is_refused(self, run: Callable[..., Result], arguments: tuple[Any, ...]) -> None:
        with pytest.raises(InvalidError, match="31 or more"):
            run("prune", *arguments)

    def test_another_tenants_events_stay(
        self, run: Callable[..., Result], caller: Client, client: Client, database: Database, settings: Settings
    ) -> None:
        source = create_source(caller)
        send(caller, source, event_body("evt_1"))
        wait_until_published(caller, source)
        assert run("prune", "--days", "31", "--tenant", settings.tenant).exit_code == 0
        assert len(listed(caller, source, "events")) == 1
